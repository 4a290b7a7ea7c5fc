#!/usr/bin/python3
"""What the server writes is what index/FORMATS.md says: read by that page alone, compared with IMAP, damaged, kept.

    tests/formats/run.py [GROUP...]         groups: stopped killed merged golden
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), HERE]
import damage  # noqa: E402
import dumps  # noqa: E402
import golden  # noqa: E402
import merged  # noqa: E402
import rp  # noqa: E402
import stale  # noqa: E402
import whole  # noqa: E402

GROUPS = ('stopped', 'killed', 'merged', 'golden')


def main():
    checks, wanted = rp.Checks(), sys.argv[1:] or GROUPS
    looked = whole.Looked()
    for how in ('stopped', 'killed'):
        if how in wanted:
            with whole.Ended(how) as ended:
                whole.run(checks, ended, looked)
                dumps.run(checks, ended)
                damage.run(checks, ended, looked)
                if how == 'killed':
                    stale.run(checks, ended)
    if 'merged' in wanted:
        merged.run(checks, looked)
    if 'golden' in wanted:
        golden.run(checks, looked)
    if set(wanted) >= {'stopped', 'killed', 'merged'}:
        checks.run('every field that the page names has been read', looked.nothing_unused)
    checks.end()


main()
