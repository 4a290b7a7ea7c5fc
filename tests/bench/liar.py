#!/usr/bin/env python3
"""A server that lies in one thing, and a load tool that must find it.

    tests/bench/liar.py TOOL        TOOL: ringpost-bench

A small IMAP server tells the truth first: the run is not void. Then, for each lie, it tells that one alone: the run must be void,
and say why.
"""
import json
import os
import re
import socketserver
import subprocess
import sys
import tempfile
import threading

TOOL = sys.argv[1]

PROFILE = """
loop = closed
warmup = 0
seconds = 3
lag_max_ms = 1000000
group g {
    clients = 1
    messages = 12
    size = 1500
    begin = {"connect", "login", "select"}
    act a { do = {"noop", "fetch-flags", "fetch-envelope 5", "fetch-structure 3", "fetch-body", "store-flag", "store-all",
                  "search-unseen", "search-count", "search-from", "search-subject", "search-body", "status", "fetch-changes"} }
    act b { do = {"append", "noop", "expunge", "noop"} }
    act c { do = {"logout", "connect", "login", "select", "fetch-changes"} }
    end = {"logout"}
}
"""

# What is lied about: what the verdict must say of it.
LIES = {
    'uid': r'has UID \d+ and had \d+',
    'uids fall': r'does not rise',
    'flags': r'has flags 0x[0-9a-f]+ and must have',
    'modseq': r'has MODSEQ \d+ and had \d+',
    'one less': r'\d+ of \d+ messages came',
    'twice': r'comes twice',
    'beyond': r'FETCH of \d+ of \d+ messages',
    'body': r'other bytes than it had',
    'short body': r'shorter or longer',
    'another body': r'is content \d+, it was \d+',
    'subject': r'has the subject',
    'from': r'is from',
    'size': r'has RFC822\.SIZE \d+, not 1500',
    'envelope': r'broken ENVELOPE',
    'grammar': r'broken grammar',
    'no crlf': r'without CRLF',
    'tag': r'was not asked',
    'no': r'NO not now',
    'bad': r'BAD what',
    'bye': r'BYE good night',
    'end': r'the connection ended',
    'shrinks': r'\d+ EXISTS where there were \d+',
    'expunge': r'not \\Deleted',
    'expunge beyond': r'EXPUNGE of \d+ of \d+',
    'search more': r'none of them',
    'search less': r'the search told \d+ messages, there are',
    'search silent': r'told nothing',
    'count': r'the search told \d+ messages, there are',
    'status': r'STATUS tells',
    'silent store': r'told no FETCH',
    'uidvalidity': r'UIDVALIDITY \d+, it was \d+',
    'uidnext': r'UIDNEXT \d+, it was \d+',
    'select less': r'EXISTS at SELECT',
    'old change': r'is not newer than',
}


class Mail:
    def __init__(self, lie):
        self.lie = lie
        self.lied = 0
        self.selects = 0
        self.messages = []  # [uid, flags, modseq, body]
        self.uidnext = 1
        self.modseq = 1

    def add(self, body, flags):
        self.modseq += 1
        self.messages.append([self.uidnext, set(flags), self.modseq, body])
        self.uidnext += 1

    def lies(self, lie, grace=0):
        """Is this the moment? Not in the first `grace` of them, that the tool has something to hold it against."""
        if self.lie != lie:
            return False
        self.lied += 1
        return self.lied > grace


def field(body, name):
    return re.search(rb'(?m)^' + name + rb': (.*)\r$', body).group(1)


