"""Every command with every option, and with what is wrong: exit codes, one line that says what, JSON where it lists."""
import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import tempfile
import time

import rp

ENV = dict(os.environ, **rp.SANITIZER_ENV)
MAIL = b'From: a@b\nSubject: x\n\nbody\n'
COMMANDS = ('check', 'config', 'deliver', 'dump', 'import', 'quickstart', 'repair', 'serve', 'stats', 'undelete', 'user')


def run(server, args, input=b''):
    return subprocess.run([server.exe, *args], input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, env=ENV)


def expect(server, args, code, out='', err='', input=b''):
    """The exit code, and what each stream has; an error is one line, but for a wrong option, which getopt names first."""
    done = run(server, args, input)
    shown = (args, done.returncode, done.stdout[-400:], done.stderr[-400:])
    assert done.returncode == code, shown
    assert re.search(out, done.stdout.decode(errors='replace')) if out else True, shown
    assert re.search(err, done.stderr.decode(errors='replace')) if err else done.stderr == b'', shown
    if code not in (0, 1, 2, 64):
        assert done.stderr.count(b'\n') == 1 and done.stderr.startswith(b'ringpost: '), shown
    if code == 64:
        assert done.stdout == b'' and done.stderr, shown
    return done


def usage(server):
    expect(server, [], 64, err='usage:')
    expect(server, ['help'], 0, out='quickstart')
    expect(server, ['--help'], 0, out='quickstart')
    expect(server, ['--version'], 0, out=r'^ringpost \d')
    expect(server, ['nonsense'], 64, err='no command "nonsense"')
    for name in COMMANDS:
        expect(server, [name, '--help'], 0, out=rf'^usage: ringpost {name} ')
        expect(server, [name, '--nonsense'], 64, err=rf'usage: ringpost {name} ')
        if name not in ('dump', 'quickstart'):
            expect(server, [name, '-c'], 64, err=rf"ringpost {name}: option requires an argument.*\nusage: ringpost {name} ")
    for args in (['check', 'x'], ['check', '--user'], ['config'], ['config', 'x'], ['config', 'explain', 'x'],
                 ['deliver'], ['deliver', '--user', 'x', 'y'], ['deliver', '--user', 'x', '--json'], ['dump'], ['import', 'x'],
                 ['import', '--user', 'x'], ['repair'], ['serve', 'x'], ['stats', 'x'], ['user'], ['user', 'add'],
                 ['user', 'add', 'a', 'b'], ['user', 'frob', 'a'], ['user', 'list', 'x'], ['user', 'add', 'a', '--json']):
        expect(server, args, 64, err=rf'usage: ringpost {args[0]} ')


def configs(server, dir):
    for command in (['serve'], ['config', 'check'], ['check'], ['stats'], ['user', 'list'], ['deliver', '--user', 'x'],
                    ['import', '--user', 'x', 'y'], ['repair', '--user', 'x'], ['undelete', 'x']):
        for path, says in ((f'{dir}/nowhere', 'cannot be read: No such file'), (dir, 'cannot be read: not a file'),
                           (f'{dir}/junk', 'junk:1: '), (f'{dir}/empty', 'nothing listens'), ('/dev/zero', 'not a file'),
                           (f'{dir}/includes', 'cannot be read: not a file')):
            expect(server, [*command, '-c', path], 78, err=says)
    expect(server, ['config', 'check', '-c', server.conf], 0, out='fine')
    with open(server.conf) as f:
        text = f.read()
    with open(f'{dir}/user', 'w') as f:
        f.write('user = "no-such-user"\n' + text)
    expect(server, ['config', 'check', '-c', f'{dir}/user'], 78, err='there is no such user on this machine')
    explained = expect(server, ['config', 'explain'], 0, out='appendlimit').stdout.decode()
    assert len(explained.splitlines()) > 60


