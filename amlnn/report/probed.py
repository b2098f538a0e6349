"""A probe's tables, for the terminal and as a page with figures and `probe.json`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.report.blocks import Table, picture
from amlnn.report.letters import noted_letters, unseen_note
from amlnn.report.parts import Part, table_part, write_parts
from amlnn.report.probe_figures import draw_map, draw_shots
from amlnn.report.report_folder import new_report
from amlnn.report.tables import titled_table
from amlnn.results.probed import CurvePoint, Probed, chosen_cell

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table as RichTable

__all__ = ['probe_tables', 'write_probe']

_CHOICE = 'Chosen is the cheapest place that is not worse than the best by more than one ' \
    'standard error of their difference on the same images.'
_EXPECTED = 'Accuracy of the map: a ridge probe on all that the open part is given or computes ' \
    'with the weights as they come, the outputs of its stages together, so without any ' \
    'fine-tuning. It ranks places; trainings may come out higher, or, overfitted, lower.'
_SECONDS = 'Seconds of the map: of a whole training with the epochs of the config, from steps ' \
    'timed on this machine; without the check before a run and the checkpoints.'
_INTERVALS = "In parentheses: 95 % interval (Wilson's) over the choice of images."
_BOTH = 'The validation part chose k and C and judges too, for the data have no test part: ' \
    'these accuracies are a little too high. What is chosen by leave-one-out is not.'
_CURVES = 'Of draws with fewer images every class has as many, and so it is with more: the curve ' \
    'says what twice the images of all classes would bring to each. Its band holds the chance of ' \
    'the draws and of the images that judge, not that of a law which does not go on.'


@dataclass(frozen=True)
class _Shown:
    """A table of the page, with what belongs to it."""

    title: str
    table: Table
    notes: Sequence[str] = ()
    figure: tuple[str, Callable[..., 'Figure'], str] | None = None
    """File, what draws it, and what it shows."""


def probe_tables(probed: Sequence[Probed]) -> list['RichTable']:
    """The tables for `rich.console.Console.print`."""
    return [titled_table(shown.title, shown.table.head, shown.table.rows, shown.table.text_columns)
            for shown in _shown(probed)]


def _shown(probed: Sequence[Probed]) -> list[_Shown]:
    """What there is something to say of."""
    chosen = chosen_cell(probed)
    both = [_BOTH] if any(each.chose_and_judged for each in probed) else []
    notes = [f'{each.name}: {note}' for each in probed for note in each.notes]
    found = [
        _Shown(_heading('What the features are worth', probed), _methods(probed),
               [_INTERVALS, *both, *notes]),
        _Shown('With few images of each class', _shots(probed), figure=(
            'images.png', partial(draw_shots, probed),
            'Accuracy by training images of each class, measured and fitted')),
        _Shown('What twice the images would bring', _gains(probed), [_CURVES]),
        _Shown('Stage by stage', _stages(probed)),
        _Shown('How many stages to freeze', _map(probed), [_EXPECTED, _SECONDS, _CHOICE],
               None if chosen is None else (
                   'map.png', partial(draw_map, probed, chosen[1]), 'Accuracy to expect against '
                   'seconds of training, by the number of frozen stages'))]
    return [shown for shown in found if shown.table.rows]


def _heading(title: str, probed: Sequence[Probed]) -> str:
    parts = {f'{each.images[each.judged_on]:,} images of `{each.judged_on}`' for each in probed}
    return f'{title}: top-1 accuracy on {" and ".join(sorted(parts))}'


def _methods(probed: Sequence[Probed]) -> Table:
    rows = []
    for each in probed:
        for row in each.rows:
            rows.append([each.name, row.method, row.choice, row.chosen_on, str(row.accuracy),
                         str(row.left_out or ''), str(row.on_val or ''), f'{row.seconds:.2f}'])
    head = ['config', 'method', 'choice', 'chosen on', 'accuracy', 'leave-one-out', 'val',
            'seconds']
    empty = [place for place in (5, 6) if not any(row[place] for row in rows)]
    kept = [place for place in range(len(head)) if place not in empty]
    return Table([head[place] for place in kept], [[row[place] for place in kept] for row in rows],
                 4)


def _shots(probed: Sequence[Probed]) -> Table:
    sizes = list(dict.fromkeys(shot.per_class for each in probed for shot in each.shots))
    sizes.sort(key=lambda size: size or 10 ** 9)
    rows = []
    for each in probed:
        known = {shot.per_class: shot for shot in each.shots}
        cells = [known.get(size) for size in sizes]
        rows.append([each.name, *('' if cell is None else f'{100 * cell.mean:.1f}' + (
            '' if cell.deviation is None else f' ± {100 * cell.deviation:.1f}')
            for cell in cells)])
    return Table(['config', *('all' if size is None else str(size) for size in sizes)],
                 rows if sizes else [])


def _gains(probed: Sequence[Probed]) -> Table:
    rows = []
    for each in probed:
        for gain in each.gains:
            rows.append([each.name, gain.name, f'{gain.images:,.4g}', f'{100 * gain.now:.1f}',
                         _point(gain.twice)])
    return Table(['config', 'class', 'images', 'right now', 'with twice the images'], rows, 2)


def _point(point: CurvePoint) -> str:
    return f'{100 * point.value:.1f} ({100 * point.low:.1f} to {100 * point.high:.1f})'


def _stages(probed: Sequence[Probed]) -> Table:
    rows = [[each.name, row.stage, f'{row.numbers:,}', str(row.accuracy), f'{row.logme:.4f}']
            for each in probed for row in each.stages]
    return Table(['config', 'after', 'numbers', 'accuracy of ridge', 'LogME'], rows, 2)


def _map(probed: Sequence[Probed]) -> Table:
    chosen = chosen_cell(probed)
    rows = []
    for each in probed:
        for cell in each.cells:
            mark = 'chosen' if chosen and cell is chosen[1] else ''
            rows.append([each.name, str(cell.frozen_stages), str(cell.accuracy),
                         '' if cell.seconds is None else f'{cell.seconds:,.0f}', mark])
    return Table(['config', 'frozen_stages', 'accuracy to expect', 'seconds of training', ''],
                 rows, 2)


def write_probe(probed: Sequence[Probed], out: Path) -> Path:
    """Write `index.html`, `report.md`, `probe.json` and the figures into a folder.

    Returns:
        The path of `index.html`.

    Raises:
        DataError: the folder holds something else or cannot be written.
    """
    with new_report(out) as new, noted_letters() as noted:
        parts = [_part(new, place, shown) for place, shown in enumerate(_shown(probed), 1)]
        write_parts(new, _title(probed), _counted(probed), unseen_note(noted), parts)
        lines = [each.as_json() for each in probed]
        (new / 'probe.json').write_text(json.dumps(
            [json.loads(line) for line in lines], ensure_ascii=False, indent=1) + '\n',
            encoding='utf-8', errors='backslashreplace')
    return out / 'index.html'


def _part(folder: Path, place: int, shown: _Shown) -> Part:
    pictures = []
    if shown.figure is not None:
        file, draw, alt = shown.figure
        pictures = [picture(folder / file, draw, alt)]
    return table_part(place, shown.title, shown.table, notes=shown.notes, pictures=pictures)


def _title(probed: Sequence[Probed]) -> str:
    names = probed[0].name if len(probed) == 1 else f'{len(probed)} configs'
    return f'What {names} would make of these images'


def _counted(probed: Sequence[Probed]) -> str:
    first = probed[0]
    counted = ', '.join(f'{count:,} {part}' for part, count in first.images.items())
    return f'{counted} images, {len(first.classes)} classes'
