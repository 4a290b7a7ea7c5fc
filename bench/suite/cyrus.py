"""Cyrus IMAP, from Debian's packages cyrus-common and cyrus-imapd, in a folder of its own.

Debian lets no two IMAP servers be installed, so these two packages are unpacked there (`bench/peers install` fetches them), and
nothing of the system's is touched.
"""
import glob
import os
import subprocess

from . import servers

IMAPD_CONF = """# Made by the bench suite.
configdirectory: {folder}/conf
defaultpartition: default
partition-default: {folder}/spool
sievedir: {folder}/sieve
cyrus_user: {account}
admins: admin
servername: localhost
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {folder}/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
unixhierarchysep: yes
virtdomains: off
defaultdomain: {domain}
autocreate_quota: 0
autocreate_post: yes
autocreate_users: anyone
lmtp_downcase_rcpt: yes
tls_server_cert: {cert}
tls_server_key: {key}
syslog_prefix: bench
idlesocket: {folder}/conf/socket/idle
lmtpsocket: {folder}/conf/socket/lmtp
notifysocket: {folder}/conf/socket/notify
maxlogins_per_user: 0
search_engine: none
"""

CYRUS_CONF = """START {{
  recover cmd="{bin}/ctl_cyrusdb -C {conf} -r"
}}
SERVICES {{
  imap  cmd="{bin}/imapd -C {conf} -U 256" listen="127.0.0.1:{imap}" prefork={cores} maxchild=20000
  imaps cmd="{bin}/imapd -C {conf} -s -U 256" listen="127.0.0.1:{imaps}" prefork={cores} maxchild=20000
  lmtp  cmd="{bin}/lmtpd -C {conf} -a" listen="127.0.0.1:{lmtp}" prefork={cores} maxchild=512
}}
DAEMON {{
  idled cmd="{bin}/idled -C {conf}"
}}
EVENTS {{
  checkpoint cmd="{bin}/ctl_cyrusdb -C {conf} -c" period=30
}}
"""


class Cyrus(servers.Server):
    """packages: the folder in which the packages are unpacked."""
    name = 'cyrus'
    durability = "message files and mailbox indexes are on the disk before an answer (fsync, Cyrus's default)"

    def __init__(self, folder, users, packages='/var/tmp/ringpost-bench-cyrus'):
        super().__init__(folder)
        self.users, self.packages = users, packages
        self.bin = os.path.join(packages, 'usr/lib/cyrus/bin')
        self.environment = {**os.environ, 'LD_LIBRARY_PATH': ':'.join(glob.glob(os.path.join(packages, 'usr/lib/*-linux-gnu')))}

    def set_up(self):
        account = 'mail'
        cert, key = servers.make_certificate(self.folder)
        for name in ('conf', 'spool', 'sieve', 'conf/db', 'conf/proc', 'conf/socket', 'conf/log', 'conf/msg', 'conf/lock',
                     'conf/quota', 'conf/user', 'conf/ptclient', 'conf/sieve'):
            os.makedirs(self.path(name), exist_ok=True)
        conf = self.write('imapd.conf', IMAPD_CONF.format(folder=self.folder, account=account, cert=cert, key=key,
                                                          domain=servers.DOMAIN))
        self.write('cyrus.conf', CYRUS_CONF.format(bin=self.bin, conf=conf, imap=self.imap, imaps=self.imaps, lmtp=self.lmtp,
                                                   cores=os.cpu_count()))
        self.add_users()
        subprocess.run(['chown', '-R', f'{account}:{account}', self.folder], check=True)

    def add_users(self):
        """sasldb2 is a Berkeley DB of user NUL realm NUL userPassword: filled at once, as saslpasswd2 takes one at a time."""
        subprocess.run(['saslpasswd2', '-p', '-c', '-f', self.path('sasldb2'), '-u', 'localhost', 'admin'],
                       input=servers.PASSWORD, text=True, check=True)
        lines = ['VERSION=3', 'format=bytevalue', 'type=hash', 'HEADER=END']
        for i in range(self.users):
            key = f'{servers.PREFIX}{i}'.encode() + b'\0localhost\0userPassword'
            lines += [' ' + key.hex(), ' ' + servers.PASSWORD.encode().hex()]
        lines.append('DATA=END')
        subprocess.run(['db_load', self.path('sasldb2')], input='\n'.join(lines) + '\n', text=True, check=True)

    def start(self):
        if not os.path.exists(self.path('imapd.conf')):
            self.set_up()
        self.spawn([os.path.join(self.bin, 'master'), '-C', self.path('imapd.conf'), '-M', self.path('cyrus.conf'), '-p',
                    self.path('pid')], env=self.environment)
        servers.wait_port(self.imap, self.process, self.path('log'))

    def version(self):
        found = glob.glob(os.path.join(self.packages, 'version'))
        return open(found[0]).read().strip() if found else 'unknown'

    def settings(self):
        return open(self.path('imapd.conf')).read() + open(self.path('cyrus.conf')).read()
