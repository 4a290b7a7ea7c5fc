"""Scenarios that are more than one profile on a server that runs: idle connections, a restart, what is asked first after a start."""
import os
import threading
import time

from . import imap, servers

RESTART_CLIENTS, RESTART_DELIVERERS, RESTART_S = 40, 4, 1.0
RESTART_USERS_FROM = 21400
GIVE_UP_S = 60


def idle_figures(result, clients):
    """Memory of each of so many connections, while they idle."""
    cost = result['cost']
    return {'memory_kib': (cost['pss_bytes_end'] - cost['pss_bytes_before']) / 1024 / clients,
            'kernel_kib': (cost['kernel_bytes_end'] - cost['kernel_bytes_before']) / 1024 / clients}


def drop_from_memory(folder):
    """What the kernel keeps of a folder's files is written and forgotten; of nobody else's."""
    os.sync()
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            if os.path.isfile(path) and not os.path.islink(path):
                fd = os.open(path, os.O_RDONLY)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(fd)


def first(server, cold):
    """The server is started anew; then one client, each command once."""
    server.stop()
    os.sync()
    if cold:
        drop_from_memory(server.folder)
    server.start()
    start = time.monotonic()
    client = imap.Client(server.imap, f'{servers.PREFIX}0')
    figures = {'login_ms': (time.monotonic() - start) * 1e3, 'select_ms': client.timed_ms('SELECT INBOX')}
    for name, text in (('flags_ms', 'FETCH 1:* (UID FLAGS)'), ('envelope_ms', 'FETCH 1:50 (UID FLAGS ENVELOPE)'),
                       ('body_ms', 'FETCH 100 BODY.PEEK[]')):
        figures[name] = client.timed_ms(text)
    client.close()
    return figures


class Caller(threading.Thread):
    """Somebody who asks all the time, and comes again when he is thrown out; gap_s: the longest time without an answer."""

    def __init__(self, server, user, until):
        super().__init__()
        self.server, self.user, self.until = server, user, until
        self.began, self.gap_s, self.last, self.fault = time.monotonic(), 0.0, None, ''

    def come(self):
        client = imap.Client(self.server.imap, self.user, timeout=GIVE_UP_S)
        client.command('SELECT INBOX')
        return client

    def act(self, client):
        client.command('NOOP')

    def run(self):
        client = None
        while not self.until.is_set():
            try:
                client = client or self.come()
                self.act(client)
                now = time.monotonic()
                self.gap_s, self.last = max(self.gap_s, now - (self.last or now)), now
                time.sleep(0.02)
            except imap.Lost as error:
                client = None
                time.sleep(0.01)
                if time.monotonic() - (self.last or self.began) > GIVE_UP_S:
                    self.fault = f'{self.user} had no answer for {GIVE_UP_S} s: {error}'
                    return


class Sender(Caller):
    """Likewise, but it delivers: acknowledged is how many were answered with 250, sent how many may be there."""
    acknowledged = sent = 0

    def come(self):
        return imap.Deliverer(self.server.lmtp, timeout=GIVE_UP_S)

    def act(self, client):
        self.sent += 1
        client.deliver(self.user, f'{self.began:.6f} {self.sent}')
        self.acknowledged += 1


def count(server, user):
    """Messages in INBOX. A server may refuse logins while it is busy with others."""
    until = time.monotonic() + GIVE_UP_S
    while True:
        try:
            client = imap.Client(server.imap, user)
            found = client.exists()
            client.close()
            return found
        except imap.Lost:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def wait_all(callers, since):
    """Until each has had an answer since then, or has given up."""
    while any(caller.is_alive() and (caller.last is None or caller.last < since) for caller in callers):
        time.sleep(0.02)


def restart(server):
    """(figures, fault): ended in order and started again while clients ask and mail comes in; what was acknowledged must be there."""
    users = [f'{servers.PREFIX}{RESTART_USERS_FROM + i}' for i in range(RESTART_CLIENTS + RESTART_DELIVERERS)]
    getting = users[:RESTART_DELIVERERS]
    before = {user: count(server, user) for user in getting}
    until = threading.Event()
    callers = [Sender(server, u, until) for u in getting] + [Caller(server, u, until) for u in users[RESTART_DELIVERERS:]]
    try:
        for caller in callers:
            caller.start()
        wait_all(callers, time.monotonic())
        time.sleep(RESTART_S)
        start = time.monotonic()
        server.stop()
        stopped = time.monotonic()
        server.start()
        ready = time.monotonic()
        wait_all(callers, ready)
    finally:
        until.set()
        for caller in callers:
            caller.join()
    gaps = sorted(caller.gap_s for caller in callers)
    faults = [caller.fault for caller in callers if caller.fault]
    for sender in callers[:RESTART_DELIVERERS]:
        there = count(server, sender.user) - before[sender.user]
        if not sender.acknowledged <= there <= sender.sent:
            faults.append(f'{sender.user} has {there} new messages, {sender.acknowledged} were acknowledged of {sender.sent}')
    return {'stop_s': stopped - start, 'ready_s': ready - stopped, 'outage_p50_ms': gaps[len(gaps) // 2] * 1e3,
            'outage_max_ms': gaps[-1] * 1e3}, '; '.join(faults)