def users(server):
    conf = ['-c', server.conf]

    def user(*args, **more):
        return expect(server, ['user', *args, *conf], **more)

    user('add', 'eve', code=0, input=b'pw')
    user('add', 'eve', code=73, err='`ringpost user passwd`', input=b'pw')
    user('add', 'EVE', code=73, err='is there already', input=b'pw')
    for name in ('a:b', '', 'ü', 'a b', 'x' * 300):
        user('add', name, code=64, err='cannot be a login name', input=b'pw')
    for password in (b'', b'\n', b'a\0b', b'x' * 512, b'x' * 100_000):
        user('add', 'new', code=64, err='1 to 511 bytes', input=password)
    user('add', 'longest', code=0, input=b'x' * 511 + b'\n')
    user('del', 'longest', code=0)
    user('passwd', 'eve', code=0, input=b'pw2\n')
    user('passwd', 'nobody', code=67, err='no user nobody', input=b'pw')
    user('del', 'nobody', code=67, err='no user nobody')
    user('info', 'nobody', code=67, err='no user nobody')
    user('info', 'Eve', code=0, out=r'^eve  [0-9a-f]{32}$')
    assert json.loads(user('info', 'eve', '--json', code=0).stdout).keys() == {'name', 'userid', 'locked'}
    listed = [json.loads(line) for line in user('list', '--json', code=0).stdout.splitlines()]
    assert [one['name'] for one in listed] == ['eve', 'sam'] or [one['name'] for one in listed] == ['sam', 'eve'], listed
    user('list', code=0, out='eve  [0-9a-f]{32}\n')


def terminal(server):
    """A password typed at a terminal ends with its line, and is not shown."""
    master, slave = pty.openpty()
    process = subprocess.Popen([server.exe, 'user', 'add', 'typed', '-c', server.conf], stdin=slave, stdout=slave, stderr=slave,
                               env=ENV)
    shown = b''
    while b'Password: ' not in shown:
        shown += os.read(master, 1024)
    time.sleep(0.2)
    os.write(master, b'hidden words\n')
    assert process.wait(60) == 0
    os.close(slave)
    try:
        shown += os.read(master, 1024)
    except OSError:
        pass
    os.close(master)
    assert b'hidden' not in shown, shown
    server.imap('typed', 'hidden words').logout()
    server.run('user', 'del', 'typed')


def passwd_files(server, dir):
    """A passwd-file that is not there, is none, or has no folder."""
    with open(server.conf) as f:
        text = f.read()

    def conf(passwd):
        path = f'{dir}/passwd.conf'
        with open(path, 'w') as f:
            f.write(text.replace(f'{server.dir}/passwd', passwd))
        return ['-c', path]

    if os.path.exists(f'{dir}/made'):
        os.unlink(f'{dir}/made')
    asks = (['user', 'list'], ['user', 'info', 'x'], ['check'])
    for args in asks:
        expect(server, [*args, *conf(f'{dir}/none')], 78, err='none: there is no such file')
        expect(server, [*args, *conf(dir)], 78, err=f'{dir}: ')
        done = run(server, [*args, *conf(f'{dir}/junk')])
        assert done.returncode == 78 and re.fullmatch(rb'ringpost: .*/junk:1: .*\n', done.stderr), done
    expect(server, ['user', 'add', 'x', *conf(f'{dir}/not/there')], 78, err='its folder is not there', input=b'pw')
    expect(server, ['user', 'add', 'x', *conf(f'{dir}/junk')], 78, err='junk:1: .*nothing was changed', input=b'pw')
    expect(server, ['user', 'add', 'x', *conf(f'{dir}/made')], 0, input=b'pw')
    assert os.stat(f'{dir}/made').st_mode & 0o777 == 0o600
    expect(server, ['user', 'list', *conf(f'{dir}/made')], 0, out='^x  ')
    if server.process is None:
        for args in (['import', '--user', 'x', f'{dir}/m.eml'], ['deliver', '--user', 'x'], ['check', '--user', 'x'],
                     ['repair', '--user', 'x']):
            expect(server, [*args, *conf(f'{dir}/none')], 78, err='none: there is no such file', input=MAIL)
            expect(server, [*args, *conf(f'{dir}/junk')], 78, err='junk:1: ', input=MAIL)


def deliveries(server):
    conf = ['--user', 'sam', '-c', server.conf]
    expect(server, ['deliver', *conf], 0, input=MAIL)
    expect(server, ['deliver', *conf, '--mailbox', 'Sent'], 0, input=MAIL)
    expect(server, ['deliver', *conf, '--mailbox', 'nope'], 0, input=MAIL)  # as for +detail: INBOX
    expect(server, ['deliver', *conf], 1, err='not delivered: there is no message', input=b'')
    nobody = ['deliver', '--user', 'nobody-here', '-c', server.conf]
    expect(server, nobody, 67, err='nobody-here', input=b'')  # it says who is missing first
    expect(server, ['deliver', *conf], 1, err='larger than limits { appendlimit }', input=MAIL + b'x' * 3_000_000)
    expect(server, ['deliver', *conf, '--mailbox', 'a//b'], 1, err='a name that no mailbox can have', input=MAIL)
    done = subprocess.run([server.exe, 'deliver', *conf, '--mailbox', b'a\xff'], input=MAIL, stderr=subprocess.PIPE, env=ENV)
    assert done.returncode == 1 and done.stderr.startswith(b'ringpost: not delivered: '), done
    expect(server, ['deliver', '--user', 'nobody', '-c', server.conf], 67, err='no', input=MAIL)
    expect(server, ['deliver', '--user', 'x' * 2000, '-c', server.conf], 67, err='no', input=MAIL)


