"""import: what is put, in which order, what is said of what could not be; from a running server and without one."""
import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import rp

FROM = b'From a@b Sat Jan  3 01:05:34 2015\n'


def message(number, size=100):
    return (f'Subject: {number}\nMessage-ID: <{number}@test>\n\n' + 'x' * 60 + '\n').encode() + b'y' * (size - 60) + b'\n'


def mbox(path, messages):
    with open(path, 'wb') as f:
        for one in messages:
            f.write(FROM + one + b'\n')
    return path


def subjects(server, user, mailbox):
    """Subjects in the order of UIDs."""
    client = server.imap(user)
    kind, data = client.select(f'"{mailbox}"', readonly=True)
    assert kind == 'OK', data
    if data == [b'0']:
        return []
    _, data = client.fetch('1:*', '(BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
    client.logout()
    return [int(re.search(rb'Subject: (\d+)', part[1])[1]) for part in data if isinstance(part, tuple)]


class Relay:
    """Stands between a command and a server's control socket; lets answers through only when so many requests have come."""

    def __init__(self, path, to, hold_until):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.to = to
        self.hold_until = hold_until
        self.requests = 0
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        near, _ = self.listener.accept()
        far = socket.socket(socket.AF_UNIX)
        far.connect(self.to)
        threading.Thread(target=self.back, args=(far, near), daemon=True).start()
        while data := near.recv(65536):
            self.requests += data.count(b'{"cmd":"deliver"')
            far.sendall(data)
        far.shutdown(socket.SHUT_WR)

    def back(self, far, near):
        while data := far.recv(65536):
            end = time.monotonic() + 30
            while self.requests < self.hold_until and time.monotonic() < end:
                time.sleep(0.01)
            near.sendall(data)
        near.close()


def many_under_way(server, dir):
    box = mbox(f'{dir}/many', [message(i) for i in range(400)])
    relay = Relay(f'{dir}/relay', f'{server.dir}/data/control', 300)
    conf = f'{dir}/relay.conf'
    with open(server.conf) as f, open(conf, 'w') as out:
        out.write(f'control = "{dir}/relay"\n' + f.read())
    done = subprocess.run([server.exe, 'import', '--user', 'sam', '--mailbox', 'many', '-c', conf, box],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                          env=dict(os.environ, **rp.SANITIZER_ENV))
    assert done.returncode == 0, done
    assert b'400 messages imported, 0 failed' in done.stdout, done
    assert relay.requests == 400, relay.requests
    assert subjects(server, 'sam', 'many') == list(range(400))


def order(server, dir, mailbox, running):
    """Small and large ones, one of them refused: the rest stays in order."""
    sizes = [100, 3000, 70_000, 1_500_000, 100, 400_000] * 8 + [100] * 400
    messages = [message(i, size) for i, size in enumerate(sizes)]
    messages[77] = message(77, 3_000_000)
    box = mbox(f'{dir}/{mailbox}', messages)
    done = server.run('import', '--user', 'sam', '--mailbox', mailbox, '--json', box, check=False)
    assert done.returncode == 1, done
    assert json.loads(done.stdout)['imported'] == len(sizes) - 1, done.stdout
    assert json.loads(done.stdout)['failed'] == 1, done.stdout
    line = f'ringpost: {box}, message 78: not imported: larger than limits {{ appendlimit }} allows\n'
    assert done.stderr.decode() == line, done.stderr
    if not running:
        return
    assert subjects(server, 'sam', mailbox) == [i for i in range(len(sizes)) if i != 77]


class Import:
    """A long one, seen to be under way at a terminal."""

    def __init__(self, server, dir, mailbox):
        self.box = mbox(f'{dir}/{mailbox}', [message(i, 1000) for i in range(60_000)])
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([server.exe, 'import', '--user', 'sam', '--mailbox', mailbox, '-c', server.conf,
                                         self.box], stdout=subprocess.PIPE, stderr=slave,
                                        env=dict(os.environ, **rp.SANITIZER_ENV))
        os.close(slave)
        self.err = b''
        while not re.search(rb'\r\d+ messages', self.err):
            self.err += os.read(self.master, 65536)

    def end(self, code):
        """How many it says are imported; what it says is in err."""
        out = self.process.stdout.read()
        try:
            while more := os.read(self.master, 65536):
                self.err += more
        except OSError:  # the terminal has no other end any more
            pass
        os.close(self.master)
        assert self.process.wait(120) == code, (self.process.returncode, self.err[-300:])
        return int(re.match(rb'(\d+) messages imported, \d+ failed', out)[1])


def interrupted(server, dir, mailbox):
    """Told to end, it ends in order, and what it says it has done is done."""
    running = Import(server, dir, mailbox)
    running.process.send_signal(signal.SIGINT)
    count = running.end(130)
    assert f'interrupted; the last that was imported is {running.box}, message {count}\r\n'.encode() in running.err, running.err
    return count


def server_goes(server, dir):
    """The server is killed under an import: what is not known is said."""
    running = Import(server, dir, 'goes')
    os.kill(server.children()['server'], signal.SIGKILL)
    count = running.end(69)
    more = int(re.search(rb'; (\d+) more, from .* on, may have been\r\n', running.err)[1])
    for _ in range(600):
        try:
            there = subjects(server, 'sam', 'goes')
            break
        except OSError:
            time.sleep(0.05)
    assert there == list(range(len(there))), 'order, or one is missing'
    assert count <= len(there) <= count + more, (count, len(there), more)


def stopped(server, dir):
    """A server that is asked to stop does not wait for the import's end, and nothing that was answered is lost."""
    running = Import(server, dir, 'stopped')
    start = time.monotonic()
    assert server.stop(), 'not in order'
    took = time.monotonic() - start
    count = running.end(69)
    server.start()
    assert took < 12, took
    assert len(subjects(server, 'sam', 'stopped')) >= count, count


def terminal(server, dir):
    """Progress is shown where somebody looks."""
    box = mbox(f'{dir}/shown', [message(i) for i in range(50)])
    master, slave = pty.openpty()
    subprocess.run([server.exe, 'import', '--user', 'sam', '--mailbox', 'shown', '-c', server.conf, box],
                   stdout=subprocess.DEVNULL, stderr=slave, check=True, timeout=60,
                   env=dict(os.environ, **rp.SANITIZER_ENV))
    os.close(slave)
    shown = os.read(master, 65536)
    os.close(master)
    assert b'\r50 messages, 0 MiB, 0 failed' in shown, shown


def control(server, answers_of):
    """Requests may follow each other without a wait; answers come in their order."""
    mail = b'Subject: x\n\nx\n'

    def deliver(user, mailbox='', data=mail):
        return json.dumps({'cmd': 'deliver', 'user': user, 'mailbox': mailbox, 'create': True, 'bytes': len(data)}).encode() \
            + b'\n' + data

    requests = [deliver('sam', 'control')] * 200 + [b'{"cmd":"lookup","user":"sam"}\n'] + [deliver('eve', 'control')] * 30 + \
        [deliver('sam', 'control'), deliver('nobody'), deliver('nobody'), deliver('eve', 'a//b'), b'[]\n',
         deliver('sam', 'control'), b'{"cmd":"stats"}\n', deliver('eve', 'control')]
    got = answers_of(server, requests)
    codes = [one['code'] for one in got]
    assert codes == [0] * 232 + [67, 67, 1, 64, 0, 0, 0], codes
    uids = [one['uid'] for one in got[:200]]
    assert uids == list(range(uids[0], uids[0] + 200)), uids
    assert 'userid' in got[200], got[200]
    assert 'shards' in got[-2], got[-2]
    assert got[-1]['uid'] == 31, got[-1]


def answers_at_once(server, requests):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f'{server.dir}/data/control')
    sock.settimeout(60)
    sock.sendall(b''.join(requests))
    sock.shutdown(socket.SHUT_WR)
    data = b''
    while more := sock.recv(65536):
        data += more
    return [json.loads(line) for line in data.splitlines()]


