"""What the suite measures: one row a scenario. Most are a profile of the load tool; the others have a kind of their own (kinds.py).

A floor is what the machine itself asks for the same work: so many times each of the probes (probes.py), where `messages` and `size`
are those of the mailbox. It is what must be done at least by any server, not a model of one.
"""
import dataclasses

# Bytes of an answer for one message, as they are on the wire.
FLAGS_BYTES, ENVELOPE_BYTES, STRUCTURE_BYTES, NUMBER_BYTES, SENDER_BYTES = 42, 330, 110, 6, 40

DURABLE = 'durable'   # each answer is on the disk: only servers that promise it are held against each other


@dataclasses.dataclass(frozen=True)
class Scenario:
    name: str
    about: str
    section: str
    profile: str = ''         # of bench/profiles; '': its kind needs none
    kind: str = 'profile'
    words: int = 1            # commands of the load tool that are one operation
    shown: tuple = ()         # commands or acts whose latencies are told; all together if there are none
    floor: dict = dataclasses.field(default_factory=dict)
    seconds: float = 0        # the window at least, without --quick
    clients: int = 0          # of the first group, if not as the profile says
    quick: bool = False       # --quick has it
    by_name: bool = False     # only if it is asked for by name
    flags: frozenset = frozenset()


def kib(count, of_bytes):
    return count * of_bytes / 1024


def sent(count, of_bytes, **more):
    """An answer of so many bytes: copied once, sent."""
    return {'echo_ns': 1, 'send_ns_per_kib': kib(count, of_bytes), 'copy_ns_per_kib': kib(count, of_bytes), **more}


def login_floor(**more):
    return {'connect_ns': 1, **more}


def message_in(size, **more):
    return {'echo_ns': 1, 'receive_ns_per_kib': size / 1024, 'copy_ns_per_kib': size / 1024, **more}


N, SIZE = 100000, 12288   # of the single operations' mailbox


def single(name, about, section, **more):
    more.setdefault('profile', name)
    more.setdefault('quick', True)
    return Scenario(name, about, section, **more)


LOGIN, SELECT, FETCH, SEARCH, STORE, MAIL, BODY = ('Logins', 'SELECT and NOOP', 'FETCH of all messages', 'SEARCH', 'STORE',
                                                   'Mail coming in', 'Bodies')
MEMORY, LIFE, MIXED, LARGE = 'Idle connections', 'Restart, growth, cold caches', 'Clients of all kinds', 'A million messages'


def mail_scenarios():
    for what, name, size, floor_words in (('APPEND', 'append', 12288, 1), ('LMTP', 'lmtp', 4096, 4)):
        for sessions in (1, 10, 64, 256):
            yield Scenario(f'{name}-{sessions}', f'{what}, {sessions} at once, {size // 1024} KiB, durable', MAIL,
                           f'{name}-{sessions}', shown=('append' if name == 'append' else 'lmtp-deliver',),
                           floor={**message_in(size, log_write_cpu_ns=1 / sessions), 'echo_ns': floor_words},
                           quick=(name, sessions) in (('append', 10), ('lmtp', 10), ('lmtp', 64)), flags=frozenset({DURABLE}))


def growth_scenarios():
    for messages, name in ((1000, '1k'), (10000, '10k'), (100000, '100k')):
        yield Scenario(f'growth-{name}', f'APPEND, STORE \\Deleted and EXPUNGE of it, {messages:,} messages in the mailbox', LIFE,
                       f'growth-{name}', words=2, shown=('append', 'expunge'), floor=message_in(4096, log_write_cpu_ns=3),
                       flags=frozenset({DURABLE}))


def mixed_scenarios():
    for name, shown in (('storm', ('full/come', 'resumed/come')), ('desktop', ('desktop/read', 'desktop/look')),
                        ('phone', ('phone/glance', 'phone/read')), ('webmail', ('webmail/page', 'webmail/read')),
                        ('sync', ('sync/flags', 'sync/bodies')),
                        ('day', ('desktop/read', 'phone/glance', 'webmail/page', 'mta/deliver'))):
        yield Scenario(name, '', LOGIN if name == 'storm' else MIXED, name, shown=shown)


def large_scenarios():
    million = 1000000
    for name, about, floor in (
            ('select-again', 'SELECT, again', {'echo_ns': 1}), ('fetch-flags', 'FETCH 1:* (UID FLAGS)', sent(million, FLAGS_BYTES)),
            ('search-count', 'SEARCH RETURN (COUNT) UNSEEN', {'echo_ns': 1, 'scan_ns_per_kib': kib(million, 1 / 8)}),
            ('store-all', 'STORE 1:* .SILENT', {'echo_ns': 1, 'log_write_cpu_ns': 1, 'scan_ns_per_kib': kib(million, 1 / 8)})):
        yield Scenario(f'{name}-1m', f'{about} of 1,000,000 messages', LARGE, f'{name}-1m', seconds=10, floor=floor, by_name=True,
                       flags=frozenset({DURABLE} if name == 'store-all' else ()))


