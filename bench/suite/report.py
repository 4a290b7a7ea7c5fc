"""One page of one run or several: tables, curves, what was left out. It stands by itself: no script, no file beside it."""
import html

from . import catalog, figures, lead, plots, probes, results, scenarios

STYLE = """body{font:14px/1.45 sans-serif;max-width:75em;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;margin:.6em 0}td,th{padding:.15em .7em;border-bottom:1px solid #ddd;text-align:right}
td:first-child,th:first-child{text-align:left}th{background:#f4f4f4}.best{font-weight:bold}.no{color:#b00}.yes{color:#070}
.dim{color:#777;font-size:90%}pre{background:#f8f8f8;padding:.6em;overflow:auto;font-size:12px}svg{max-width:100%}
h2{margin-top:2em;border-bottom:2px solid #ccc}.plots{display:flex;flex-wrap:wrap;gap:1em}"""


def number(value):
    """Three digits, whatever its size."""
    if value is None:
        return '–'
    size = abs(value)
    if size >= 1000:
        return f'{value:,.0f}'
    if size >= 100:
        return f'{value:.0f}'
    if size >= 10:
        return f'{value:.1f}'
    return f'{value:.2f}' if size >= 1 else f'{value:.3g}'


def cell(text, kind=''):
    return f'<td class="{kind}">{html.escape(str(text))}</td>' if kind else f'<td>{html.escape(str(text))}</td>'


def table(head, rows):
    """rows: lists of cells that are HTML already."""
    return ('<table><tr>' + ''.join(f'<th>{html.escape(h)}</th>' for h in head) + '</tr>\n' +
            '\n'.join('<tr>' + ''.join(row) + '</tr>' for row in rows) + '</table>')


