#!/usr/bin/python3
"""Derived files are removed, or cut off at any length, and no client sees it.

    tests/formats/unseen.py [--seed N] [--cuts N] [--rounds N] [--seconds N] [stopped] [running]

stopped: each derived file of a user is cut off at --cuts places, and removed; --rounds times something is done to each of them at once;
all are removed; then a server starts. running: the same at random for --seconds, under a server, with sessions that have a mailbox open
or come anew; now and then `repair` makes the files anew. All that clients can ask for is compared with what was said before.
"""
import argparse
import glob
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), HERE]
import fill  # noqa: E402
import rp  # noqa: E402
import stands  # noqa: E402
import whole  # noqa: E402

KINDS = ('catalog', 'index', 'cache', 'checkpoint')
USER, HELD, SINCE, WAIT_S, BATCH = 'sam', 'Archive', (1, 100, 400), 60, 12
ITEMS = '(UID FLAGS MODSEQ INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (Subject From)] BODY.PEEK[])'
SEARCHES = (
    'ALL', 'SEEN', 'UNSEEN', 'DELETED', 'FLAGGED', 'KEYWORD late', 'UNKEYWORD $Forwarded', f'KEYWORD {fill.KEYWORDS[0]}',
    'FROM a1', 'SUBJECT "number 1"', 'HEADER Date Nov', 'BODY words', 'TEXT two', 'LARGER 1000', 'SMALLER 200', 'BEFORE 1-Jan-2000',
    'SINCE 1-Dec-2026', 'SENTON 28-Nov-2026', 'UID 3:20', 'OR ANSWERED NOT DRAFT', 'MODSEQ 20')
EDGES = (0, 1, 64, 127, 128, 511, 512, 639, 1023, 1024, 1025, 4095, 4096, 8192)


def ask(imap, command, *args):
    """Every untagged line of the answer, by name; the tagged one must be OK."""
    tag = imap._command(command, *args)
    kind, said = imap._command_complete(command, tag)
    found = {name: lines for name, lines in imap.untagged_responses.items() if any(lines)}
    imap.untagged_responses = {}
    assert kind == 'OK', (command, args, kind, said)
    return sorted((name, repr(lines).replace(tag.decode(), 'TAG')) for name, lines in found.items())


def session(server):
    imap = fill.at_once(server.imap(USER))
    ask(imap, 'ENABLE', 'CONDSTORE')
    return imap


def seen_of_selected(imap, name):
    found = {f'{name}: fetch': ask(imap, 'UID', 'FETCH', '1:*', ITEMS)}
    for since in SINCE:
        found[f'{name}: changed since {since}'] = ask(imap, 'UID', 'FETCH', '1:*', '(FLAGS)', f'(CHANGEDSINCE {since})')
    for what in SEARCHES:
        found[f'{name}: search {what}'] = ask(imap, 'UID', 'SEARCH', what)
        found[f'{name}: count {what}'] = ask(imap, 'SEARCH', 'RETURN', '(MIN MAX COUNT)', what)
    return found


def unselect(imap):
    ask(imap, 'UNSELECT')
    imap.state = 'AUTH'  # imaplib's own functions would do that


def seen(server, imap=None):
    """{what was asked: what was said}. imap: a session that is there; else one that comes, and what undelete has on offer."""
    own = imap is None
    imap = session(server) if own else imap
    if imap.state == 'SELECTED':
        unselect(imap)
    found = {'list': ask(imap, 'LIST', '""', '*', 'RETURN', '(SUBSCRIBED CHILDREN SPECIAL-USE)'), 'lsub': ask(imap, 'LSUB', '""', '*')}
    names = [name for _, name in fill.listed(fill.good(imap.list('""', '*')))]
    imap.untagged_responses = {}
    for name in names:
        found[f'{name}: status'] = ask(imap, 'STATUS', f'"{name}"', '(UIDVALIDITY UIDNEXT HIGHESTMODSEQ UNSEEN MESSAGES SIZE)')
        found[f'{name}: examine'] = ask(imap, 'EXAMINE', f'"{name}"')
        imap.state = 'SELECTED'
        found.update(seen_of_selected(imap, name))
        unselect(imap)
    if own:
        imap.logout()
        found['undelete'] = sorted(server.run('undelete', USER, '--list', '--json').stdout.splitlines())
    return found


def only(of, there):
    return [one for one in of or [] if one not in (there or [])]


def differences(before, after):
    """What was asked both times and answered otherwise; mailboxes that are gone, or new, show in `list`."""
    return [f'{what}: {str(only(before[what], said))[:300]} became {str(only(said, before[what]))[:300]}'
            for what, said in after.items() if what in before and before[what] != said] + [
                f'{what} is new' for what in after if what not in before]


def derived(stand, userid):
    return sorted(path for kind in KINDS for path in glob.glob(f'{stand.data}/users/*/{userid}/*.{kind}'))