SCENARIOS = {s.name: s for s in [
    single('login-plain', 'connect, LOGIN, LOGOUT', LOGIN, words=3, shown=('login',), floor=login_floor()),
    single('login-tls', 'the same with a full TLS 1.3 handshake', LOGIN, words=3, shown=('connect',), floor=login_floor(handshake_ns=1)),
    single('login-ticket', 'the same with a resumed handshake', LOGIN, words=3, shown=('connect',), floor=login_floor(resumed_ns=1)),
    single('select-new', 'connect, LOGIN, SELECT, LOGOUT', SELECT, words=4, shown=('select',), floor=login_floor(echo_ns=1)),
    single('select-again', 'SELECT again on the same connection', SELECT, floor={'echo_ns': 1}),
    single('noop', 'NOOP, plain', SELECT, floor={'echo_ns': 1}),
    single('noop-tls', 'NOOP, TLS', SELECT, floor={'echo_ns': 1}),
    single('fetch-flags', 'FETCH 1:* (UID FLAGS)', FETCH, floor=sent(N, FLAGS_BYTES)),
    single('fetch-envelope', 'FETCH 1:* (UID FLAGS RFC822.SIZE ENVELOPE)', FETCH, seconds=15, floor=sent(N, ENVELOPE_BYTES)),
    single('fetch-structure', 'FETCH 1:* (UID BODYSTRUCTURE)', FETCH, floor=sent(N, STRUCTURE_BYTES)),
    single('search-unseen', 'SEARCH UNSEEN, a fifth is listed', SEARCH,
           floor=sent(N / 5, NUMBER_BYTES, scan_ns_per_kib=kib(N, 1 / 8))),
    single('search-count', 'SEARCH RETURN (COUNT) UNSEEN', SEARCH, floor={'echo_ns': 1, 'scan_ns_per_kib': kib(N, 1 / 8)}),
    single('search-from', 'SEARCH FROM', SEARCH, seconds=10, floor={'echo_ns': 1, 'scan_ns_per_kib': kib(N, SENDER_BYTES)}),
    single('search-body', 'SEARCH BODY', SEARCH, seconds=60, floor={'echo_ns': 1, 'scan_ns_per_kib': kib(N, SIZE)}),
    single('store-one', 'STORE of a flag on one message', STORE, floor={'echo_ns': 1, 'log_write_cpu_ns': 1},
           flags=frozenset({DURABLE})),
    single('store-all', 'STORE 1:* .SILENT of a flag', STORE,
           floor={'echo_ns': 1, 'log_write_cpu_ns': 1, 'scan_ns_per_kib': kib(N, 1 / 8)}, flags=frozenset({DURABLE})),
    *mail_scenarios(),
    Scenario('push', 'from a delivery to the EXISTS of a client in IDLE', MAIL, 'push', shown=('idle-push',), quick=True),
    single('body', 'FETCH BODY[] of 500 messages of 12 KiB, plain', BODY, floor=sent(500, SIZE)),
    single('body-tls', 'the same, TLS', BODY, floor=sent(500, SIZE, seal_ns_per_kib=kib(500, SIZE))),
    Scenario('idle', 'TLS, INBOX selected, in IDLE', MEMORY, 'idle', kind='idle', clients=1000, quick=True),
    Scenario('neighbour', '200 normal users alone', MIXED, 'neighbour', shown=('normal/look', 'normal/page', 'normal/read')),
    Scenario('neighbour-abuser', 'the same beside four who ask for everything', MIXED, 'neighbour-abuser',
             shown=('normal/look', 'normal/page', 'normal/read')),
    *mixed_scenarios(),
    Scenario('restart', 'ended and started again under load', LIFE, kind='restart', quick=True, flags=frozenset({DURABLE})),
    Scenario('first-warm', 'what is asked first after a start, its files in memory', LIFE, 'select-new', kind='first'),
    Scenario('first-cold', 'the same, its files on the disk alone', LIFE, 'select-new', kind='first'),
    *growth_scenarios(),
    *large_scenarios(),
]}


def chosen(names=(), quick=False):
    """Scenarios in order. A name may also be a section's."""
    unknown = [n for n in names if n not in SCENARIOS and n not in {s.section for s in SCENARIOS.values()}]
    if unknown:
        raise SystemExit(f'no such scenario: {", ".join(unknown)}; there are {", ".join(SCENARIOS)}')
    if names:
        return [s for s in SCENARIOS.values() if s.name in names or s.section in names]
    return [s for s in SCENARIOS.values() if not s.by_name and (s.quick or not quick)]


def floor_ns(scenario, probes):
    """From the probes' figures; None where there is no floor, or a probe is missing."""
    if not scenario.floor or any(name not in probes for name in scenario.floor):
        return None
    return sum(times * probes[name] for name, times in scenario.floor.items())
