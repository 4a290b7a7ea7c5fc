#!/usr/bin/env python3
"""Real clients against the real server, over IMAPS; mail goes in by LMTP.

usage: run.py [NAME...]   only the clients named: curl mbsync imaplib neomutt imapflow fetchers two_clients
"""
import re
import sys

from common import rp
import two_clients
import with_curl
import with_fetchers
import with_imapflow
import with_imaplib
import with_mbsync
import with_neomutt

PARTS = {'curl': with_curl, 'imaplib': with_imaplib, 'mbsync': with_mbsync, 'neomutt': with_neomutt,
         'imapflow': with_imapflow, 'fetchers': with_fetchers, 'two_clients': two_clients}
SHARDS = 2


def users_of_all_shards(server, prefix):
    """Two new users, one on each shard: the log says on which shard a login ended up."""
    found = {}
    for n in range(40):
        name = f'{prefix}{n}'
        server.add_user(name)
        server.imap(name).logout()
        shard = re.findall(rf'shard=(\d+) user={name} ', server.log_text())
        if shard and int(shard[-1]) not in found:
            found[int(shard[-1])] = name
        if len(found) == SHARDS:
            return [found[shard] for shard in sorted(found)]
    raise AssertionError(f'no two users on {SHARDS} shards: {found}')


def sound(server):
    log = server.log_text()
    bad = re.search('ERROR: AddressSanitizer|runtime error:|child.ended|ERROR: LeakSanitizer|assert', log)
    assert bad is None, 'the server log has ' + log[max(bad.start() - 500, 0):bad.start() + 5000]


def main():
    checks = rp.Checks()
    wanted = sys.argv[1:] or list(PARTS)
    with rp.Server(shards=SHARDS) as server:
        for name in wanted:
            PARTS[name].run(checks, server, users_of_all_shards(server, name.replace('_', '-')))
        checks.run('the server log has no crash and no sanitizer report', sound, server)
    checks.end()


if __name__ == '__main__':
    main()
