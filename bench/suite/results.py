"""One run's file: an object whose last member is the list of what was measured, an entry a line, written as it comes.

    {"format": 1, "machine": {...}, "settings": {...}, "servers": {name: {...}}, ..., "entries": [
    {"is": "probe", ...},
    {"is": "result", "scenario": ..., "server": ..., "repeat": ..., "counted": false, "result": {the load tool's}, "figures": {...}}
    ]}

An interrupted run leaves a whole file; one whose last line was torn is read without that line.
"""
import json
import os
import statistics

FORMAT = 1
END = b'\n]}\n'


class Writer:
    def __init__(self, path, head):
        """head: what is known beforehand; its "entries" are to come."""
        self.file = open(path, 'wb')
        text = json.dumps({'format': FORMAT, **head}, separators=(',', ':'))
        self.file.write(text[:-1].encode() + b',"entries":[')
        self.at = self.file.tell()
        self.count = 0
        self.put(END)

    def put(self, text):
        """In one write, so that the file is whole before and after it."""
        self.file.seek(self.at)
        self.file.write(text)
        self.file.flush()

    def add(self, entry):
        line = (b',\n' if self.count else b'\n') + json.dumps(entry, separators=(',', ':')).encode()
        self.put(line + END)
        self.at += len(line)
        self.count += 1

    def close(self):
        self.file.close()


def read(path):
    """The run. Raises ValueError for what is none."""
    with open(path, 'rb') as file:
        text = file.read()
    try:
        run = json.loads(text)
    except ValueError:
        whole, _, _ = text.rpartition(b'\n')
        whole = whole.rstrip().rstrip(b',')
        try:
            run = json.loads(whole + END)
        except ValueError:
            run = json.loads(whole + b']}')
    if not isinstance(run, dict) or run.get('format') != FORMAT or 'entries' not in run:
        raise ValueError(f'{path} is no result of bench/run')
    run['name'] = os.path.basename(path)
    return run


def results_of(run, scenario=None, server=None, counted=False):
    return [e for e in run['entries'] if e['is'] == 'result' and e['counted'] == counted and
            (scenario is None or e['scenario'] == scenario) and (server is None or e['server'] == server)]


def probes_of(run):
    return [e['values'] for e in run['entries'] if e['is'] == 'probe']


def merge(hists):
    """Buckets of several histograms in one, and its count, sum and maximum. None of none."""
    buckets, count, total, longest = {}, 0, 0, 0
    for hist in hists:
        for lower, n in hist['buckets']:
            buckets[lower] = buckets.get(lower, 0) + n
        count += hist['count']
        total += hist['mean_ns'] * hist['count']
        longest = max(longest, hist['max_ns'])
    if count == 0:
        return None
    return {'count': count, 'mean_ns': total / count, 'max_ns': longest, 'buckets': sorted(buckets.items())}


def quantile_ns(hist, q):
    """The bucket that q of all are in or below, by its lower end: true within 1/128."""
    wanted, seen = q * hist['count'], 0
    for lower, n in hist['buckets']:
        seen += n
        if seen >= wanted:
            return min(lower, hist['max_ns'])
    return hist['max_ns']


def middle(values):
    return statistics.median(values) if values else None


def spread(values):
    """How far apart repeats lie, as a part of their median; None of fewer than two."""
    at = middle(values)
    return (max(values) - min(values)) / at if len(values) > 1 and at else None
