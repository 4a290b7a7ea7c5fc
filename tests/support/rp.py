"""A ringpost server of its own for a test: made in a temporary directory, stopped at the end.

    with rp.Server(shards=2) as server:
        server.add_user('sam', 'secret')
        imap = server.imap('sam', 'secret')
"""
import imaplib
import os
import random
import re
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

import imap_grammar

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get('RINGPOST_BUILD', os.path.join(TOP, 'build'))
SHARED = os.path.join(os.path.dirname(TOP), 'shared')
SANITIZER_ENV = {
    'ASAN_OPTIONS': 'detect_leaks=1:abort_on_error=1:handle_abort=0',
    'UBSAN_OPTIONS': 'halt_on_error=1:abort_on_error=1:print_stacktrace=1',
    'TSAN_OPTIONS': 'halt_on_error=1:abort_on_error=1',
}

PORT_MIN = 10000

# For a file system of some MiB: what is not settled yet has its room kept for it, by default 64 MiB a shard.
SMALL_STORAGE = 'commit_file = 4MiB unsettled_memory = 4MiB'


def free_ports(count):
    """Ports of loopback that nobody uses just now, and that no client gets from the kernel: a server that is killed and comes back has
    the same ones, and with those of clients it would find one of them taken now and then."""
    with open('/proc/sys/net/ipv4/ip_local_port_range', encoding='ascii') as f:
        end = int(f.read().split()[0])
    tries = random.sample(range(PORT_MIN, end), min(64 * count, end - PORT_MIN)) if end > 2 * PORT_MIN else []
    socks = []
    for port in tries + [0] * count:
        s = socket.socket()
        try:
            s.bind(('127.0.0.1', port))
        except OSError:
            s.close()
            continue
        socks.append(s)
        if len(socks) == count:
            break
    ports = [s.getsockname()[1] for s in socks]
    for s in socks:
        s.close()
    return ports


