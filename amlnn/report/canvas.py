"""What every figure shares: the palette, the axes' look, and how a figure becomes a file.

Figures are made from `matplotlib.figure.Figure`, never pyplot: no backend is chosen, no global
state is changed, and a training run may draw while a notebook holds figures of its own.
matplotlib is imported when a figure is made, so that commands answer `--help` quickly.
"""

import math
import re
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.atomic import replacing
from amlnn.report.letters import families, spelled_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ['AXIS', 'BANDS', 'COLOURS', 'GRID', 'INK', 'MUTED', 'NARROW', 'PAGE_COLOURS', 'PALE',
           'QUIET_LINE', 'TILE', 'WRONG', 'any_name', 'fit_scale', 'heading', 'new_figure',
           'plain_number', 'save', 'shorten', 'style_axes', 'whole_epochs']

# Okabe and Ito's palette, distinguishable with every common colour blindness; yellow left out, it
# does not show on white. https://jfly.uni-koeln.de/color/
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#6B4C9A', '#444444')
INK = '#1f2933'
MUTED = '#66727f'
GRID = '#e4e8ec'
AXIS = '#b6bec7'
PALE = '#9ecae8'  # bars behind points
BANDS = ('#fbdcc4', '#f6b98d')  # intervals, the widest first
QUIET_LINE = '#9aa7b4'
WRONG = '#b00020'
TILE = '#f4f6f8'

# What each colour is called in page.css, where it has a second value for dark pages.
PAGE_COLOURS = {
    **{colour.lower(): f'line-{place}' for place, colour in enumerate(COLOURS, start=1)},
    '#ffffff': 'paper', INK: 'ink', MUTED: 'figure-muted', GRID: 'grid', AXIS: 'axis', PALE: 'pale',
    **{colour: f'band-{place}' for place, colour in enumerate(BANDS, start=1)},
    QUIET_LINE: 'quiet-line', WRONG: 'wrong', TILE: 'tile'}

NARROW = 3.7
"""Inches: the width of the second drawing of a figure, in which panels stand below one another."""

_DPI = 150
_LOG_ABOVE = 50.0  # largest over smallest value from which a linear axis hides the small ones

# What no font has and no SVG may hold: controls, halves of surrogate pairs, non-characters.
_UNPRINTABLE = re.compile('[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]')


def new_figure(width: float, height: float) -> 'Figure':
    """Return an empty white figure.

    Args:
        width: In inches.
        height: In inches.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08, wspace=0.04, hspace=0.04)
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor='white', layout=layout)
    FigureCanvasAgg(figure)
    return figure


def heading(figure: 'Figure', title: str, subtitle: str = '') -> None:
    """Put a title, and a quieter line below it, at the top left of the figure."""
    from matplotlib.transforms import ScaledTranslation
    # One invisible suptitle makes the layout engine leave room; the visible lines lie over it.
    width_pt = figure.get_figwidth() * 72
    titles = _heading_lines(title, width_pt / 7.5, figure)
    subtitles = _heading_lines(subtitle, width_pt / 5.2, figure)
    figure.suptitle('\n'.join(['Ag'] * len(titles + subtitles)), fontsize=12, alpha=0,
                    linespacing=1.15)
    down = 8
    for lines, size, weight, colour, step in ((titles, 12, 'bold', INK, 17),
                                              (subtitles, 9, 'normal', MUTED, 13)):
        for text in lines:
            offset = ScaledTranslation(9 / 72, -down / 72, figure.dpi_scale_trans)
            figure.text(0, 1, text, fontsize=size, fontweight=weight, color=colour, ha='left',
                        va='top', transform=figure.transFigure + offset)
            down += step


def _heading_lines(text: str, letters: float, figure: 'Figure') -> list[str]:
    """One line, cut to fit; of a narrow figure as many as it takes."""
    if figure.get_figwidth() > NARROW:
        return [shorten(text, int(letters))] if text else []
    return textwrap.wrap(shorten(text, 200), int(0.88 * letters))  # wide letters find room too


def style_axes(axes: 'Axes', title: str = '', xlabel: str = '', ylabel: str = '',
               grid: str = 'both') -> None:
    """Give axes the common look: no box, a light grid behind the data, small quiet labels.

    Args:
        grid: 'both', 'x', 'y' or 'none'.
    """
    for side in ('top', 'right'):
        axes.spines[side].set_visible(False)
    for side in ('left', 'bottom'):
        axes.spines[side].set_color(AXIS)
    axes.tick_params(colors=MUTED, labelsize=8.5, length=3, color=AXIS, which='both')
    axes.set_axisbelow(True)
    if grid != 'none':
        axes.grid(True, axis=grid, color=GRID, linewidth=0.8)
    axes.set_title(title, loc='left', fontsize=10, color=INK, pad=8)
    axes.set_xlabel(xlabel, fontsize=9, color=MUTED)
    axes.set_ylabel(ylabel, fontsize=9, color=MUTED)


def whole_epochs(axes: 'Axes', last: int) -> None:
    """Give the x axis whole epochs from 1 to `last`, also where there is only one."""
    from matplotlib.ticker import MaxNLocator
    # Under one epoch, so that no tick stands where no epoch is.
    margin = 0.5 if last <= 1 else min(max(0.03 * (last - 1), 0.1), 0.9)
    axes.set_xlim(1 - margin, max(last, 1) + margin)
    if last <= 6:
        axes.set_xticks(range(1, max(last, 1) + 1))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=2))


def fit_scale(axes: 'Axes', values: Iterable[float | None]) -> None:
    """Make the y axis logarithmic if the values span too much, with plain numbers on it.

    Args:
        axes: Where they are drawn.
        values: All of them; those that are not finite do not count.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
    values = [value for value in values if value is not None and math.isfinite(value)]
    if values and min(values) > 0 and max(values) / min(values) > _LOG_ABOVE:
        axes.set_yscale('log')
        decades = math.log10(max(values) / min(values))
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2.5 else (1.0, 3.0)))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.tick_params(which='minor', length=0)
    else:
        axes.locator_params(axis='y', nbins=6)
    axes.yaxis.set_major_formatter(FuncFormatter(plain_number))


