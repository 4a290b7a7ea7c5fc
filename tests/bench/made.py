"""Runs as bench/run would have written them, made here: so that each figure in them is known."""
import json

HEAD = {'begun': '2026-01-01 00:00:00 +0000', 'commit': 'abc', 'machine': {'cpu': 'c<p>u', 'cores': 2, 'kernel': '6.1', 'memory': '1 kB',
                                                                       'disk': 'ext4', 'load': 0.5},
        'settings': {'quick': False, 'seconds': 0, 'messages': 0, 'clients': 0, 'repeats': 3, 'shards': 1, 'counts': True},
        'absent': {'cyrus': 'not installed'}, 'uncounted': [], 'plan': [], 'scenarios': []}


def server(name):
    return {'name': name, 'version': '1', 'durability': 'all', 'settings': 'a < b'}


def hist(count, ns):
    """All took as long."""
    return {'count': count, 'rate': float(count), 'mean_ns': ns, 'p50_ns': ns, 'p90_ns': ns, 'p99_ns': ns, 'p999_ns': ns, 'max_ns': ns,
            'buckets': [[ns, count]]}


def entry(scenario, name, cpu_us, repeat=0, commands=1000, **more):
    """One operation took so much CPU; more: members of the load tool's result."""
    result = {'verdict': {'good': True, 'is': 'good', 'why': []}, 'window_s': 1.0, 'left_out': [], 'behind': 0,
              'profile': {'about': 'a profile'}, 'commands': {scenario: hist(commands, 2000000)}, 'acts': {},
              'cost': {'commands': commands, 'cpu_ns': cpu_us * 1000 * commands, 'written_bytes': 0, 'minor_faults': 0, 'major_faults': 0}}
    return {'is': 'result', 'scenario': scenario, 'server': name, 'repeat': repeat, 'counted': False, 'at_s': 0, 'took_s': 1, 'load': 1.0,
            'fault': '', 'result': {**result, **more}}


def probe(**values):
    return {'is': 'probe', 'at_s': 0, 'values': values}


def run(entries, names=('ringpost', 'dovecot-mdbox'), ended=True, **settings):
    whole = [*entries, {'is': 'end', 'at_s': 9, 'planned_s': 9}] if ended else list(entries)
    head = {**HEAD, 'settings': {**HEAD['settings'], **settings}}
    return json.loads(json.dumps({'format': 1, 'name': 'made', **head, 'servers': {n: server(n) for n in names}, 'entries': whole}))