class Server:
    def __init__(self, shards=2, config='', auth='', limits='', trusted=True, plaintext_login=True, log_level='info',
                 storage='commit_file = 4MiB', keep=None, userfile=True):
        self.userfile = userfile  # False: there is none until a user is added
        self.dir = keep or tempfile.mkdtemp(prefix='ringpost-test-')
        self.keep = keep
        self.port, self.port_tls, self.port_lmtp = free_ports(3)
        self.lmtp_path = os.path.join(self.dir, 'lmtp')
        self.conf = os.path.join(self.dir, 'ringpost.conf')
        self.cert = os.path.join(self.dir, 'cert.pem')
        self.exe = os.path.join(BUILD, 'ringpost')
        self.process = None
        self.log = os.path.join(self.dir, 'log')
        os.makedirs(os.path.join(self.dir, 'data'), exist_ok=True)
        if not os.path.exists(self.cert):
            subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256',
                            '-nodes', '-keyout', os.path.join(self.dir, 'key.pem'), '-out', self.cert, '-days', '30',
                            '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
                           check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        trusted_networks = 'trusted_networks = { "127.0.0.0/8" }' if trusted else ''
        with open(self.conf, 'w') as f:
            f.write(f'''
data = "{self.dir}/data"
shards = {shards}
hostname = "test.invalid"
{config}
auth {{
    passwd = "{self.dir}/passwd"
    plaintext_login = {'true' if plaintext_login else 'false'}
    {trusted_networks}
    {auth}
}}
storage {{ {storage} }}
limits {{ {limits} }}
log {{ level = {log_level} }}
tls default {{ cert = "{self.cert}" key = "{self.dir}/key.pem" }}
listen imap {{ protocol = imap address = 127.0.0.1 port = {self.port} }}
listen imaps {{ protocol = imaps address = 127.0.0.1 port = {self.port_tls} }}
listen lmtp {{ protocol = lmtp address = 127.0.0.1 port = {self.port_lmtp} }}
listen lmtpunix {{ protocol = lmtp path = "{self.lmtp_path}" }}
''')

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, value, trace):
        clean = self.stop()
        if kind is None and not clean:
            raise AssertionError('the server did not end in order:\n' + self.log_tail())
        if kind is not None:
            sys.stderr.write(self.log_tail())
        elif not self.keep:
            shutil.rmtree(self.dir, ignore_errors=True)

    def run(self, *args, input=None, check=True):
        """One subcommand; its completed process."""
        env = dict(os.environ, **SANITIZER_ENV)
        done = subprocess.run([self.exe, *args, '-c', self.conf], input=input, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
        if check and done.returncode != 0:
            raise AssertionError(f'ringpost {args}: exit {done.returncode}: {done.stderr.decode(errors="replace")}')
        return done

    def add_user(self, name, password='secret'):
        self.run('user', 'add', name, input=password.encode())

    def users_of_all_shards(self, prefix, shards=2):
        """A new user on each shard: the log says on which one a login ended up."""
        found = {}
        for n in range(40):
            name = f'{prefix}{n}'
            self.add_user(name)
            self.imap(name).logout()
            shard = re.findall(rf'login.ok shard=(\d+) user={name} ', self.log_text())
            if shard:
                found.setdefault(int(shard[-1]), name)
            if len(found) == shards:
                return [found[shard] for shard in sorted(found)]
        raise AssertionError(f'no users on {shards} shards: {found}')

    def spawn(self):
        """Start it and do not wait."""
        if self.userfile and not os.path.exists(os.path.join(self.dir, 'passwd')):
            open(os.path.join(self.dir, 'passwd'), 'a').close()
        env = dict(os.environ, **SANITIZER_ENV)
        self.log_file = open(self.log, 'ab')
        self.process = subprocess.Popen([self.exe, 'serve', '-c', self.conf], stdout=subprocess.PIPE,
                                        stderr=self.log_file, env=env)

    def start(self, timeout=60):
        self.spawn()
        got = []
        reader = threading.Thread(target=lambda: got.append(self.process.stdout.readline()), daemon=True)
        reader.start()
        reader.join(timeout)
        if not got or got[0].strip() != b'ready':
            self.kill()
            raise AssertionError(f'the server is not ready: {got}\n' + self.log_tail())

    def stop(self, timeout=60):
        """End in order. True: it did, with exit code 0."""
        if self.process is None:
            return True
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        self.process = None
        return code == 0

    def children(self):
        """Process ids of the server and the auth process, by their command lines."""
        found = {}
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/stat') as f:
                    state, parent = f.read().rsplit(')', 1)[1].split()[:2]
                if int(parent) == self.process.pid and state != 'Z':  # the dead have no command line to be told apart by
                    with open(f'/proc/{pid}/cmdline') as f:
                        found['auth' if 'ringpost-auth' in f.read() else 'server'] = int(pid)
            except (OSError, IndexError):
                continue
        return found

    def kill(self):
        """The whole of it, at once, as a power cut would (but for what the kernel holds)."""
        if self.process is None:
            return
        pids = [self.process.pid] + list(self.children().values())  # the supervisor first: it would start others
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        self.process = None
        for pid in pids:
            for _ in range(500):
                if not os.path.exists(f'/proc/{pid}'):
                    break
                time.sleep(0.01)

    def log_text(self):
        with open(self.log, 'rb') as f:
            return f.read().decode(errors='replace')

    def log_tail(self, lines=60):
        return '\n'.join(self.log_text().splitlines()[-lines:]) + '\n'

    def tls_context(self):
        return ssl.create_default_context(cafile=self.cert)

    def imap(self, name=None, password='secret', tls=True):
        if tls:
            client = CheckedTls('localhost', self.port_tls, ssl_context=self.tls_context(), timeout=60)
        else:
            client = CheckedPlain('127.0.0.1', self.port, timeout=60)
        if name is not None:
            client.login(name, password)
        return client

    def lmtp(self):
        return smtplib.LMTP('127.0.0.1', self.port_lmtp)

    def raw(self, tls=False):
        return Raw(self, tls)


class Checked:
    """With one of imaplib's classes behind it: every response is read by the strict grammar too."""

    def open(self, *args, **named):
        self.tap = imap_grammar.Tap()
        super().open(*args, **named)

    def read(self, size):
        data = super().read(size)
        self.tap.feed(data)
        return data

    def readline(self):
        data = super().readline()
        self.tap.feed(data)
        return data


class CheckedTls(Checked, imaplib.IMAP4_SSL):
    pass


class CheckedPlain(Checked, imaplib.IMAP4):
    pass


class Raw:
    """Bytes to and from a port; what comes from an IMAP one is read by the strict grammar too."""

    def __init__(self, server, tls=False, port=None, source=None):
        sock = socket.create_connection(('127.0.0.1', port or (server.port_tls if tls else server.port)), timeout=30,
                                        source_address=(source, 0) if source else None)
        self.sock = server.tls_context().wrap_socket(sock, server_hostname='localhost') if tls else sock
        self.buffer = b''
        self.tap = imap_grammar.Tap() if port != server.port_lmtp else None

    def receive(self):
        data = self.sock.recv(65536)
        if self.tap is not None:
            self.tap.feed(data)
        return data

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def line(self):
        while b'\n' not in self.buffer:
            more = self.receive()
            if not more:
                raise EOFError(self.buffer)
            self.buffer += more
        line, self.buffer = self.buffer.split(b'\n', 1)
        return line + b'\n'

    def until(self, tag):
        """Lines up to the one that begins with the tag, as one piece; literals are not told apart."""
        lines = b''
        tag = tag if isinstance(tag, bytes) else tag.encode()
        while True:
            line = self.line()
            lines += line
            if line.startswith(tag + b' '):
                return lines

    def closed(self):
        """Read to the end; what came."""
        while True:
            try:
                more = self.receive()
            except ConnectionResetError:
                return self.buffer
            if not more:
                return self.buffer
            self.buffer += more

    def close(self):
        self.sock.close()


class Checks:
    """Named checks of a script; its last line is `N passed, N failed`."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def run(self, name, function, *args):
        try:
            function(*args)
        except Exception as error:  # a check that cannot even run has failed
            import traceback
            self.failed += 1
            print(f'FAIL {name}: {error!r}')
            traceback.print_exc()
        else:
            self.passed += 1
            print(f'ok   {name}')
        sys.stdout.flush()

    def skip(self, name, why):
        self.skipped += 1
        print(f'skip {name}: {why}')

    def end(self):
        tail = f', {self.skipped} skipped' if self.skipped else ''
        print(f'{self.passed} passed, {self.failed} failed{tail}')
        sys.exit(1 if self.failed else 0)