class Session(socketserver.StreamRequestHandler):
    def say(self, text):
        self.wfile.write(text if isinstance(text, bytes) else text.encode())
        self.wfile.write(b'\r\n')

    def fetch_line(self, seqno, items):
        mail = self.server.mail
        uid, flags, modseq, body = mail.messages[seqno - 1]
        out = []
        if 'UID' in items:
            out.append(f'UID {uid + 1000 if mail.lies("uid", 40) else uid}'.encode())
        if 'FLAGS' in items:
            told = flags ^ {'\\Draft'} if mail.lies('flags', 40) else flags
            out.append(f'FLAGS ({" ".join(sorted(told))})'.encode())
            out.append(f'MODSEQ ({1 if mail.lies("modseq", 40) else modseq})'.encode())
        if 'RFC822.SIZE' in items:
            out.append(f'RFC822.SIZE {1499 if mail.lies("size") else len(body)}'.encode())
        if 'ENVELOPE' in items:
            subject = b'other' if mail.lies('subject') else field(body, b'Subject')
            sender = b'other' if mail.lies('from') else re.search(rb'<(.*)@', field(body, b'From')).group(1)
            rest = b' NIL NIL NIL NIL NIL' if mail.lies('envelope') else b' NIL NIL NIL NIL NIL NIL'
            out.append(b'ENVELOPE (NIL "%s" ((NIL NIL "%s" "example.net")) NIL%s)' % (subject, sender, rest))
        if 'BODYSTRUCTURE' in items:
            out.append(b'BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 3 1)')
        if 'HEADER.FIELDS' in items:
            text = b'X-Bench-Id: ' + field(body, b'X-Bench-Id') + b'\r\n\r\n'
            out.append(b'BODY[HEADER.FIELDS (X-BENCH-ID)] {%d}\r\n%s' % (len(text), text))
        if 'BODY.PEEK[]' in items:
            if mail.lies('body'):
                body = body[:900] + bytes([body[900] ^ 1]) + body[901:]
            if mail.lies('short body'):
                body = body[:-1]
            if mail.lies('another body'):
                body = mail.messages[seqno % 12][3]
            out.append(b'BODY[] {%d}\r\n%s' % (len(body), body))
        return b'* %d FETCH (%s)' % (seqno, b' '.join(out))

    def fetch(self, text):
        mail = self.server.mail
        which, items = text.split(' ', 1)
        if 'CHANGEDSINCE' in items:
            since = int(re.search(r'CHANGEDSINCE (\d+)', items).group(1))
            for i, message in enumerate(mail.messages):
                if message[2] > since or mail.lies('old change'):
                    self.say(self.fetch_line(i + 1, 'UID FLAGS'))
            return
        first, _, last = which.partition(':')
        first, last = int(first), len(mail.messages) if last == '*' else int(last or first)
        lines = [self.fetch_line(n, items) for n in range(first, last + 1)]
        if mail.lies('one less', 1):
            lines.pop()
        if mail.lies('twice', 1):
            lines.append(lines[0])
        if mail.lies('beyond', 1):
            lines.append(b'* %d FETCH (UID 9999)' % (len(mail.messages) + 1))
        if mail.lies('grammar', 1):
            lines[0] = lines[0].replace(b'(', b'((', 1)
        for line in lines:
            self.say(line)

    def store(self, text):
        mail = self.server.mail
        which, what, flags = text.split(' ', 2)
        seqnos = range(1, len(mail.messages) + 1) if which == '1:*' else [int(which)]
        for n in seqnos:
            message = mail.messages[n - 1]
            message[1] = message[1] | set(flags.strip('()').split()) if what[0] == '+' \
                else message[1] - set(flags.strip('()').split())
            mail.modseq += 1
            message[2] = mail.modseq
            if 'SILENT' not in what and not mail.lies('silent store'):
                self.say(self.fetch_line(n, 'FLAGS'))

    def search(self, text):
        mail = self.server.mail
        words = text.split()
        count = words[0] == 'RETURN'
        key, value = (words[-1], '') if words[-1] == 'UNSEEN' else text.split(' ', 1)
        value = value.strip('"').encode()
        found = [n for n, (_, flags, _, body) in enumerate(mail.messages, 1) if
                 (key == 'UNSEEN' and '\\Seen' not in flags) or
                 (key == 'FROM' and value in field(body, b'From')) or
                 (key == 'SUBJECT' and value in field(body, b'Subject')) or
                 (key == 'BODY' and value in body.split(b'\r\n\r\n', 1)[1])]
        if count:
            self.say(f'* ESEARCH (TAG "x") COUNT {len(found) + (1 if mail.lies("count") else 0)}')
            return
        if mail.lies('search silent'):
            return
        if mail.lie == 'search more' and len(found) < len(mail.messages):
            found = sorted(found + [min(set(range(1, len(mail.messages) + 1)) - set(found))])
        if mail.lie == 'search less':
            found = found[1:]
        self.say('* SEARCH' + ''.join(f' {n}' for n in found))

    def select(self):
        mail = self.server.mail
        mail.selects += 1
        late = mail.selects > 3
        self.say(f'* {len(mail.messages) - (1 if late and mail.lie == "select less" else 0)} EXISTS')
        self.say(f'* OK [UIDVALIDITY {8 if late and mail.lie == "uidvalidity" else 7}] x')
        self.say(f'* OK [UIDNEXT {1 if late and mail.lie == "uidnext" else mail.uidnext}] x')
        self.say(f'* OK [HIGHESTMODSEQ {mail.modseq}] x')

    def noop(self):
        mail = self.server.mail
        if mail.lies('shrinks'):
            self.say(f'* {len(mail.messages) - 1} EXISTS')
        if mail.lies('expunge'):
            self.say('* 1 EXPUNGE')
        if mail.lies('expunge beyond'):
            self.say(f'* {len(mail.messages) + 1} EXPUNGE')
        if mail.lies('uids fall'):
            self.say('* %d EXISTS' % (len(mail.messages) + 1))
            self.say('* %d FETCH (UID 1)' % (len(mail.messages) + 1))
        if mail.lies('bye'):
            self.say('* BYE good night')
        if mail.lies('no crlf'):
            self.wfile.write(b'* OK x\n')

    def append(self, rest):
        mail = self.server.mail
        found = re.match(r'INBOX \((.*)\) \{(\d+)\+\}', rest)
        body = self.rfile.read(int(found.group(2)))
        self.rfile.readline()
        mail.add(body, found.group(1).split())

    def expunge(self):
        mail = self.server.mail
        for n in range(len(mail.messages), 0, -1):
            if '\\Deleted' in mail.messages[n - 1][1]:
                mail.messages.pop(n - 1)
                mail.modseq += 1
                self.say(f'* {n} EXPUNGE')

    def status(self):
        mail = self.server.mail
        unseen = sum('\\Seen' not in m[1] for m in mail.messages)
        self.say(f'* STATUS INBOX (MESSAGES {len(mail.messages) + (1 if mail.lies("status") else 0)} UNSEEN {unseen} '
                 f'UIDNEXT {mail.uidnext})')

    def handle(self):
        mail = self.server.mail
        self.say('* OK hello')
        selected = False
        while line := self.rfile.readline():
            tag, name, *rest = line.decode().strip().split(' ', 2)
            rest = rest[0] if rest else ''
            if name == 'CAPABILITY':
                self.say('* CAPABILITY IMAP4rev1 LITERAL+ ESEARCH CONDSTORE')
            elif name == 'SELECT':
                self.select()
            elif name == 'LOGOUT':
                self.say('* BYE')
            elif name in ('FETCH', 'STORE', 'SEARCH', 'APPEND'):
                getattr(self, name.lower())(rest)
            elif name in ('NOOP', 'STATUS', 'EXPUNGE'):
                getattr(self, name.lower())()
            selected = selected or name == 'SELECT'
            if selected and name == 'APPEND':
                self.say(f'* {len(mail.messages)} EXISTS')
            if name == 'NOOP' and mail.lies('end'):
                return
            if name == 'NOOP' and mail.lies('no'):
                self.say(f'{tag} NO not now')
            elif name == 'NOOP' and mail.lies('bad'):
                self.say(f'{tag} BAD what')
            elif name == 'NOOP' and mail.lies('tag'):
                self.say('b99999 OK')
            else:
                self.say(f'{tag} OK done')
            if name == 'LOGOUT':
                return


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        """The tool goes away in the middle of a lie."""


