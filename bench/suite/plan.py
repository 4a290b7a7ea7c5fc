"""What a run will do, and how long that takes: known before anything is started.

The times of setting up are estimates: how many messages a second each server takes beforehand was seen on a machine with two cores.
"""
import dataclasses

from . import catalog, scenarios, tool

FILL_PER_S = {'ringpost': 8000, 'cyrus': 600, catalog.ALWAYS: 300}
FILL_PER_S_ELSE = 1500
START_S = 3.0             # of a server, the first time
BEGIN_S = 1.0             # of each step: sync, connections, the end
BEGIN_PER_MESSAGE_S = 30e-6   # the tool asks for the ids of what is there
PROBES_S = 2.0
KIND_S = {'restart': 8.0, 'first': 4.0}
IDLE_PER_CLIENT_S = 0.012
COUNTED_S = 1.0
MICRO_S = 20.0
QUICK = {'messages': 1000, 'seconds': 0.8, 'warmup': 0.2, 'repeats': 1, 'clients': 100}
FULL = {'messages': 0, 'seconds': 0, 'warmup': -1, 'repeats': 3, 'clients': 0}   # 0 and -1: as profiles and scenarios say


@dataclasses.dataclass(frozen=True)
class Step:
    scenario: scenarios.Scenario
    server: str
    repeat: int
    counted: bool
    window_s: float
    warmup_s: float
    takes_s: float


def serves(scenario, server, quick, only=False):
    """Does this server have its part in the scenario? A quick run has one Dovecot, and the durable one where that counts."""
    if server == catalog.HIBERNATING:
        return scenario.kind == 'idle'
    if not quick or only:
        return True
    return server not in ('dovecot-sdbox', catalog.ALWAYS) or (server == catalog.ALWAYS and scenarios.DURABLE in scenario.flags)


def window_of(scenario, settings):
    """(window, warm-up) in seconds."""
    if not scenario.profile or scenario.kind == 'first':
        return 0.0, 0.0
    mail = tool.mail_of(tool.profiles([scenario.profile])[scenario.profile])
    if scenario.kind == 'idle':
        return mail['seconds'], mail['warmup_s']
    window = settings['seconds'] or max(mail['seconds'], scenario.seconds)
    return window, mail['warmup_s'] if settings['warmup'] < 0 else settings['warmup']


def mail_of(scenario, settings):
    """(whose, messages in all, the largest mailbox) that a scenario needs beforehand."""
    if not scenario.profile:
        return None, 0, 0
    mail = tool.mail_of(tool.profiles([scenario.profile])[scenario.profile])
    largest = min(mail['largest'], settings['messages'] or mail['largest'])
    return mail['first'], (mail['messages'] * largest // mail['largest'] if mail['largest'] else 0), largest


def step_of(scenario, server, repeat, counted, settings):
    window, warmup = window_of(scenario, settings)
    if counted:
        window, warmup = min(window, COUNTED_S), min(warmup, 0.5)
    _, messages, _ = mail_of(scenario, settings)
    takes = BEGIN_S + window + warmup + messages * BEGIN_PER_MESSAGE_S + KIND_S.get(scenario.kind, 0)
    if scenario.kind == 'idle':
        takes += 6 - window - warmup + 2 * (settings['clients'] or scenario.clients) * IDLE_PER_CLIENT_S
    return Step(scenario, server, repeat, counted, window, warmup, takes)


def steps(chosen, servers, settings):
    """In turn: each scenario and repeat on all servers, there and back, then the counted pass."""
    out = []
    for scenario in chosen:
        names = [n for n in servers if serves(scenario, n, settings['quick'], settings['servers_named'])]
        for repeat in range(settings['repeats']):
            for name in names if repeat % 2 == 0 else reversed(names):
                out.append(step_of(scenario, name, repeat, False, settings))
        if settings['counts'] and scenario.kind == 'profile':
            out += [step_of(scenario, name, 0, True, settings) for name in names]
    return out


def filling_s(chosen, servers, settings):
    """Of all mail that is made, by server: what two scenarios share is made once."""
    out = {}
    for name in servers:
        needed = {}
        for scenario in chosen:
            if serves(scenario, name, settings['quick'], settings['servers_named']):
                whose, messages, _ = mail_of(scenario, settings)
                needed[whose] = max(needed.get(whose, 0), messages)
        out[name] = START_S + sum(needed.values()) / FILL_PER_S.get(name, FILL_PER_S_ELSE)
    return out


class Plan:
    def __init__(self, chosen, servers, settings):
        self.chosen, self.settings = chosen, settings
        self.steps = steps(chosen, servers, settings)
        self.servers = [name for name in servers if any(s.server == name for s in self.steps)]
        self.filling_s = filling_s(chosen, self.servers, settings)
        self.probes_s = PROBES_S * sum(1 for i in range(len(chosen)) if self.probes_before(i))
        self.micro_s = MICRO_S if settings['micro'] else 0.0

    def probes_before(self, number):
        """Is the machine probed before this scenario? A quick run does it before each fourth."""
        return number % (4 if self.settings['quick'] else 1) == 0

    def seconds(self):
        return sum(s.takes_s for s in self.steps) + sum(self.filling_s.values()) + self.probes_s + self.micro_s

    def lines(self):
        """For people."""
        for scenario in self.chosen:
            own = [s for s in self.steps if s.scenario is scenario]
            names = sorted({s.server for s in own}, key=self.servers.index)
            if own:
                yield (f'{scenario.name:18} {len(names)} servers x {self.settings["repeats"]} x {own[0].window_s:4.1f} s'
                       f'{" + counted" if own[-1].counted else "          "}  {sum(s.takes_s for s in own):7.0f} s')
        for name, takes in self.filling_s.items():
            yield f'{"set up " + name:49} {takes:7.0f} s'
        yield f'{"probes of the machine":49} {self.probes_s:7.0f} s'
        if self.micro_s:
            yield f'{"micro-benchmarks":49} {self.micro_s:7.0f} s'
        yield f'{len(self.steps)} steps, about {duration(self.seconds())} in all'


def duration(seconds):
    if seconds < 90:
        return f'{seconds:.0f} seconds'
    if seconds < 5400:
        return f'{seconds / 60:.0f} minutes'
    return f'{seconds / 3600:.1f} hours'
