"""File systems of the tests' own, in their own mount namespace: one that forgets what was not made durable, a small one."""
import ctypes
import os
import re
import select
import subprocess
import time

import rp

CLONE_NEWNS, MS_REC_PRIVATE = 0x20000, 0x4000 | 1 << 18
libc = ctypes.CDLL(None, use_errno=True)


class Cannot(Exception):
    """Why this machine has no such file system."""


def own_namespace():
    """What is mounted from now on nobody else sees, and it is gone with this process."""
    if os.geteuid() != 0:
        return False
    return libc.unshare(CLONE_NEWNS) == 0 and libc.mount(b'none', b'/', None, MS_REC_PRIVATE, None) == 0


def run(*args):
    done = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Cannot(f'{" ".join(args)}: {done.stdout.decode(errors="replace").strip()}')
    return done.stdout.decode().strip()


def unmount(path, tries_s=30):
    """The kernel may hold files of a killed process for a moment."""
    end = time.monotonic() + tries_s
    while subprocess.run(['umount', path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        if time.monotonic() > end:
            raise AssertionError(f'{path} is busy')
        time.sleep(0.02)


class Loop:
    """A block device that is a file."""

    def __init__(self, path, size):
        with open(path, 'wb') as f:
            f.truncate(size)
        self.name = run('losetup', '-f', '--show', path)

    def close(self):
        subprocess.run(['losetup', '-d', self.name])


class Small:
    """A small ext4."""

    def __init__(self, directory, size):
        self.path = os.path.join(directory, 'data')
        self.loop = Loop(os.path.join(directory, 'device'), size)
        try:
            run('mkfs.ext4', '-q', '-m', '0', self.loop.name)
            run('mount', '-t', 'ext4', self.loop.name, self.path)
        except (Cannot, OSError) as error:
            self.loop.close()
            raise Cannot(str(error))

    def close(self):
        unmount(self.path)
        self.loop.close()


class Lossy:
    """lossy/lossyfs.c at DATA."""

    def __init__(self, directory):
        exe = os.path.join(rp.BUILD, 'tests/crash/lossyfs')
        if not os.path.exists(exe):
            raise Cannot(f'there is no {exe}: it needs libfuse3')
        self.path = os.path.join(directory, 'data')
        backing = os.path.join(directory, 'backing')
        os.mkdir(backing)
        self.loop = Loop(os.path.join(directory, 'device'), 1 << 20)
        self.process = subprocess.Popen([exe, backing, self.path, self.loop.name], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, bufsize=0)
        self.totals = {}
        try:
            self.expect('mounted')
            self.flushed()
        except (AssertionError, Cannot) as error:
            self.close()
            raise Cannot(str(error))

    def expect(self, what, wait_s=60):
        ready, _, _ = select.select([self.process.stdout], [], [], wait_s)
        line = self.process.stdout.readline().decode().strip() if ready else ''
        assert line.split(' ')[0] == what, f'lossyfs says {line!r}, not {what!r}'
        return {name: int(n) for name, n in re.findall(r'(\w+)=(\d+)', line)}

    def tell(self, command, answer='ok'):
        self.process.stdin.write(command.encode() + b'\n')
        return self.expect(answer)

    def frozen(self, wait_s):
        """Did the change that was armed come within this time?"""
        ready, _, _ = select.select([self.process.stdout], [], [], wait_s)
        if ready:
            self.expect('frozen')
        return bool(ready)

    def cut(self, seed):
        """The power goes."""
        self.process.stdin.write(f'cut {seed}\n'.encode())
        # It may have frozen just now.
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        line = self.process.stdout.readline().decode().strip() if ready else ''
        if line == 'frozen':
            line = self.process.stdout.readline().decode().strip()
        assert line.startswith('cut '), line
        for name, n in re.findall(r'(\w+)=(\d+)', line):
            self.totals[name] = self.totals.get(name, 0) + int(n)

    def again(self):
        unmount(self.path)
        self.expect('mounted')

    def flushed(self):
        """Linux tells a FUSE file system of syncfs since 6.18, and only one with a block device."""
        fd = os.open(self.path, os.O_RDONLY)
        try:
            assert libc.syncfs(fd) == 0, 'syncfs fails'
        finally:
            os.close(fd)
        if self.tell('count')['syncfs'] == 0:
            raise Cannot('this kernel tells no FUSE file system of syncfs')

    def close(self):
        self.process.stdin.close()
        subprocess.run(['umount', '-l', self.path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.process.wait(30)
        self.process.stdout.close()
        self.loop.close()


class Memory:
    """A tmpfs."""

    def __init__(self, directory):
        self.path = os.path.join(directory, 'data')
        run('mount', '-t', 'tmpfs', '-o', 'size=256m,mode=700', 'ringpost-test', self.path)

    def close(self):
        unmount(self.path)