def sources(server, dir):
    conf = ['import', '--user', 'sam', '-c', server.conf]

    def put(path, imported, failed, err='', mailbox=None):
        args = [*conf, '--json', path] + (['--mailbox', mailbox] if mailbox else [])
        done = run(server, args)
        assert done.returncode == (1 if failed else 0), done
        got = json.loads(done.stdout)
        assert (got['imported'], got['failed']) == (imported, failed), done
        assert done.stderr.count(b'\n') == failed, done
        assert re.search(err, done.stderr.decode(errors='replace')), done

    put(f'{dir}/m.eml', 1, 0)
    put(f'{dir}/empty', 0, 0)  # an mbox without mail
    put(f'{dir}/empty.eml', 0, 1, 'empty.eml: not imported: empty')
    put(f'{dir}/junk', 0, 1, 'junk: not imported: neither an mbox nor a message')
    put(f'{dir}/junk.mbox', 1, 0)
    put(f'{dir}/cut.mbox', 1, 1, 'cut.mbox: not imported: a From line without a message')
    put(f'{dir}/crlf.mbox', 2, 0)
    put(f'{dir}/nodate.mbox', 1, 0)
    put('/dev/null', 0, 1, 'not a file')
    put('/dev/zero', 0, 1, 'not a file')
    put(f'{dir}/nowhere', 0, 1, 'No such file')
    put(f'{dir}/m.eml', 0, 1, 'm.eml: not imported: .*no mailbox can have', 'a//b')
    put(f'{dir}/m.eml', 0, 1, 'm.eml: not imported: ', 'x' * 2000)
    put(f'{dir}/odd', 8, 6)
    expect(server, ['import', '--user', 'nobody', '-c', server.conf, f'{dir}/m.eml'], 67, err='there is no user nobody')
    expect(server, [*conf, f'{dir}/nowhere', f'{dir}/m.eml'], 1, out='1 messages imported, 1 failed', err='nowhere: not imported')


def make_sources(dir):
    """Files that are mail, and files that are not."""
    def write(name, data):
        with open(os.path.join(os.fsencode(dir), os.fsencode(name)), 'wb') as f:
            f.write(data)

    line = b'From a@b Sat Jan  3 01:05:34 2015\n'
    junk = bytes(range(256)) * 20
    write('m.eml', MAIL)
    write('empty', b'')
    write('empty.eml', b'')
    write('junk', b'\x80\x81' + junk)
    write('junk.mbox', line + junk)
    write('cut.mbox', line + MAIL + b'\n' + line[:-1])
    write('crlf.mbox', (line + MAIL + b'\n' + line + MAIL).replace(b'\n', b'\r\n'))
    write('nodate.mbox', b'From nobody at any time\nSubject: x\n\nx\n')
    write('includes', f'include("{dir}")\n'.encode())
    odd = [b'cur', b'new', b'tmp', b'.A..B/cur', b'.A..B/new', b'.Entw&APw-rfe/cur', b'.Entw&APw-rfe/new', b'.sp ace/cur',
           b'.sp ace/new', b'.x\xff/cur', b'.x\xff/new', b'.none/cur', b'.none/new', b'.deep.er.still/cur',
           b'.deep.er.still/new', b'cur/folder', b'plain']
    for name in odd:
        os.makedirs(os.path.join(os.fsencode(dir), b'odd', name))
    for name in (b'cur/1:2,S', b'cur/a\nline:2,RS', b'cur/\xff\xfe:2,', b'new/plain', b'cur/no info:2,xyz', b'.A..B/cur/1:2,',
                 b'.Entw&APw-rfe/cur/1:2,T', b'.sp ace/cur/1', b'.x\xff/cur/1', b'.deep.er.still/new/1', b'tmp/never',
                 b'cur/.hidden'):
        write(b'odd/' + name, MAIL)
    write('odd/cur/zero:2,S', b'')
    write('odd/subscriptions', b'x\n')
    os.symlink('/nowhere', f'{dir}/odd/cur/dangling')
    os.mkfifo(f'{dir}/odd/new/fifo')


