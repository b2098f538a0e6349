"""A figure as an element of the page: SVG in the page's own colours, its texts as text."""

import io
import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from amlnn.report.canvas import PAGE_COLOURS, any_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ['inline_svg']

_SVG, _XLINK = '{http://www.w3.org/2000/svg}', '{http://www.w3.org/1999/xlink}'
_DPI = 144  # of what is drawn as an image inside: the cells of a large matrix
_PIXELS_PER_POINT = 100 / 72  # a figure's inch is a hundred pixels of the page
_COLOUR = re.compile('#[0-9a-f]{6}')
_REFERENCE = re.compile(r'url\(#([^)]+)\)')
_FONT = re.compile(r'font: (?:([a-z0-9]+) )?([\d.]+px) [^;]+')  # as matplotlib before 3.10 has it
_FAMILY = re.compile(r'font-family: [^;]+;? ?')
_DIGITS = re.compile(r'\d+\.\d{3,}')  # hundredths of a point are enough


def inline_svg(figure: 'Figure', name: str) -> str:
    """Return a figure as an `<svg>` element, safe to stand in a page as it is.

    Every text of it is escaped, every id begins with `name`, and each colour of the palette is a
    variable of the page's style sheet. The same figure gives the same text.

    Args:
        figure: Drawn already; it keeps its colours.
        name: Different for each figure of a page; letters, digits and `_.-`.
    """
    from matplotlib import rc_context
    written = io.BytesIO()
    with rc_context({'svg.fonttype': 'none', 'svg.hashsalt': name}), any_name(figure):
        figure.savefig(written, format='svg', dpi=_DPI, facecolor='none',
                       metadata={'Date': None})
    root = ElementTree.fromstring(written.getvalue())
    for gone in ('metadata', 'defs'):
        for element in root.findall(f'{_SVG}{gone}'):
            if gone == 'metadata' or element.find(f'{_SVG}style') is not None:
                root.remove(element)
    _drop_invisible(root)
    _shorten_ids(root, name)
    for element in root.iter():
        _plain(element)
    width, height = (float(size) for size in root.attrib.pop('viewBox').split()[2:])
    root.attrib.clear()
    root.attrib |= {'viewBox': f'0 0 {width:g} {height:g}',
                    'width': f'{width * _PIXELS_PER_POINT:.0f}',
                    'height': f'{height * _PIXELS_PER_POINT:.0f}', 'aria-hidden': 'true'}
    return ElementTree.tostring(root, encoding='unicode')


def _drop_invisible(parent: ElementTree.Element) -> None:
    """Remove what only makes room: texts of no opacity."""
    for child in list(parent):
        _drop_invisible(child)
        if re.search(r'(?:^|; )opacity: 0(?:;|$)', child.get('style', '')):
            parent.remove(child)


def _shorten_ids(root: ElementTree.Element, name: str) -> None:
    """Give ids that something refers to short names of this figure's own; the rest go."""
    used: dict[str, str] = {}
    for element in root.iter():
        for key, value in element.attrib.items():
            found = _REFERENCE.findall(value) if key != f'{_XLINK}href' else \
                [value[1:]] if value.startswith('#') else []
            for each in found:
                used.setdefault(each, f'{name}-{len(used) + 1}')
    for element in root.iter():
        for key, value in list(element.attrib.items()):
            if key == 'id':
                del element.attrib['id']
                if value in used:
                    element.set('id', used[value])
            elif key == f'{_XLINK}href':
                del element.attrib[key]
                element.set('href', f'#{used[value[1:]]}' if value.startswith('#') else value)
            else:
                element.set(key, _REFERENCE.sub(lambda match: f'url(#{used[match[1]]})', value))


def _plain(element: ElementTree.Element) -> None:
    """No namespace, variables for colours, and the page's font in the figure's size."""
    element.tag = element.tag.removeprefix(_SVG)
    if element.text is not None and not element.text.strip():
        element.text = None
    if element.tail is not None and not element.tail.strip():
        element.tail = '\n'
    if style := element.get('style'):
        style = _FONT.sub(lambda match: f'font-size: {match[2]}'
                          + (f'; font-weight: {match[1]}' if match[1] else ''), style)
        element.set('style', _COLOUR.sub(_variable, _FAMILY.sub('', style)))
    for key in ('d', 'x', 'y'):
        if key in element.attrib:
            short = _DIGITS.sub(lambda match: f'{float(match[0]):.2f}', element.get(key))
            element.set(key, ' '.join(short.split()))
    if 'href' in element.attrib:
        element.set('href', ''.join(element.get('href').split()))


def _variable(match: re.Match) -> str:
    name = PAGE_COLOURS.get(match[0])
    return f'var(--{name})' if name else match[0]