def cut_off(path, at):
    """at None: it is removed. A server that runs may have done so."""
    if os.path.exists(path):
        if at is None:
            os.remove(path)
        elif os.path.getsize(path) > at:
            os.truncate(path, at)


def cut_places(size, dice, count):
    places = [at for at in (*EDGES, size // 2, size - 1) if 0 <= at < size] + [dice.randrange(size) for _ in range(count) if size]
    return sorted(set(dice.sample(places, min(count, len(places)))))


def injuries(paths, dice, args):
    """[(what it is called, [(path, where it is cut off)])]"""
    size = {path: os.path.getsize(path) for path in paths}
    found = [(f'{os.path.basename(path)} at {at}', [(path, at)]) for path in paths
             for at in (*cut_places(size[path], dice, args.cuts), None)]
    for number in range(args.rounds):
        found.append((f'each, round {number}', [(path, dice.choice([None, 0, dice.randrange(size[path] or 1)])) for path in paths]))
    return found + [(f'all at {at}', [(path, at) for path in paths]) for at in (None, 0, 1024)]


class Unseen:
    """A folder with mail of all sorts, and what clients saw of it. wrong: what they saw otherwise afterwards."""

    def __init__(self, ended, args):
        self.stand, self.args, self.tried, self.wrong = stands.Stand(ended, USER), args, 0, []
        self.server, self.userid = ended.server, ended.user_id(USER)
        self.server.start()
        self.before = seen(self.server)
        self.note('asked twice', seen(self.server))
        assert self.server.stop() and not self.wrong, self.wrong
        self.stand.restore()
        kinds = {os.path.splitext(path)[1] for path in derived(self.stand, self.userid)}
        assert len(kinds) == len(KINDS), kinds

    def note(self, when, said):
        differ = differences(self.before, said)
        if differ:
            self.wrong.append((when, len(differ), differ[:3]))

    def stopped(self):
        dice = random.Random(f'{self.args.seed} stopped')
        for words, what in injuries(derived(self.stand, self.userid), dice, self.args):
            for path, at in what:
                cut_off(path, at)
            self.server.start()
            self.note(words, seen(self.server))
            assert self.server.stop(), self.server.log_tail()
            self.stand.restore()
            self.tried += 1

    def running(self):
        dice = random.Random(f'{self.args.seed} running')
        self.server.start()
        pid, end = self.server.children()['server'], time.monotonic() + self.args.seconds
        while time.monotonic() < end:
            self.note('before the next', seen(self.server))  # it makes caches, too
            found = injuries(derived(self.stand, self.userid), dice, self.args)
            for words, what in dice.sample(found, min(BATCH, len(found))):
                self.under_sessions(f'running: {words}', what, dice)
            self.repair()
        self.note('after the last repair', seen(self.server))
        assert self.server.children()['server'] == pid, 'it was started anew: ' + self.server.log_tail()
        assert self.server.stop(), self.server.log_tail()
        self.stand.restore()

    def under_sessions(self, words, what, dice):
        held = session(self.server) if dice.random() < 0.7 else None
        if held:
            fill.good(held.select(HELD, readonly=True))
            if dice.random() < 0.5:
                fill.good(held.fetch('1:*', '(FLAGS)'))
            held.untagged_responses = {}
        for path, at in what:
            cut_off(path, at)
        if held:
            self.note(f'{words}: in the mailbox that was open', seen_of_selected(held, HELD))
            self.note(f'{words}: in the session that was there', seen(self.server, held))
            held.logout()
        self.note(f'{words}: in a new session', seen(self.server))
        self.tried += 1

    def repair(self):
        """It waits until nobody is there."""
        end = time.monotonic() + WAIT_S
        while True:
            done = self.server.run('repair', '--user', USER, check=False)
            if done.returncode == 0:
                return
            assert done.returncode == 75 and time.monotonic() < end, done
            time.sleep(0.05)


def nothing(unseen, way):
    del unseen.wrong[:]
    getattr(unseen, way)()
    assert not unseen.wrong, unseen.wrong[:4]


def run(checks, ended, args):
    unseen = Unseen(ended, args)
    for way in args.ways:
        checks.run(f'derived files are cut off and removed, {way}: no client sees it', nothing, unseen, way)
    print(f'{unseen.tried} times')
    assert unseen.tried > 0


def settings(args=()):
    parse = argparse.ArgumentParser()
    parse.add_argument('--seed', type=int, default=11)
    parse.add_argument('--cuts', type=int, default=0)
    parse.add_argument('--rounds', type=int, default=6)
    parse.add_argument('--seconds', type=int, default=15)
    parse.add_argument('ways', nargs='*', default=['stopped', 'running'])
    return parse.parse_args(args)


def main():
    checks, looked = rp.Checks(), whole.Looked()
    with stands.Plain('stopped') as ended:
        ended.look = looked.look(ended.data)
        run(checks, ended, settings(sys.argv[1:]))
    checks.end()


if __name__ == '__main__':
    main()
