"""What keeps the server or a command from its work gets one line that says what to do (tests/crash has the bad configs)."""
import ctypes
import grp
import imaplib
import os
import re
import shutil
import stat
import struct
import subprocess
import tempfile

import rp

IO_URING_SETUP = 425  # on every architecture
EPERM, ENOSYS = 1, 38


def without_io_uring(error):
    """In the child: io_uring_setup() fails so, as where it is switched off or not there."""
    libc = ctypes.CDLL(None, use_errno=True)

    def instruction(code, jump_true, jump_false, value):
        return struct.pack('HBBI', code, jump_true, jump_false, value)

    program = b''.join((
        instruction(0x20, 0, 0, 0),                    # load the system call's number
        instruction(0x15, 0, 1, IO_URING_SETUP),       # is it that one?
        instruction(0x06, 0, 0, 0x00050000 | error),   # SECCOMP_RET_ERRNO
        instruction(0x06, 0, 0, 0x7fff0000),           # SECCOMP_RET_ALLOW
    ))
    room = ctypes.create_string_buffer(program, len(program))
    filter = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(program) // 8, ctypes.addressof(room)), 16)

    def set_up():
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, filter, 0, 0) != 0:  # no_new_privs, seccomp
            os._exit(99)

    set_up.keeps = (room, filter)
    return set_up


def one_line(args, says, code, preexec=None, input=b''):
    done = subprocess.run(args, input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120, preexec_fn=preexec,
                          env=dict(os.environ, **rp.SANITIZER_ENV))
    err = done.stderr.decode(errors='replace')
    lines = [line for line in err.splitlines() if not re.match(r'20\d\d-\d\d-\d\dT', line)]  # the log aside
    assert done.returncode == code and len(lines) == 1 and re.search(says, lines[0]), (args, done.returncode, err)
    return done


def no_ring(server, dir, error, says):
    exe, conf, preexec = server.exe, server.conf, without_io_uring(error)
    one_line([exe, 'serve', '-c', conf], says, 78, preexec)
    one_line([exe, 'deliver', '--user', 'sam', '-c', conf], says, 1, preexec, b'Subject: x\n\nx\n')
    one_line([exe, 'check', '-c', conf], says, 1, preexec)
    one_line([exe, 'quickstart', '--dir', f'{dir}/demo{error}', '--no-sample'], says, 78, preexec)
    one_line([exe, 'quickstart', '--dir', f'{dir}/demo{error}'], says, 1, preexec)


def settings(server, dir):
    with open(server.conf) as f:
        text = f.read()

    def refused(old, new, says, code):
        assert old in text
        with open(f'{dir}/conf', 'w') as f:
            f.write(text.replace(old, new, 1))
        one_line([server.exe, 'serve', '-c', f'{dir}/conf'], says, code)

    data = f'data = "{server.dir}/data"'
    refused(data, f'data = "{dir}/none"', 'none: No such file or directory; make it', 78)
    refused(data, f'data = "{server.conf}"', 'Not a directory; make it', 78)
    refused(data, f'{data}\ncommit_dir = "{dir}/not/there"', 'not/there: No such file or directory; it must be a folder', 78)
    refused(data, f'{data}\ncontrol = "{dir}/{"x" * 120}"', 'the path of a socket has at most 107 bytes', 1)
    refused(data, f'{data}\ncontrol = "{dir}/not/there"', 'its folder must be there and ours to write', 1)
    victim = f'{dir}/victim'
    with open(victim, 'w') as f:
        f.write('precious')
    for link in (victim, f'{dir}/link'):
        if link != victim:
            os.symlink(victim, link)
        refused(data, f'{data}\ncontrol = "{link}"', 'this is no socket: remove it, or choose another path', 1)
        refused(server.lmtp_path, link, 'this is no socket: remove it, or choose another path', 1)
    with open(victim) as f:
        assert f.read() == 'precious'
    refused('address = 127.0.0.1', 'address = 192.0.2.1', 'choose an address of this machine', 1)
    no_group = f'{data}\nlisten x {{ protocol = lmtp path = "{dir}/x" group = "no-such-group" }}'
    refused(data, no_group, 'no-such-group: there is no such group on this machine', 1)
    one_line([server.exe, 'config', 'check', '-c', f'{dir}/conf'], 'no-such-group: there is no such group on this machine', 78)
    if os.geteuid() == 0:
        refused(data, f'{data}\nuser = "no-such-user"', 'there is no such user on this machine', 78)


def socket_group():
    """A unix socket has the mode and the group that the config says; without, everybody on the machine may deliver."""
    group = grp.getgrgid(max(os.getgroups() + [os.getegid()]) if os.geteuid() != 0 else 65534)
    with rp.Server(shards=1) as server:
        assert stat.S_IMODE(os.stat(server.lmtp_path).st_mode) == 0o666
        server.stop()
        with open(server.conf) as f:
            text = f.read()
        path = f'path = "{server.lmtp_path}"'
        assert path in text
        with open(server.conf, 'w') as f:
            f.write(text.replace(path, f'{path} mode = 0660 group = "{group.gr_name}"'))
        server.start()
        found = os.stat(server.lmtp_path)
        assert (stat.S_IMODE(found.st_mode), found.st_gid, found.st_uid) == (0o660, group.gr_gid, os.geteuid()), found
        server.stop()


