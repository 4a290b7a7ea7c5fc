"""core/DESIGN.md's table of what clients need: every line is in it, and every test that it names is there."""
import os
import re

import rp

LINES = [*range(1, 73), 80, 81, 82]


def rows():
    """line -> what shows it, or why not."""
    with open(os.path.join(rp.TOP, 'core', 'DESIGN.md'), encoding='utf-8') as f:
        table = re.findall(r'^\| C-(\d+) \| [^|]+ \| ([^|]+) \|$', f.read(), re.M)
    assert len(dict(table)) == len(table), 'a line is there twice'
    return {int(line): shown for line, shown in table}


def every_line_has_a_test_or_a_reason():
    found = rows()
    missing = [line for line in LINES if line not in found]
    assert not missing, f'not in the table: {missing}'
    for line, shown in found.items():
        files = re.findall(r'[\w/]+\.(?:imap|lmtp|py|c)\b', shown)
        gone = [name for name in files if not os.path.exists(os.path.join(rp.TOP, 'tests', name))]
        assert not gone, f'C-{line:02} names what is not there: {gone}'
        assert files or len(shown.split()) > 1, f'C-{line:02} says nothing'


def run(checks):
    checks.run('each line of what clients need has a test that is there, or a reason', every_line_has_a_test_or_a_reason)
