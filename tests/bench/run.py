#!/usr/bin/python3
"""The bench suite's scripts: plan, results, figures, lead, report, comparison; and one scenario of it against the real server.

The load tool's own parts are tests/bench/*.c and liar.py; all profiles: profiles.py.
"""
import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), 'support'), os.path.join(TOP, 'bench')]
import made  # noqa: E402
import rp  # noqa: E402
from suite import catalog, compare, counts, figures, lead, plan, plots, report, results, scenarios, tool  # noqa: E402

BUILD = os.path.abspath(os.environ.get('RINGPOST_BUILD', os.path.join(TOP, 'build-gcc')))
NOOP, STORE, LOGIN = (scenarios.SCENARIOS[name] for name in ('noop', 'store-one', 'login-plain'))


def settings(quick, **more):
    return {**(plan.QUICK if quick else plan.FULL), 'quick': quick, 'servers_named': False, 'micro': True, 'counts': not quick, **more}


# The table and the plan.

def scenarios_have_profiles_and_floors():
    probes = {'echo_ns', 'connect_ns', 'send_ns_per_kib', 'receive_ns_per_kib', 'handshake_ns', 'resumed_ns', 'seal_ns_per_kib',
              'log_write_ns', 'log_write_cpu_ns', 'copy_ns_per_kib', 'scan_ns_per_kib'}
    there = tool.profiles()
    for scenario in scenarios.SCENARIOS.values():
        assert scenario.profile == '' or scenario.profile in there, scenario
        assert set(scenario.floor) <= probes, scenario
        assert scenario.kind in figures.MAIN, scenario
    for promise in lead.PROMISES:
        assert promise.scenario in scenarios.SCENARIOS and set(promise.peers) <= set(catalog.PEERS), promise
    assert all(p.scenario in {s.name for s in scenarios.chosen(quick=True)} for p in lead.PROMISES), 'a quick run shows the lead'


def quick_takes_under_five_minutes():
    the_plan = plan.Plan(scenarios.chosen(quick=True), catalog.NAMES, settings(True))
    assert the_plan.seconds() < 300, the_plan.seconds()
    text = '\n'.join(the_plan.lines())
    assert text.endswith('in all') and 'dovecot-sdbox' not in text, text


def steps_are_interleaved():
    steps = plan.steps([NOOP], ['ringpost', 'dovecot-mdbox', catalog.HIBERNATING], settings(False, repeats=2))
    assert [(s.server, s.repeat, s.counted) for s in steps] == [
        ('ringpost', 0, False), ('dovecot-mdbox', 0, False), ('dovecot-mdbox', 1, False), ('ringpost', 1, False),
        ('ringpost', 0, True), ('dovecot-mdbox', 0, True)], steps
    assert steps[0].window_s == 5 and steps[-1].window_s == plan.COUNTED_S


def mail_that_is_shared_is_planned_once():
    one = plan.filling_s([NOOP], ['cyrus'], settings(False))['cyrus']
    assert plan.filling_s([NOOP, STORE], ['cyrus'], settings(False))['cyrus'] == one
    assert plan.filling_s([NOOP], ['cyrus'], settings(False, messages=10))['cyrus'] < one


def a_million_only_by_name():
    assert 'store-all-1m' not in [s.name for s in scenarios.chosen()]
    assert [s.name for s in scenarios.chosen(['store-all-1m'])] == ['store-all-1m']
    assert {s.section for s in scenarios.chosen([scenarios.SEARCH])} == {scenarios.SEARCH}


# What is written down and read.

def a_run_is_whole_at_any_time():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'run.json')
        writer = results.Writer(path, {'servers': {}})
        assert results.read(path)['entries'] == []
        for i in range(3):
            writer.add({'is': 'probe', 'values': {'n': i}})
            assert len(results.read(path)['entries']) == i + 1
        writer.close()
        whole = open(path, 'rb').read()
        cut = whole.rindex(b'{"is"') + 9
        open(path, 'wb').write(whole[:cut])
        assert [p['n'] for p in results.probes_of(results.read(path))] == [0, 1]
        open(path, 'wb').write(b'{}')
        try:
            results.read(path)
        except ValueError:
            return
        raise AssertionError('that was no run')


def histograms_are_merged():
    merged = results.merge([made.hist(98, 1000), made.hist(2, 5000)])
    assert merged['count'] == 100 and merged['max_ns'] == 5000 and merged['mean_ns'] == 1080
    assert results.quantile_ns(merged, 0.5) == 1000 and results.quantile_ns(merged, 0.99) == 5000
    assert results.merge([]) is None


