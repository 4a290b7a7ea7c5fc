"""How far ringpost is ahead of the better peer, and how far it is to be: one row for each promise, worked out from a run."""
import dataclasses

from . import catalog, figures, scenarios

READING = ('dovecot-mdbox', 'dovecot-sdbox', 'cyrus')
FLAGS_ON_DISK = tuple(n for n in catalog.PEERS if n in catalog.FLAGS_DURABLE)
DELIVERING = (*READING, catalog.ALWAYS)


@dataclasses.dataclass(frozen=True)
class Promise:
    about: str
    scenario: str
    needed: float
    peers: tuple = READING
    figure: str = 'cpu_us'
    less_login: bool = False   # without what connect, LOGIN and LOGOUT cost that server


PROMISES = [
    Promise('login, plain', 'login-plain', 12),
    Promise('login, full TLS', 'login-tls', 6),
    Promise('SELECT on a new connection, beyond the login', 'select-new', 50, less_login=True),
    Promise('SELECT again', 'select-again', 3),
    Promise('NOOP', 'noop', 6),
    Promise('FETCH (UID FLAGS)', 'fetch-flags', 12),
    Promise('FETCH (FLAGS ENVELOPE)', 'fetch-envelope', 8),
    Promise('FETCH (BODYSTRUCTURE)', 'fetch-structure', 6),
    Promise('SEARCH UNSEEN, listed', 'search-unseen', 20),
    Promise('SEARCH UNSEEN, counted', 'search-count', 500),
    Promise('SEARCH FROM', 'search-from', 80),
    Promise('SEARCH BODY', 'search-body', 25),
    Promise('STORE of one, durable', 'store-one', 10, peers=FLAGS_ON_DISK),
    Promise('STORE of all', 'store-all', 100, peers=DELIVERING),
    Promise('APPEND, durable, 10 connections', 'append-10', 15, peers=DELIVERING),
    Promise('LMTP, durable, 10 connections', 'lmtp-10', 30, peers=DELIVERING),
    Promise('LMTP, messages a second, 64 sessions', 'lmtp-64', 15, peers=DELIVERING, figure='rate'),
    Promise('BODY[] streamed, plain', 'body', 4),
    Promise('BODY[] streamed, TLS', 'body-tls', 5),
    Promise('memory of an idle IMAPS connection', 'idle', 150, figure='memory_kib'),
    Promise('the same beside Dovecot hibernating', 'idle', 10, peers=(catalog.HIBERNATING,), figure='memory_kib'),
]


@dataclasses.dataclass(frozen=True)
class Row:
    promise: Promise
    own: float | None = None
    peer: str = ''
    theirs: float | None = None
    times: float | None = None
    why: str = ''            # there is no figure

    @property
    def reached(self):
        return None if self.times is None else self.times >= self.promise.needed


def value_of(runs, promise, server):
    scenario = scenarios.SCENARIOS[promise.scenario]
    value = figures.medians_of(runs, scenario, server).get(promise.figure)
    if value is None or not promise.less_login:
        return value
    login = figures.medians_of(runs, scenarios.SCENARIOS['login-plain'], server).get('cpu_us')
    return None if login is None else value - login


def row_of(runs, promise):
    own = value_of(runs, promise, 'ringpost')
    theirs = {name: value_of(runs, promise, name) for name in promise.peers}
    theirs = {name: value for name, value in theirs.items() if value is not None}
    if own is None or not theirs:
        return Row(promise, own=own, why='no figure of ringpost' if own is None else 'no figure of a peer')
    less = figures.FIGURES[promise.figure][2]
    peer = (min if less else max)(theirs, key=theirs.get)
    if min(own, theirs[peer]) <= 0:
        return Row(promise, own, peer, theirs[peer], why='a figure is too small to be told from nothing')
    return Row(promise, own, peer, theirs[peer], theirs[peer] / own if less else own / theirs[peer])


def rows(runs):
    return [row_of(runs, promise) for promise in PROMISES]
