#!/usr/bin/python3
"""Every class of bytes is damaged. `check` finds it, names it, and changes nothing; `repair` brings back what anything still knows.

    tests/formats/injured.py [--seed N] [--times N] [--whole N] [--pairs N] [--only PATTERN] [STAND...]   stands: stopped merged killed

Each class of bytes is damaged --times times for check alone; --whole: of so many in a hundred all is looked at, from the damaged
folder served as it is to a second repair. --pairs: so many times two are injured at once, in two files, and all is looked at. The last
lines are a table: found of injected.
"""
import argparse
import hashlib
import os
import random
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), HERE]
import injuries  # noqa: E402
import merged  # noqa: E402
import rp  # noqa: E402
import spans  # noqa: E402
import stands  # noqa: E402
import whole  # noqa: E402

SEED, SOUND, DAMAGE = 7, 0, 2
WAYS = ('bit flipped', 'sector zeroed', 'sector astray', 'cut off', 'removed', 'bytes more')


def named(injury, lines):
    """A line tells the file and a place in it; or, where mail is hit, the message."""
    base = os.path.basename(injury.path)
    for line in lines:
        if injury.field == 'removed' or injury.kind in injuries.DERIVED:
            if base in line:
                return True
        for at, size in re.findall(rf'(?<![\w.+-]){re.escape(base)} at (\d+)(?:[,:] (\d+) bytes)?', line):
            if injury.begin < int(at) + max(int(size or 1), 1) and int(at) < injury.end:
                return True
        found = re.search(r'mailbox (\d+) .*UID (\d+)', line)
        if found and any((int(found[1]), int(found[2])) in cost.messages for cost in injury.costs.values()):
            return True
    return False


def lost_by_lsn(stand, injury, lines):
    """[what is wrong] with what is said of the records that a commit log has lost, of each user: those of which a later one is there."""
    for user, mail in stand.users.items():
        has = {record.lsn for journal in mail.journals for record in journal.records}
        lost = injury.costs.get(mail.id, injuries.Cost()).records - has
        left = has | set(mail.in_log) - lost
        told = set()
        for line in lines:
            found = re.fullmatch(rf'{user}: \d+-\.journal: records (\d+) to (\d+) are lost', line)  # where they were to be
            told |= set(range(int(found[1]), int(found[2]) + 1)) if found else set()
        if told != {lsn for lsn in lost if lsn < max(left, default=0)}:
            yield f'{user}: lost are {sorted(lost)}, told {sorted(told)}'


def looked_for(stand, injury):
    """[what is wrong] with check's answer to an injury that is there."""
    before = stand.digest()
    code, lines = stand.check()
    wrong = [] if stand.digest() == before else ['check has changed something']
    if code != (SOUND if injury.told_apart or injury.owed else DAMAGE):
        wrong.append(f'check ends with {code}: {lines[:3]}')
    if injury.owed:
        wrong += [f'it is told, though the next start mends it: {line}' for line in lines if not in_logs_alone(line)]
    elif not named(injury, lines):
        wrong.append(f'it is not named: {lines[:3]}')
    if injury.kind == 'journal' and 'sector' in injury.way:
        wrong += more_lost(injury, lines)
    return wrong + (list(lost_by_lsn(stand, injury, lines)) if injury.kind == 'log' else [])


def more_lost(injury, lines):
    """[what is wrong] if records are called lost that are not hit."""
    lost = {lsn for cost in injury.costs.values() for lsn in cost.records}
    for found in (re.search(r'records (\d+) to (\d+) are lost', line) for line in lines):
        if found and injury.part != 'file' and not lost.issuperset(range(int(found[1]), int(found[2]) + 1)):
            yield f'hit are {sorted(lost)}: {found[0]}'


