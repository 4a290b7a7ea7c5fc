"""One run: the servers started, the plan's steps made one after the other, each written down as it comes."""
import os
import subprocess
import sys
import time

from . import catalog, counts, kinds, machine, plan, probes, results, servers, tool

MICRO = (('bench_resp', ['100000']), ('bench_io', []), ('bench_table', ['20000']))
MICRO_ON_DISK = (('bench_commit', ['1']),)
# What is the same in all results of a run, and stands at its head.
SAME = ('server', 'machine', 'commit', 'label', 'format')


def say(text):
    print(text, file=sys.stderr, flush=True)


class Runner:
    """args: build, folder, packages, shards, out, commit; made of bench/run's options."""

    def __init__(self, made_plan, args, absent):
        self.plan, self.args, self.absent = made_plan, args, absent
        self.settings = made_plan.settings
        self.servers = {}
        self.writer = None
        self.began = time.monotonic()

    def head(self):
        names = {name: self.server(name).told() for name in self.plan.servers}
        missing = [] if self.settings['counts'] else ['not asked for (--counts)' if self.settings['quick'] else self.args.no_counts]
        return {'begun': time.strftime('%Y-%m-%d %H:%M:%S %z'), 'commit': self.args.commit, 'machine': machine.told(self.args.folder),
                'settings': {**self.settings, 'shards': self.args.shards}, 'servers': names, 'absent': self.absent,
                'uncounted': missing, 'plan': list(self.plan.lines()), 'scenarios': [s.name for s in self.plan.chosen]}

    def server(self, name):
        if name not in self.servers:
            self.servers[name] = catalog.server_of(name, self.args.folder, self.args.build, self.args.packages, self.args.shards)
            self.servers[name].start()
        return self.servers[name]

    def options(self, step):
        out = ['--warmup', f'{step.warmup_s:g}', '--seconds', f'{step.window_s:g}', '--commit', self.args.commit]
        if self.settings['messages']:
            out += ['--messages-max', str(self.settings['messages'])]
        return out

    def profile(self, step, server, *more):
        """(the load tool's result or None, fault)."""
        path = tool.profiles([step.scenario.profile])[step.scenario.profile]
        code, result, said = tool.run(self.args.build, server, path, os.path.join(self.args.out, 'last.json'), *self.options(step), *more)
        if result is None:
            return None, said or f'exit code {code}'
        fault = '; '.join(result['verdict']['why']) if code == tool.VOID else ''
        return {k: v for k, v in result.items() if k not in SAME}, fault

    def counted(self, step, server):
        with counts.Counting(server.pids()) as counting:
            result, fault = self.profile(step, server)
        out = {'result': result, 'fault': fault}
        if result is not None and result['cost'] is not None:
            from_s = result['from_ns'] / 1e9
            out['counts'], out['uncounted'] = counts.trusted(counting.of(from_s, from_s + result['window_s']), result['cost']['cpu_ns'])
        return out

    def idle(self, step, server):
        """With a server that has served nobody yet: memory that was given back may be used again."""
        clients = self.settings['clients'] or step.scenario.clients
        server.stop()
        server.start()
        result, fault = self.profile(step, server, '--clients', str(clients))
        figures = kinds.idle_figures(result, clients) if result and result['cost'] else {}
        return {'result': result, 'fault': fault, 'figures': figures}

    def first(self, step, server):
        """Its mailbox is made, if no scenario before it did that."""
        result, fault = self.profile(step, server, '--seconds', '0.1')
        if result is None or fault:
            return {'fault': fault}
        return {'figures': kinds.first(server, cold=step.scenario.name.endswith('cold'))}

    def measure(self, step):
        server = self.server(step.server)
        kind = step.scenario.kind
        if step.counted:
            return self.counted(step, server)
        if kind == 'idle':
            return self.idle(step, server)
        if kind == 'first':
            return self.first(step, server)
        if kind == 'restart':
            figures, fault = kinds.restart(server)
            return {'figures': figures, 'fault': fault}
        result, fault = self.profile(step, server)
        return {'result': result, 'fault': fault}

    def step(self, step):
        os.sync()
        start = time.monotonic()
        try:
            out = self.measure(step)
        except (OSError, RuntimeError, kinds.imap.Lost) as error:
            out = {'fault': f'{type(error).__name__}: {error}'}
        entry = {'is': 'result', 'scenario': step.scenario.name, 'server': step.server, 'repeat': step.repeat, 'counted': step.counted,
                 'at_s': round(start - self.began, 3), 'took_s': round(time.monotonic() - start, 3), 'load': os.getloadavg()[0], **out}
        self.writer.add(entry)
        if entry.get('fault'):
            say(f'{step.scenario.name}, {step.server}: void: {entry["fault"]}')

    def probe(self):
        try:
            values = probes.measure(self.args.build, self.args.folder)
        except (OSError, ValueError, subprocess.CalledProcessError) as error:
            say(f'no floors: {error}')
            return
        self.writer.add({'is': 'probe', 'at_s': round(time.monotonic() - self.began, 3), 'values': values})

    def micro(self):
        folder = os.path.join(self.args.folder, 'micro')
        servers.remove(folder)
        os.makedirs(folder)
        for name, options in (*MICRO, *((n, [folder, *o]) for n, o in MICRO_ON_DISK)):
            program = os.path.join(self.args.build, 'bench', name)
            if not os.path.exists(program):
                self.writer.add({'is': 'micro', 'program': name, 'lines': [], 'fault': f'{program} is not built'})
                continue
            done = subprocess.run([program, *options], capture_output=True, text=True, check=False)
            self.writer.add({'is': 'micro', 'program': name, 'lines': done.stdout.splitlines(),
                             'fault': '' if done.returncode == 0 else f'exit code {done.returncode}: {done.stderr.strip()}'})
        servers.remove(folder)

    def all(self, path):
        """Everything; what is there when it is interrupted stays."""
        last = None
        try:
            self.writer = results.Writer(path, self.head())
            for number, step in enumerate(self.plan.steps):
                if step.scenario is not last:
                    if self.plan.probes_before(self.plan.chosen.index(step.scenario)):
                        self.probe()
                    say(f'{plan.duration(time.monotonic() - self.began):>12}  {number:4} of {len(self.plan.steps)}  {step.scenario.name}')
                last = step.scenario
                self.step(step)
            self.probe()
            if self.settings['micro']:
                self.micro()
            self.writer.add({'is': 'end', 'at_s': round(time.monotonic() - self.began, 3), 'planned_s': round(self.plan.seconds(), 1)})
        finally:
            for server in self.servers.values():
                server.stop()
            if self.writer is not None:
                self.writer.close()
