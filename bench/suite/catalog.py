"""The servers that a run may have: by name, whether each is there, and what each stands for."""
import glob
import os
import shutil

from . import cyrus, dovecot, servers, tool

FOLDER = '/var/tmp/ringpost-bench'

# Only as the peer of idle connections: it puts clients away that sleep.
HIBERNATING = 'dovecot-hibernate'
ALWAYS = 'dovecot-always'
NAMES = ['ringpost', 'dovecot-mdbox', 'dovecot-sdbox', ALWAYS, HIBERNATING, 'cyrus']
PEERS = [n for n in NAMES if n != 'ringpost']

# Whose flags are on the disk before the answer. APPEND and deliveries are with all of them.
FLAGS_DURABLE = {'ringpost', ALWAYS, 'cyrus'}


def packages_of(folder=FOLDER):
    return os.path.join(folder, 'cyrus-packages')


def missing(name, build, packages):
    """Why it cannot be run here; '' if it can."""
    if name == 'ringpost':
        there = [os.path.exists(os.path.join(build, program)) for program in ('ringpost', 'ringpost-auth')]
        return '' if all(there) else f'{build} has no ringpost and ringpost-auth'
    if os.geteuid() != 0:
        return 'peers are started as root'
    if name == 'cyrus':
        there = glob.glob(os.path.join(packages, 'usr/lib/cyrus/bin/master'))
    else:
        there = shutil.which('dovecot')
    return '' if there else 'not installed: bench/peers install'


def server_of(name, folder, build, packages, shards):
    """Not started; its files are in folder/name."""
    folder = os.path.join(folder, name)
    if name == 'ringpost':
        return servers.Ringpost(folder, build, tool.USERS, shards)
    if name == 'cyrus':
        return cyrus.Cyrus(folder, tool.USERS, packages)
    if name == ALWAYS:
        return dovecot.Dovecot(folder, tool.USERS, 'sdbox', 'always')
    if name == HIBERNATING:
        return dovecot.Dovecot(folder, tool.USERS, 'mdbox', hibernate=True)
    return dovecot.Dovecot(folder, tool.USERS, name.split('-')[1])
