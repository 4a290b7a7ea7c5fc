"""Percentile curves as SVG, by matplotlib (Debian: python3-matplotlib)."""
import io
import re

try:
    import matplotlib
    matplotlib.use('svg')
    from matplotlib import pyplot
    WITHOUT = ''
except ImportError:
    WITHOUT = 'matplotlib is not there (Debian: python3-matplotlib, for /usr/bin/python3): no plots'

from . import results

QUANTILES = [1 - 10 ** (-i / 12) for i in range(1, 49)]
COLORS = {'ringpost': '#c0392b', 'dovecot-mdbox': '#1f6fb2', 'dovecot-sdbox': '#5aa5d8', 'dovecot-always': '#0b3d66',
          'dovecot-hibernate': '#8e7cc3', 'cyrus': '#5b8c3a'}
TICKS = [(0.9, '90 %'), (0.99, '99 %'), (0.999, '99.9 %'), (0.9999, '99.99 %')]


def curve(hist):
    """(how many are slower, latency in ms): as far as so many were measured."""
    points = [(1 - q, results.quantile_ns(hist, q) / 1e6) for q in QUANTILES if hist['count'] * (1 - q) >= 1]
    return points or [(1.0, hist['max_ns'] / 1e6)]


def percentiles(hists, about):
    """hists: by server. One SVG; its ids are made its own, as several stand in one page."""
    pyplot.rcParams.update({'svg.fonttype': 'none', 'svg.hashsalt': about, 'font.size': 8})
    figure, axes = pyplot.subplots(figsize=(4.6, 2.6), layout='constrained')
    for name, hist in hists.items():
        points = curve(hist)
        axes.plot([p[0] for p in points], [p[1] for p in points], label=name, color=COLORS.get(name), linewidth=1.2, marker='.',
                  markersize=2)
    axes.set_xscale('log')
    axes.set_yscale('log')
    axes.invert_xaxis()
    axes.set_xticks([1 - at for at, _ in TICKS], [text for _, text in TICKS])
    axes.minorticks_off()
    axes.set_ylabel('ms')
    axes.set_title(about, fontsize=8)
    axes.grid(True, linewidth=0.3)
    axes.legend(fontsize=7)
    out = io.StringIO()
    figure.savefig(out, format='svg', metadata={'Date': None})
    pyplot.close(figure)
    text = out.getvalue()
    own = re.sub(r'\W', '', about) + '-'
    text = re.sub(r'\bid="', f'id="{own}', text)
    text = re.sub(r'(href="#|url\(#)', rf'\g<1>{own}', text)
    return text[text.index('<svg'):]