def differences(stand, user, before, after, cost, repaired):
    """What is not as it was, but for what it may cost."""
    ids = {box.uidvalidity: box.id for box in stand.users[user].volume.mailboxes.values()}
    if after.subscribed != before.subscribed and not cost.subscribed:
        yield f'subscribed: {sorted(after.subscribed)}'
    large = without_uid(stand.users[user]) if repaired else ()
    names = {name: validity for validity, (name, _, _) in after.boxes.items()}
    for validity, (name, numbers, messages) in before.boxes.items():
        ident = ids[validity]
        if validity not in after.boxes:
            if ident not in cost.boxes:
                yield f'{name} is gone'
            elif names.get(name, validity) < validity:
                yield f'{name}: UIDVALIDITY {names[name]}, was {validity}'
            continue
        called, now, has = after.boxes[validity]
        if called != name and ident not in cost.boxes:
            yield f'{name}: it is called {called}'
        for word in ('UIDNEXT', 'HIGHESTMODSEQ'):
            if now[word] < numbers[word]:
                yield f'{name}: {word} {now[word]}, was {numbers[word]}'
        hit = repaired is False and (ident in cost.boxes or ident in {box for box, _ in cost.rows})
        # Behind a lost record that an index has too, nobody counts before the mailbox is read without that index.
        for count in {now['MESSAGES READ'], now['MESSAGES'] if not hit else len(has)} - {len(has)}:
            yield f'{name}: STATUS says {count} messages, there are {len(has)}'
        for uid in messages.keys() | has.keys():
            who = ident, uid
            if who in cost.messages or who in cost.rows or ident in cost.boxes:
                continue
            if cost.records and uid >= numbers['UIDNEXT'] and has[uid]['sha256'] in large:
                continue
            if uid not in has or uid not in messages:
                yield f'{name}: UID {uid} is ' + ('gone' if uid in messages else 'new')
                continue
            for word, value in messages[uid].items():
                if has[uid][word] != value and not (word == 'modseq' and has[uid][word] > value):
                    yield f'{name}: UID {uid}: {word} {has[uid][word]}, was {value}'


def without_uid(mail):
    """{SHA-256} of large bodies: they were there before their records, which alone know the UIDs."""
    return {hashlib.sha256(body.data).hexdigest() for box in mail.boxes for body in box.records.values() if body.uid == 0}


def not_restored(stand, user, before, after, cost):
    """Whose record is lost, and whose body is not: it is there again, for the body tells of it."""
    mail = stand.users[user]
    ids = {box.uidvalidity: box.id for box in mail.volume.mailboxes.values()}
    told = {(body.mailboxid, body.uid) for box in mail.boxes for body in box.records.values()}
    for validity, (name, _, messages) in before.boxes.items():
        has = {message['sha256'] for _, _, there in after.boxes.values() for message in there.values()}
        for uid, message in messages.items():
            who = ids[validity], uid
            if who in told and who not in cost.messages and message['sha256'] not in has:
                yield f'{name}: UID {uid} is not restored'


def compare(stand, when, costs, repaired):
    """[what is wrong] with what the running server says."""
    wrong = []
    for user, before in stand.told.items():
        mine = costs.get(stand.users[user].id, injuries.Cost())
        records = [record.lsn for journal in stand.users[user].journals for record in journal.records]
        no_journal = mine.records.issuperset(records) and not stand.users[user].in_log  # what the logs have is put in its place
        try:
            seen = stands.Seen(stand.server, user)
        except Exception as error:
            if repaired or not no_journal or 'CORRUPTION' not in str(error):
                wrong.append(f'{when}: {error!r}')
            continue
        if no_journal and not repaired:
            wrong.append(f'{when}: without a record of a journal he must not be served')
        wrong += [f'{when}: {words}' for words in differences(stand, user, before, seen, mine, repaired)]
        if repaired:
            wrong += [f'{when}: {words}' for words in not_restored(stand, user, before, seen, mine)]
        if not mine.kept:
            lost = {(stand.users[user].volume.kept[who][0], who[1], stand.users[user].volume.kept[who][1]) for who in
                    mine.messages | mine.rows if who in stand.users[user].volume.kept}
            missed = before.offers - seen.offers - lost
            wrong += [f'{when}: not offered any more: {one}' for one in sorted(missed)]
    return wrong


