"""Servers under test: how each is set up, started, accounted and ended, and what it promises.

All serve on loopback, on free high ports, with the same users, password, certificate and mail; all files lie in a folder that is
given. A server is ended by the process id that it was started with, and nothing else is.
"""
import os
import shutil
import signal
import socket
import subprocess
import time

PASSWORD = 'correct-horse'
PREFIX = 'load'
DOMAIN = 'example.org'


def free_ports(count):
    """Ports that nobody uses now."""
    held = [socket.create_server(('127.0.0.1', 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def wait_port(port, process, log, seconds=60):
    """Until it is answered there, or the process has ended."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with socket.create_connection(('127.0.0.1', port), timeout=5) as s:
                if s.recv(1):
                    return
        except OSError:
            pass
        time.sleep(0.1)
    tail = open(log, errors='replace').read()[-2000:] if os.path.exists(log) else ''
    raise RuntimeError(f'no answer on port {port}\n{tail}')


class Server:
    """name, version, durability and settings are what results say; imap, imaps, lmtp are ports."""
    name = ''
    durability = ''

    def __init__(self, folder):
        self.folder = os.path.abspath(folder)
        self.process = None
        os.makedirs(self.folder, exist_ok=True)
        self.imap, self.imaps, self.lmtp = self.own_ports()

    def own_ports(self):
        """Those of its config, where it was set up before."""
        if os.path.exists(self.path('ports')):
            return [int(port) for port in open(self.path('ports')).read().split()]
        ports = free_ports(3)
        self.write('ports', ' '.join(map(str, ports)) + '\n')
        return ports

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), 'w') as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def spawn(self, argv, **options):
        with open(self.path('log'), 'ab') as log:
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **options)

    def stop(self):
        """In order; at last by force, that one process."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def pids(self):
        """All of its processes that there are now: it and what is below it."""
        children = {}
        for name in os.listdir('/proc'):
            if name.isdigit():
                try:
                    with open(f'/proc/{name}/stat') as file:
                        children.setdefault(int(file.read().rsplit(')', 1)[1].split()[1]), []).append(int(name))
                except OSError:
                    pass
        found, waiting = [], [self.process.pid]
        while waiting:
            found.append(waiting.pop())
            waiting += children.get(found[-1], [])
        return found

    def load_options(self):
        """What the load tool must know of it."""
        password = self.write('load.password', PASSWORD + '\n')
        return ['--imap', f'127.0.0.1:{self.imap}', '--imaps', f'127.0.0.1:{self.imaps}', '--lmtp',
                f'127.0.0.1:{self.lmtp}', '--domain', DOMAIN, '--password-file', password,
                '--server-pid', str(self.process.pid)]

    def told(self):
        return {'name': self.name, 'version': self.version(), 'durability': self.durability, 'settings': self.settings()}

    def version(self):
        return ''

    def settings(self):
        return ''


class Ringpost(Server):
    """The project's own; build: the folder with ringpost in it."""
    name = 'ringpost'
    durability = 'each tagged OK and each 250 is on the disk'

    def __init__(self, folder, build, users, shards=1):
        super().__init__(folder)
        self.build, self.users, self.shards = build, users, shards

    def quickstart(self):
        self.spawn([os.path.join(self.build, 'ringpost'), 'quickstart', '--dir', self.folder, '--imap', str(self.imap),
                    '--imaps', str(self.imaps), '--lmtp', str(self.lmtp), '--shards', str(self.shards), '--no-sample',
                    '--plaintext-login'])
        wait_port(self.imap, self.process, self.path('log'))

    def add_users(self):
        """One hash for all: a login is hashed as ever, but they are added in a moment."""
        subprocess.run([os.path.join(self.build, 'ringpost'), 'user', 'add', 'one', '-c', self.path('ringpost.conf')],
                       input=PASSWORD, text=True, check=True, stdout=subprocess.DEVNULL)
        hashed = next(line.split(':')[1] for line in open(self.path('passwd')) if line.startswith('one:'))
        with open(self.path('passwd'), 'a') as file:
            for i in range(self.users):
                file.write(f'{PREFIX}{i}:{hashed}:{os.urandom(16).hex()}\n')

    def start(self):
        if not os.path.exists(self.path('passwd')):
            self.quickstart()
            self.add_users()
            self.stop()
        self.quickstart()

    def version(self):
        return subprocess.run([os.path.join(self.build, 'ringpost'), '--version'], capture_output=True,
                              text=True, check=False).stdout.strip()

    def settings(self):
        return open(self.path('ringpost.conf')).read()


def make_certificate(folder):
    """As ringpost's quickstart makes one: ECDSA P-256, self-signed."""
    cert, key = os.path.join(folder, 'cert.pem'), os.path.join(folder, 'key.pem')
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key,
                    '-out', cert, '-days', '30', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
                   check=True, capture_output=True)
    os.chmod(key, 0o644)
    return cert, key


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)
