"""A user's mail as his records say it is, applied in the order of their LSNs. See index/FORMATS.md, "The payload"."""
SYSTEM = ('\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft')
KEYWORD = 5


PLACE = 'dbox file', 'dbox offset / 16'


def place_of(row):
    number, sixteenths = (row[name] for name in PLACE)
    return number, sixteenths * 16


class Message:
    def __init__(self, row, lsn):
        self.row = row
        self.states = [(lsn, frozenset(name for bit, name in enumerate(SYSTEM) if row['flags'] >> bit & 1))]
        self.expunged, self.moved = None, False
        self.places = [(lsn, place_of(row))]

    @property
    def modseq(self):
        return self.states[-1][0]

    @property
    def flags(self):
        return self.states[-1][1]

    def flags_at(self, lsn):
        return [state for state in self.states if state[0] <= lsn][-1]

    def places_from(self, lsn):
        """Where its body lay at this LSN, and later."""
        then = max((at for at, _ in self.places if at <= lsn), default=0)
        return {place for at, place in self.places if at >= then}

    def move(self, lsn, item):
        self.row.update({name: item[name] for name in PLACE})
        self.places.append((lsn, place_of(item)))
        self.moved = True

    def set(self, lsn, flag, on):
        flags = self.flags | {flag} if on else self.flags - {flag}
        if self.states[-1][0] == lsn:
            self.states.pop()
        self.states.append((lsn, flags))


class Mailbox:
    def __init__(self, item, lsn):
        self.id, self.name = item['mailboxid'], item['name']
        self.uidvalidity, self.special_use = item['uidvalidity'], item['special_use']
        self.made = self.highestmodseq = lsn
        self.changed, self.messages = 0, {}
        self.counters = {'uidnext': 1, 'messages': 0, 'unseen': 0, 'deleted': 0, 'bytes': 0}
        self.index = None

    def live(self):
        return {uid: m for uid, m in self.messages.items() if m.expunged is None}

    def counted(self):
        live = self.live().values()
        return {'uidnext': self.counters['uidnext'], 'messages': len(live),
                'unseen': sum('\\Seen' not in m.flags for m in live),
                'deleted': sum('\\Deleted' in m.flags for m in live), 'bytes': sum(m.row['size'] for m in live)}

    def in_runs(self, runs):
        uids = (uid for first, last in runs for uid in range(first, min(last, self.last_uid()) + 1))
        return [m for m in map(self.messages.get, uids) if m is not None and m.expunged is None]

    def last_uid(self):
        return next(reversed(self.messages), 0)