def repaired(stand, users):
    """[what is wrong] with a repair of these users, and the check behind it."""
    wrong = []
    for user in users:
        code, lines = stand.repair(user)
        wrong += [] if code in (SOUND, DAMAGE) else [f'repair ends with {code}: {lines[-3:]}']  # it tells of messages that it took out
    code, lines = stand.check()
    if code != SOUND:
        wrong.append(f'check after repair ends with {code}: {lines[:3]}')
    return wrong


def not_mended(stand):
    """[what is wrong] when a start was to mend all of it."""
    code, lines = stand.check()
    return [] if (code, lines) == (SOUND, []) else [f'check after a start ends with {code}: {lines[:3]}']


def whole_way(stand, hurt, served_first):
    """[what is wrong] from injuries that are there to a second repair; their cost is all that is gone."""
    costs, wrong = {}, []
    for user, cost in (one for injury in hurt for one in injury.costs.items()):
        costs[user] = costs.get(user, injuries.Cost()) | cost
    if served_first and not any(injury.no_start for injury in hurt):
        stand.server.start()
        wrong += compare(stand, 'served', costs, False)
        wrong += [] if stand.server.stop() else ['the server does not end in order: ' + stand.server.log_tail()]
        wrong += not_mended(stand) if all(injury.owed for injury in hurt) else []
    users = {stand.hurt} | {user for user, mail in stand.users.items() if mail.id in costs}
    wrong += repaired(stand, sorted(users))
    truth = {name: was for kind in ('.journal', '.dbox') for name, was in stand.digest(kind).items()}
    code, lines = stand.repair(stand.hurt)
    again = {name: was for kind in ('.journal', '.dbox') for name, was in stand.digest(kind).items()}
    if code != SOUND or truth != again:
        changed = sorted(name for name in truth.keys() | again.keys() if truth.get(name) != again.get(name))
        wrong.append(f'a second repair ends with {code}, changes {changed}: {lines[:3]}')
    stand.server.start()
    wrong += compare(stand, 'repaired', costs, True)
    wrong += [] if stand.server.stop() else ['the server does not end in order: ' + stand.server.log_tail()]
    return wrong


class Tally:
    """How many were found, of how many, by part and way."""

    def __init__(self):
        self.found, self.injected, self.pairs, self.pairs_found = {}, {}, 0, 0

    def count(self, injury, found):
        """What the logs mend is found if it is not told."""
        key = f'{injury.kind}: {injury.part}' + (', mended by the logs' if injury.owed else ''), injury.way
        self.injected[key] = self.injected.get(key, 0) + 1
        self.found[key] = self.found.get(key, 0) + bool(found)

    def print(self):
        parts = list(dict.fromkeys(part for part, _ in self.injected))
        width = max(map(len, parts), default=0)
        print(f'\n{"found of injected":{width}}  ' + '  '.join(f'{way:>13}' for way in WAYS))
        for part in parts:
            cells = [f'{self.found[part, way]} of {self.injected[part, way]}' if (part, way) in self.injected else '' for way in WAYS]
            print(f'{part:{width}}  ' + '  '.join(f'{cell:>13}' for cell in cells))
        print(f'{sum(self.found.values())} of {sum(self.injected.values())}')
        if self.pairs:
            print(f'{self.pairs_found} of {self.pairs} pairs, each of the two by name')


