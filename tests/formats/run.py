#!/usr/bin/python3
"""What the server writes is what index/FORMATS.md says: read by that page alone, compared with IMAP, damaged, kept.

    tests/formats/run.py [GROUP...]         groups: stopped killed injured in-logs unseen underway merged golden; none: all, two at a time
"""
import concurrent.futures
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), HERE]
import damage  # noqa: E402
import dumps  # noqa: E402
import golden  # noqa: E402
import injured  # noqa: E402
import merged  # noqa: E402
import rp  # noqa: E402
import stale  # noqa: E402
import stands  # noqa: E402
import underway  # noqa: E402
import unseen  # noqa: E402
import whole  # noqa: E402

# Of what was in the commit logs alone, and of what they mend.
IN_LOGS = ('--only', r'log: (file: removed|(record|body): (LSN|payload|bytes:|xxh3 of all|a sector))|journal: (file|end mark)|dbox: (file|names)',
           '--whole', '20', '--pairs', '0')
# Each by itself, the longest first; together those after which every field that the page names has been read.
GROUPS = (('injured',), ('stopped', 'killed', 'merged'), ('in-logs',), ('underway',), ('unseen',), ('golden',))


def apart(groups):
    done = subprocess.run([sys.executable, __file__, *groups], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines = done.stdout.splitlines()
    counts = re.fullmatch(r'(\d+) passed, (\d+) failed(?:, (\d+) skipped)?', lines.pop()) if lines else None
    print('\n'.join(lines), flush=True)
    return [int(n or 0) for n in counts.groups()] if counts else [0, 1, 0]


def all_groups():
    checks = rp.Checks()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for passed, failed, skipped in pool.map(apart, GROUPS):
            checks.passed += passed
            checks.failed += failed
            checks.skipped += skipped
    checks.end()


def main():
    wanted = sys.argv[1:]
    if not wanted:
        return all_groups()
    checks = rp.Checks()
    looked = whole.Looked()
    for how in ('stopped', 'killed'):
        if how in wanted:
            with whole.Ended(how) as ended:
                whole.run(checks, ended, looked)
                dumps.run(checks, ended)
                damage.run(checks, ended, looked)
                if how == 'killed':
                    stale.run(checks, ended)
    hurt = injured.Run(checks, injured.settings())
    if 'injured' in wanted:
        with stands.Plain('stopped') as ended:
            ended.look = looked.look(ended.data)
            hurt.of_stand(ended, 'sam')
    if 'in-logs' in wanted:
        with stands.Plain('killed') as ended:
            ended.look = looked.look(ended.data)
            injured.Run(checks, injured.settings(IN_LOGS), hurt.tally).of_stand(ended, 'sam')
    if 'unseen' in wanted:
        with stands.Plain('stopped') as ended:
            ended.look = looked.look(ended.data)
            unseen.run(checks, ended, unseen.settings())
    if 'underway' in wanted:
        with stands.Plain('stopped') as ended:
            ended.look = looked.look(ended.data)
            underway.run(checks, ended, underway.settings())
    if 'merged' in wanted:
        with merged.Merged('merged') as ended:
            merged.run(checks, ended, looked)
            hurt.of_stand(ended, 'mel', ('merged journal',))
    if 'golden' in wanted:
        golden.run(checks, looked)
    if set(wanted) >= {'stopped', 'killed', 'merged'}:
        checks.run('every field that the page names has been read', looked.nothing_unused)
    hurt.tally.print()
    checks.end()


main()