class Volume:
    """All of one user's."""

    def __init__(self):
        self.mailboxes, self.subscribed, self.sums, self.deliveries = {}, set(), {}, []
        self.kept = {}  # (mailboxid, uid): (seconds, size, place of the body)
        self.lsn, self.destroyed, self.wrong = 0, False, []

    def apply(self, lsn, items):
        self.lsn = max(self.lsn, lsn)
        for item in items:
            try:
                self.DO[item['type']](self, lsn, item)
            except KeyError as missing:
                self.wrong.append((lsn, f'item {item["type"]}: no such {missing}'))

    def made(self, lsn, item):
        self.mailboxes[item['mailboxid']] = Mailbox(item, lsn)

    def removed(self, _lsn, item):
        mailbox = self.mailboxes.pop(item['mailboxid'])
        if 'seconds since 1970' in item:
            self.keep(item, mailbox.live().items())

    def keep(self, item, messages):
        for uid, message in messages:
            self.kept[item['mailboxid'], uid] = (item['seconds since 1970'], message.row['size'], place_of(message.row))

    def renamed(self, _lsn, item):
        mailbox = self.mailboxes[item['mailboxid']]
        if mailbox.name in self.subscribed:
            self.subscribed = self.subscribed - {mailbox.name} | {item['name']}
        mailbox.name = item['name']

    def subscribe(self, _lsn, item):
        if item['on']:
            self.subscribed.add(item['name'])
        else:
            self.subscribed.discard(item['name'])

    def counters(self, lsn, item):
        mailbox = self.mailboxes[item['mailboxid']]
        mailbox.counters = {name: item[name] for name in mailbox.counters}
        mailbox.highestmodseq = lsn

    def volume_sums(self, _lsn, item):
        self.sums = {name: value for name, value in item.items() if name != 'type'}

    def appended(self, lsn, item):
        mailbox = self.mailboxes[item['mailboxid']]
        mailbox.changed = lsn
        for uid, row in enumerate(item['rows'], item['first uid']):
            if uid in mailbox.messages:
                self.wrong.append((lsn, f'mailbox {mailbox.id}: UID {uid} again'))
            mailbox.messages[uid] = Message(row, lsn)

    def flagged(self, lsn, item):
        mailbox = self.mailboxes[item['mailboxid']]
        mailbox.changed = lsn
        flag = item['name'].decode() if item['flag'] == KEYWORD else SYSTEM[item['flag']]
        for message in mailbox.in_runs(item['runs']):
            message.set(lsn, flag, item['on'])

    def expunged(self, lsn, item):
        mailbox = self.mailboxes[item['mailboxid']]
        mailbox.changed = lsn
        gone = [(uid, m) for uid, m in mailbox.live().items() if any(first <= uid <= last for first, last in item['runs'])]
        if 'seconds since 1970' in item:
            self.keep(item, gone)
        for _, message in gone:
            message.expunged = lsn

    def rows_kept(self, lsn, item):
        self.keep(item, [(uid, Message(row, lsn)) for uid, row in enumerate(item['rows'], item['first uid'])])

    def brought_back(self, _lsn, item):
        for ident, uid in list(self.kept):
            if ident == item['mailboxid'] and any(first <= uid <= last for first, last in item['runs']):
                del self.kept[ident, uid]

    def of_kept(self, _lsn, _item):
        """Keywords, and the name of a mailbox: for undelete."""

    def lies(self, lsn, item):
        """Of a message that is there, or of one that is kept, of which a merge leaves nothing else, nor perhaps its mailbox."""
        who, mailbox = (item['mailboxid'], item['uid']), self.mailboxes.get(item['mailboxid'])
        message = mailbox.messages.get(item['uid']) if mailbox is not None else None
        if message is None and who not in self.kept:
            raise KeyError(who)
        if mailbox is not None:
            mailbox.changed = lsn
        if message is not None:
            message.move(lsn, item)
        if who in self.kept:
            self.kept[who] = *self.kept[who][:2], place_of(item)

    def emptied(self, lsn, item):
        for mailbox in self.mailboxes.values():
            left = [uid for uid, m in mailbox.live().items() if m.row['dbox file'] == item['dbox file']]
            if left:
                self.wrong.append((lsn, f'mailbox {mailbox.id}: UID {left[0]} lies in a file that is no more'))

    def destroy(self, _lsn, _item):
        self.mailboxes, self.subscribed, self.kept, self.destroyed = {}, set(), {}, True

    def delivered(self, _lsn, item):
        self.deliveries.append((item['low'], item['high'], item['seconds since 1970']))

    DO = {1: made, 2: removed, 3: renamed, 4: subscribe, 5: counters, 6: volume_sums, 7: appended, 8: flagged,
          9: expunged, 10: destroy, 11: delivered, 12: lies, 13: emptied, 14: expunged, 15: removed,
          16: rows_kept, 17: of_kept, 18: of_kept, 19: brought_back}

    def differences(self):
        """Where counters are not what the rows sum up to."""
        for mailbox in self.mailboxes.values():
            if mailbox.counted() != mailbox.counters:
                yield f'mailbox {mailbox.id}: counters {mailbox.counters}, rows {mailbox.counted()}'
            if mailbox.messages and max(mailbox.messages) >= mailbox.counters['uidnext']:
                yield f'mailbox {mailbox.id}: a UID that is to come'
        for name in ('messages', 'bytes'):
            summed = sum(mailbox.counters[name] for mailbox in self.mailboxes.values())
            if not self.destroyed and self.sums and self.sums[name] != summed:
                yield f'volume: {name} {self.sums[name]}, mailboxes {summed}'


def replay(groups, up_to=None):
    """groups: [(LSN of the first record, [(lsn, items)])], in order."""
    volume = Volume()
    for records in groups:
        if up_to is None or records[0][0] <= up_to:
            for lsn, items in records:
                volume.apply(lsn, items)
    return volume
