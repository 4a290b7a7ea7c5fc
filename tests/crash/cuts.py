"""The power goes, again and again, and a disk that answers EIO: on a file system that forgets (lossy/lossyfs.c)."""
import contextlib
import os
import random
import re
import select
import shutil
import signal
import time

import model
import mounts
import rp

LIE_SYNCFS = 6   # so often, before the power goes
LIE_DSYNCS = 20  # so many, and no syncfs
POWER = 'power cuts on a file system that forgets'


@contextlib.contextmanager
def lossy_server(checks, name):
    """(server, file system) with DATA on it; (None, None), and a line that says why, where there is none."""
    server = rp.Server(shards=2)
    try:
        disk = mounts.Lossy(server.dir)
    except mounts.Cannot as error:
        checks.skip(name, error)
        shutil.rmtree(server.dir, ignore_errors=True)
        yield None, None
        return
    failed = checks.failed
    try:
        yield server, disk
    finally:
        server.kill()
        disk.close()
        if checks.failed == failed:
            shutil.rmtree(server.dir, ignore_errors=True)
        else:
            print(f'kept: {server.dir}\n' + server.log_tail(200))


def forgets(disk):
    """What was not flushed is lost, what was is there: else the cuts would show nothing."""
    os.mkdir(disk.path + '/a')
    for name in ('kept', 'unflushed', 'dsync', 'unnamed'):
        fd = os.open(f'{disk.path}/a/{name}', os.O_RDWR | os.O_CREAT)
        os.pwritev(fd, [b'1' * 8192], 0, os.RWF_DSYNC if name == 'dsync' else 0)
        if name != 'unflushed':
            os.fsync(fd)
        os.close(fd)
        if name == 'dsync':
            for path in (disk.path + '/a', disk.path):
                fd = os.open(path, os.O_RDONLY)
                os.fsync(fd)
                os.close(fd)
    disk.cut(0)  # of this seed all is lost
    disk.again()
    assert sorted(os.listdir(disk.path + '/a')) == ['dsync', 'kept', 'unflushed']
    assert [os.path.getsize(f'{disk.path}/a/{n}') for n in ('kept', 'dsync', 'unflushed')] == [8192, 8192, 0]
    with open(disk.path + '/a/kept', 'rb') as f:
        assert f.read() == b'1' * 8192
    shutil.rmtree(disk.path + '/a')


def power_cut(server, disk, world, threads, stop, dice):
    """The change at which the power goes is under way and stays so; or it goes at any time."""
    pids = [server.process.pid] + list(server.children().values())
    if dice.random() < 0.7:
        disk.tell(f'arm {int(2 ** dice.uniform(0, 12))}')
        disk.frozen(dice.uniform(0.3, 2))
    else:
        time.sleep(dice.uniform(0.1, 1.5))
    power_goes(server, disk, world, pids, dice.randrange(1, 1 << 60))
    ended(world, threads, stop)
    disk.again()


def power_goes(server, disk, world, pids, seed):
    world.ending.set()
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    disk.cut(seed)
    server.kill()


def ended(world, threads, stop):
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), 'a client hangs'
    world.ending.clear()


def power_cuts(checks, seed, count, clients):
    dice = random.Random(seed)
    with lossy_server(checks, POWER) as (server, disk):
        if server is None:
            return
        checks.run('the file system forgets what was not flushed, and nothing else', forgets, disk)
        users = [f'u{i}' for i in range(6)]
        for user in users:
            server.add_user(user)
        world = model.World(users, seed, imap=clients - 4)
        server.start()

        def one(number):
            stop, threads = world.start(server)
            power_cut(server, disk, world, threads, stop, dice)
            if number % 5 == 0:  # and again while the last one is mended
                server.spawn()
                time.sleep(dice.uniform(0.05, 1.0))
                power_cut(server, disk, world, [], stop, dice)
            server.start()
            world.compare(server, all_bodies=number % 5 == 0 or number == count)

        for number in range(1, count + 1):
            failed = checks.failed
            checks.run(f'power cut {number}: what was acknowledged or shown is there, and nothing else', one, number)
            if checks.failed != failed:
                return
        server.stop()
        totals = disk.totals
        checks.run('the cuts lost sectors and names, and tore files', lambda: count < 10 or all(
            totals[what] for what in ('lost', 'torn', 'names_lost')) or (_ for _ in ()).throw(AssertionError(totals)))
        print(f'seed {seed}: {count} power cuts ({count // 5} more while starting), {world.acknowledged()} acknowledged changes, '
              f'{world.shown()} messages shown to watchers, {world.messages} messages compared, {world.bodies} bodies; lost: '
              f'{totals["lost"]} of {totals["sectors"]} unflushed sectors, {totals["names_lost"]} of {totals["names"]} '
              f'changes of names, {totals["torn"]} files torn')


