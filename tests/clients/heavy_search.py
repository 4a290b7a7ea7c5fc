"""A search that would take for ever: it ends by its budget of CPU, and whose mail lies on the same shard is served meanwhile."""
import re
import statistics
import threading
import time

from common import PASSWORD, ok

MESSAGE_BYTES = 24 << 20
SEARCH_CPU_S = 5  # the default of limits.search_cpu
MEDIAN_S = 0.1    # what nobody is held up for
WORST_S = 1.5     # the machine has other work too, and sanitizers


def neighbours(server):
    """Two users of one shard."""
    homes = {}
    for n in range(20):
        name = f'heavy{n}'
        server.add_user(name)
        server.imap(name).logout()
        home = None
        while home is None:  # the log is written a little later
            home = re.search(rf'login.ok shard=(\d+) user={name} ', server.log_text())
            time.sleep(0.05)
        if home[1] in homes:
            return homes[home[1]], name
        homes[home[1]] = name
    raise AssertionError(f'no two users on one shard: {homes}')


def message():
    """One body, no short cut: its text nearly matches everywhere. And one header field that folds to many times its size."""
    return (b'Subject: heavy\r\nX-Long: ' + '\ufdfa'.encode() * 250000 + b'\r\n\r\n' + (b'ab' * 500 + b'\r\n') * (MESSAGE_BYTES // 1002))


def keys(name):
    """Texts that are not there, each looked for in all of the message."""
    return ' '.join(f'{name} {"ab" * 20}{n}' for n in range(900))


def probe(imap, until, times):
    while not until.is_set():
        begin = time.monotonic()
        ok(imap.noop())
        times.append(time.monotonic() - begin)


def held_up(server, searcher, neighbour, command):
    """How long each NOOP of the neighbour took while the searcher's command ran; its answer; how long that took."""
    imap, over, times = server.imap(neighbour, PASSWORD), threading.Event(), []
    ok(imap.select())
    thread = threading.Thread(target=probe, args=(imap, over, times))
    thread.start()
    begin = time.monotonic()
    try:
        answer = searcher.search(None, command)
    except searcher.error as error:
        answer = str(error)
    took = time.monotonic() - begin
    over.set()
    thread.join()
    imap.logout()
    return times, answer, took


def scenario(server):
    user, neighbour = neighbours(server)
    searcher = server.imap(user, PASSWORD)
    searcher.sock.settimeout(300)
    ok(searcher.append('INBOX', None, None, message()))
    ok(searcher.select())
    for command in keys('BODY'), keys('TEXT'):
        times, answer, took = held_up(server, searcher, neighbour, command)
        assert answer[0] == 'NO' and b'[LIMIT]' in answer[1][0], answer
        assert took > SEARCH_CPU_S * 0.9, f'ended after {took:.1f} s'
        print(f'     {command[:4]}: {took:.1f} s, {len(times)} NOOPs, median {statistics.median(times) * 1000:.1f}, worst {max(times) * 1000:.1f} ms')
        assert len(times) > 10 and statistics.median(times) < MEDIAN_S and max(times) < WORST_S, \
            f'{len(times)} NOOPs, median {statistics.median(times):.3f}, worst {max(times):.3f} s'
    assert ok(searcher.search(None, 'SUBJECT heavy')) == [b'1']
    searcher.logout()


def run(checks, server, users):
    checks.run('heavy_search: SEARCH ends by its budget, neighbours are served', scenario, server)
