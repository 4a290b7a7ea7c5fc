"""Dovecot, from Debian's packages dovecot-imapd and dovecot-lmtpd, in a folder of its own."""
import os
import subprocess

from . import servers

CONF = """# Made by the bench suite.
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
instance_name = bench
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{cert}
ssl_key = <{key}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_cache_size = 64M
first_valid_uid = 1
mail_uid = {account}
mail_gid = {account}
mail_location = {format}:{folder}/mail/%n
mail_fsync = {fsync}
mail_max_userip_connections = 1000
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {folder}/users
}}
userdb {{
  driver = static
  args = uid={account} gid={account} home={folder}/mail/%n
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  service_count = 0
  process_min_avail = {cores}
  client_limit = 20000
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 20000
}}
service lmtp {{
  process_min_avail = {cores}
  process_limit = 512
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
service auth {{
  client_limit = 50000
}}
service anvil {{
  client_limit = 50000
}}
"""

# Clients in IDLE are put away into one process a second after they fell silent.
HIBERNATE = """imap_hibernate_timeout = 1s
service imap {
  unix_listener imap-master {
    user = $default_internal_user
  }
  extra_groups = $default_internal_group
}
service imap-hibernate {
  unix_listener imap-hibernate {
    mode = 0660
    group = $default_internal_group
  }
}
"""


class Dovecot(servers.Server):
    """format: mdbox or sdbox; fsync: mail_fsync; hibernate: clients in IDLE."""

    def __init__(self, folder, users, mail_format='mdbox', fsync='optimized', hibernate=False):
        super().__init__(folder)
        self.users, self.format, self.fsync, self.hibernate = users, mail_format, fsync, hibernate
        self.name = f'dovecot {mail_format}' + ('' if fsync == 'optimized' else f' fsync={fsync}') + (' hibernating' * hibernate)
        self.durability = ('each change is on the disk before it is answered (mail_fsync=always)' if fsync == 'always' else
                           'deliveries and APPEND are on the disk; flags and expunges are not (mail_fsync=optimized, the default)')

    def start(self):
        if not os.path.exists(self.path('dovecot.conf')):
            cert, key = servers.make_certificate(self.folder)
            os.makedirs(self.path('mail'))
            account = 'mail'
            subprocess.run(['chown', f'{account}:{account}', self.path('mail')], check=True)
            self.write('users', ''.join(f'{servers.PREFIX}{i}:{servers.PASSWORD}\n' for i in range(self.users)))
            self.write('dovecot.conf', CONF.format(folder=self.folder, cert=cert, key=key, account=account, format=self.format,
                                                   fsync=self.fsync, cores=os.cpu_count(), imap=self.imap, imaps=self.imaps,
                                                   lmtp=self.lmtp) + (HIBERNATE if self.hibernate else ''))
        self.spawn(['dovecot', '-F', '-c', self.path('dovecot.conf')])
        servers.wait_port(self.imap, self.process, self.path('log'))

    def version(self):
        return subprocess.run(['dovecot', '--version'], capture_output=True, text=True, check=True).stdout.strip()

    def settings(self):
        return open(self.path('dovecot.conf')).read()
