"""What a server that is killed must still have: clients that remember what was acknowledged, and the comparison.

A worker owns some mailboxes and is the only one that changes them, so it always knows the states that are allowed: the
one after the last command that was answered, and those after each command that was under way when the server died.
"""
import collections
import hashlib
import itertools
import random
import re
import socket
import threading
import time


class Wrong(AssertionError):
    pass


def body_of(ident, size):
    """The message behind an identifier; the same bytes each time it is asked for."""
    seed = hashlib.sha256(ident.encode()).hexdigest()
    lines = [f'From: {ident}@test.invalid', f'Subject: {ident}', f'X-Ident: {ident} {size}', '']
    left = size
    number = 0
    while left > 0:
        line = f'{number:06} {seed}'[:max(left, 1)]
        lines.append(line)
        left -= len(line) + 2
        number += 1
    return ('\r\n'.join(lines) + '\r\n').encode()


class Client:
    """IMAP over a plain socket: tagged commands, literals told apart."""

    def __init__(self, port, name, timeout=60):
        self.sock = socket.create_connection(('127.0.0.1', port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile('rb')
        self.number = 0
        self.response()
        self.ok(f'LOGIN {name} secret')

    def response(self):
        """One response line with its literals put in: (text, [literal])."""
        text, literals = b'', []
        while True:
            line = self.file.readline()
            if not line.endswith(b'\n'):
                raise EOFError(line)
            found = re.search(rb'\{(\d+)\}\r\n$', line)
            if not found:
                return (text + line).rstrip(b'\r\n'), literals
            literal = self.file.read(int(found[1]))
            if len(literal) != int(found[1]):
                raise EOFError('in a literal')
            literals.append(literal)
            text += line[:found.start()] + b'{}'

    def send(self, *commands):
        """Commands in one piece, not waiting; their tags."""
        tags, data = [], b''
        for command in commands:
            self.number += 1
            tags.append(b't%d' % self.number)
            data += tags[-1] + b' ' + (command if isinstance(command, bytes) else command.encode()) + b'\r\n'
        self.sock.sendall(data)
        return tags

    def answer(self, tag):
        """(tagged line, untagged responses)."""
        untagged = []
        while True:
            text, literals = self.response()
            if text.startswith(tag + b' '):
                return text[len(tag) + 1:], untagged
            if text.startswith(b'* BYE'):
                raise EOFError(text)
            untagged.append((text, literals))

    def ok(self, command):
        line, untagged = self.answer(self.send(command)[0])
        if not line.startswith(b'OK'):
            raise Wrong(f'{command[:60]!r}: {line!r}')
        return line, untagged

    def close(self):
        self.file.close()
        self.sock.close()


def uid_set(text):
    uids = []
    for part in text.split(b','):
        low, _, high = part.partition(b':')
        uids.extend(range(int(low), int(high or low) + 1))
    return uids


def box_numbers(said):
    """UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ of a SELECT's answers."""
    return tuple(int(re.search(code + rb' (\d+)', said)[1])
                 for code in (rb'\[UIDVALIDITY', rb'\[UIDNEXT', rb'\[HIGHESTMODSEQ'))


def told_messages(untagged):
    """{uid: (flags, modseq)} of the FETCH answers that have all three."""
    told = {}
    for text, _ in untagged:
        uid, flags, modseq = (re.search(expr, text) for expr in (rb'UID (\d+)', rb'FLAGS \(([^)]*)\)', rb'MODSEQ \((\d+)\)'))
        if b' FETCH (' in text and uid and flags and modseq:
            told[int(uid[1])] = (frozenset(flags[1].decode().split()) - {'\\Recent'}, int(modseq[1]))
    return told


class State(dict):
    """Mailbox name -> {uid: (ident, size, flags)}; a message of which no answer told the UID is under a negative key."""

    fresh = itertools.count(-1, -1)  # of all threads

    def copy(self):
        return State({name: dict(box) for name, box in self.items()})

    def add(self, name, message):
        self[name][next(self.fresh)] = message

    def text(self):
        return {name: sorted((max(uid, 0), m[0], sorted(m[2])) for uid, m in box.items()) for name, box in self.items()}


class ImapWorker:
    """Makes, changes and removes mail in mailboxes of its own."""

    FLAGS = ('\\Seen', '\\Flagged', '\\Answered', '$Work', 'two')
    BOX_MESSAGES = 30

    def __init__(self, number, user, seed, ending):
        self.number, self.user = number, user
        self.random = random.Random(seed)
        self.prefix = f'W{number}-'
        self.ending = ending
        self.state = State()
        self.allowed = []   # states after commands that were not answered
        self.made = self.acknowledged = 0
        self.error = None

    def run(self, port, stop):
        try:
            client = Client(port, self.user)
            while not stop.is_set():
                self.step(client)
            client.close()
        except (EOFError, OSError, ValueError):
            pass  # killed: what was not answered stays allowed
        except Exception as error:
            if not self.ending.is_set():
                self.error = error

    def message(self):
        self.made += 1
        size = self.random.choice((10, 500, 500, 3000, 3000, 20000, 120000))
        ident = f'w{self.number}.{self.made}'
        return ident, size, body_of(ident, size)

    def plan(self, state):
        """A change of `state`: (commands, state after each)."""
        boxes = sorted(state)
        dice = self.random.random()
        if len(boxes) < 2 or (dice < 0.05 and len(boxes) < 5):
            name = f'{self.prefix}{self.made}'
            self.made += 1
            after = state.copy()
            after[name] = {}
            return [f'CREATE {name}'], [after]
        if dice < 0.08:
            old, new = self.random.choice(boxes), f'{self.prefix}{self.made}r'
            self.made += 1
            after = state.copy()
            after[new] = after.pop(old)
            return [f'RENAME {old} {new}'], [after]
        if dice < 0.10:
            name = self.random.choice(boxes)
            after = state.copy()
            del after[name]
            return [f'DELETE {name}'], [after]
        name = self.random.choice(boxes)
        box = state[name]
        if dice < 0.45 and len(box) < self.BOX_MESSAGES or not box:
            commands, states = [], []
            for _ in range(self.random.choice((1, 1, 3))):
                ident, size, body = self.message()
                flags = frozenset(self.random.sample(self.FLAGS, self.random.randrange(3)))
                state = state.copy()
                state.add(name, (ident, size, flags))
                states.append(state)
                commands.append(f'APPEND {name} ({" ".join(flags)}) {{{len(body)}+}}\r\n'.encode() + body)
            return commands, states
        uids = sorted(self.random.sample(sorted(box), min(len(box), self.random.randint(1, 5))))
        these = ','.join(map(str, uids))
        select = [f'SELECT {name}'], [state]
        if dice < 0.70:
            commands, states = select
            for _ in range(self.random.choice((1, 2, 5))):
                flags = frozenset(self.random.sample(self.FLAGS, self.random.randint(1, 2)))
                how = self.random.choice(('+FLAGS', '-FLAGS.SILENT', 'FLAGS'))
                state = state.copy()
                for uid in uids:
                    ident, size, had = state[name][uid]
                    now = had | flags if how[0] == '+' else had - flags if how[0] == '-' else flags
                    state[name][uid] = (ident, size, now)
                commands.append(f'UID STORE {these} {how} ({" ".join(sorted(flags))})')
                states.append(state)
            return commands, states
        if dice < 0.88:
            other = self.random.choice([b for b in boxes if b != name])
            move = dice >= 0.79 or len(state[other]) >= self.BOX_MESSAGES
            after = state.copy()
            for uid in uids:
                after.add(other, after[name][uid])
                if move:
                    del after[name][uid]
            return select[0] + [f'UID {"MOVE" if move else "COPY"} {these} {other}'], select[1] + [after]
        marked = state.copy()
        for uid in uids:
            ident, size, had = marked[name][uid]
            marked[name][uid] = (ident, size, had | {'\\Deleted'})
        gone = marked.copy()  # with those that were marked when a kill came between STORE and EXPUNGE
        gone[name] = {uid: message for uid, message in marked[name].items() if '\\Deleted' not in message[2]}
        return select[0] + [f'UID STORE {these} +FLAGS.SILENT (\\Deleted)', 'EXPUNGE'], select[1] + [marked, gone]

    @staticmethod
    def learn(states, uids):
        """Of messages newly put in, the answer has told the UIDs: in this state and those that follow."""
        for state in states:
            for box in state.values():
                for key in [k for k in box if k in uids]:
                    box[uids[key]] = box.pop(key)

    def step(self, client):
        commands, states = self.plan(self.state)
        before = self.state
        self.allowed = list(states)
        tags = client.send(*commands)
        for at, tag in enumerate(tags):
            line, untagged = client.answer(tag)
            if not line.startswith(b'OK'):
                raise Wrong(f'{commands[at][:80]!r}: {line!r}')
            new = sorted((k for box in states[at].values() for k in box if k < 0), reverse=True)
            found = re.search(rb'\[(?:APPENDUID \d+|COPYUID \d+ ([\d:,]+)) ([\d:,]+)\]',
                              b' '.join([line] + [text for text, _ in untagged if text.startswith(b'* OK [COPYUID')]))
            new = [k for k in new if not any(k in box for box in before.values())]
            if new:
                if not found:
                    raise Wrong(f'no UIDs told: {line!r}')
                uids = uid_set(found[2])
                if len(uids) != len(new):
                    raise Wrong(f'{len(new)} messages, UIDs {uids}: {commands} {tags} {line!r} {untagged} before {before.text()}')
                self.learn(states[at:], dict(zip(new, uids)))
            before = self.state = states[at]
            self.allowed = states[at + 1:]
            self.acknowledged += 1


class LmtpWorker:
    """Delivers to the inboxes of several users at once; each answer counts for itself."""

    def __init__(self, number, users, seed, ending):
        self.number, self.users = number, users
        self.random = random.Random(seed)
        self.ending = ending
        self.made = self.acknowledged = 0
        self.delivered = {}  # user -> {ident: size}: acknowledged
        self.maybe = {}      # user -> {ident: size}: under way
        self.error = None

    def run(self, port, stop):
        try:
            sock = socket.create_connection(('127.0.0.1', port), timeout=60)
            file = sock.makefile('rb')
            self.expect(file, b'220')
            sock.sendall(b'LHLO test.invalid\r\n')
            self.expect(file, b'250')
            while not stop.is_set():
                self.step(sock, file)
            sock.close()
        except (EOFError, OSError):
            pass
        except Exception as error:
            if not self.ending.is_set():
                self.error = error

    @staticmethod
    def expect(file, code):
        while True:
            line = file.readline()
            if not line.endswith(b'\n'):
                raise EOFError(line)
            if not line.startswith(code):
                raise Wrong(f'LMTP: {line!r}')
            if line[3:4] == b' ':
                return

    def step(self, sock, file):
        self.made += 1
        ident, size = f'm{self.number}.{self.made}', self.random.choice((100, 2000, 2000, 30000, 100000))
        to = self.random.sample(self.users, self.random.randint(1, len(self.users)))
        for user in to:
            self.maybe.setdefault(user, {})[ident] = size
        sock.sendall(b'MAIL FROM:<a@test.invalid>\r\n' + b''.join(b'RCPT TO:<%s>\r\n' % u.encode() for u in to) +
                     b'DATA\r\n')
        for _ in range(len(to) + 1):
            self.expect(file, b'250')
        self.expect(file, b'354')
        sock.sendall(body_of(ident, size) + b'.\r\n')
        for user in to:
            self.expect(file, b'250')
            self.delivered.setdefault(user, {})[ident] = self.maybe[user].pop(ident)
            self.acknowledged += 1


class Watcher:
    """Looks at mailboxes that others change, and waits for news: what it was shown must not be lost either."""

    def __init__(self, number, users, seed, ending):
        self.number, self.users = number, users
        self.random = random.Random(seed)
        self.ending = ending
        self.acknowledged = self.shown = 0
        self.seen = {}  # (user, uidvalidity) -> (UIDNEXT, HIGHESTMODSEQ, {uid: (flags, modseq)})
        self.error = None

    def run(self, port, stop):
        try:
            user = self.random.choice(self.users)
            client = Client(port, user)
            while not stop.is_set():
                self.look(client, user)
            client.close()
        except (EOFError, OSError, ValueError):
            pass
        except Exception as error:
            if not self.ending.is_set():
                self.error = error

    def look(self, client, user):
        names = [text.split(b' ')[-1] for text, _ in client.ok('LIST "" *')[1] if text.startswith(b'* LIST')]
        line, untagged = client.answer(client.send(b'EXAMINE %s (CONDSTORE)' % self.random.choice(names))[0])
        if not line.startswith(b'OK'):
            return  # renamed or deleted meanwhile
        said = b' '.join(text for text, _ in untagged)
        validity, following, highest = box_numbers(said)
        self.remember((user, validity), following, highest, {})
        for _ in range(3):
            _, untagged = client.ok('FETCH 1:* (UID FLAGS MODSEQ)') if b' 0 EXISTS' not in said else (b'', [])
            told = told_messages(untagged)
            self.remember((user, validity), max(told, default=0) + 1, max((m for _, m in told.values()), default=0), told)
            said = self.idle(client, self.random.uniform(0.02, 0.2))
            if not said:
                return

    def idle(self, client, seconds):
        """News that came within this time."""
        tag = client.send('IDLE')[0]
        while not client.response()[0].startswith(b'+'):
            pass
        if self.random.random() < 0.5:
            time.sleep(seconds)
        client.sock.sendall(b'DONE\r\n')
        return b' '.join(text for text, _ in client.answer(tag)[1])

    def remember(self, box, following, highest, told):
        had = self.seen.setdefault(box, [0, 0, {}])
        had[0], had[1] = max(had[0], following), max(had[1], highest)
        had[2].update(told)
        self.shown += len(told)


class World:
    """All workers, and what has ever been seen of each mailbox."""

    INBOX_MESSAGES = 1000
    DEFAULT = {'INBOX', 'Drafts', 'Sent', 'Trash', 'Junk', 'Archive'}

    def __init__(self, users, seed, imap=6, lmtp=2, watchers=2):
        self.users = users
        self.ending = threading.Event()  # one process after the other is killed: a NO is no fault now
        self.imap = [ImapWorker(i, users[i % len(users)], f'{seed} imap {i}', self.ending) for i in range(imap)]
        self.lmtp = [LmtpWorker(i, users, f'{seed} lmtp {i}', self.ending) for i in range(lmtp)]
        self.watchers = [Watcher(i, users, f'{seed} watcher {i}', self.ending) for i in range(watchers)]
        self.inbox = {user: {} for user in users}  # uid -> (ident, size, flags) at the last look
        self.owner = {}      # (user, uidvalidity, uid) -> ident, for ever
        self.validity = {}   # (user, name) -> uidvalidity; no name is given twice
        self.next = {}       # (user, uidvalidity) -> highest UIDNEXT seen
        self.modseq = {}     # (user, uidvalidity) -> highest HIGHESTMODSEQ seen
        self.each = {}       # (user, uidvalidity, uid) -> (flags, modseq) at the last look
        self.read = set()    # (user, uidvalidity, uid) whose body was compared
        self.messages = self.bodies = 0

    def workers(self):
        return self.imap + self.lmtp + self.watchers

    def acknowledged(self):
        return sum(w.acknowledged for w in self.workers())

    def start(self, server):
        stop = threading.Event()
        threads = [threading.Thread(target=w.run, args=(server.port_lmtp if w in self.lmtp else server.port, stop),
                                    daemon=True) for w in self.workers()]
        for thread in threads:
            thread.start()
        return stop, threads

    def raise_errors(self):
        errors = [f'{type(w).__name__} {w.number}: {w.error}' for w in self.workers() if w.error]
        if errors:
            raise Wrong('; '.join(errors))

    def shown(self):
        return sum(w.shown for w in self.watchers)

    def take_shown(self):
        """What the watchers were shown counts as seen by all."""
        for watcher in self.watchers:
            for box, (following, highest, told) in watcher.seen.items():
                self.next[box] = max(self.next.get(box, 0), following)
                self.modseq[box] = max(self.modseq.get(box, 0), highest)
                for uid, (flags, modseq) in told.items():
                    if modseq >= self.each.get(box + (uid,), (flags, 0))[1]:
                        self.each[box + (uid,)] = (flags, modseq)
            watcher.seen.clear()

    def look_at(self, client, user, name, all_bodies):
        """One mailbox as the server has it: {uid: (ident, size, flags)}; what may never change is compared here."""
        _, untagged = client.ok(f'SELECT {name} (CONDSTORE)')
        said = b' '.join(text for text, _ in untagged)
        validity, following, highest = box_numbers(said)
        exists = int(re.search(rb'\* (\d+) EXISTS', said)[1])
        box = (user, validity)
        if self.validity.setdefault((user, name), validity) != validity:
            raise Wrong(f'{user} {name}: UIDVALIDITY was {self.validity[user, name]}, is {validity}')
        for seen, now, what in ((self.next, following, 'UIDNEXT'), (self.modseq, highest, 'HIGHESTMODSEQ')):
            if now < seen.get(box, 0):
                raise Wrong(f'{user} {name}: {what} was {seen[box]}, is {now}')
            seen[box] = now
        found = {}
        if exists:
            for text, _ in client.ok('UID FETCH 1:* (FLAGS RFC822.SIZE MODSEQ)')[1]:
                match = re.match(rb'\* \d+ FETCH \(', text)
                if match:
                    get = lambda expr: re.search(expr, text)[1]
                    found[int(get(rb'UID (\d+)'))] = (frozenset(get(rb'FLAGS \(([^)]*)\)').decode().split()) -
                                                      {'\\Recent'}, int(get(rb'RFC822.SIZE (\d+)')),
                                                      int(get(rb'MODSEQ \((\d+)\)')))
        if len(found) != exists:
            raise Wrong(f'{user} {name}: {exists} EXISTS, but {len(found)} told')
        for uid, (flags, size, modseq) in found.items():
            if uid >= following or modseq > highest:
                raise Wrong(f'{user} {name}: UID {uid} MODSEQ {modseq}, UIDNEXT {following} HIGHESTMODSEQ {highest}')
            had = self.each.get(box + (uid,))
            if had and (modseq < had[1] or (modseq == had[1] and flags != had[0])):
                raise Wrong(f'{user} {name} UID {uid}: was {had}, is {(flags, modseq)}')
            self.each[box + (uid,)] = (flags, modseq)
        wanted = [uid for uid in found if all_bodies or box + (uid,) not in self.read]
        self.messages += len(found)
        self.bodies += len(wanted)
        for at in range(0, len(wanted), 500):
            these = ','.join(map(str, wanted[at:at + 500]))
            got = set()
            for text, literals in client.ok(f'UID FETCH {these} BODY.PEEK[]')[1]:
                if b'BODY[] {}' not in text:
                    continue
                uid = int(re.search(rb'UID (\d+)', text)[1])
                mark = re.search(rb'X-Ident: (\S+) (\d+)\r\n', literals[0])
                if not mark:
                    raise Wrong(f'{user} {name} UID {uid}: not our mail: {literals[0][:200]!r}')
                ident, size = mark[1].decode(), int(mark[2])
                at_first = literals[0].find(b'From: ')  # the server's own lines before it
                if literals[0][at_first:] != body_of(ident, size) or len(literals[0]) != found[uid][1]:
                    raise Wrong(f'{user} {name} UID {uid}: the body of {ident} is not as it went in')
                if name != 'INBOX' and at_first != 0:
                    raise Wrong(f'{user} {name} UID {uid}: {at_first} bytes before the message')
                if self.owner.setdefault(box + (uid,), (ident, size)) != (ident, size):
                    raise Wrong(f'{user} {name} UID {uid}: was {self.owner[box + (uid,)]}, is {ident}')
                self.read.add(box + (uid,))
                got.add(uid)
            if got != set(wanted[at:at + 500]):
                raise Wrong(f'{user} {name}: no body for UIDs {sorted(set(wanted[at:at + 500]) - got)}')
        return {uid: self.owner[box + (uid,)] + (flags,) for uid, (flags, _, _) in found.items()}

    def settle(self, actual, state):
        """The state with the UIDs that the server gave, if it is what is there; else None."""
        if set(actual) != set(state):
            return None
        result = State()
        for name, box in state.items():
            there = dict(actual[name])
            result[name] = dict(there)
            for uid, message in box.items():
                if uid > 0 and there.pop(uid, None) != message:
                    return None
            if collections.Counter(there.values()) != collections.Counter(m for uid, m in box.items() if uid < 0):
                return None
        return result

    def compare(self, server, all_bodies=False):
        """Everything that was acknowledged is there, and nothing that nobody sent."""
        self.raise_errors()
        self.take_shown()
        for user in self.users:
            client = Client(server.port, user)
            names = {text.split(b' ')[-1].strip(b'"').decode() for text, _ in client.ok('LIST "" *')[1]
                     if text.startswith(b'* LIST')}
            owned = [w for w in self.imap if w.user == user]
            stray = {n for n in names if n not in self.DEFAULT and not any(n.startswith(w.prefix) for w in owned)}
            if stray or not self.DEFAULT <= names:
                raise Wrong(f'{user}: mailboxes {sorted(names)}')
            self.compare_inbox(client, user, all_bodies)
            for worker in owned:
                actual = State()
                for name in sorted(n for n in names if n.startswith(worker.prefix)):
                    actual[name] = self.look_at(client, user, name, all_bodies)
                settled = [s for s in (self.settle(actual, s) for s in [worker.state] + worker.allowed) if s is not None]
                if not settled:
                    raise Wrong(f'{user} {worker.prefix}: is\n  {actual.text()}\nallowed\n  ' +
                                '\n  '.join(str(s.text()) for s in [worker.state] + worker.allowed))
                worker.state, worker.allowed = settled[0], []
            client.close()

    def compare_inbox(self, client, user, all_bodies):
        there = self.look_at(client, user, 'INBOX', all_bodies)
        idents = [m[0] for m in there.values()]
        must = {i for w in self.lmtp for i in w.delivered.get(user, {})}
        may = {i for w in self.lmtp for i in w.maybe.get(user, {})}
        if len(idents) != len(set(idents)):
            raise Wrong(f'{user} INBOX: doubled: {sorted({i for i in idents if idents.count(i) > 1})}')
        if must - set(idents):
            raise Wrong(f'{user} INBOX: lost {sorted(must - set(idents))}')
        if set(idents) - must - may:
            raise Wrong(f'{user} INBOX: invented {sorted(set(idents) - must - may)}')
        for uid, message in self.inbox[user].items():
            if there.get(uid) != message:
                raise Wrong(f'{user} INBOX UID {uid}: was {message}, is {there.get(uid)}')
        self.inbox[user] = there
        for worker in self.lmtp:
            for ident, size in worker.maybe.pop(user, {}).items():
                if ident in idents:
                    worker.delivered.setdefault(user, {})[ident] = size
        if len(there) > self.INBOX_MESSAGES:
            self.trim_inbox(client, user, sorted(there)[:-self.INBOX_MESSAGES // 2])

    def trim_inbox(self, client, user, uids):
        """Else each comparison would be longer than the one before."""
        client.ok(f'UID STORE 1:{uids[-1]} +FLAGS.SILENT (\\Deleted)')
        client.ok('EXPUNGE')
        for uid in uids:
            ident = self.inbox[user].pop(uid)[0]
            for worker in self.lmtp:
                worker.delivered.get(user, {}).pop(ident, None)