def plain_number(value: float, _position: int | None = None) -> str:
    """A tick's number, short.

    >>> plain_number(0.25), plain_number(0.00003), plain_number(150000), plain_number(1234567890)
    ('0.25', '3e-5', '1.5e5', '1.23456789e9')
    """
    if value and not 1e-4 <= abs(value) < 1e5:
        mantissa, exponent = f'{value:.11e}'.split('e')
        return f'{mantissa.rstrip("0").rstrip(".")}e{int(exponent)}'
    return f'{value:.10g}'


def shorten(text: str, longest: int) -> str:
    """Cut `text` in the middle to at most `longest` characters: both ends tell names apart.

    >>> shorten('resnet50_frozen3', 9)
    'resn…zen3'
    """
    text = _printable(text)
    if len(text) <= longest:
        return text
    tail = max((longest - 1) // 2, 1)
    return text[:max(longest - 1 - tail, 1)] + '…' + text[-tail:]


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub('\N{REPLACEMENT CHARACTER}', text)


def save(figure: 'Figure', path: Path | str | None, dpi: int = _DPI) -> None:
    """Write the figure as PNG, whole or not at all; without a path nothing is written."""
    if path is None:
        return
    with any_name(figure, spelled_out), replacing(path) as temporary:
        figure.savefig(temporary, format='png', dpi=dpi)


@contextmanager
def any_name(figure: 'Figure', spell: Callable[[str], str] = str) -> Iterator[None]:
    """Let the figure's texts hold any name while it is measured or drawn.

    Args:
        figure: Its texts are what they were, afterwards.
        spell: What is drawn in place of a text.
    """
    from matplotlib.text import Text
    # Texts of ticks are written anew whenever the figure is drawn: there the formatter is asked.
    formatters = {axis.get_major_formatter(): axis.get_majorticklabels()
                  for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)}
    texts = [(text, _printable(text.get_text())) for text in figure.findobj(Text)]
    fonts = families(''.join(said for _, said in texts))
    for text, said in texts:
        text.set_parse_math(False)  # a name may hold a dollar sign
        text.set_text(spell(said))
        text.set_fontfamily(fonts)
    for formatter in formatters:
        formatter.format_ticks = _spelling(formatter.format_ticks, spell)
    with warnings.catch_warnings():
        # What is drawn as text needs no font here.
        warnings.filterwarnings('ignore', message='.*[Gg]lyph.*missing')
        warnings.filterwarnings('ignore', message='.*Matplotlib currently does not support.*')
        try:
            yield
        finally:
            for formatter in formatters:
                del formatter.format_ticks  # the class's own is seen again
            for text, said in texts:
                text.set_text(said)


def _spelling(format_ticks: Callable[..., list[str]], spell: Callable[[str], str]) \
        -> Callable[..., list[str]]:
    return lambda values: [spell(_printable(label)) for label in format_ticks(values)]
