"""What transcripts cannot say of connections: many at once, odd TLS, an auth process that hangs, a server that starts anew.

Part of run.py, which calls check_all(). Each server is its own: these count per address, so loopback is not trusted.
"""
import base64
import json
import os
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import time

import rp

PASSWORD = 'secret'


def greeting(client):
    line = client.line()
    assert line.startswith(b'* OK [CAPABILITY '), line
    return client


def login(client, name, password=PASSWORD):
    client.send(f'a LOGIN {name} {password}\r\n')
    return client.until('a').splitlines()[-1]


# ---- limits (DESIGN section 7, THREATS 18)

def limit_per_address():
    """So many strangers of one address; who has logged in is none; who has gone makes room."""
    with rp.Server(trusted=False, limits='connections_per_address = 3') as server:
        server.add_user('sam')
        known = greeting(server.raw())
        assert login(known, 'sam').startswith(b'a OK'), 'a login'
        strangers = [greeting(server.raw()) for _ in range(3)]
        for _ in range(5):
            # The shard that keeps the books may answer after the greeting.
            said = server.raw().closed()
            assert re.fullmatch(rb'(\* OK [^\r\n]+\r\n)?\* BYE Too many connections from your address\r\n', said), said
        try:
            said = server.raw(tls=True).closed()
            assert said == b'' or said.endswith(b'* BYE Too many connections from your address\r\n'), said
        except (ssl.SSLError, ConnectionResetError):
            pass  # no handshake is finished for it
        said = rp.Raw(server, port=server.port_lmtp).closed()
        assert said.endswith(b'421 4.7.0 Too many connections from your address\r\n'), said
        strangers.pop().close()
        end = time.monotonic() + 20
        while True:
            client = server.raw()
            if client.line().startswith(b'* OK'):
                break
            assert time.monotonic() < end, 'room is not given back'
        known.send(b'b NOOP\r\n')
        assert known.line().startswith(b'b OK')


def delay_rises():
    """A wrong password is answered later each time, whatever connection it comes on; NOOP is not."""
    with rp.Server(trusted=False) as server:
        server.add_user('sam')
        took = []
        for _ in range(3):
            client = greeting(server.raw())
            start = time.monotonic()
            assert login(client, 'sam', 'wrong').startswith(b'a NO [AUTHENTICATIONFAILED]')
            took.append(time.monotonic() - start)
            client.close()
        assert took[0] >= 0.9 and took[1] >= took[0] + 0.8 and took[2] >= took[1] + 1.5, took
        start = time.monotonic()
        other = greeting(server.raw())
        other.send(b'b NOOP\r\n')
        assert other.line().startswith(b'b OK') and time.monotonic() - start < 3


def auth_hangs():
    """THREATS: an auth process that says nothing is told as such after 5 s, and is no wrong password."""
    with rp.Server() as server:
        server.add_user('sam')
        pid = server.children()['auth']
        client = greeting(server.raw())
        start = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            said = login(client, 'sam')
        finally:
            os.kill(pid, signal.SIGCONT)
        assert said.startswith(b'a NO [UNAVAILABLE]'), said
        assert 4 <= time.monotonic() - start < 15
        assert re.search(r'warn auth\.unanswered .*user=sam .*reason=late', server.log_text())
        assert login(client, 'sam').startswith(b'a OK')


def auth_comes_back():
    """It is killed with logins under way: these are told, and the next one works."""
    with rp.Server() as server:
        server.add_user('sam')
        for _ in range(3):
            clients = [greeting(server.raw()) for _ in range(6)]
            for client in clients:
                client.send(b'a LOGIN sam wrong\r\n')
            os.kill(server.children()['auth'], signal.SIGKILL)
            for client in clients:
                said = client.until('a').splitlines()[-1]
                assert re.match(rb'a NO \[(UNAVAILABLE|AUTHENTICATIONFAILED)\]', said), said
            end = time.monotonic() + 20
            while not login(greeting(server.raw()), 'sam').startswith(b'a OK'):
                assert time.monotonic() < end, 'nobody can log in any more'
                time.sleep(0.05)


