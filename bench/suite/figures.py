"""What an entry of a run says in figures: by name, and each name's unit and whether less is better."""
from . import results

# name: (what it is, unit, less is better)
FIGURES = {
    'cpu_us': ('server CPU per operation', 'µs', True),
    'rate': ('operations a second', '/s', False),
    'p50_ms': ('latency, p50', 'ms', True),
    'p99_ms': ('latency, p99', 'ms', True),
    'p999_ms': ('latency, p99.9', 'ms', True),
    'max_ms': ('latency, longest', 'ms', True),
    'written_bytes': ('bytes written per operation', 'B', True),
    'faults': ('page faults per operation', '', True),
    'syscalls': ('system calls per operation', '', True),
    'switches': ('context switches per operation', '', True),
    'flushes': ('flushes of the disk per operation', '', True),
    'memory_kib': ('memory of each connection, the server\'s own', 'KiB', True),
    'kernel_kib': ('memory of each connection, the kernel\'s', 'KiB', True),
    'stop_s': ('until it has ended', 's', True),
    'ready_s': ('from its start to its first greeting', 's', True),
    'outage_p50_ms': ('without an answer, half of the clients', 'ms', True),
    'outage_max_ms': ('without an answer, the last client', 'ms', True),
    'login_ms': ('connect and LOGIN', 'ms', True),
    'select_ms': ('SELECT', 'ms', True),
    'flags_ms': ('FETCH 1:* (FLAGS)', 'ms', True),
    'envelope_ms': ('FETCH of 50 ENVELOPEs', 'ms', True),
    'body_ms': ('FETCH of one body', 'ms', True),
}
# What a report compares servers by.
MAIN = {'profile': 'cpu_us', 'idle': 'memory_kib', 'restart': 'outage_p50_ms', 'first': 'select_ms'}
QUANTILES = {'p50_ms': 0.5, 'p99_ms': 0.99, 'p999_ms': 0.999}


def shown_hist(scenario, result):
    """The latencies that are told of a result: those of the scenario's `shown`, of all commands without it. None: there are none."""
    if result is None or result.get('commands') is None:
        return None
    found = {**{name.split()[0]: hist for name, hist in result['commands'].items()}, **(result['acts'] or {})}
    if not scenario.shown:
        return results.merge(result['commands'].values())
    return results.merge(found[name] for name in scenario.shown if name in found)


def per_operation(scenario, result):
    cost, out = result.get('cost'), {}
    if not cost or not cost['commands']:
        return out
    operations = cost['commands'] / scenario.words
    out['cpu_us'] = cost['cpu_ns'] / 1e3 / operations
    out['written_bytes'] = cost['written_bytes'] / operations
    out['faults'] = (cost['minor_faults'] + cost['major_faults']) / operations
    if result['commands'] is not None:
        out['rate'] = operations / result['window_s']
    return out


def counted(scenario, entry):
    """Of a pass that was counted."""
    result, counts = entry.get('result'), entry.get('counts') or {}
    if not result or not result.get('cost') or not result['cost']['commands']:
        return {}
    operations = result['cost']['commands'] / scenario.words
    return {name: count / operations for name, count in counts.items()}


def of_entry(scenario, entry):
    """By name. Nothing of what is void; no latencies and rates where the tool was the limit."""
    if entry.get('fault'):
        return {}
    if entry['counted']:
        return counted(scenario, entry)
    out = dict(entry.get('figures') or {})
    result = entry.get('result')
    if result is None or scenario.kind != 'profile':
        return out
    out.update(per_operation(scenario, result))
    hist = shown_hist(scenario, result)
    if hist is not None:
        out.update({name: results.quantile_ns(hist, q) / 1e6 for name, q in QUANTILES.items()})
        out['max_ms'] = hist['max_ns'] / 1e6
    return out


def values_of(runs, scenario, server):
    """{figure: [value of each repeat]} over several runs."""
    out = {}
    for run in runs:
        for is_counted in (False, True):
            for entry in results.results_of(run, scenario.name, server, is_counted):
                for name, value in of_entry(scenario, entry).items():
                    out.setdefault(name, []).append(value)
    return out


def medians_of(runs, scenario, server):
    return {name: results.middle(values) for name, values in values_of(runs, scenario, server).items()}