def lines_of(done):
    """What a command said to a person; the store's log lines apart."""
    return [line for line in done.stderr.decode().splitlines() if not re.match(r'20\d\d-\d\d-\d\dT', line)]


def deliver_until_full(server, body):
    """What is left takes a few more."""
    for _ in range(100):
        done = subprocess.run([server.exe, 'deliver', '--user', 'sam', '-c', server.conf], input=body, stderr=subprocess.PIPE,
                              timeout=120, env=dict(os.environ, **rp.SANITIZER_ENV))
        if done.returncode != 0:
            break
    assert done.returncode == 75, done
    assert lines_of(done) == ['ringpost: not delivered: the disk is full: make room, then try again'], done


def full_disk(dir):
    server = rp.Server(shards=1, storage=rp.SMALL_STORAGE)
    data = server.dir + '/data'
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64m,mode=700', 'ringpost-test', data], check=True)
    try:
        server.add_user('sam')
        body = b'Subject: x\n\n' + b'x' * 70_000
        box = f'{dir}/full.mbox'
        with open(box, 'wb') as f:
            for _ in range(1500):
                f.write(b'From a@b Sat Jan  3 01:05:34 2015\n' + body + b'\n\n')
        for start in (False, True):
            if start:
                server.start()
            done = subprocess.run([server.exe, 'import', '--user', 'sam', '-c', server.conf, box], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=300, env=dict(os.environ, **rp.SANITIZER_ENV))
            lines = lines_of(done)
            assert done.returncode == 75, done
            assert re.search('message .*: not imported: the disk is full: make room, then try again', lines[0]), lines
            assert re.match('ringpost: the disk is full: make room, then try again; ', lines[1]) and len(lines) == 2, lines
            deliver_until_full(server, b'Subject: x\n\n' + b'x' * 2_000_000)
        # What is there stays readable, and the store opens again.
        imap = server.imap('sam')
        count = int(imap.select('INBOX')[1][0])
        assert count > 0 and len(imap.fetch(str(count), 'BODY.PEEK[]')[1][0][1]) > 70_000
        imap.logout()
        assert server.stop(), server.log_tail()
    finally:
        server.kill()
        subprocess.run(['umount', data])
        shutil.rmtree(server.dir, ignore_errors=True)


def no_room_to_start(dir):
    """A disk so full that not even the commit log fits."""
    server = rp.Server(shards=1)
    data = server.dir + '/data'
    subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=1m,mode=700', 'ringpost-test', data], check=True)
    try:
        server.add_user('sam')
        one_line([server.exe, 'serve', '-c', server.conf], 'full|room', 78)
        one_line([server.exe, 'deliver', '--user', 'sam', '-c', server.conf], 'full|room', 1, input=b'Subject: x\n\nx\n')
    finally:
        subprocess.run(['umount', data])
        shutil.rmtree(server.dir, ignore_errors=True)


def no_users():
    """The log says once what makes the first one; then he can log in, without a restart."""
    with rp.Server(shards=2, userfile=False) as server:
        for _ in range(2):
            try:
                server.imap('sam')
                raise AssertionError('he could log in')
            except imaplib.IMAP4.error as error:
                assert 'UNAVAILABLE' in str(error), error
        told = [line for line in server.log_text().splitlines() if ' auth.userdb_bad ' in line]
        assert len(told) == 1 and '`ringpost user add NAME` makes it' in told[0], told
        server.add_user('sam')
        server.imap('sam').logout()


def run(checks):
    dir = tempfile.mkdtemp(prefix='ringpost-refusals-')
    server = rp.Server(shards=2)
    server.add_user('sam')
    checks.run('io_uring is switched off', no_ring, server, dir, EPERM, 'kernel.io_uring_disabled')
    checks.run('a kernel without io_uring', no_ring, server, dir, ENOSYS, 'no io_uring')
    checks.run('settings that cannot be', settings, server, dir)
    checks.run('a server without users', no_users)
    checks.run('the mode and group of a unix socket', socket_group)
    shutil.rmtree(server.dir, ignore_errors=True)
    if os.geteuid() == 0 and subprocess.run(['mount', '-t', 'tmpfs', 'ringpost-test', dir], stderr=subprocess.DEVNULL).returncode == 0:
        subprocess.run(['umount', dir])
        checks.run('import and deliver on a full disk', full_disk, dir)
        checks.run('a start on a full disk', no_room_to_start, dir)
    else:
        checks.skip('a full disk', 'a tmpfs of its own needs root')
    shutil.rmtree(dir, ignore_errors=True)