def auth_is_waited_for():
    """Who logs in while it is away, and will be back in a moment, is not refused. (A second death soon after the first: 200 ms.)"""
    with rp.Server() as server:
        server.add_user('sam')
        for _ in range(4):
            links = server.log_text().count('auth.lost')
            starts = server.log_text().count('child.started child=auth')
            os.kill(server.children()['auth'], signal.SIGKILL)
            end = time.monotonic() + 20
            while server.log_text().count('auth.lost') < links + 2 and time.monotonic() < end:
                time.sleep(0.002)
            clients = [greeting(server.raw()) for _ in range(4)]
            for client in clients:
                client.send(f'a LOGIN sam {PASSWORD}\r\n')
            for client in clients:
                said = client.until('a').splitlines()[-1]
                assert said.startswith(b'a OK'), said
            while server.log_text().count('child.started child=auth') == starts and time.monotonic() < end:
                time.sleep(0.01)
        assert 'auth.unanswered' not in server.log_text()


def proxy_is_believed_from_trusted_networks_only():
    """THREATS 18: else whoever reaches that port chooses his address, and with it his rights and whose books he is in."""
    port, = rp.free_ports(1)
    listen = f'listen proxied {{ protocol = imap address = 127.0.0.1 port = {port} proxy_protocol = true }}'
    with rp.Server(trusted=False, auth='trusted_networks = { "127.9.0.0/16" }', config=listen,
                   limits='connections_per_address = 2') as server:
        server.add_user('sam')

        def proxied(claims, source):
            client = rp.Raw(server, port=port, source=source)
            client.send(b'\r\n\r\n\0\r\nQUIT\n\x21\x11' + struct.pack('>H', 12) + socket.inet_aton(claims) +
                        socket.inet_aton('127.0.0.1') + struct.pack('>HH', 1234, 143))
            return client
        for claims in ('127.9.1.1', '127.0.0.1', '203.0.113.7'):
            try:
                said = proxied(claims, '127.0.0.1').closed()
            except (BrokenPipeError, ConnectionResetError):
                said = b''
            assert said == b'', said
        assert 'not from trusted_networks' in server.log_text()
        client = greeting(proxied('203.0.113.7', '127.9.0.1'))
        assert login(client, 'sam').startswith(b'a NO [PRIVACYREQUIRED]'), 'from afar, by a proxy that is here'
        assert login(greeting(proxied('127.0.0.1', '127.9.0.1')), 'sam').startswith(b'a OK')
        second = greeting(proxied('203.0.113.7', '127.9.0.1'))
        assert b'* BYE Too many' in proxied('203.0.113.7', '127.9.0.1').closed(), 'the client is counted, not the proxy'
        second.close()


def any_byte_of_a_password():
    """C-06: but NUL, and a line end at its end, which is that of the line it was typed on."""
    every = bytes(range(1, 256))
    with rp.Server() as server:
        for name, password in (('sam', every), ('eve', b' "\\{3}\r\n ')):
            server.run('user', 'add', name, input=password)
            client = greeting(server.raw())
            client.send(b'a LOGIN %s {%d+}\r\n%s\r\n' % (name.encode(), len(password), password))
            assert client.until('a').splitlines()[-1].startswith(b'a OK'), name
            client = greeting(server.raw())
            whole = base64.b64encode(b'\0' + name.encode() + b'\0' + password)
            client.send(b'a AUTHENTICATE PLAIN ' + whole + b'\r\n')
            assert client.until('a').splitlines()[-1].startswith(b'a OK'), name
            client = greeting(server.raw())
            client.send(b'a LOGIN %s {%d+}\r\n%s\r\n' % (name.encode(), len(password) - 1, password[:-1]))
            assert client.until('a').splitlines()[-1].startswith(b'a NO'), name
        client = greeting(server.raw())
        client.send(b'a LOGIN sam {%d}\r\n' % len(every))
        assert client.line().startswith(b'+ ')
        client.send(every + b'\r\n')
        assert client.until('a').splitlines()[-1].startswith(b'a OK')