def hash_of(dir):
    """A number for all names and bytes below a folder."""
    found = hashlib.sha256()
    for where, dirs, names in os.walk(dir):
        dirs.sort()
        for name in sorted(names):
            path = os.path.join(where, name)
            found.update(path.encode())
            if os.path.isfile(path):
                with open(path, 'rb') as f:
                    found.update(f.read())
    return found.hexdigest()


def looks(server, dir):
    """check, repair, stats, dump: what they say of what is there and of what is not."""
    conf = ['-c', server.conf]
    before = hash_of(f'{server.dir}/data')
    expect(server, ['check', *conf], 0, out=r'(?s)sam: sound.*2 users, 0 with damage')
    if server.process is None:
        assert hash_of(f'{server.dir}/data') == before, 'check has changed something'
    expect(server, ['check', '--user', 'sam', *conf], 0, out='^sam: sound\n$')
    for name in ('nobody', 'a"b', 'x' * 2000):
        expect(server, ['check', '--user', name, *conf], 67, err='no')
        expect(server, ['repair', '--user', name, *conf], 67, err='no')
        done = run(server, ['check', '--user', name, '--json', *conf])
        assert done.returncode == 67, done
        for line in done.stdout.splitlines():
            json.loads(line)
    got = [json.loads(line) for line in expect(server, ['check', '--json', *conf], 0).stdout.splitlines()]
    assert sorted(one['user'] for one in got) == ['eve', 'sam'] and all(one['code'] == 0 for one in got), got
    expect(server, ['repair', '--user', 'sam', *conf], 0, out='sam: made anew')
    assert json.loads(expect(server, ['repair', '--user', 'sam', '--json', *conf], 0).stdout)['code'] == 0
    expect(server, ['check', '--user', 'sam', '--restored', *conf], 64, err='usage')
    expect(server, ['repair', '--user', 'sam', '--restored', *conf], 0, out='(?s)written anew.*sam: made anew')
    expect(server, ['check', '--user', 'sam', *conf], 0, out='^sam: sound\n$')
    if server.process is not None:
        expect(server, ['stats', *conf], 0, out='deliveries ')
        shards = json.loads(expect(server, ['stats', '--json', *conf], 0).stdout)
        with open(os.path.join(rp.TOP, 'core/server/STATS.md')) as page:
            told = re.findall(r'^\| `(\w+)` \|', page.read(), re.M)
        assert all(list(shard) == told for shard in shards), (shards, told)
        assert all(0 < shard['files_open'] < shard['files_bound'] for shard in shards), shards
        assert all(0 <= shard['mappings'] < shard['mappings_bound'] for shard in shards), shards
        assert all(shard['idle_bytes'] < shard['idle_bytes_bound'] for shard in shards), shards
        assert len(shards) == 2 and sum(one['deliveries'] for one in shards) > 0, shards
    else:
        expect(server, ['stats', *conf], 69, err='no server answers: none runs')


def dumps(server, dir):
    expect(server, ['dump', f'{dir}/nowhere'], 1, err='No such file')
    expect(server, ['dump', dir], 1, err='not a file')
    expect(server, ['dump', f'{dir}/empty'], 1, err='empty: empty')
    expect(server, ['dump', f'{dir}/junk'], 2, err='not a file of a store')
    expect(server, ['dump', f'{dir}/odd/new/fifo'], 1, err='not a file')
    files = [os.path.join(where, name) for where, _, names in os.walk(f'{server.dir}/data') for name in names]
    kinds = set()
    for path in files:
        if path.endswith('/control') or '/spool/' in path:
            continue
        if path.endswith(('/reserve', '.checkpoint')):
            expect(server, ['dump', path], 0, out=r'^(reserve|checkpoint): ')
            continue
        kinds.add(os.path.basename(path).rsplit('.', 1)[-1])
        expect(server, ['dump', path], 0, out=r' version \d+ user [0-9a-f]{32} ')
        expect(server, ['dump', path, f'{dir}/nowhere'], 1, out=' version ', err='No such file')
        with open(path, 'rb') as f:
            head = f.read(10_000)
        cut = f'{dir}/cut'
        for data in (head[:100], head[:5000], head[:200] + b'\xff' * 300 + head[500:]):
            with open(cut, 'wb') as f:
                f.write(data)
            done = run(server, ['dump', cut])
            assert done.returncode in (0, 1, 2), (path, done)
    assert kinds >= {'store', 'log', 'journal', 'dbox', 'index', 'catalog'}, kinds


