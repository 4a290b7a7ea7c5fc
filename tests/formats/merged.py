"""So much is changed that journals are merged, and so much removed that a file of bodies is emptied: by the page alone, too."""
import json
import re
import signal
import time

import blocks
import fill
import whole

LARGE, LARGES = 12 << 20, 6  # bytes, messages: a file of their own
MEDIUM, MEDIUMS = 60 << 10, 1300
STORES = 2600  # of some 8 KiB in the journal each: two files of 8 MiB are full
WAIT_S = 60
EMPTIED = 2  # files: one without a live body, one with the small messages


class Merged(whole.Ended):
    """First nothing that is expunged is kept, then all."""

    def before_start(self):
        self.set_keep('storage {', 'storage { keep_expunged = 0')

    def set_keep(self, old, new):
        with open(self.server.conf) as f:
            said = f.read()
        assert old in said
        with open(self.server.conf, 'w') as f:
            f.write(said.replace(old, new))

    def keep_from_now(self):
        logged = len(self.server.log_text())
        self.set_keep('keep_expunged = 0', 'keep_expunged = 14d')
        self.server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + WAIT_S
        while 'server.reloaded' not in self.server.log_text()[logged:]:
            assert time.monotonic() < end, self.server.log_tail()
            time.sleep(0.1)

    def fill(self):
        self.server.add_user('mel')
        imap = fill.at_once(self.server.imap('mel'))
        for number in range(170):
            fill.good(imap.append('INBOX', '', None, fill.message(number)))
        fill.good(imap.select('INBOX'))
        fill.good(imap.copy('1:20', 'Archive'))
        self.waste(imap)
        self.keep_from_now()
        self.expunge(imap)
        self.churn(imap)
        self.wait()
        fill.good(imap.store('20:22', '+FLAGS.SILENT', r'(\Deleted)'))
        fill.good(imap.expunge())
        self.server.run('undelete', 'mel', '--mailbox', 'Old')
        imap.logout()
        self.offers = [json.loads(line) for line in self.server.run('undelete', 'mel', '--list', '--json').stdout.splitlines()]
        return ['mel']

    @staticmethod
    def expunge(imap):
        """Of two mailboxes, one of which goes, and one that goes and comes back."""
        for name in ('Old', 'Gone'):
            fill.good(imap.create(name))
            fill.good(imap.append(name, r'(\Flagged Word)', None, fill.message(1)))
            fill.good(imap.append(name, None, None, fill.message(2)))
            fill.good(imap.delete(name))
        fill.good(imap.select('INBOX'))
        fill.good(imap.store('10:14', '+FLAGS.SILENT', r'(\Deleted)'))
        fill.good(imap.expunge())

    @staticmethod
    def waste(imap):
        """Two files of bodies are full of what is expunged, but for the small messages."""
        for count, size in ((LARGES, LARGE), (MEDIUMS, MEDIUM)):
            body = fill.message(1000, body=(b'y' * 76 + b'\r\n') * (size // 78))
            for _ in range(count):
                fill.good(imap.append('Trash', r'(\Deleted)', None, body))
        fill.good(imap.select('Trash'))
        fill.good(imap.expunge())

    @staticmethod
    def churn(imap):
        fill.good(imap.select('INBOX'))
        odd = ','.join(map(str, range(1, 161, 2)))
        words = '(' + ' '.join(fill.KEYWORDS) + ')'
        for number in range(STORES):
            fill.good(imap.store(odd, '+FLAGS.SILENT' if number % 2 == 0 else '-FLAGS.SILENT', words))
        fill.good(imap.store('1:9', '+FLAGS.SILENT', '(Kept)'))

    def wait(self):
        """Until the server has merged journals and emptied files."""
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            said = self.server.run('stats').stdout.decode()
            counted = [self.counted(said, name) for name in ('checkpoints', 'journal_merges', 'dbox_compactions')]
            if counted[0] > 0 and counted[1] > 0 and counted[2] >= EMPTIED:
                return
            time.sleep(0.2)
        raise AssertionError(f'no merge and compaction within {WAIT_S} s:\n{said}')

    @staticmethod
    def counted(said, name):
        return sum(map(int, re.search(rf'^{name} +(.*)$', said, re.M)[1].split()))


def both_are_there(ended):
    user = next(iter(ended.look.users.values()))
    assert any(journal.merged for journal in user.journals), [journal.path for journal in user.journals]
    assert any(message.moved for box in user.volume.mailboxes.values() for message in box.messages.values())


def kept_is_offered(ended):
    user = next(iter(ended.look.users.values()))
    kept = sorted((seconds, uid, size) for (_, uid), (seconds, size, _) in user.volume.kept.items())
    assert kept == sorted((offer['expunged'], offer['uid'], offer['size']) for offer in ended.offers), (kept, ended.offers)
    kinds = {item['type'] for journal in user.journals if journal.merged for record in journal.records
             for item in blocks.read_payload(ended.look.layout, record.payload)[2]}
    assert len(kept) == 10 and {16, 17, 18} <= kinds, (len(kept), kinds)


def run(checks, ended, looked):
    whole.sound_as_said(checks, ended, looked)
    checks.run('a server that merged journals: they and a body that has another place are there', both_are_there, ended)
    checks.run('a server that merged journals: what is kept of the expunged is what undelete offers', kept_is_offered, ended)
