#!/usr/bin/env python3
"""The commands as people and their scripts use them: options, files that are no mail, exit codes, a terminal.

    tests/cli/run.py [GROUP...]
"""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), 'support'), HERE]
import commands  # noqa: E402
import import_mail  # noqa: E402
import odd_files  # noqa: E402
import quickstart  # noqa: E402
import refusals  # noqa: E402
import rp  # noqa: E402
import undelete  # noqa: E402
import user_mail  # noqa: E402

GROUPS = {'commands': commands.run_all, 'import': import_mail.run, 'odd_files': odd_files.run, 'quickstart': quickstart.run,
          'refusals': refusals.run, 'undelete': undelete.run, 'user_mail': user_mail.run}


def main():
    checks = rp.Checks()
    for name, run in GROUPS.items():
        if not sys.argv[1:] or name in sys.argv[1:]:
            run(checks)
    checks.end()


main()
