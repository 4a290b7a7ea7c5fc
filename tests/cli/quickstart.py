"""quickstart: what it makes, a second start, and who its processes are."""
import glob
import os
import pwd
import shutil
import signal
import ssl
import stat
import subprocess
import tempfile
import imaplib

import rp

EXE = os.path.join(rp.BUILD, 'ringpost')


class Quickstart:
    """One that runs, till the end of the block."""

    def __init__(self, dir, *options, env=None):
        self.dir = dir
        self.imap, self.imaps, self.lmtp = rp.free_ports(3)
        self.env = dict(os.environ, **rp.SANITIZER_ENV, **(env or {}))
        self.options = options

    def __enter__(self):
        self.process = subprocess.Popen(
            [EXE, 'quickstart', '--dir', self.dir, '--imap', str(self.imap), '--imaps', str(self.imaps), '--lmtp',
             str(self.lmtp), '--shards', '2', *self.options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        self.said = ''
        while not self.said.endswith('ready\n'):
            line = self.process.stdout.readline().decode()
            if not line:
                raise AssertionError(f'it ended: {self.said} {self.process.stderr.read().decode()}')
            self.said += line
        return self

    def __exit__(self, kind, value, trace):
        self.process.send_signal(signal.SIGINT)
        out, err = self.process.communicate(timeout=60)
        self.errors = err.decode()
        if kind is None:
            assert self.process.returncode == 0, (self.process.returncode, self.errors)

    def uids(self):
        """Real, effective, saved and file system user of each child."""
        found = {}
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/status') as f:
                    status = dict(line.split(':', 1) for line in f.read().splitlines())
                if int(status['PPid']) == self.process.pid:
                    with open(f'/proc/{pid}/cmdline') as f:
                        name = 'auth' if 'ringpost-auth' in f.read() else 'server'
                    found[name] = {int(uid) for uid in status['Uid'].split()}
            except (OSError, ValueError, KeyError):
                continue
        return found

    def messages(self):
        with open(f'{self.dir}/demo.password') as f:
            password = f.read()
        context = ssl.create_default_context(cafile=f'{self.dir}/tls/cert.pem')
        client = imaplib.IMAP4_SSL('localhost', self.imaps, ssl_context=context, timeout=60)
        client.login('demo', password)
        count = int(client.select('INBOX')[1][0])
        assert b'From:' in client.fetch('1', 'BODY[]')[1][0][1]
        client.append('INBOX', None, None, b'Subject: one more\r\n\r\nx\r\n')
        client.logout()
        return count


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def again(dir):
    """What is there is used again; the printed line reads a message."""
    with Quickstart(dir) as first:
        before = first.messages()
        line = [line for line in first.said.splitlines() if line.strip().startswith('curl ')][0]
        got = subprocess.run(line, shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert got.returncode == 0 and b'Subject:' in got.stdout, got
        password = open(f'{dir}/demo.password').read()
        other = subprocess.run([EXE, 'quickstart', '--dir', dir, '--imap', str(first.imap), '--imaps', str(first.imaps),
                                '--lmtp', str(first.lmtp)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert other.returncode == 75 and other.stderr.count(b'\n') == 1 and b'another server' in other.stderr, other
    with Quickstart(dir) as second:
        assert second.messages() == before + 1
    assert password == open(f'{dir}/demo.password').read()


def changed_by_hand(dir):
    """What a person wrote into the config stays, and counts; ports that were chosen stay too."""
    with Quickstart(dir) as first:
        ports = (first.imap, first.imaps, first.lmtp)
    conf = f'{dir}/ringpost.conf'
    made = open(conf).read()

    def start(*options):
        return subprocess.Popen([EXE, 'quickstart', '--dir', dir, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                env=dict(os.environ, **rp.SANITIZER_ENV))

    def said(*options):
        process = start(*options)
        text = b''
        while not text.endswith(b'ready\n'):
            line = process.stdout.readline()
            assert line, (text, process.stderr.read())
            text += line
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        return text.decode()

    text = said()
    assert all(str(port) in text for port in ports) and open(conf).read() == made
    other, = rp.free_ports(1)
    text = said('--imaps', str(other))  # nobody has changed it: other ports can be asked for
    assert f'port {other}' in text and open(conf).read() == made.replace(f'port = {ports[1]}\n', f'port = {other}\n')
    with open(conf, 'a') as f:
        f.write('limits { appendlimit = 128KiB }\n')
    mine = open(conf).read()
    assert f'port {other}' in said() and open(conf).read() == mine
    process = start('--imaps', str(ports[1]))
    out, err = process.communicate(timeout=60)
    assert process.returncode == 78 and not out and err.count(b'\n') == 1 and b'changed by hand' in err, (process.returncode, err)
    assert open(conf).read() == mine
    os.unlink(f'{dir}/demo.password')
    said()
    with open(conf, 'w') as f:
        f.write(made)
    with Quickstart(dir) as one:
        one.messages()  # with the new password


def private(dir):
    """The folder is open to nobody but the caller."""
    assert mode(dir) == 0o700
    assert mode(f'{dir}/passwd') == 0o600 and mode(f'{dir}/demo.password') == 0o600 and mode(f'{dir}/tls/key.pem') == 0o600


def wrong(dir):
    for options, code in ((['--imap', '0'], 64), (['--imap', '70000'], 64), (['--imap', 'x'], 64), (['--shards', '0x'], 64),
                          (['--nonsense'], 64), (['word'], 64), (['--dir'], 64), (['--dir', f'{dir}/a"b'], 64),
                          (['--dir', f'{dir}/not/there'], 1), (['--shards', '129'], 64)):
        done = subprocess.run([EXE, 'quickstart', *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == code and done.stderr and not done.stdout, (options, done)


def without_root(dir, env, uid):
    """Started by root below a folder that is root's alone: both children are somebody else, also a second time, also where an
    earlier start left all to root."""
    os.makedirs(dir, mode=0o700)
    demo = f'{dir}/demo'
    for round in range(3):
        with Quickstart(demo, env=env) as one:
            assert one.uids() == {'server': {uid}, 'auth': {uid}}, one.uids()
            assert one.messages() == 12 + round
            assert os.stat(f'{demo}/data').st_uid == uid
            assert os.stat(f'{demo}/passwd').st_uid == 0 and mode(f'{demo}/passwd') == 0o600
            assert os.stat(f'{demo}/tls/key.pem').st_uid == 0 and mode(f'{demo}/tls/key.pem') == 0o600
            caller = int(env['SUDO_UID']) if env else 0
            for name in ('', 'demo.password', 'tls', 'tls/cert.pem', 'ringpost.conf', 'sample.done'):
                assert os.stat(f'{demo}/{name}').st_uid == caller, name
            done = subprocess.run([EXE, 'import', '--user', 'demo', '--mailbox', 'More', '-c', f'{demo}/ringpost.conf',
                                   *glob.glob(f'{rp.TOP}/core/cli/sample/*.eml')], stdout=subprocess.PIPE)
            assert done.returncode == 0, done
        assert 'root' not in one.errors.replace(dir, ''), one.errors
        # Offline, by root: he reads what is his alone, and what he makes is the server's.
        shutil.copy(f'{rp.TOP}/core/cli/sample/01-welcome.eml', f'{dir}/mine.eml')
        os.chmod(f'{dir}/mine.eml', 0o600)
        for args in (['import', '--user', 'demo', f'{dir}/mine.eml'], ['check']):
            done = subprocess.run([EXE, *args, '-c', f'{demo}/ringpost.conf'], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert done.returncode == 0, done
        client_expunge(demo, env)
        if round == 1:
            subprocess.run(['chown', '-R', '0:0', demo], check=True)


def client_expunge(demo, env):
    """The offline message goes again, so that the count stays what it was."""
    with Quickstart(demo, env=env) as one:
        with open(f'{demo}/demo.password') as f:
            password = f.read()
        context = ssl.create_default_context(cafile=f'{demo}/tls/cert.pem')
        client = imaplib.IMAP4_SSL('localhost', one.imaps, ssl_context=context, timeout=60)
        client.login('demo', password)
        last = client.select('INBOX')[1][0].decode()
        client.store(last, '+FLAGS', '\\Deleted')
        client.expunge()
        client.logout()


def root_is_told(dir):
    """`serve` on a store that is root's says in one line that the server runs as root."""
    with rp.Server(shards=1) as server:
        told = [line for line in server.log_text().splitlines() if ' warn server.as_root ' in line]
        assert len(told) == 1 and f'data={server.dir}/data' in told[0] and 'chown' in told[0], server.log_text()


def run(checks):
    dir = tempfile.mkdtemp(prefix='ringpost-quickstart-')
    checks.run('quickstart: a second start uses what is there', again, f'{dir}/again')
    checks.run('quickstart: a config changed by hand stays', changed_by_hand, f'{dir}/changed')
    checks.run('quickstart: the folder is private', private, f'{dir}/again')
    checks.run('quickstart: wrong options', wrong, dir)
    if os.geteuid() == 0:
        try:
            nobody = pwd.getpwnam('ringpost').pw_uid
        except KeyError:
            nobody = pwd.getpwnam('nobody').pw_uid
        sudo = {'SUDO_UID': '12345', 'SUDO_GID': '12346'}
        checks.run('quickstart by root: its children are not', without_root, f'{dir}/root', {}, nobody)
        checks.run("quickstart by sudo: its children are the caller's", without_root, f'{dir}/sudo', sudo, 12345)
        checks.run('serve as root on a store of root says so', root_is_told, dir)
    else:
        checks.skip('quickstart by root', 'not root')
    shutil.rmtree(dir, ignore_errors=True)
