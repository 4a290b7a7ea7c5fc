#!/usr/bin/python3
"""A user's files are damaged under a server that runs, while clients read and write.

    tests/formats/underway.py [--seed N]

Each round one of his files, true or derived, has a bit flipped, a sector zeroed, its end cut off, or (a derived one) is removed. Nothing
ends; nobody reads anything else than before; what a body has lost is refused; another user notices nothing; `check` names each damaged
place, under the server and behind it; what was acknowledged after all that is there when the server has been started again.
"""
import argparse
import glob
import hashlib
import os
import random
import re
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), HERE]
import fill  # noqa: E402
import injured  # noqa: E402
import injuries  # noqa: E402
import rp  # noqa: E402
import spans  # noqa: E402
import stands  # noqa: E402
import whole  # noqa: E402

USER, OTHER, BOX, HELD = 'sam', 'eva', 'Running', 'Archive'
TRUE = ('journal', 'dbox')
# Without a copy of its header nothing in a journal can be read, nor what comes behind; what is written to a file that has no name is in
# no file.
NOT_UNDER_A_SERVER = ('cut off at 0', 'cut off in the first header', 'cut off in the second header', 'cut off behind the headers',
                      'both headers zeroed')


def lose_a_header(one, other):
    """A journal has lost its header where both copies are hit."""
    return one.kind == 'journal' and one.path == other.path and {one.part, other.part} == {'first header', 'second header'}


class Writer:
    """A session that adds messages to a mailbox of its own, and what it was told of them."""

    def __init__(self, server, user):
        self.server, self.user, self.number, self.has = server, user, 0, {}
        self.imap = fill.at_once(server.imap(user))
        fill.good(self.imap.create(BOX))
        fill.good(self.imap.select(BOX))

    def write(self):
        self.number += 1
        body = fill.message(self.number, body=b'%s writes\r\n' % self.user.encode() * (1 + self.number % 50))
        fill.good(self.imap.append(BOX, '', None, body))
        fill.good(self.imap.noop())
        fill.good(self.imap.uid('STORE', str(self.number), '+FLAGS', r'(\Flagged Seen%d)' % (self.number % 7)))
        self.has[self.number] = (hashlib.sha256(body).hexdigest(), {'\\Flagged', f'Seen{self.number % 7}'})

    def missed(self, imap):
        """[what was acknowledged and is not there]"""
        found = stands.messages(imap, BOX, len(self.has))
        return [uid for uid, (digest, flags) in self.has.items()
                if uid not in found or found[uid]['sha256'] != digest or not flags <= set(found[uid]['flags'])]


class Neighbour(threading.Thread):
    """Reads and writes until it is told to end. wrong: what it did not expect."""

    def __init__(self, stand):
        super().__init__()
        self.stand, self.writer, self.wrong, self.end = stand, Writer(stand.server, OTHER), [], threading.Event()

    def run(self):
        try:
            while not self.end.wait(0.05):
                self.writer.write()
                imap = fill.at_once(self.stand.server.imap(OTHER))
                self.wrong += self.writer.missed(imap)
                for _, (name, numbers, has) in self.stand.told[OTHER].boxes.items():
                    self.wrong += [name] if stands.messages(imap, name, numbers['MESSAGES']) != has else []
                imap.logout()
        except Exception as error:
            self.wrong.append(repr(error))