def nowhere_to_say_it(server):
    """What could not be written, to a full disk, was not said: that is no success."""
    for args in (['check'], ['check', '--user', 'sam', '--json'], ['repair', '--user', 'sam'], ['undelete', 'sam', '--list'], ['user', 'list'],
                 ['user', 'info', 'sam'], ['dump', f'{server.dir}/data/store'], ['config', 'explain'], ['--version'], ['--help'], ['dump', '--help']):
        conf = ['-c', server.conf] if args[0] in ('check', 'repair', 'undelete', 'user') else []
        with open('/dev/full', 'wb') as full:
            done = subprocess.run([server.exe, *args, *conf], stdout=full, stderr=subprocess.PIPE, timeout=120, env=ENV)
        assert (done.returncode, done.stderr) == (1, b'ringpost: standard output: No space left on device\n'), (args, done)


def data_in_use(server):
    """Another program has DATA: that is for now, so who asks is told to try again."""
    with open(f'{server.dir}/data/store', 'r+b') as store:
        fcntl.fcntl(store, fcntl.F_OFD_SETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        for args in (['check'], ['check', '--user', 'sam'], ['repair', '--user', 'sam'], ['undelete', 'sam'], ['deliver', '--user', 'sam']):
            expect(server, [*args, '-c', server.conf], 75, err='another server is using this data directory', input=MAIL)


def not_to_be_read():
    """What the server may not read, or does not follow, is not sound, though root, who asks, could read it."""
    nobody = 65534
    server = rp.Server(shards=1)
    os.chmod(server.dir, 0o711)
    os.chown(f'{server.dir}/data', nobody, nobody)
    with server:
        server.add_user('sam')
        server.lmtp().sendmail('a@b', ['sam@test.invalid'], MAIL)
        server.stop()
        conf = ['--user', 'sam', '-c', server.conf]
        files = [os.path.join(where, name) for where, _, names in os.walk(f'{server.dir}/data/users') for name in names]
        for path in [path for path in files if path.endswith(('.journal', '.dbox'))]:
            os.chmod(path, 0)
            for command in ('check', 'repair'):
                expect(server, [command, *conf], 1, out=f'users/.*{os.path.basename(path)} may not be', err='^ringpost: sam: permission denied')
            os.chmod(path, 0o600)
            os.rename(path, path + '.away')
            os.symlink(path + '.away', path)
            for command in ('check', 'repair'):
                expect(server, [command, *conf], 1, out=f'users/.*{os.path.basename(path)} .*a symbolic link', err='^ringpost: sam: permission denied')
            os.rename(path + '.away', path)
        expect(server, ['check', *conf], 0, out='sam: sound')
        expect(server, ['repair', *conf], 0, out='sam: made anew')


def damaged(server):
    """Findings are lines, or objects; the exit code says that there are some."""
    files = [os.path.join(where, name) for where, _, names in os.walk(f'{server.dir}/data/users') for name in names]
    bodies = [path for path in files if path.endswith('.dbox')]
    with open(bodies[0], 'r+b') as f:
        f.seek(6000)
        f.write(b'\xff' * 64)
    before = hash_of(f'{server.dir}/data')
    expect(server, ['check', '-c', server.conf], 2, out=r'(?m)^\w+: .*\n.*\d users, 1 with damage$')
    assert server.process is not None or hash_of(f'{server.dir}/data') == before, 'check has changed something'
    lines = [json.loads(line) for line in expect(server, ['check', '--json', '-c', server.conf], 2).stdout.splitlines()]
    assert any('line' in one for one in lines) and 2 in [one.get('code') for one in lines], lines


def run_all(checks):
    dir = tempfile.mkdtemp(prefix='ringpost-commands-')
    make_sources(dir)
    with rp.Server(shards=2, limits='appendlimit = 2MiB') as server:
        server.add_user('sam')
        checks.run('usage', usage, server)
        checks.run('configs that are none', configs, server, dir)
        for where in ('a running server', 'no server'):
            checks.run(f'user, with {where}', users, server)
            checks.run(f'passwd-files, with {where}', passwd_files, server, dir)
            checks.run(f'deliver, with {where}', deliveries, server)
            checks.run(f'import of odd files, with {where}', sources, server, dir)
            checks.run(f'check, repair, stats, with {where}', looks, server, dir)
            if server.process is not None:
                checks.run('a password at a terminal', terminal, server)
                server.run('user', 'del', 'eve')
                server.stop()
        checks.run('dump', dumps, server, dir)
        checks.run('a standard output that is full', nowhere_to_say_it, server)
        checks.run('DATA that is in use', data_in_use, server)
        checks.run('check of damage', damaged, server)
    if os.geteuid() == 0:
        checks.run('files that the server may not read', not_to_be_read)
    else:
        checks.skip('files that the server may not read', 'only root can be another user')
    shutil.rmtree(dir, ignore_errors=True)