def cut(server):
    """A connection that ends within a message: those before it are delivered, it is not."""
    mail = b'Subject: 1\n\nx\n'
    head = json.dumps({'cmd': 'deliver', 'user': 'sam', 'mailbox': 'cut', 'create': True, 'bytes': len(mail)}).encode() + b'\n'
    got = answers_at_once(server, [head, mail, head, mail, head, mail[:5]])
    assert [one['code'] for one in got] == [0, 0, 1], got
    assert len(subjects(server, 'sam', 'cut')) == 2


def twice(server, dir):
    """A second import of the same puts the same once more."""
    box = mbox(f'{dir}/twice', [message(i) for i in range(3)])
    for _ in range(2):
        server.run('import', '--user', 'sam', '--mailbox', 'twice', box)
    assert subjects(server, 'sam', 'twice') == [0, 1, 2, 0, 1, 2]


def run(checks):
    dir = tempfile.mkdtemp(prefix='ringpost-import-')
    with rp.Server(shards=2, limits='appendlimit = 2MiB') as server:
        server.add_user('sam')
        server.add_user('eve')
        checks.run('import: many are under way at once', many_under_way, server, dir)
        checks.run('import: in order, whatever their sizes; the one that fails is named', order, server, dir, 'order', True)
        checks.run('import: progress on a terminal', terminal, server, dir)
        checks.run('import: twice is twice', twice, server, dir)
        checks.run('control socket: answers in order', control, server, answers_at_once)
        checks.run('control socket: ended within a message', cut, server)

        def interrupt():
            count = interrupted(server, dir, 'int')
            there = subjects(server, 'sam', 'int')
            assert there == list(range(count)), (count, len(there))

        checks.run('import: SIGINT, and it says how far it came', interrupt)
        checks.run('import: the server is killed meanwhile', server_goes, server, dir)
        checks.run('import: the server is stopped meanwhile', stopped, server, dir)
        server.stop()
        checks.run('import without a server: the one that fails is named', order, server, dir, 'off-order', False)
        counts = []
        checks.run('import without a server: SIGINT', lambda: counts.append(interrupted(server, dir, 'off-int')))
        server.start()

        def there():
            assert subjects(server, 'sam', 'off-order') == [i for i in range(448) if i != 77]
            assert subjects(server, 'sam', 'off-int') == list(range(counts[0]))

        checks.run('import without a server: all of it is there', there)
    shutil.rmtree(dir, ignore_errors=True)
