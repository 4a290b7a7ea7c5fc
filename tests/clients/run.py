#!/usr/bin/env python3
"""Real clients against the real server, over IMAPS; mail goes in by LMTP.

usage: run.py [NAME...]   only the clients named: curl mbsync imaplib neomutt imapflow fetchers two_clients heavy_search
"""
import re
import sys

from common import rp
import heavy_search
import two_clients
import with_curl
import with_fetchers
import with_imapflow
import with_imaplib
import with_mbsync
import with_neomutt

PARTS = {'curl': with_curl, 'imaplib': with_imaplib, 'mbsync': with_mbsync, 'neomutt': with_neomutt,
         'imapflow': with_imapflow, 'fetchers': with_fetchers, 'two_clients': two_clients,
         'heavy_search': heavy_search}
SHARDS = 2


def sound(server):
    log = server.log_text()
    bad = re.search('ERROR: AddressSanitizer|runtime error:|child.ended|ERROR: LeakSanitizer|assert', log)
    assert bad is None, 'the server log has ' + log[max(bad.start() - 500, 0):bad.start() + 5000]


def main():
    checks = rp.Checks()
    wanted = sys.argv[1:] or list(PARTS)
    with rp.Server(shards=SHARDS) as server:
        for name in wanted:
            PARTS[name].run(checks, server, server.users_of_all_shards(name.replace('_', '-'), SHARDS))
        checks.run('the server log has no crash and no sanitizer report', sound, server)
    checks.end()


if __name__ == '__main__':
    main()