def lies(checks, seed, clients):
    """A disk that answers a flush and does nothing is as a server that makes none: the comparison must see what is lost by that."""
    for what in ('dsync', 'syncfs'):
        with lossy_server(checks, f'a disk that lies about {what}') as (server, disk):
            if server is None:
                continue
            users = [f'u{i}' for i in range(6)]
            for user in users:
                server.add_user(user)
            world = model.World(users, seed, imap=clients - 4)
            server.start()
            checks.run(f'a server whose {what} makes nothing durable is found out', lie_once, server, disk, world, what)


def lie_once(server, disk, world, what):
    """All that is not flushed is lost. Of syncfs that shows when logs have been used again; of the log's own writes, which such a
    flush makes durable too, before there is one."""
    stop, threads = world.start(server)
    disk.tell(f'lie {what}')
    before, end = disk.tell('count'), time.monotonic() + 60
    while True:
        assert time.monotonic() < end, 'nothing is written, or settled'
        time.sleep(0.2)
        count = disk.tell('count')
        made = {name: count[name] - before[name] for name in count}
        if what == 'syncfs' and made['syncfs'] >= LIE_SYNCFS:
            break
        if what == 'dsync' and made['syncfs'] == 0 and made['dsync'] >= LIE_DSYNCS:
            break
        if what == 'dsync':
            before = count
    power_goes(server, disk, world, [server.process.pid] + list(server.children().values()), 0)
    ended(world, threads, stop)
    disk.again()
    server.start()
    world.raise_errors()  # of clients, which met nothing yet
    try:
        world.compare(server, all_bodies=True)
    except model.Wrong as error:
        print(f'lie about {what}: found out: {str(error).splitlines()[0][:120]}')
        return
    raise AssertionError(f'{world.acknowledged()} changes were acknowledged by a server that made them durable without {what}, '
                         f'and none is missing ({made}, {disk.totals})')


def failing_disk(checks, seed, clients):
    """What the disk refuses for a while, under load: the log's writes, then syncfs. The server ends in order, starts again, has all."""
    for glob in ('commit/*/*.log', 'syncfs'):
        name = f'EIO of {glob}'
        with lossy_server(checks, name) as (server, disk):
            if server is None:
                continue
            users = [f'u{i}' for i in range(6)]
            for user in users:
                server.add_user(user)
            world = model.World(users, seed, imap=clients - 4)
            server.start()
            checks.run(name + ': the server ends in order, and starts again with all that was acknowledged', fail_once,
                       server, disk, world, glob)


def fail_once(server, disk, world, glob):
    stop, threads = world.start(server)
    time.sleep(1)
    world.ending.set()
    disk.tell(f'fail {glob}')
    end = time.monotonic() + 60
    while not (ended := re.findall(r'child\.ended child=server signal=(\d+) exit=(\d+)', server.log_text())):
        assert time.monotonic() < end, 'it goes on'
        time.sleep(0.05)
    disk.tell('heal')
    assert all(signalled == '0' for signalled, _ in ended), ended
    stop.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), 'a client hangs'
    world.ending.clear()
    end = time.monotonic() + 60
    while True:
        try:
            model.Client(server.port, world.users[0]).close()
            break
        except (OSError, EOFError, model.Wrong):
            assert time.monotonic() < end, 'it is not back'
            time.sleep(0.1)
    world.compare(server, all_bodies=True)
    print(f'EIO of {glob}: {world.acknowledged()} acknowledged changes, {world.messages} messages compared')


def away(checks):
    """DATA/store cannot be written when the server starts: it waits, till the disk is back or it is told to stop."""
    name = 'EIO at the start'
    with lossy_server(checks, name) as (server, disk):
        if server is None:
            return
        server.add_user('u0')
        server.start()
        assert server.stop(), server.log_tail()

        def spawn():
            disk.tell('fail store')
            met = server.log_text().count('disk.away')
            server.spawn()
            end = time.monotonic() + 20
            while server.log_text().count('disk.away') == met:
                assert server.process.poll() is None and time.monotonic() < end, server.log_tail()
                time.sleep(0.05)

        def comes_back():
            spawn()
            time.sleep(1)
            disk.tell('heal')
            ready, _, _ = select.select([server.process.stdout], [], [], 60)
            assert ready and server.process.stdout.readline().strip() == b'ready', server.log_tail()
            model.Client(server.port, 'u0').close()
            assert server.stop(), server.log_tail()

        def told_to_stop():
            spawn()
            begun = time.monotonic()
            assert server.stop(), server.log_tail()
            assert time.monotonic() - begun < 15, 'it has waited for the disk'
            disk.tell('heal')

        checks.run(name + ': the server waits till it is over', comes_back)
        checks.run(name + ': SIGTERM meanwhile: exit 0', told_to_stop)