def idle_is_half_an_hour_or_more():
    """C-09, RFC 3501, section 5.4: no setting makes it less."""
    server = rp.Server()
    try:
        for minutes, code in ((29, 78), (30, 0)):
            with open(server.conf) as f:
                text = f.read()
            with open(server.conf, 'w') as f:
                f.write(re.sub(r'limits \{.*\}', f'limits {{ idle = {minutes}m }}', text))
            done = server.run('config', 'check', check=False)
            assert done.returncode == code, (minutes, done.returncode, done.stderr)
            assert code == 0 or b'idle' in done.stderr, done.stderr
    finally:
        shutil.rmtree(server.dir)


# ---- after the login

def still_here():
    """C-19: IDLE is told so at the set interval, all of a user's connections at the same moment, TLS and plain alike."""
    with rp.Server(limits='still_here = 10s') as server:
        server.add_user('sam')
        # The moments are multiples of the interval by the clock that we have, too; who has just logged in may miss one.
        time.sleep(10 - time.monotonic() % 10)
        clients = [greeting(server.raw(tls=tls)) for tls in (False, True, False)]
        for client in clients:
            assert login(client, 'sam').startswith(b'a OK')
            client.send(b'b IDLE\r\n')
            assert client.line().startswith(b'+ ')
            time.sleep(0.3)
        told = []
        for client in clients:
            client.sock.settimeout(25)
            assert client.line() == b'* OK Still here\r\n'
            told.append(time.monotonic())
        assert told[-1] - told[0] < 1, told
        for client in clients:
            client.send(b'DONE\r\n')
            assert client.line().startswith(b'b OK')


def stalled():
    """THREATS 19: who takes none of his answers is let go, and nobody else notices."""
    size, count = 1 << 20, 40
    with rp.Server(limits='stalled = 2s') as server:
        server.add_user('sam')
        other = greeting(server.raw())
        assert login(other, 'sam').startswith(b'a OK')
        other.send(b'b APPEND INBOX {%d+}\r\n' % size + b'x' * size + b'\r\n')
        assert other.until('b').splitlines()[-1].startswith(b'b OK')
        client = greeting(server.raw())
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert login(client, 'sam').startswith(b'a OK')
        client.send(b'b SELECT INBOX\r\n' + b'c FETCH 1 BODY.PEEK[]\r\n' * count + b'd NOOP\r\n')
        end = time.monotonic() + 8
        while time.monotonic() < end:
            start = time.monotonic()
            other.send(b'c NOOP\r\n')
            assert other.until('c').splitlines()[-1].startswith(b'c OK')
            assert time.monotonic() - start < 2
            time.sleep(0.2)
        assert len(client.closed()) < size * count, 'it got everything'


def sessions_of_a_deleted_user_end():
    """At once, wherever they came in, idle or not; a new password ends none; who gets the name later is another one."""
    with rp.Server(shards=2) as server:
        for name in ('sam', 'eve'):
            server.add_user(name)
        clients = [greeting(server.raw(tls=n % 2 == 1)) for n in range(6)]
        for client in clients:
            assert login(client, 'sam').startswith(b'a OK')
        for client in clients[:3]:
            client.send(b'b SELECT INBOX\r\nc IDLE\r\n')
            client.until('+')
        clients[3].send(b'b APPEND INBOX {5}\r\n')
        assert clients[3].line().startswith(b'+ ')
        other = greeting(server.raw())
        assert login(other, 'eve').startswith(b'a OK')
        server.run('user', 'passwd', 'sam', input=b'another')
        clients[5].send(b'b NOOP\r\n')
        assert clients[5].line().startswith(b'b OK'), 'a new password'
        server.run('user', 'del', 'sam')
        clients[3].send(b'a: b\r\n')
        assert b'OK' in clients[3].until('b'), 'the command that was under way'
        for client in clients:
            said = client.closed()
            assert b'* BYE [CONTACTADMIN] ' in said, said
        server.add_user('sam')
        again = greeting(server.raw())
        assert login(again, 'sam').startswith(b'a OK')
        server.run('user', 'passwd', 'sam', input=b'another')
        for client in (again, other):
            client.send(b'b NOOP\r\n')
            assert client.until('b').splitlines()[-1].startswith(b'b OK')