def run(lie, folder):
    with Server(('127.0.0.1', 0), Session) as server:
        server.mail = Mail(lie)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        out = os.path.join(folder, 'result.json')
        done = subprocess.run([TOOL, 'run', os.path.join(folder, 'lie.profile'), '--users', 'u:1', '--threads', '1',
                               '--imap', '127.0.0.1:%d' % server.server_address[1], '--password-file',
                               os.path.join(folder, 'password'), '--out', out], capture_output=True, text=True, timeout=120)
        server.shutdown()
        if done.returncode not in (0, 3, 4):
            return done.returncode, {'why': [done.stderr]}, None
        result = json.load(open(out))
        return done.returncode, result['verdict'], result


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        open(os.path.join(folder, 'lie.profile'), 'w').write(PROFILE)
        open(os.path.join(folder, 'password'), 'w').write('secret\n')
        code, verdict, result = run('', folder)
        if code not in (0, 3) or result['left_out']:
            failed += 1
            print(f'FAIL the truth: exit code {code}, {verdict}')
        for lie, says in LIES.items():
            code, verdict, result = run(lie, folder)
            if code != 4 or not re.search(says, verdict['why'][0]) or result['commands'] is not None:
                failed += 1
                print(f'FAIL {lie}: exit code {code}, {verdict}')
    print(f'{len(LIES) + 1 - failed} passed, {failed} failed')
    return 1 if failed else 0


sys.exit(main())