class Run:
    """All injuries of some stands."""

    def __init__(self, checks, args, tally=None):
        self.checks, self.args, self.tally = checks, args, tally or Tally()

    def every_byte_has_a_class(self, stand):
        for user in stand.users.values():
            assert spans.of_user(stand.look.layout, user)
        assert spans.of_server(stand.look)

    def of_stand(self, ended, hurt, kinds=None):
        """hurt: the user whose files, all or of these kinds, are damaged."""
        stand = stands.Stand(ended, hurt)
        how = f'damage, after a server was {ended.how}'
        self.checks.run(f'{how}: every byte has a class', self.every_byte_has_a_class, stand)
        self.checks.run(f'{how}: what is sound is called sound', called_sound, ended, *stand.check())
        dice = random.Random(f'{self.args.seed} {ended.how}')
        for _ in range(self.args.times):
            for mail, every in ((stand.users[hurt], spans.of_user(stand.look.layout, stand.users[hurt])),
                                (None, spans.of_server(stand.look))):
                found = injuries.Injuries(stand.look, mail, every, dice).all()
                self.alone(stand, [one for one in found if self.is_wanted(one, kinds)], dice)
        self.pairs(stand, dice, kinds)

    def is_wanted(self, injury, kinds):
        return (kinds is None or injury.kind in kinds) and re.match(self.args.only, str(injury))

    def pairs(self, stand, dice, kinds):
        """Two of one user's files at once. What alone tells of the other, as a catalog of its indexes, may be the one that is hit."""
        mail, all_wrong = stand.users[stand.hurt], []
        for number in range(self.args.pairs):
            found = injuries.Injuries(stand.look, mail, spans.of_user(stand.look.layout, mail), dice).all()
            found = [one for one in found if self.is_wanted(one, kinds) and not one.told_apart]
            if not found:
                return
            first = dice.choice(found)
            others = [one for one in found if one.path != first.path]
            if not others:
                return
            hurt = [first, dice.choice(others)]
            for injury in hurt:
                injury.do()
            code, lines = stand.check()
            missed = [injury for injury in hurt if not injury.owed and not named(injury, lines)]
            wrong = [f'{injury} is not named: {lines[:3]}' for injury in missed]
            wrong += [] if code == (SOUND if all(injury.owed for injury in hurt) else DAMAGE) else [f'check ends with {code}']
            self.tally.pairs += 1
            self.tally.pairs_found += not wrong
            wrong += whole_way(stand, hurt, dice.random() < 0.5)
            stand.restore()
            if wrong:
                all_wrong.append(f'{" and ".join(map(str, hurt))}: ' + '; '.join(wrong[:4]))
        self.checks.run(f'damage, after a server was {stand.how}: two files at once', same, all_wrong, [])

    def alone(self, stand, found, dice):
        all_wrong = {}
        for injury in found:
            injury.do()
            wrong = looked_for(stand, injury)
            self.tally.count(injury, not wrong)
            if dice.randrange(100) < self.args.whole:
                wrong += whole_way(stand, [injury], dice.random() < 0.5)
                stand.restore()
            else:
                stand.restore_file(injury.path)
            words = [f'{injury} [{os.path.basename(injury.path)}]: ' + '; '.join(wrong[:4])] if wrong else []
            all_wrong.setdefault(f'{injury.kind}: {injury.part}', []).extend(words)
        for part, wrong in all_wrong.items():
            self.checks.run(f'damage, after a server was {stand.how}: {part}', same, wrong, [])
        self.checks.run(f'damage, after a server was {stand.how}: the folder is as it was', same, stand.digest(), stand.as_it_was)


def in_logs_alone(line):
    return 'in the commit logs alone' in line


def called_sound(ended, code, lines):
    """A kill leaves records in the commit logs alone, which is told, and no damage."""
    alone = [line for line in lines if in_logs_alone(line)]
    assert (code, lines) == (SOUND, alone) and bool(alone) == (ended.how == 'killed'), (code, lines)


def same(has, said):
    assert has == said, has


def settings(args=()):
    parse = argparse.ArgumentParser()
    parse.add_argument('--seed', type=int, default=SEED)
    parse.add_argument('--times', type=int, default=1)
    parse.add_argument('--whole', type=int, default=15)
    parse.add_argument('--pairs', type=int, default=12)
    parse.add_argument('--only', default='')
    parse.add_argument('stands', nargs='*', default=['stopped', 'merged'])
    return parse.parse_args(args)


def main():
    args = settings(sys.argv[1:])
    checks, looked = rp.Checks(), whole.Looked()
    run = Run(checks, args)
    for name in args.stands:
        with (merged.Merged(name) if name == 'merged' else stands.Plain(name)) as ended:
            ended.look = looked.look(ended.data)
            run.of_stand(ended, 'mel' if name == 'merged' else 'sam')
    run.tally.print()
    checks.end()


if __name__ == '__main__':
    main()
