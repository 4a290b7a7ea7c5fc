#!/usr/bin/env python3
"""Plays the transcripts of this folder (*.imap, *.lmtp) against a real server and compares what it says.

    tests/wire/run.py [-v] [-j N] [NAME...]      NAME: part of a file's name, or of a check's in connections.py; -v shows every dialogue

All transcripts share one server of two shards; each has users of its own, so that none can see another's mail.
A transcript is lines:

    # text                a comment
    = login: no           a setting of the whole transcript, before its first exchange (below)
    C: a NOOP             the client sends this and CRLF
    C- a NO               the same without CRLF: the rest comes with the next line
    S: a OK {...}         the server's next response is this, all of it
    S~ \\* \\d+ EXISTS      the server's next response matches this regular expression, all of it; (?P<name>..) keeps
    S* a OK {...}         any responses, then this one; a line with the same first word that differs is a failure
    S! .*EXPUNGE.*        the S* that follows may not pass over a response that matches this expression
    S& * LIST {...}       lines marked so that stand together come in any order
    S: (closed)           the server has closed the connection (under TLS: with close_notify)
    T: within 1.0         that response came within so many seconds of the last thing that any client sent
    | text                goes on the line above, after a CRLF: the inside of literals, on either side

C2: S2: and so on are further connections, opened when first named. A response is a line with the literals in it, so
`S: * 1 FETCH (BODY[] {5}` goes on `| hello)`. `C: a APPEND INBOX {+}` (or `{}`, which waits for the server's "+")
counts for itself: the `|` lines, each with CRLF, are the literal; `{+-}` leaves the last CRLF away. On a client's
line that has `|` lines and no such mark, `{5}` means nothing, all is sent at once.

In texts:

    {...}          in S: anything                        {#}            in S: digits
    {name}         in C: what was kept as name           {name}         in S: the same, or, if new, keep what is there
    {user} {user2} {password} {host}  this transcript's  {nul} {cr} {lf} {crlf} {sp}
    {x:00ff}       bytes in hex                          {repeat:9:text}    text, which may have escapes, 9 times
    {b64:text}     base64 of text with its escapes       {count:9:a%d }     text with %d as 1, 2, .. 9

Anything else in braces stands for itself. The client may also do: C: (open), (close), (reset) a TCP reset, (eof)
end of its output, (starttls) the handshake, (again) close and open anew.

Settings: `= 2: tls nologin user2` says what connection 2 is: imap lmtp lmtp-unix, plain tls, login nologin, user user2;
`= all: ..` the same for every one. An IMAP connection logs in unseen unless told otherwise, and its greeting is then
unseen too. `= server: strict`: another server, see SERVERS.

Every IMAP response is also read by a strict grammar (tests/support/imap_grammar.py). At the end the servers' logs must be free of
sanitizer reports and of children that ended.
"""
import base64
import concurrent.futures
import os
import re
import secrets
import select
import socket
import ssl
import struct
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'support'))
import clients_table  # noqa: E402
import connections  # noqa: E402
import imap_grammar  # noqa: E402
import rp  # noqa: E402
import test_imap_grammar  # noqa: E402

WAIT_SECONDS = 20
PASSWORD = 'secret'
# What `= server: NAME` may name: the options of rp.Server.
SERVERS = {
    'plain': {},
    'strict': {'plaintext_login': False},
    'small': {'limits': 'login = 2s connections_per_user_address = 2 appendlimit = 64KiB still_here = 10s', 'auth': 'master_users = { "master" }'},
}


class Mismatch(Exception):
    """The server said something else; its text is what a person wants to read."""


# ---- escapes

ESCAPE = re.compile(r'\{(#|\.\.\.|[a-z][a-z0-9_]*)(?::|\})')
FIXED = {'nul': b'\0', 'cr': b'\r', 'lf': b'\n', 'crlf': b'\r\n', 'sp': b' '}


def split_escapes(text):
    """The text as (plain, None) and (name, argument) pairs; the argument of {name} is ''."""
    at = start = 0
    while at < len(text):
        found = ESCAPE.match(text, at) if text[at] == '{' else None
        if not found:
            at += 1
            continue
        depth, end = 1, at + 1
        while end < len(text) and depth:
            depth += {'{': 1, '}': -1}.get(text[end], 0)
            end += 1
        if depth:
            break
        if at > start:
            yield text[start:at], None
        yield found.group(1), text[found.end():end - 1] if found.end() < end else ''
        at = start = end
    if start < len(text):
        yield text[start:], None