def login_under_way_of_a_deleted_user():
    """Whoever was let in by the old passwd-file, but was not yet in when his sessions were ended, is looked up once more."""
    with rp.Server(shards=2) as server:
        for round in range(3):
            server.add_user('sam')
            clients = [greeting(server.raw(tls=False)) for _ in range(24)]
            for client in clients:
                client.send(b'a LOGIN sam secret\r\n')
            server.run('user', 'del', 'sam')
            for client in clients:
                client.send(b'b STATUS INBOX (MESSAGES)\r\nc LOGOUT\r\n')  # what only who is in may
                said = client.closed()
                assert b'\r\nb OK' not in said and not said.startswith(b'b OK'), (round, said)


def stopping_ends_lmtp():
    """The message that is under way is taken, and 421 told behind it; nothing more begins, and nobody waits for the client."""
    with rp.Server(shards=1) as server:
        server.add_user('sam')
        clients = [rp.Raw(server, port=server.port_lmtp) for _ in range(2)]
        for client in clients:
            client.send(b'LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<sam>\r\nDATA\r\n')
            while not client.line().startswith(b'354'):
                pass
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        start = time.monotonic()
        for client, tail in zip(clients, (b'', b'MAIL FROM:<>\r\n')):
            client.send(b'Subject: x\r\n\r\nx\r\n.\r\n' + tail)
            assert client.line().startswith(b'250'), 'the message that was under way'
            assert client.closed().startswith(b'421 4.3.2 '), client.buffer
        assert server.process.wait(60) == 0 and time.monotonic() - start < 6


def id_is_logged():
    """C-05: what a client says of itself stands in the log, with the session's user, on one line."""
    with rp.Server() as server:
        server.add_user('sam')
        client = greeting(server.raw())
        assert login(client, 'sam').startswith(b'a OK')
        client.send(b'b ID ("name" {5+}\r\nx\r\ny=)\r\n')
        client.until('b')
        client.send(b'c LOGOUT\r\n')
        client.until('c')
        end = time.monotonic() + 10
        while 'client.id' not in server.log_text():
            assert time.monotonic() < end, 'not logged'
            time.sleep(0.05)
        line = next(l for l in server.log_text().splitlines() if 'client.id' in l)
        assert 'user=sam' in line and 'name' in line and 'y=' in line, line


# ---- TLS (THREATS 17, 53)