def figures_are_per_operation():
    entry = made.entry('login-plain', 'ringpost', 100, commands=300)
    of = figures.of_entry(LOGIN, entry)
    assert of['cpu_us'] == 300 and of['rate'] == 100, 'three commands are one login'
    limited = made.entry('noop', 'ringpost', 100, commands=10)
    limited['result']['commands'] = limited['result']['acts'] = None
    assert set(figures.of_entry(NOOP, limited)) == {'cpu_us', 'written_bytes', 'faults'}
    assert figures.of_entry(NOOP, {**entry, 'fault': 'a wrong answer'}) == {}
    of = figures.of_entry(NOOP, {**made.entry('noop', 'ringpost', 1), 'counted': True, 'counts': {'syscalls': 3000, 'flushes': 0}})
    assert of == {'syscalls': 3, 'flushes': 0}, of


def perf_lines_are_counted_in_the_window():
    lines = ['     0.050,100,,raw_syscalls:sys_enter,1,100.00,,\n', '     0.100,20,,raw_syscalls:sys_enter,1,100.00,,\n',
             '     0.150,<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n', '     0.150,3,,context-switches,0,100.00,,\n', 'noise\n']
    assert counts.sum_of(lines, 1000.0, 1000.06, 1000.2) == {'raw_syscalls:sys_enter': 20, 'context-switches': 3}
    assert counts.read_line('     0.050122,2.50,msec,task-clock,2500,100.00,,') == (0.050122, 'task-clock', 2.5)
    counted = {'syscalls': 9, 'switches': 1, 'flushes': 2, 'seen_ms': 8}
    assert counts.trusted(counted, 1e7) == ({'syscalls': 9, 'switches': 1, 'flushes': 2}, '')
    left, why = counts.trusted(counted, 1e8)
    assert left == {'flushes': 2} and '8 %' in why


# What is made of it.

def the_lead_is_worked_out():
    names = ('ringpost', 'dovecot-mdbox', 'dovecot-always', 'cyrus')
    entries = [made.entry('noop', 'ringpost', 5), made.entry('noop', 'dovecot-mdbox', 33), made.entry('noop', 'cyrus', 669),
               made.entry('store-one', 'ringpost', 30), made.entry('store-one', 'dovecot-mdbox', 31),
               made.entry('store-one', 'dovecot-always', 290), made.entry('store-one', 'cyrus', 723),
               made.entry('login-plain', 'ringpost', 10), made.entry('select-new', 'ringpost', 20),
               made.entry('login-plain', 'cyrus', 100), made.entry('select-new', 'cyrus', 1000)]
    rows = {row.promise.about: row for row in lead.rows([made.run(entries, names)])}
    noop, store, select = rows['NOOP'], rows['STORE of one, durable'], rows['SELECT on a new connection, beyond the login']
    assert (noop.peer, round(noop.times, 1), noop.reached) == ('dovecot-mdbox', 6.6, True)
    assert (store.peer, round(store.times, 1), store.reached) == ('dovecot-always', 9.7, False), 'only a durable peer is one'
    assert (select.own, select.theirs) == (50, 3700), 'four commands less three'
    assert rows['SEARCH FROM'].why and rows['SEARCH FROM'].reached is None


def the_lead_of_rates_is_the_other_way_round():
    entries = [made.entry('lmtp-64', 'ringpost', 5, commands=15000), made.entry('lmtp-64', 'cyrus', 5, commands=1000)]
    row = {r.promise.about: r for r in lead.rows([made.run(entries, ('ringpost', 'cyrus'))])}['LMTP, messages a second, 64 sessions']
    assert row.times == 15 and row.reached


def a_report_stands_by_itself():
    void = {**made.entry('noop', 'dovecot-mdbox', 9, repeat=1), 'fault': 'an answer <was> wrong'}
    entries = [made.probe(echo_ns=4000.0), *(made.entry('noop', s, cpu, repeat=r) for r in range(3)
                                             for s, cpu in (('ringpost', 5), ('dovecot-mdbox', 33 + r))), void,
               {'is': 'micro', 'program': 'bench_x', 'lines': ['one 1 ns'], 'fault': ''}]
    text = report.Report([made.run(entries, ended=False)]).page()
    for part in ('6.80 times', 'reached', 'an answer &lt;was&gt; wrong', 'interrupted', 'Without cyrus: not installed', 'one 1 ns',
                 '4.00 µs: 1.25 times', 'c&lt;p&gt;u', 'a &lt; b', '±3 %'):
        assert part in text, part
    assert '<script' not in text and 'src=' not in text
    assert ('<svg' in text) != bool(plots.WITHOUT) and (not plots.WITHOUT or 'python3-matplotlib' in text)


