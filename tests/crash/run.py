#!/usr/bin/env python3
"""The server is killed, crashed, badly configured and out of room: what was promised holds.

    tests/crash/run.py [--seed N] [--kills N] [--cuts N] [--clients N] [--only kill|power|lie|away|eio|disk|poison|sandbox|fault|back]

As root it has a mount namespace of its own; what a machine cannot mount is skipped, with the reason.

RINGPOST_BUILD is what is tested. How soon a killed server is back is measured again on RINGPOST_RELEASE (build-sim), for the
sanitizers alone make it late.
"""
import argparse
import glob
import os
import random
import re
import resource
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), HERE]
import cuts  # noqa: E402
import disks  # noqa: E402
import model  # noqa: E402
import mounts  # noqa: E402
import rp  # noqa: E402

with open(os.path.join(rp.BUILD, 'ringpost'), 'rb') as program:
    SANITIZED = re.search(b'__[at]san_init', program.read()) is not None
RELEASE = os.environ.get('RINGPOST_RELEASE', os.path.join(rp.TOP, 'build-sim'))
BACK_S = 5.0 if SANITIZED else 1.0  # the instrumented program alone takes so long to load
BACK_KILLS = 10
BACK_WORST_S = 3.0  # one in ten may meet another program that has the machine


def greeting(port, tries_s=60):
    """Wait until the server greets."""
    end = time.monotonic() + tries_s
    while True:
        try:
            with socket.create_connection(('127.0.0.1', port), timeout=tries_s) as sock:
                if sock.recv(4096).startswith(b'* OK'):
                    return
        except OSError:
            pass
        if time.monotonic() > end:
            raise AssertionError(f'no greeting within {tries_s} s')
        time.sleep(0.005)


def kill_server(server):
    """Kill the serving process; seconds until the next one greets."""
    pid = server.children().get('server')
    assert pid, 'it had ended by itself'
    start = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    greeting(server.port)
    return time.monotonic() - start


def kills(checks, seed, count, clients):
    dice = random.Random(seed)
    users = [f'u{i}' for i in range(6)]
    backs, restarts, derived = [], [], 0
    # A lost machine is a lost machine: later rounds would only tell the same again.
    with rp.Server(shards=2) as server:
        for user in users:
            server.add_user(user)
        world = model.World(users, seed, imap=clients - 4)

        def one(number):
            nonlocal derived
            stop, threads = world.start(server)
            time.sleep(dice.uniform(0.1, 0.9))
            if number % 3:
                backs.append(kill_server(server))
            else:
                start = time.monotonic()
                world.ending.set()
                server.kill()
                if number % 6 == 0:
                    for path in glob.glob(server.dir + '/data/users/*/*/*'):
                        if path.endswith(('.index', '.catalog', '.cache')):
                            os.unlink(path)
                            derived += 1
                server.start()
                greeting(server.port)
                restarts.append(time.monotonic() - start)
            stop.set()
            for thread in threads:
                thread.join(60)
                assert not thread.is_alive(), 'a client hangs'
            world.ending.clear()
            world.compare(server, all_bodies=number % 5 == 0 or number == count)

        for number in range(1, count + 1):
            name = f'kill {number}: what was acknowledged is there, and nothing else'
            failed = checks.failed
            checks.run(name, one, number)
            if checks.failed != failed:
                print(server.log_tail(400))
                server.keep = server.dir
                print(f'kept: {server.dir}')
                break
        checks.run(f'after each of {len(backs)} kills of the server it was back within {BACK_S} s', quick, backs)
        total = len(backs) + len(restarts)
        print(f'seed {seed}: {total} kills ({len(backs)} of the server, {len(restarts)} of all processes), '
              f'{world.acknowledged()} acknowledged changes, {world.messages} messages compared, '
              f'{world.bodies} bodies, {world.shown()} messages shown to watchers, {derived} derived files removed')
        for what, times in (('server back', backs), ('all started again', restarts)):
            if times:
                print(f'{what}: median {sorted(times)[len(times) // 2]:.3f} s, worst {max(times):.3f} s')


def quick(backs):
    late = [f'{b:.3f}' for b in backs if b > BACK_S]
    assert not late, f'late: {late}'