class Underway:
    """A stand, and what was done to it so far."""

    def __init__(self, ended, args):
        self.stand, self.args = stands.Stand(ended, USER), args
        self.server, self.dice = ended.server, random.Random(args.seed)
        self.mail, self.done, self.cost, self.wrong = self.stand.users[USER], [], injuries.Cost(), []
        self.ends, self.writers = {}, {}  # of files that were cut; by user

    def choose(self):
        """Of each kind of file one of each way. True files are cut first: what comes behind is to stay."""
        every = spans.of_user(self.stand.look.layout, self.mail)
        found = [one for one in injuries.Injuries(self.stand.look, self.mail, every, self.dice).all()
                 if one.field not in NOT_UNDER_A_SERVER and not one.told_apart and one.way != 'bytes more'
                 and (one.kind not in TRUE or one.way != 'removed')]
        self.dice.shuffle(found)
        chosen = {}
        for one in found:
            if not any(lose_a_header(one, other) for other in chosen.values()):
                chosen.setdefault((one.kind, one.way), one)
        return sorted(chosen.values(), key=lambda one: not (one.kind in TRUE and one.way == 'cut off'))

    def read(self, when):
        """All is what it was, but for what was done to it."""
        for user, writer in self.writers.items():
            cost = self.cost if user == USER else injuries.Cost()
            now = stands.Seen(self.server, user)
            self.wrong += [f'{when}: {words}' for words in
                           injured.differences(self.stand, user, self.stand.told[user], now, cost, False)]
            imap = fill.at_once(self.server.imap(user))
            self.wrong += [f'{when}: {user}: UID {uid} of {BOX}' for uid in writer.missed(imap)]
            imap.logout()

    def look(self, when):
        """`check` names what was done to true files; a derived one may have been made anew."""
        code, lines = self.stand.check_of(USER)
        for injury in self.done:
            if injury.kind == 'journal' and not os.path.exists(injury.path):  # another was begun behind it
                injury.path = glob.glob(re.sub(r'-\d*\.journal$', '-?*.journal', injury.path))[0]
            if injury.kind in TRUE and not injured.named(injury, lines):
                self.wrong.append(f'{when}: {injury} is not named: {lines[:3]}')
        if code != injured.DAMAGE:
            self.wrong.append(f'{when}: check ends with {code}: {lines[:3]}')

    def damage(self, injury):
        """A derived file may be another by now; what lies behind a cut is."""
        if os.path.exists(injury.path) and injury.begin < self.ends.get(injury.path, injury.begin + 1):
            injury.do()
            self.done.append(injury)
            self.cost = self.cost | injury.costs.get(self.mail.id, injuries.Cost())

    def under_the_server(self):
        chosen = self.choose()
        self.server.start()
        children = self.server.children()
        neighbour, held = Neighbour(self.stand), fill.at_once(self.server.imap(USER))
        fill.good(held.select(HELD, readonly=True))
        neighbour.start()
        try:
            for injury in chosen:
                self.damage(injury)
                if injury.kind in TRUE and injury.way == 'cut off':
                    self.ends[injury.path] = os.path.getsize(injury.path)
                    continue
                if USER not in self.writers:
                    self.writers[USER] = Writer(self.server, USER)
                self.writers[USER].write()
                self.read(str(injury))
            self.look('under the server')
            fill.good(held.fetch('1:*', '(FLAGS)'))
            held.logout()
        finally:
            neighbour.end.set()
            neighbour.join()
        self.wrong += [f'{OTHER}: {words}' for words in neighbour.wrong]
        assert self.server.children() == children, 'it was started anew: ' + self.server.log_tail()
        assert self.server.stop(), self.server.log_tail()
        self.writers[OTHER] = neighbour.writer

    def afterwards(self):
        self.look('behind the server')
        self.server.start()
        self.read('started again')
        assert self.server.stop(), self.server.log_tail()


def nothing_wrong(underway):
    underway.under_the_server()
    assert not underway.wrong, underway.wrong[:4]
    underway.afterwards()
    assert not underway.wrong, underway.wrong[:4]
    writes = [writer.number for writer in underway.writers.values()]
    assert len(underway.done) > 6 and min(writes) > 6, (len(underway.done), writes)
    print(f'{len(underway.done)} injuries under a server, {sum(writes)} messages added meanwhile')


def run(checks, ended, args):
    checks.run("a user's files are damaged under a server: named, and nothing else is lost", nothing_wrong, Underway(ended, args))


def settings(args=()):
    parse = argparse.ArgumentParser()
    parse.add_argument('--seed', type=int, default=3)
    return parse.parse_args(args)


def main():
    checks, looked = rp.Checks(), whole.Looked()
    with stands.Plain('stopped') as ended:
        ended.look = looked.look(ended.data)
        run(checks, ended, settings(sys.argv[1:]))
    checks.end()


if __name__ == '__main__':
    main()