class Report:
    def __init__(self, runs):
        self.runs = runs
        self.servers = [n for n in catalog.NAMES if any(n in run['servers'] for run in runs)]
        self.probes = probes.medians([p for run in runs for p in results.probes_of(run)])
        done = {e['scenario'] for run in runs for e in run['entries'] if e['is'] == 'result'}
        self.scenarios = [s for s in scenarios.SCENARIOS.values() if s.name in done]

    # What is told of one scenario.

    def rows_of(self, scenario, values, floor):
        names = [f for f in figures.FIGURES if any(values[server].get(f) for server in values)]
        rows = []
        for name in names:
            about, unit, less = figures.FIGURES[name]
            medians = {s: results.middle(values[s][name]) for s in values if values[s].get(name)}
            peers = {s: v for s, v in medians.items() if s != 'ringpost' and v > 0 and self.is_peer(scenario, s)}
            best = (min if less else max)(peers.values()) if peers else None
            row = [cell(f'{about}{", " + unit if unit else ""}')]
            for server in self.servers:
                spread = results.spread(values.get(server, {}).get(name, []))
                text = number(medians.get(server)) + (f' ±{spread * 50:.0f} %' if spread is not None else '')
                row.append(cell(text, 'best' if server == 'ringpost' else ''))
            own = medians.get('ringpost')
            times = None if not own or best is None or own <= 0 else best / own if less else own / best
            row.append(cell('–' if times is None else f'{number(times)} times'))
            is_main = name == 'cpu_us' and floor and own
            row.append(cell(f'{number(floor / 1e3)} µs: {number(own * 1e3 / floor)} times' if is_main else '–'))
            rows.append(row)
        return rows

    def scenario(self, scenario):
        values = {s: figures.values_of(self.runs, scenario, s) for s in self.servers}
        values = {s: v for s, v in values.items() if v}
        about = scenario.about or self.profile_about(scenario)
        out = [f'<h3 id="{scenario.name}">{html.escape(scenario.name)}: {html.escape(about)}</h3>']
        if values:
            floor = scenarios.floor_ns(scenario, self.probes) if self.is_whole(scenario) else None
            out.append(table(['', *self.servers, 'ringpost is better', 'floor; ringpost is'], self.rows_of(scenario, values, floor)))
        out += [f'<p class="dim">{html.escape(line)}</p>' for line in self.remarks(scenario)]
        return '\n'.join(out)

    def entries(self, scenario):
        return [e for run in self.runs for e in run['entries'] if e['is'] == 'result' and e['scenario'] == scenario.name]

    def profile_about(self, scenario):
        return next((e['result']['profile']['about'] for e in self.entries(scenario) if e.get('result')), '')

    @staticmethod
    def is_peer(scenario, server):
        """Is as much promised of it? Flags that are not on the disk are no peer of those that are."""
        return scenario.section != scenarios.STORE or server in catalog.FLAGS_DURABLE

    def is_whole(self, scenario):
        """Floors are of the mailboxes that profiles say; those of a run that made them smaller have none."""
        return not any(run['settings']['messages'] for run in self.runs) or not {
            'scan_ns_per_kib', 'copy_ns_per_kib'} & set(scenario.floor) or scenario.section in (scenarios.MAIL, scenarios.BODY)

    def remarks(self, scenario):
        """What was void, limited, behind or left out; each once."""
        out = {}
        for entry in self.entries(scenario):
            who, result = entry['server'], entry.get('result')
            if entry.get('fault'):
                out[f'{who}: void: {entry["fault"]}'] = True
            elif result and not result['verdict']['good']:
                out.setdefault(f'{who}: no latencies and rates, as the tool was the limit in',
                               []).append(entry['repeat'])
                if result['cost'] is None:
                    out[f'{who}: no costs either: {result["verdict"]["why"][-1]}'] = True
            if entry.get('uncounted'):
                out[f'{who}: {entry["uncounted"]}'] = True
            if result and result.get('behind'):
                out[f'{who}: {result["behind"]} starts were never made; percentiles are too low'] = True
            for word in result['left_out'] if result else []:
                out[f'{who}: without {word["word"]}, which needs {word["needs"]}'] = True
        if scenarios.DURABLE in scenario.flags and scenario.section == scenarios.STORE:
            out['not durable: flags of ' + ', '.join(n for n in self.servers if n not in catalog.FLAGS_DURABLE)] = True
        return [text + (f' {len(value)} of its passes' if isinstance(value, list) else '') for text, value in out.items()]

    def plot(self, scenario):
        hists = {}
        for server in self.servers:
            each = [figures.shown_hist(scenario, e.get('result')) for e in self.entries(scenario)
                    if e['server'] == server and not e['counted'] and not e.get('fault')]
            merged = results.merge(h for h in each if h is not None)
            if merged is not None:
                hists[server] = merged
        if not hists or plots.WITHOUT:
            return ''
        what = ', '.join(scenario.shown)
        return plots.percentiles(hists, f'{scenario.name}{": " + what if what else ""}')

    # The page.

    def lead(self):
        rows = []
        for row in lead.rows(self.runs):
            unit = figures.FIGURES[row.promise.figure][1]
            said = row.why or ('reached' if row.reached else 'not reached')
            theirs = '–' if row.theirs is None else f'{number(row.theirs)} {unit} ({row.peer})'
            rows.append([cell(row.promise.about), cell('–' if row.own is None else f'{number(row.own)} {unit}'), cell(theirs),
                         cell('–' if row.times is None else f'{number(row.times)} times'), cell(f'{number(row.promise.needed)} times'),
                         cell(said, 'yes' if row.reached else 'no')])
        small = [run['settings']['messages'] for run in self.runs if run['settings']['messages']]
        note = (f'<p class="no">With mailboxes of at most {small[0]:,} messages. The lead is promised for those of 100,000.</p>'
                if small else '')
        return note + table(['work', 'ringpost', 'the better peer', 'measured', 'needed', ''], rows)

    def head(self):
        out = []
        for run in self.runs:
            machine, settings = run['machine'], run['settings']
            out.append(f'<p>{html.escape(run["begun"])}, commit {html.escape(run["commit"])}: {html.escape(machine["cpu"])}, '
                       f'{machine["cores"]} cores, {html.escape(machine["memory"])}, Linux {html.escape(machine["kernel"])}, '
                       f'{html.escape(machine["disk"])}; load {machine["load"]:.1f} at first, '
                       f'{max((e.get("load", 0) for e in run["entries"]), default=0):.1f} at most.</p>')
            out.append('<p class="dim">' + html.escape(', '.join(f'{k} {v}' for k, v in settings.items())) + '</p>')
            if not any(e['is'] == 'end' for e in run['entries']):
                out.append('<p class="no">This run was interrupted.</p>')
            out += [f'<p class="dim">Without {html.escape(name)}: {html.escape(why)}.</p>' for name, why in run['absent'].items()]
            out += [f'<p class="dim">System calls, context switches and flushes: {html.escape(why)}.</p>' for why in run['uncounted']]
        if plots.WITHOUT:
            out.append(f'<p class="no">{html.escape(plots.WITHOUT)}.</p>')
        return '\n'.join(out)

    def server_table(self):
        told = {}
        for run in self.runs:
            told.update(run['servers'])
        rows = [[cell(n), cell(told[n]['version']), cell(told[n]['durability'])] for n in self.servers]
        more = ''.join(f'<details><summary>settings of {html.escape(n)}</summary><pre>{html.escape(told[n]["settings"])}</pre></details>'
                       for n in self.servers)
        return table(['server', 'version', 'durable'], rows) + more

    def probe_table(self):
        rows = [[cell(about), cell(f'{number(self.probes[name])} ns')] for name, about in probes.ABOUT.items() if name in self.probes]
        return table(['the machine itself, medians of all probes of the run', ''], rows)

    def micro(self):
        out = []
        for run in self.runs:
            for entry in run['entries']:
                if entry['is'] == 'micro':
                    text = '\n'.join(entry['lines']) + ('\n' + entry['fault'] if entry['fault'] else '')
                    out.append(f'<h3>{html.escape(entry["program"])}</h3><pre>{html.escape(text)}</pre>')
        return '\n'.join(out) or '<p class="dim">Not in this run.</p>'

    def page(self):
        sections = []
        for section in dict.fromkeys(s.section for s in self.scenarios):
            own = [s for s in self.scenarios if s.section == section]
            drawn = [plot for plot in map(self.plot, own) if plot]
            sections.append(f'<h2>{html.escape(section)}</h2>' + '\n'.join(map(self.scenario, own)) +
                            (f'<div class="plots">{"".join(drawn)}</div>' if drawn else ''))
        return '\n'.join([
            '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>ringpost beside its peers</title>',
            f'<style>{STYLE}</style><h1>ringpost beside its peers</h1>', self.head(),
            '<p>Medians of repeats; ± is half of what repeats lie apart. CPU is that of all of a server\'s processes. Latencies are drawn '
            'from all repeats; none are told where the load tool was the limit.</p>',
            '<h2>The lead</h2>', self.lead(), '<h2>Servers</h2>', self.server_table(), '<h2>Floors</h2>', self.probe_table(),
            *sections, '<h2>Micro-benchmarks</h2>', self.micro(), '</html>\n'])


def write(runs, path):
    text = Report(runs).page()
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)