def floors_are_of_whole_mailboxes():
    entries = [made.probe(echo_ns=1.0, send_ns_per_kib=1.0, copy_ns_per_kib=1.0), made.entry('fetch-flags', 'ringpost', 5)]
    whole, small = (report.Report([made.run(entries, messages=n)]) for n in (0, 10))
    assert whole.is_whole(scenarios.SCENARIOS['fetch-flags']) and not small.is_whole(scenarios.SCENARIOS['fetch-flags'])
    assert small.is_whole(NOOP)


def a_peer_promises_as_much():
    assert report.Report.is_peer(STORE, catalog.ALWAYS) and not report.Report.is_peer(STORE, 'dovecot-mdbox')
    assert report.Report.is_peer(NOOP, 'dovecot-mdbox')


def what_has_changed_is_told():
    noise = [100, 101, 99, 102]
    assert compare.own_difference([100, 102]) == 2 / 101
    assert compare.row_of('noop', 'ringpost', 'cpu_us', noise, [100, 102, 99]).verdict == 'same'
    assert compare.row_of('noop', 'ringpost', 'cpu_us', noise, [80, 81, 82]).verdict == 'better'
    assert compare.row_of('noop', 'ringpost', 'cpu_us', noise, [120, 121, 122]).verdict == 'worse'
    assert compare.row_of('noop', 'ringpost', 'rate', noise, [120, 121, 122]).verdict == 'better'
    assert compare.row_of('noop', 'ringpost', 'cpu_us', [100, 130, 80], [120, 121, 122]).verdict == 'same', 'A differs as much from itself'
    assert compare.row_of('noop', 'ringpost', 'cpu_us', [100, 100, 100], [101, 101, 101]).verdict == 'same', 'less than is looked at'
    assert compare.row_of('noop', 'ringpost', 'cpu_us', [100, 101], [50, 51]).verdict == 'too few repeats'
    many = list(range(100, 120))
    assert compare.own_difference(many) == compare.own_difference(many), 'the same splits each time'


def compare_exits_by_what_it_found():
    with tempfile.TemporaryDirectory() as folder:
        for name, cpu, messages in (('a', 10, 0), ('b', 20, 0), ('c', 10, 7)):
            with open(os.path.join(folder, name), 'w') as file:
                json.dump(made.run([made.entry('noop', 'ringpost', cpu, repeat=r) for r in range(3)], messages=messages), file)

        def code(*names):
            done = subprocess.run([sys.executable, os.path.join(TOP, 'bench', 'compare'), *names], cwd=folder, capture_output=True,
                                  text=True, check=False)
            return done.returncode
        assert [code('a', 'a'), code('a', 'b'), code('b', 'a'), code('a', 'c'), code('a'), code('a', 'x')] == [0, 1, 0, 2, 2, 2]
        assert code('a', 'b', '--', 'a', 'b') == 0 and code('a', 'a', '--', 'b', 'b') == 1


# The real server.

def a_run_in_small():
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, os.path.join(TOP, 'bench', 'run'), '--build', BUILD, '--only', 'noop', 'restart', '--servers',
                               'ringpost', '--repeats', '2', '--seconds', '1', '--messages', '20', '--folder',
                               os.path.join(folder, 'servers'), '--out', folder], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        run = results.read(os.path.join(folder, 'run.json'))
        assert [e['fault'] for e in results.results_of(run)] == [''] * 4, done.stderr
        for entry in results.results_of(run, 'noop'):
            late = any('read' in why and 'late' in why for why in entry['result']['verdict']['why'])
            assert late or figures.of_entry(NOOP, entry)['cpu_us'] > 0, entry['result']['verdict']
        assert figures.values_of([run], scenarios.SCENARIOS['restart'], 'ringpost')['ready_s']
        assert run['entries'][-1]['is'] == 'end' and os.path.getsize(os.path.join(folder, 'report.html')) > 2000


def main():
    checks = rp.Checks()
    for check in (scenarios_have_profiles_and_floors, quick_takes_under_five_minutes, steps_are_interleaved,
                  mail_that_is_shared_is_planned_once, a_million_only_by_name, a_run_is_whole_at_any_time, histograms_are_merged,
                  figures_are_per_operation, perf_lines_are_counted_in_the_window, the_lead_is_worked_out,
                  the_lead_of_rates_is_the_other_way_round, a_report_stands_by_itself, floors_are_of_whole_mailboxes, a_peer_promises_as_much,
                  what_has_changed_is_told, compare_exits_by_what_it_found, a_run_in_small):
        checks.run(check.__name__.replace('_', ' '), check)
    checks.end()
    return 1 if checks.failed else 0


if __name__ == '__main__':
    sys.exit(main())