def expand_escape(name, argument, values):
    """Bytes of one escape, or None if it is none of the fixed ones."""
    if name in FIXED:
        return FIXED[name]
    if name == 'x':
        return bytes.fromhex(argument)
    if name == 'b64':
        return base64.b64encode(expand(argument, values))
    if name in ('repeat', 'count'):
        times, text = argument.split(':', 1)
        if name == 'repeat':
            return expand(text, values) * int(times)
        return b''.join(expand(text.replace('%d', str(i + 1)), values) for i in range(int(times)))
    return values.get(name)


def expand(text, values):
    """Bytes that a client sends."""
    out = b''
    for part, argument in split_escapes(text):
        data = part.encode() if argument is None else expand_escape(part, argument, values)
        if data is None:
            raise Mismatch(f'{{{part}}} is not known here')
        out += data
    return out


def pattern_of(text, values):
    """A compiled expression for an S: text; unknown names become groups."""
    out, new = b'', set()
    for part, argument in split_escapes(text):
        if argument is None:
            out += re.escape(part.encode())
        elif part == '#':
            out += rb'\d+'
        elif part == '...':
            out += rb'.*'
        else:
            data = expand_escape(part, argument, values)
            if data is not None:
                out += re.escape(data)
            elif part in new:
                out += b'(?P=' + part.encode() + b')'
            else:
                new.add(part)
                out += b'(?P<' + part.encode() + rb'>[^\s()\[\]"]+)'
    return re.compile(out, re.DOTALL)


# ---- responses

def check_grammar(response):
    """Raise Mismatch if an IMAP response (without its last CRLF) breaks the grammar."""
    try:
        imap_grammar.check(response + b'\r\n')
    except imap_grammar.Bad as why:
        raise Mismatch(f'bad grammar ({why}): {shown(response)}')


def shown(data):
    text = ''.join(chr(b) if 32 <= b < 127 or b in (10, 13) else f'\\x{b:02x}' for b in data)
    text = text.replace('\r\n', '\n      | ').replace('\r', '\\r')
    return text if len(text) < 1500 else text[:600] + f' ..({len(data)} bytes).. ' + text[-200:]


# ---- connections

class Connection:
    def __init__(self, server, kind, trace):
        self.server, self.kind, self.trace = server, kind, trace
        self.buffer = b''
        self.tls = 'tls' in kind
        if 'lmtp-unix' in kind:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(server.lmtp_path)
        else:
            port = server.port_lmtp if 'lmtp' in kind else server.port_tls if self.tls else server.port
            self.sock = socket.create_connection(('127.0.0.1', port), timeout=WAIT_SECONDS)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(WAIT_SECONDS)
        if self.tls:
            self.start_tls()

    def start_tls(self):
        self.sock = self.server.tls_context().wrap_socket(self.sock, server_hostname='localhost',
                                                          suppress_ragged_eofs=False)
        self.sock.settimeout(WAIT_SECONDS)

    def send(self, data):
        """All of it, reading meanwhile, so that a server that answers at length and waits for us is no deadlock."""
        self.trace('C', data)
        view = memoryview(data)
        if isinstance(self.sock, ssl.SSLSocket):
            self.sock.sendall(view)
            return
        end = time.monotonic() + WAIT_SECONDS
        self.sock.setblocking(False)
        try:
            while view:
                if time.monotonic() > end:
                    raise Mismatch('the server takes no more input')
                readable, writable, _ = select.select([self.sock], [self.sock], [], 1)
                if writable:
                    view = view[self.sock.send(view):]
                elif readable:
                    more = self.sock.recv(65536)
                    if not more:
                        return
                    self.buffer += more
        except (BrokenPipeError, ConnectionResetError):
            pass  # what it said before it closed is still to be read
        finally:
            self.sock.settimeout(WAIT_SECONDS)

    def more(self):
        try:
            got = self.sock.recv(65536)
        except (socket.timeout, TimeoutError):
            raise Mismatch(f'the server says nothing for {WAIT_SECONDS} s; before: {shown(self.buffer)}')
        except ConnectionResetError:
            got = b''
        except ssl.SSLEOFError:
            raise Mismatch('closed without close_notify')
        self.buffer += got
        return bool(got)

    def take_line(self, start):
        """Index behind the next LF from start on."""
        while True:
            end = self.buffer.find(b'\n', start)
            if end >= 0:
                return end + 1
            start = max(start, len(self.buffer))
            if not self.more():
                raise Mismatch(f'the server closed; last: {shown(self.buffer)}' if self.buffer else '(closed)')

    def response(self):
        """The next one, without its CRLF."""
        end = self.take_line(0)
        while 'imap' in self.kind:
            literal = re.search(rb'\{(\d+)\}\r\n$', self.buffer[:end])
            if not literal or (self.buffer.startswith(b'+') or self.status(self.buffer[:end])):
                break
            inside = end + int(literal.group(1))
            while len(self.buffer) < inside:
                if not self.more():
                    raise Mismatch('the server closed inside a literal')
            end = self.take_line(inside)
        got, self.buffer = self.buffer[:end], self.buffer[end:]
        self.trace('S', got)
        if not got.endswith(b'\r\n'):
            raise Mismatch(f'a line without CR: {shown(got)}')
        return got[:-2]

    @staticmethod
    def status(line):
        return line.split(b' ', 2)[1:2] in ([b'OK'], [b'NO'], [b'BAD'], [b'BYE'])

    def expect_closed(self):
        if self.buffer or self.more():
            raise Mismatch(f'expected the end, got: {shown(self.buffer)}')
        self.trace('S', b'(closed)')

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.sock.close()


