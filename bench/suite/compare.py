"""What differs between two versions: repeats of A, repeats of B, and how far A differs from itself (the A/A control).

A figure has changed if the medians of A and B lie further apart than the medians of any two halves of A's own repeats, and of B's, and
by `least` at least. With fewer than MINIMUM repeats of each nothing can be said of it.
"""
import dataclasses
import itertools
import random

from . import figures, results, scenarios

MINIMUM = 3
SPLITS_MAX = 2000
LEAST = 0.03
# What does not depend on who waited for whom; the others are told with --all.
STEADY = ('cpu_us', 'written_bytes', 'syscalls', 'flushes', 'memory_kib')


def halves(values):
    """Pairs of disjoint halves: all of them, or so many at random, always the same."""
    size, places = len(values) // 2, range(len(values))
    pairs = [(one, other) for one in itertools.combinations(places, size)
             for other in itertools.combinations([p for p in places if p not in one], size)] if len(values) <= 8 else None
    if pairs is None:
        dice = random.Random(1)
        pairs = []
        for _ in range(SPLITS_MAX):
            mixed = dice.sample(places, len(values))
            pairs.append((mixed[:size], mixed[size:2 * size]))
    for one, other in pairs:
        yield [values[p] for p in one], [values[p] for p in other]


def own_difference(values):
    """How far medians of halves of the same thing lie apart at most, as a part of the median; None of fewer than two values."""
    at = results.middle(values)
    if len(values) < 2 or not at:
        return None
    return max(abs(results.middle(one) - results.middle(other)) for one, other in halves(values)) / abs(at)


@dataclasses.dataclass(frozen=True)
class Row:
    scenario: str
    server: str
    figure: str
    a: float
    b: float
    counts: tuple        # of repeats
    noise: float | None  # the A/A control, and B/B, whichever is more
    verdict: str         # 'better', 'worse', 'same', 'too few repeats'

    @property
    def change(self):
        return (self.b - self.a) / abs(self.a) if self.a else 0.0


def row_of(scenario, server, figure, a, b, least=LEAST):
    at_a, at_b = results.middle(a), results.middle(b)
    own = [d for d in (own_difference(a), own_difference(b)) if d is not None]
    noise = max(own, default=None)
    if min(len(a), len(b)) < MINIMUM or noise is None:
        return Row(scenario, server, figure, at_a, at_b, (len(a), len(b)), noise, 'same' if at_a == at_b else 'too few repeats')
    row = Row(scenario, server, figure, at_a, at_b, (len(a), len(b)), noise, 'same')
    if abs(row.change) <= max(noise, least):
        return row
    less = figures.FIGURES[figure][2]
    return dataclasses.replace(row, verdict='better' if (row.change < 0) == less else 'worse')


def rows(runs_a, runs_b, least=LEAST, every_figure=False):
    """Of all that both have."""
    servers = [s for s in runs_a[0]['servers'] if any(s in run['servers'] for run in runs_b)]
    for scenario in scenarios.SCENARIOS.values():
        for server in servers:
            a, b = (figures.values_of(runs, scenario, server) for runs in (runs_a, runs_b))
            for figure in figures.FIGURES:
                wanted = every_figure or figure in STEADY or figure == figures.MAIN[scenario.kind]
                if wanted and a.get(figure) and b.get(figure):
                    yield row_of(scenario.name, server, figure, a[figure], b[figure], least)


def unlike(runs_a, runs_b):
    """What makes them no pair: settings and machine must be the same."""
    out = []
    first = runs_a[0]
    for run in [*runs_a, *runs_b]:
        for key in ('messages', 'seconds', 'clients', 'shards'):
            if run['settings'].get(key) != first['settings'].get(key):
                out.append(f'{run["name"]}: {key} is {run["settings"].get(key)}, not {first["settings"].get(key)}')
        for key in ('cpu', 'cores', 'kernel'):
            if run['machine'].get(key) != first['machine'].get(key):
                out.append(f'{run["name"]}: the machine\'s {key} is {run["machine"].get(key)}, not {first["machine"].get(key)}')
    return out