def light_load(port, stop):
    """Somebody appends, now and then, whenever there is a server."""
    while not stop.is_set():
        try:
            client = model.Client(port, 'sam')
            while not stop.is_set():
                client.ok(b'APPEND INBOX {5+}\r\na: b\r\n')
                time.sleep(0.02)
            client.close()
        except (EOFError, OSError, model.Wrong):
            time.sleep(0.05)


def under_load(server, logins):
    """Who appends is in again, after so many starts."""
    end = time.monotonic() + 30
    while server.log_text().count('login.ok') < logins:
        assert time.monotonic() < end, 'nobody logged in again'
        time.sleep(0.02)
    time.sleep(0.2)


def back_in_time(checks):
    """The program as it is used is back within a second."""
    name = f'a release build is back within 1 s of each of {BACK_KILLS} kills (median; worst {BACK_WORST_S} s)'
    server = rp.Server(shards=2)
    server.exe = os.path.join(RELEASE, 'ringpost')
    if not os.path.exists(server.exe):
        checks.skip(name, f'there is no {server.exe}')
        shutil.rmtree(server.dir, ignore_errors=True)
        return
    backs, stop = [], threading.Event()
    with server:
        server.add_user('sam')
        load = threading.Thread(target=light_load, args=(server.port, stop))
        load.start()

        def measure():
            for number in range(BACK_KILLS):
                under_load(server, number + 1)
                backs.append(kill_server(server))
            assert sorted(backs)[BACK_KILLS // 2] < 1.0 and max(backs) < BACK_WORST_S, backs
        checks.run(name, measure)
        stop.set()
        load.join(60)
    if backs:
        print(f'release build back: median {sorted(backs)[len(backs) // 2]:.3f} s, worst {max(backs):.3f} s')


def keep_busy(client):
    """Till the server ends."""
    line = b'x NOOP\r\n' * 500
    try:
        while True:
            client.sock.sendall(line)
            for _ in range(500):
                if not client.file.readline():
                    return
    except OSError:
        pass
    finally:
        client.close()


def poison(checks):
    with rp.Server(shards=2) as server:
        users = ['bad', 'n1', 'n2', 'n3', 'n4']
        for user in users:
            server.add_user(user)
        client = model.Client(server.port, 'bad')
        answer, _ = client.answer(client.send('XCRASH no')[0])
        client.close()
        if answer.startswith(b'BAD Unknown'):
            checks.skip('a user who crashes the server is shut out', 'this build has no XCRASH (-Dtest_hooks=true)')
            return

        def crash(how):
            # Busy neighbours, on both shards: none of them is to be blamed.
            busy = [threading.Thread(target=keep_busy, args=(model.Client(server.port, user),)) for user in users[1:]]
            for neighbour in busy:
                neighbour.start()
            client = model.Client(server.port, 'bad')
            start = time.monotonic()
            client.send(how)
            try:
                client.answer(b't2')
            except (EOFError, OSError):
                pass
            greeting(server.port)
            back = time.monotonic() - start
            for neighbour in busy:
                neighbour.join(60)
            return back

        backs = []
        checks.run('the first crash: back in time', lambda: (backs.append(crash('XCRASH STACK')), quick(backs)))
        checks.run('one crash shuts nobody out', lambda: model.Client(server.port, 'bad').close())
        checks.run('the second crash: back in time', lambda: (backs.append(crash('XCRASH')), quick(backs)))

        def refused():
            try:
                model.Client(server.port, 'bad')
            except model.Wrong as error:
                assert "b'NO [UNAVAILABLE]" in str(error), error
            else:
                raise AssertionError('he may log in')

        def logged():
            end = time.monotonic() + 10
            while 'user.shut_out' not in server.log_text() and time.monotonic() < end:
                time.sleep(0.05)
            text = server.log_text()
            assert re.search(r'user\.shut_out.*user=bad', text), 'no user.shut_out'
            ended = re.findall(r'server\.ended_while.*userid=(\S+) shut_out_s=(\d+)', text)
            assert len(ended) == 2 and ended[0][0] == ended[1][0] and ended[0][1] == '0', ended
            assert 50 <= int(ended[1][1]) <= 3600, ended

        def neighbours():
            for user in users[1:]:
                client = model.Client(server.port, user)
                line, _ = client.ok('SELECT INBOX')
                assert b'READ-WRITE' in line
                client.ok(b'APPEND INBOX {5+}\r\na: b\r\n')
                client.close()

        def lmtp():
            with server.lmtp() as client:
                client.ehlo_or_helo_if_needed()
                client.mail('a@test.invalid')
                for user in users:
                    assert client.rcpt(user)[0] == 250
                client.putcmd('data')
                assert client.getreply()[0] == 354
                client.send(b'Subject: to all\r\n\r\nhello\r\n.\r\n')
                answers = {user: client.getreply() for user in users}
            assert answers['bad'][0] == 451, answers
            assert all(answers[user][0] == 250 for user in users[1:]), answers

        checks.run('after the second he is refused with NO [UNAVAILABLE]', refused)
        checks.run('the log names him', logged)
        checks.run('his neighbours read and write', neighbours)
        checks.run('LMTP: 451 for him, 250 for the others', lmtp)
        print('server back after a crash: ' + ', '.join(f'{b:.3f} s' for b in backs))


def sandbox(checks):
    """What a shard that somebody has taken over could still ask of the kernel, asked by a shard of the running server."""
    with rp.Server(shards=2) as server:
        server.add_user('sam')
        client = rp.Raw(server)
        client.line()
        client.send(b'a LOGIN sam secret\r\n')
        client.until('a')
        client.send(b'b XSANDBOX %d\r\n' % server.children()['auth'])
        said = client.until('b')
        if b'b BAD Unknown' in said:
            checks.skip('the sandbox', 'this build has no XSANDBOX (-Dtest_hooks=true)')
            return
        found = {what: answer for what, answer in re.findall(r'\* OK (\S+) (allowed|refused)', said.decode())}
        # The sanitizers start programs, to name functions, and look at their own process by another one.
        programs = ('fork', 'clone-user', 'execve') if not SANITIZED else ()
        for what in ('getpid', 'own-tgkill', 'own-prlimit', 'mmap'):
            checks.run(f'sandbox: {what} is left', lambda what=what: expect(found, what, 'allowed'))
        for what in ('socket', 'io_uring_setup', 'io_uring_register', 'seccomp', 'mmap-exec', 'mprotect-exec', 'tgkill',
                     'prlimit') + programs:
            checks.run(f'sandbox: {what} is refused', lambda what=what: expect(found, what, 'refused'))


def expect(found, what, answer):
    assert found[what] == answer, found


def refusal(server, says, edit=None, conf=None):
    """`serve` with a changed config ends with one line that says what to do."""
    conf = conf or server.conf
    with open(conf) as f:
        text = f.read()
    path = os.path.join(server.dir, 'bad.conf')
    with open(path, 'w') as f:
        f.write(edit(text) if edit else text)
    env = dict(os.environ, **rp.SANITIZER_ENV)
    done = subprocess.run([server.exe, 'serve', '-c', path], env=env, timeout=60, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)
    err = done.stderr.decode(errors='replace')
    assert done.returncode > 0, f'exit {done.returncode}: {err}'
    assert done.stdout == b'', done.stdout
    lines = [line for line in err.splitlines() if not re.match(r'20\d\d-\d\d-\d\dT', line)]  # the log aside
    assert len(lines) == 1, f'not one line: {err}'
    assert re.search(says, lines[0]), f'{says!r} is not in: {lines[0]}'


def bad_configs(checks):
    server = rp.Server(shards=2)
    try:
        server.add_user('sam')
        swap = lambda old, new: lambda text: text.replace(old, new, 1)
        checks.run('an unknown key', refusal, server, r'colour', lambda t: t + '\ncolour = blue\n')
        checks.run('a bad unit', refusal, server, r'commit_file', swap('commit_file = 4MiB', 'commit_file = 4furlongs'))
        checks.run('a missing certificate', refusal, server, r'nowhere\.pem', swap(server.cert, '/tmp/nowhere.pem'))
        checks.run('a key that is not the certificate\'s file', refusal, server, r'key',
                   swap(f'key = "{server.dir}/key.pem"', f'key = "{server.conf}"'))
        checks.run('DATA is missing', refusal, server, r'missing', swap('/data"', '/missing"'))
        with socket.socket() as busy:
            busy.bind(('127.0.0.1', 0))
            busy.listen()
            port = busy.getsockname()[1]
            checks.run('a busy port', refusal, server, rf'{port}.*', swap(f'port = {server.port}', f'port = {port}'))
        missing = subprocess.run([server.exe, 'serve', '-c', server.dir + '/no.conf'], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, env=dict(os.environ, **rp.SANITIZER_ENV), timeout=60)

        def no_config():
            assert missing.returncode > 0 and missing.stderr.count(b'\n') == 1 and b'no.conf' in missing.stderr, missing

        checks.run('no config', no_config)
        server.start()
        ports = dict(zip((server.port, server.port_tls, server.port_lmtp), rp.free_ports(3)))

        def others(text):
            for old, new in ports.items():
                text = text.replace(f'port = {old}', f'port = {new}')
            return text.replace(server.lmtp_path, server.lmtp_path + '2')

        checks.run('a second server on the same DATA', refusal, server, r'another server|in use|lock', others)
        checks.run('the first one serves on', lambda: model.Client(server.port, 'sam').close())
    finally:
        clean = server.stop()
        checks.run('it ends in order', lambda: clean or (_ for _ in ()).throw(AssertionError(server.log_tail())))
        shutil.rmtree(server.dir, ignore_errors=True)


def reload_and_end(checks):
    server = rp.Server(shards=2)
    server.add_user('sam')
    server.start()

    def certificate():
        context = ssl._create_unverified_context()
        with socket.create_connection(('127.0.0.1', server.port_tls), timeout=30) as sock:
            with context.wrap_socket(sock, server_hostname='localhost') as tls:
                return tls.getpeercert(True)

    def reload():
        before, pid = certificate(), server.children()['server']
        old = model.Client(server.port, 'sam')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                        '-keyout', server.dir + '/key.pem', '-out', server.cert, '-days', '30', '-subj',
                        '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(server.cert) as f:
            new = ssl.PEM_cert_to_DER_cert(f.read())
        server.process.send_signal(signal.SIGHUP)
        for _ in range(200):
            # Either shard may answer: each must have it.
            if all(certificate() == new for _ in range(6)):
                break
            time.sleep(0.05)
        assert new != before and certificate() == new, 'the old certificate is still shown'
        assert server.children()['server'] == pid, 'it was started again'
        old.ok('NOOP')
        old.close()
        server.imap('sam').logout()

    def bad_reload():
        shutil.copy(server.cert, server.dir + '/good.pem')
        with open(server.cert, 'w') as f:
            f.write('-----BEGIN CERTIFICATE-----\nno certificate\n-----END CERTIFICATE-----\n')
        good = certificate()
        server.process.send_signal(signal.SIGHUP)
        for _ in range(200):
            if 'reload_failed' in server.log_text():
                break
            time.sleep(0.05)
        assert 'reload_failed' in server.log_text(), server.log_tail()
        assert certificate() == good
        # Nor is it what the next server would get.
        assert kill_server(server) < 30 and certificate() == good, server.log_tail()

    def restart_needed():
        """Named, and as before, also for the next server; what a running one can take is taken."""
        shutil.copy(server.dir + '/good.pem', server.cert)
        with open(server.conf) as f:
            text = f.read()
        log = len(server.log_text())
        with open(server.conf, 'w') as f:
            f.write(text.replace(f'port = {server.port} ', 'port = 9 ').replace('shards = 2', 'shards = 1').replace(
                'limits { ', 'limits { appendlimit = 65KiB '))
        server.process.send_signal(signal.SIGHUP)
        for _ in range(200):
            if 'server.reloaded' in server.log_text()[log:]:
                break
            time.sleep(0.05)
        said = server.log_text()[log:]
        assert re.search('config.kept settings="?shards listen', said) and 'server.reloaded' in said, said

        def limit():
            client = server.imap('sam')
            assert b'APPENDLIMIT=66560' in client.capability()[1][0], client.capability()
            client.logout()
        for _ in range(4):
            limit()
        kill_server(server)
        limit()
        with open(server.conf, 'w') as f:
            f.write(text)

    def no_descriptors():
        """The server's end, when no other can be started: tried once a second, told as failed, and started when it can be."""
        pid, log = server.process.pid, len(server.log_text())
        used = {int(fd) for fd in os.listdir(f'/proc/{pid}/fd')}
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # As many are left as the pairs for its two shards take, or one more (the old server's): too few for its own.
        limit = next(n for n in range(1, 4096) if n - len([fd for fd in used if fd < n]) == 4)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, hard))
        os.kill(server.children()['server'], signal.SIGKILL)
        time.sleep(2.5)
        said = server.log_text()[log:]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        assert 1 <= said.count('child.start_failed') <= 4, said[:2000]
        assert 'child.started' not in said, said[:2000]
        greeting(server.port)

    def refused_early():
        """Before there are logs of shards: the reason is told, and that is all."""
        pid = server.process.pid
        memory = {}
        for fd in os.listdir(f'/proc/{pid}/fd'):
            name = re.match(r'/memfd:ringpost-(settings|shared)', os.readlink(f'/proc/{pid}/fd/{fd}'))
            if name:
                memory[name[1]] = os.open(f'/proc/{pid}/fd/{fd}', os.O_RDWR if name[1] == 'shared' else os.O_RDONLY)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        child = subprocess.Popen([server.exe, 'serve-child'], env=dict(os.environ, **rp.SANITIZER_ENV), close_fds=False,
                                 preexec_fn=lambda: os.dup2(theirs.fileno(), 3), stderr=subprocess.PIPE)
        theirs.close()
        ours.settimeout(30)
        socket.send_fds(ours, [b'start'], [memory['settings'], memory['shared'], 0, 0, 0])
        said = ours.recv(1000)
        assert said == b'failed the start message does not fit the settings', said
        assert child.wait(30) > 0, child.stderr.read()
        child.stderr.close()
        for fd in memory.values():
            os.close(fd)
        ours.close()

    def end():
        plain = [model.Client(server.port, 'sam') for _ in range(4)]
        guest = server.raw()
        guest.line()
        idle = plain[0]
        tag = idle.send('IDLE')[0]
        while not idle.response()[0].startswith(b'+'):
            pass
        lmtp = socket.create_connection(('127.0.0.1', server.port_lmtp), timeout=30)
        assert lmtp.recv(4096).startswith(b'220')
        start = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        for client in plain:
            text = client.file.read()
            assert b'* BYE' in text, (tag, text)
        assert b'* BYE' in guest.closed()
        assert lmtp.recv(4096).startswith(b'421')
        code = server.process.wait(60)
        server.process = None
        assert code == 0, f'exit {code}\n' + server.log_tail()
        print(f'ended in {time.monotonic() - start:.3f} s')

    checks.run('SIGHUP: a new certificate, no restart', reload)
    checks.run('SIGHUP with a bad certificate changes nothing', bad_reload)
    checks.run('SIGHUP: what needs a restart is named and kept, limits are taken', restart_needed)
    checks.run('no descriptor for a new server: no haste', no_descriptors)
    checks.run('a start that is refused early', refused_early)
    checks.run('SIGTERM: BYE to all, exit 0', end)
    server.kill()
    shutil.rmtree(server.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument('--cuts', type=int, default=30)
    parser.add_argument('--clients', type=int, default=16, help='at least 5: two deliver, two look on')
    parser.add_argument('--only', choices=('kill', 'poison', 'sandbox', 'fault', 'config', 'end', 'disk', 'back', 'power', 'lie', 'away', 'eio'))
    options = parser.parse_args()
    mounts.own_namespace()
    checks = rp.Checks()
    print(f'seed {options.seed}', flush=True)
    parts = {
        'config': lambda: bad_configs(checks),
        'end': lambda: reload_and_end(checks),
        'disk': lambda: disks.full_disks(checks),
        'sandbox': lambda: sandbox(checks),
        'poison': lambda: poison(checks),
        'back': lambda: back_in_time(checks),
        'power': lambda: cuts.power_cuts(checks, options.seed, options.cuts, options.clients),
        'lie': lambda: cuts.lies(checks, options.seed, options.clients),
        'away': lambda: cuts.away(checks),
        'eio': lambda: cuts.failing_disk(checks, options.seed, options.clients),
        'kill': lambda: kills(checks, options.seed, options.kills, options.clients),
    }
    for name, part in parts.items():
        if options.only in (None, name) or options.only == 'fault' and name in ('config', 'end', 'disk'):
            start = time.monotonic()
            try:
                part()
            except Exception as error:  # a server that does not end in order, above all
                checks.failed += 1
                print(f'FAIL {name}: {error}')
            print(f'-- {name}: {time.monotonic() - start:.1f} s', flush=True)
    checks.end()


if __name__ == '__main__':
    main()