# ---- one transcript

class Step:
    """One exchange: its line number, who ('C', 'S', 'T'), which connection, the mark (':', '-', ..), its texts."""

    def __init__(self, number, who, conn, mark, text):
        self.number, self.who, self.conn, self.mark, self.lines = number, who, conn, mark, [text]

    def __str__(self):
        return f'{self.who}{self.conn if self.conn > 1 else ""}{self.mark} ' + '\n      | '.join(self.lines)


STEP = re.compile(r'([CST])(\d*)([:~*!&-])(?: (.*))?$')


def read_transcript(path):
    settings, steps = {}, []
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip('\n')
            if line.startswith('|') and steps:
                steps[-1].lines.append(line[2:])
            elif line.startswith('= '):
                key, value = line[2:].split(':', 1)
                settings[key.strip()] = value.strip()
            elif line.strip() and not line.startswith('#'):
                found = STEP.match(line)
                if not found:
                    raise SystemExit(f'{path}:{number}: not a line of a transcript: {line}')
                who, conn, mark, text = found.groups()
                steps.append(Step(number, who, int(conn or 1), mark, text or ''))
    return settings, steps


class Play:
    def __init__(self, path, servers, users, verbose):
        self.path, self.verbose, self.dialogue = path, verbose, []
        self.settings, self.steps = read_transcript(path)
        self.server = servers[self.settings.get('server', 'plain')]
        self.values = {'password': PASSWORD.encode(), 'host': b'test.invalid'}
        for i, user in enumerate(users):
            self.values['user' if i == 0 else f'user{i + 1}'] = user.encode()
        self.conns, self.forbidden = {}, []
        self.sent_at = self.got_at = time.monotonic()

    def kind(self, number):
        words = {'lmtp' if self.path.endswith('.lmtp') else 'imap'}
        for key in ('all', str(number)):
            for word in self.settings.get(key, '').split():
                if word in ('lmtp', 'lmtp-unix', 'imap'):
                    words -= {'imap', 'lmtp'}
                words.add(word)
                if word in ('plain', 'login'):
                    words.discard({'plain': 'tls', 'login': 'nologin'}[word])
        return words

    def conn(self, number):
        if number not in self.conns:
            kind = self.kind(number)

            def trace(who, data):
                self.dialogue.append(f'{who}{number if number > 1 else ""}: {shown(data.rstrip())}')
            conn = self.conns[number] = Connection(self.server, kind, trace)
            if 'imap' in kind and 'nologin' not in kind:
                user = self.values[next((w for w in kind if w.startswith('user')), 'user')]
                conn.response()
                conn.send(b'login LOGIN ' + user + b' ' + PASSWORD.encode() + b'\r\n')
                if not conn.response().startswith(b'login OK'):
                    raise Mismatch('cannot log in')
        return self.conns[number]

    def client(self, step):
        text = step.lines[0]
        if text == '(again)':
            self.conns.pop(step.conn).sock.close()
        conn = self.conn(step.conn)
        if text in ('(open)', '(again)'):
            return
        if text == '(close)':
            return self.conns.pop(step.conn).sock.close()
        if text == '(reset)':
            return self.conns.pop(step.conn).reset()
        if text == '(eof)':
            return conn.sock.shutdown(socket.SHUT_WR)
        if text == '(starttls)':
            if conn.buffer:
                raise Mismatch(f'before the handshake: {shown(conn.buffer)}')
            return conn.start_tls()
        mark = re.search(r'\{(\+?-?)\}$', text)
        end = b'' if step.mark == '-' else b'\r\n'
        if mark and len(step.lines) > 1:
            inside = b'\r\n'.join(expand(line, self.values) for line in step.lines[1:])
            inside += b'' if '-' in mark.group(1) else b'\r\n'
            sync = '+' not in mark.group(1)
            head = expand(text[:mark.start()], self.values) + b'{%d%s}\r\n' % (len(inside), b'' if sync else b'+')
            if sync:
                conn.send(head)
                got = conn.response()
                if not got.startswith(b'+ '):
                    raise Mismatch(f'expected "+ ", got: {shown(got)}')
                head = b''
            conn.send(head + inside + end)
        else:
            conn.send(b'\r\n'.join(expand(line, self.values) for line in step.lines) + end)
        self.sent_at = time.monotonic()

    def next_response(self, conn):
        got = conn.response()
        self.got_at = time.monotonic()
        if 'imap' in conn.kind:
            check_grammar(got)
        return got

    def compile(self, step):
        if step.mark in '~!':
            return re.compile('\r\n'.join(step.lines).encode(), re.DOTALL)
        return pattern_of('\r\n'.join(step.lines), self.values)

    def keep(self, found):
        self.values.update({k: v for k, v in found.groupdict().items() if v is not None})

    def serve(self, step):
        conn = self.conn(step.conn)
        if step.lines[0] == '(closed)':
            return conn.expect_closed()
        if step.mark == '!':
            return self.forbidden.append(self.compile(step))
        pattern = self.compile(step)
        first = step.lines[0].split(' ')[0].encode()
        while True:
            got = self.next_response(conn)
            found = pattern.fullmatch(got)
            if found:
                break
            if step.mark != '*' or (first not in (b'*', b'+') and got.startswith(first + b' ')):
                raise Mismatch(f'got\n   S: {shown(got)}')
            for bad in self.forbidden:
                if bad.fullmatch(got):
                    raise Mismatch(f'may not say\n   S: {shown(got)}')
        self.forbidden = []
        self.keep(found)

    def serve_any_order(self, steps):
        left = list(steps)
        while left:
            got = self.next_response(self.conn(left[0].conn))
            for step in left:
                found = self.compile(step).fullmatch(got)
                if found:
                    self.keep(found)
                    left.remove(step)
                    break
            else:
                raise Mismatch('got\n   S: ' + shown(got) + '\n   still expected:\n' + '\n'.join(map(str, left)))

    def run(self):
        """None, or why it failed."""
        at, step = 0, None
        try:
            while at < len(self.steps):
                step = self.steps[at]
                at += 1
                if step.who == 'C':
                    self.client(step)
                elif step.who == 'T':
                    if self.got_at - self.sent_at > float(step.lines[0].split()[1]):
                        raise Mismatch(f'took {self.got_at - self.sent_at:.2f} s')
                elif step.mark == '&':
                    group = [step]
                    while at < len(self.steps) and (self.steps[at].who, self.steps[at].mark,
                                                    self.steps[at].conn) == ('S', '&', step.conn):
                        group.append(self.steps[at])
                        at += 1
                    self.serve_any_order(group)
                else:
                    self.serve(step)
        except (Mismatch, OSError, KeyError, ValueError, re.error) as error:
            why = str(error) if isinstance(error, Mismatch) else repr(error)
            line = step.number if step else 0
            tail = '\n'.join('   ' + d for d in self.dialogue[-12:])
            return f'{self.path}:{line}: {step}\n  {why}\n  the dialogue before:\n{tail}'
        finally:
            for conn in self.conns.values():
                conn.sock.close()
            if self.verbose:
                sys.stdout.write(f'--- {os.path.basename(self.path)}\n' + '\n'.join(self.dialogue) + '\n')
        return None