def s_client(server, *args, data=b''):
    """What openssl's own client says; it ends with its input or the connection."""
    done = subprocess.run(['openssl', 's_client', '-connect', f'127.0.0.1:{server.port_tls}', '-CAfile', server.cert, *args],
                          input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
    return done.stdout.decode(errors='replace')


def openssl(server, *args):
    subprocess.run(['openssl', *args], cwd=server.dir, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def whole_chain():
    """C-04: who knows the root alone can go from our certificate to it."""
    ec = ('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes')
    with_name = {'root': 'CA:TRUE', 'middle': 'CA:TRUE', 'leaf': 'CA:FALSE'}
    server = rp.Server()
    for name, is_ca in with_name.items():
        with open(os.path.join(server.dir, name + '.ext'), 'w') as f:
            f.write(f'basicConstraints = {is_ca}\nsubjectAltName = DNS:localhost\n')
        openssl(server, 'req', '-new', *ec, '-keyout', name + '.key', '-out', name + '.csr', '-subj', '/CN=' + name)
    openssl(server, 'x509', '-req', '-in', 'root.csr', '-signkey', 'root.key', '-extfile', 'root.ext', '-out', 'root.pem')
    for name, issuer in (('middle', 'root'), ('leaf', 'middle')):
        openssl(server, 'x509', '-req', '-in', name + '.csr', '-CA', issuer + '.pem', '-CAkey', issuer + '.key', '-set_serial', '7',
                '-extfile', name + '.ext', '-out', name + '.pem')
    os.replace(os.path.join(server.dir, 'leaf.key'), os.path.join(server.dir, 'key.pem'))
    with open(server.cert, 'w') as f:
        for name in ('leaf', 'middle'):
            with open(os.path.join(server.dir, name + '.pem')) as part:
                f.write(part.read())
    server.add_user('sam')
    with server:
        context = ssl.create_default_context(cafile=os.path.join(server.dir, 'root.pem'))
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context.minimum_version = context.maximum_version = version
            with socket.create_connection(('127.0.0.1', server.port_tls), timeout=30) as sock:
                with context.wrap_socket(sock, server_hostname='localhost') as tls:
                    assert tls.recv(1000).startswith(b'* OK')


def old_tls(server):
    for version in ('-tls1', '-tls1_1'):
        said = s_client(server, version, '-cipher', 'ALL:@SECLEVEL=0')
        assert 'alert protocol version' in said, said
    for version in ('-tls1_2', '-tls1_3'):
        said = s_client(server, version, '-ign_eof', data=b'a LOGOUT\r\n')
        assert 'a OK' in said, said


def renegotiation(server):
    """Asked for by the client in TLS 1.2: refused, and the connection ends."""
    done = subprocess.Popen(['openssl', 's_client', '-connect', f'127.0.0.1:{server.port_tls}', '-tls1_2', '-CAfile', server.cert],
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        said = b''
        while b'ready.' not in said:
            piece = os.read(done.stdout.fileno(), 65536)
            assert piece, said
            said += piece
        done.stdin.write(b'R\n')
        done.stdin.flush()
        said, _ = done.communicate(timeout=60)
    finally:
        done.kill()
    assert b'RENEGOTIATING' in said and b'no renegotiation' in said, said


def junk(server):
    """No TLS at all: an alert, or nothing, then the end; a record within a session that is none: likewise."""
    for data in (b'a LOGIN sam secret\r\n', b'\x16\x03\x01\x40\x01' + bytes(100), b'\x80\x2e\x01\x00\x02' + bytes(60), os.urandom(600)):
        with socket.create_connection(('127.0.0.1', server.port_tls), timeout=30) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            said = b''
            try:
                while piece := sock.recv(65536):
                    said += piece
            except ConnectionResetError:
                pass
        assert said == b'' or (said[0] == 0x15 and len(said) == 7), said
    client = greeting(server.raw(tls=True))
    inner = socket.socket(fileno=os.dup(client.sock.fileno()))
    inner.sendall(b'\x17\x03\x03\x00\x20' + bytes(32))
    try:
        said = client.sock.recv(100)
        assert said == b'', said
    except ssl.SSLError as error:
        assert 'alert' in str(error).lower(), error
    inner.close()


def byte_by_byte(server):
    """A hello of single bytes is slow, and no fault."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = server.tls_context().wrap_bio(incoming, outgoing, server_hostname='localhost')
    with socket.create_connection(('127.0.0.1', server.port_tls), timeout=30) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def exchange(action):
            while True:
                try:
                    done = action()
                except ssl.SSLWantReadError:
                    done = None
                for byte in outgoing.read():
                    sock.sendall(bytes([byte]))
                if done is not None:
                    return done
                incoming.write(sock.recv(65536))
        exchange(lambda: tls.do_handshake() or True)
        assert exchange(lambda: tls.read(1000)).startswith(b'* OK')


def tickets():
    """A session goes on on either shard, and after the server has been killed; no data are taken before the handshake."""
    with rp.Server(shards=2) as server:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = server.tls_context()
            context.minimum_version = context.maximum_version = version

            def connect(session=None):
                with socket.create_connection(('127.0.0.1', server.port_tls), timeout=30) as sock:
                    with context.wrap_socket(sock, server_hostname='localhost', session=session) as tls:
                        assert tls.recv(1000).startswith(b'* OK')
                        return tls.session_reused, tls.session
            again, session = connect()
            assert not again and session.has_ticket
            assert all(connect(session)[0] for _ in range(20)), 'one of 20 was a whole handshake: a shard has other keys'
            os.kill(server.children()['server'], signal.SIGKILL)
            end = time.monotonic() + 30
            while True:
                try:
                    again, _ = connect(session)
                    break
                except (OSError, AssertionError):
                    assert time.monotonic() < end, 'the server does not come back'
                    time.sleep(0.05)
            assert again, 'the keys went with the server'
        path = os.path.join(server.dir, 'session')
        said = s_client(server, '-tls1_3', '-sess_out', path, '-ign_eof', data=b'a LOGOUT\r\n')
        assert 'Max Early Data: 0' in said, said
        assert server.process.poll() is None


def idle_sessions_give_memory_up():
    """More mailboxes are selected than may stay in memory: news reach each session all the same, and its numbers are its own."""
    many = 400
    with rp.Server(shards=1, storage='commit_file = 4MiB idle_volumes_memory = 1MiB',
                   limits=f'connections_per_user_address = {many + 1}') as server:
        server.add_user('sam')
        other = greeting(server.raw())
        assert login(other, 'sam').startswith(b'a OK')
        sessions = []
        for i in range(many):
            other.send(f'b CREATE m{i}\r\n')
            assert other.until('b').splitlines()[-1].startswith(b'b OK')
            for _ in range(2):
                other.send(f'c APPEND m{i} {{6+}}\r\nmail\r\n\r\n')
                assert other.until('c').splitlines()[-1].startswith(b'c OK')
            client = greeting(server.raw())
            assert login(client, 'sam').startswith(b'a OK')
            client.send(f'd SELECT m{i}\r\n')
            assert client.until('d').splitlines()[-1].startswith(b'd OK')
            client.send('e IDLE\r\n')
            assert client.line().startswith(b'+ ')
            sessions.append(client)
        stats = json.loads(subprocess.run([server.exe, 'stats', '--json', '-c', server.conf], check=True,
                                          stdout=subprocess.PIPE).stdout)[0]
        assert stats['idle_bytes_bound'] // 2 < stats['idle_bytes'] <= stats['idle_bytes_bound'], stats
        for i, client in enumerate(sessions):  # also those that have given their memory up
            other.send(f'f APPEND m{i} (\\Flagged) {{6+}}\r\nmore\r\n\r\n')
            assert other.until('f').splitlines()[-1].startswith(b'f OK')
            said = client.line()
            while said == b'* OK Still here\r\n':  # all of them are idle for a while
                said = client.line()
            assert said.startswith(b'* 3 EXISTS'), said
        for client in sessions:
            client.send('DONE\r\n')
            assert client.until('e').splitlines()[-1].startswith(b'e OK')
            client.send('g FETCH 1:* (UID FLAGS)\r\n')
            said = client.until('g').splitlines()
            assert said[:3] == [b'* 1 FETCH (UID 1 FLAGS ())', b'* 2 FETCH (UID 2 FLAGS ())',
                                b'* 3 FETCH (UID 3 FLAGS (\\Flagged))'], said
        for client in sessions:  # each has slept again
            client.send('h STORE 2 +FLAGS.SILENT (\\Deleted)\r\n')
            assert client.until('h').splitlines()[-1].startswith(b'h OK')
        for client in sessions:
            client.send('i EXPUNGE\r\n')
            assert b'* 2 EXPUNGE' in client.until('i')
            client.send('j FETCH 2 (UID BODY.PEEK[])\r\n')
            said = client.until('j')
            assert b'* 2 FETCH (UID 3 BODY[] {6}\r\nmore\r\n)' in said, said


CHECKS = (limit_per_address, delay_rises, auth_hangs, auth_comes_back, auth_is_waited_for, proxy_is_believed_from_trusted_networks_only,
          any_byte_of_a_password, idle_is_half_an_hour_or_more, still_here, stalled, sessions_of_a_deleted_user_end,
          login_under_way_of_a_deleted_user, idle_sessions_give_memory_up,
          stopping_ends_lmtp, id_is_logged, whole_chain, tickets)
CHECKS_TLS = (old_tls, renegotiation, junk, byte_by_byte)


def check_all(checks, wanted):
    """Run those whose name has a part that is wanted; all if nothing is."""
    def is_wanted(check):
        return not wanted or any(w in 'connections ' + check.__name__ for w in wanted)
    for check in filter(is_wanted, CHECKS):
        checks.run('connections: ' + check.__name__.replace('_', ' '), check)
    if any(map(is_wanted, CHECKS_TLS)):
        with rp.Server() as server:
            for check in filter(is_wanted, CHECKS_TLS):
                checks.run('connections: ' + check.__name__.replace('_', ' '), check, server)