# ---- all of them

USERS_EACH = 3
# T-49: a line of the log, whatever its values were.
LOG_LINE = re.compile(r'\d{4}-\d\d-\d\dT[\d:.]+Z (debug|info|warn|error) [a-z_]+(\.[a-z_]+)*( [a-z_]+=("([^"\\]|\\.)*"|[!#-~]*))*')
LOG_BAD = re.compile(r'.*(?:Sanitizer|runtime error|child\.ended|assert).*')


def write_users(server, names):
    """The first by `user add`; the others share its hash, for hashing is slow on purpose."""
    server.add_user(names[0], PASSWORD)
    path = os.path.join(server.dir, 'passwd')
    with open(path) as f:
        stored = f.read().strip().split(':')[1]
    with open(path, 'a') as f:
        f.writelines(f'{name}:{stored}:{secrets.token_hex(16)}\n' for name in names[1:])


def main():
    arguments = sys.argv[1:]
    verbose = '-v' in arguments
    jobs = int(arguments[arguments.index('-j') + 1]) if '-j' in arguments else 4
    wanted = [a for i, a in enumerate(arguments) if not a.startswith('-') and arguments[i - 1:i] != ['-j']]
    paths = sorted(os.path.join(HERE, name) for name in os.listdir(HERE)
                   if name.endswith(('.imap', '.lmtp')) and (not wanted or any(w in name for w in wanted)))
    users = {path: [f'u{i}x{k}' for k in range(USERS_EACH)] for i, path in enumerate(paths)}
    checks = rp.Checks()
    clients_table.run(checks)
    test_imap_grammar.run(checks)
    servers = {name: rp.Server(shards=2, **options) for name, options in SERVERS.items()}
    lock, playing = threading.Lock(), set()
    ended_seen = set()

    def play(path):
        with lock:
            playing.add(path)
        transcript = Play(path, servers, users[path], verbose)
        why = transcript.run()
        with lock:
            playing.discard(path)
            name = os.path.basename(path)
            if why:
                checks.failed += 1
                print(f'FAIL {name}\n{why}')
                ended = sum(s.log_text().count('child.ended') for s in servers.values())
                if ended > len(ended_seen):
                    ended_seen.update(range(ended))
                    print('  a child has ended; playing then:', name, *map(os.path.basename, playing))
            else:
                checks.passed += 1
                print(f'ok   {name}')
            sys.stdout.flush()

    try:
        for server in servers.values():
            write_users(server, [name for names in users.values() for name in names] + ['master'])
            server.start()
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            list(pool.map(play, paths))

        def in_order(server):
            assert server.stop(), 'the server did not end in order'

        def log_clean(server):
            bad = LOG_BAD.findall(server.log_text())
            assert not bad, 'in the log:\n' + '\n'.join(bad[:40])
            odd = [line for line in server.log_text().split('\n') if line and not LOG_LINE.fullmatch(line)]
            assert not odd, 'no line of a log:\n' + '\n'.join(odd[:10])

        def both_shards():
            homes = set(re.findall(r'login\.ok shard=(\d+)', servers['plain'].log_text()))
            assert homes == {'0', '1'}, f'users were only on shards {homes}'
        if not wanted:
            checks.run('the users live on both shards', both_shards)
        for name, server in servers.items():
            checks.run(f'server {name} ends in order', in_order, server)
            checks.run(f'server {name} has a clean log', log_clean, server)
        connections.check_all(checks, wanted)
    finally:
        for server in servers.values():
            if checks.failed:
                log = f'/tmp/ringpost-wire-{os.path.basename(server.dir)}.log'
                with open(log, 'w') as f:
                    f.write(server.log_text() if os.path.exists(server.log) else '')
                print(f'log kept: {log}')
            server.kill()
            rp.shutil.rmtree(server.dir, ignore_errors=True)
    checks.end()


if __name__ == '__main__':
    main()
