"""A page of what a training is given: one HTML file that needs nothing else, and Markdown."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from amlnn import __version__
from amlnn.browsed import Browsed, ClassShare, Given, PartWork, RateCourse, TrainingTime
from amlnn.report.blocks import (
    Block,
    Fold,
    ImageRows,
    RowImage,
    Table,
    Text,
    picture,
    pictures_in,
)
from amlnn.report.browse_figures import draw_gallery, draw_rates, draw_windows
from amlnn.report.classification import pixels_jpeg, smaller
from amlnn.report.columns import count, seconds_text
from amlnn.report.letters import noted_letters, unseen_note
from amlnn.report.report_folder import new_report
from amlnn.report.tables import escape_markdown, plain_markdown
from amlnn.report.template import render

__all__ = ['write_browse_page']

_SIDE = 160  # pixels of an image on the page, at most
_CLASSES = 40  # in a table that is open


@dataclass
class _Section:
    """A part of the page."""

    anchor: str
    title: str
    blocks: list[Block] = field(default_factory=list)
    status: str = ''


def write_browse_page(browsed: Browsed, out: Path | str) -> Path:
    """Write `index.html`, `browse.md` and their figures; the path of the page.

    Args:
        browsed: What was found out.
        out: A folder that does not exist, is empty, or holds an earlier page.

    Raises:
        DataError: the folder holds something else, or cannot be written.
    """
    with new_report(Path(out)) as new, noted_letters() as noted:
        sections = [each for each in _sections(browsed, new) if each.blocks]
        stamp = datetime.now(UTC).strftime('%Y-%m-%d %H:%M UTC')
        title = f'{browsed.config}: what the network is given'
        made = f'{browsed.described}; made {stamp} with amlnn {__version__}'
        unseen = unseen_note(noted)
        page = render('page.html.j2', title=title, counted=made, unseen=unseen, parts=[],
                      sections=sections)
        text = _markdown(title, [made, *([unseen] if unseen else [])], sections)
        (new / 'index.html').write_text(page, encoding='utf-8', errors='backslashreplace')
        (new / 'browse.md').write_text(text, encoding='utf-8', errors='backslashreplace')
    return Path(out) / 'index.html'


def _sections(browsed: Browsed, folder: Path) -> Iterator[_Section]:
    given = browsed.given
    yield _Section('views', 'Views of images', _views(given, folder))
    yield _Section('windows', 'Windows', _windows(given, folder))
    yield _Section('mixed', 'Images of a batch, mixed', _mixed(given, folder))
    yield _Section('classes', 'Classes', _classes(given))
    yield _Section('rates', 'Learning rates', _rates(browsed.rates, folder))
    yield _Section('parts', 'Parameters and multiplications', _parts(browsed))
    yield _Section('time', 'Time', _time(browsed.time))
    yield _Section('notes', 'Notes', [Text(note) for note in [*browsed.notes, *given.notes]])


def _views(given: Given, folder: Path) -> list[Block]:
    if not given.images:
        return []
    rows = [(f'{each.name}: {each.label}',
             [*([] if each.original is None else [('as it is stored', each.original)]),
              *((f'view {place}', pixels) for place, pixels in enumerate(each.views, start=1))])
            for each in given.images]
    said = 'First as it is stored, then as the network is given it in the first epochs: behind ' \
        'the pipeline and the data preprocessor, brought back to pixels.'
    return [Text(said), _gallery(rows, folder / 'views.png', 'Training images and their views')]


def _mixed(given: Given, folder: Path) -> list[Block]:
    if not given.mixed:
        return []
    rows = [(each.label, [(each.label, each.pixels)]) for each in given.mixed]
    return [Text('The first images of the first batch, behind its augmentations, with the classes '
                 'that they count for.'),
            _gallery(rows, folder / 'mixed.png', 'Mixed images of a batch')]


def _gallery(rows: Sequence[tuple[str, Sequence[tuple[str, np.ndarray]]]], path: Path,
             alt: str) -> ImageRows:
    draw_gallery([(words, [(name, np.asarray(smaller(pixels, _SIDE))) for name, pixels in images])
                  for words, images in rows], path)
    return ImageRows(path.name, alt, [
        (words, [RowImage(name, pixels_jpeg(pixels, _SIDE)) for name, pixels in images])
        for words, images in rows])


def _windows(given: Given, folder: Path) -> list[Block]:
    if not given.windows:
        return []
    said = 'In scaled units: the past that the network reads, and the future that it is to say.'
    if any(window.tilted for window in given.windows):
        said += ' Thin lines: as a training step sees them, tilted at random.'
    shown: Block = picture(folder / 'windows.png', partial(draw_windows, given.windows),
                           f'{len(given.windows)} training windows')
    return [Text(said), shown]


def _classes(given: Given) -> list[Block]:
    if not given.classes:
        return []
    total = sum(each.epoch for each in given.classes)
    head = ['class', 'training part', 'share', 'first epoch', 'share in it', 'first batch',
            'expected in it']
    images = sum(each.part for each in given.classes)
    table = Table(head, [_class_row(each, images, total, given.batch_size)
                         for each in given.classes])
    drawn = sorted({min(each.epoch for each in given.classes),
                    max(each.epoch for each in given.classes)})
    said = f'{count(images)} images of {len(given.classes)} classes; the first epoch draws ' \
        f'{" to ".join(map(count, drawn))} of each, in batches of {given.batch_size}.'
    if len(given.classes) > _CLASSES:
        return [Text(said), Fold('Every class', table)]
    return [Text(said), table]


def _class_row(each: ClassShare, images: int, drawn: int, batch: int) -> list[str]:
    share = each.epoch / max(drawn, 1)
    return [each.name, count(each.part), f'{100 * each.part / max(images, 1):.1f} %',
            count(each.epoch), f'{100 * share:.1f} %', count(each.batch), f'{batch * share:.1f}']


def _rates(courses: Sequence[RateCourse], folder: Path) -> list[Block]:
    if not courses:
        return []
    rows = [[each.name, count(each.parameters),
             ', '.join(f'{decay:g}' for decay in each.weight_decays), f'{each.rates[0]:.3g}',
             f'{each.rates.max():.3g}', f'{each.rates[-1]:.3g}'] for each in courses]
    shown: Block = picture(folder / 'rates.png', partial(draw_rates, courses),
                           f'Learning rate by epoch of {len(courses)} groups of parameters')
    return [Text('What has the same rate all the time stands in one row; what is frozen has none.'),
            shown, Table(['parts', 'parameters', 'weight decay', 'first rate', 'highest',
                          'last'], rows)]


def _parts(browsed: Browsed) -> list[Block]:
    parts: Sequence[PartWork] = browsed.parts
    parameters, work = (sum(getattr(each, name) for each in parts)
                        for name in ('parameters', 'multiplications'))
    rows = [[each.name, 'frozen' if each.frozen and each.parameters else '',
             count(each.trainable), count(each.parameters), count(each.multiplications),
             f'{100 * each.multiplications / max(work, 1):.1f} %'] for each in parts]
    trainable = sum(each.trainable for each in parts)
    rows.append(['all', '', count(trainable), count(parameters), count(work), ''])
    return [Text(f'Multiplications for one of the {browsed.samples}, forward, in convolutions, '
                 'dense and recurrent layers.'),
            Table(['part', '', 'trainable', 'parameters', 'multiplications', 'share'], rows,
                  text_columns=2)]


def _time(spent: TrainingTime | None) -> list[Block]:
    if spent is None:
        return [Text('The model is fitted at once, without epochs.')]
    workers = f'{spent.workers} workers, meanwhile' if spent.workers else 'in the same process'
    rows = [(f'loading an epoch ({workers})', spent.loading)]
    rows += [('frozen stages, once a view', spent.frozen)] if spent.frozen else []
    rows += [('the steps', spent.rest), ('training an epoch', spent.training)]
    if spent.later is not None:
        rows.append((f'the same behind the first {spent.views}, whose features are read',
                     spent.later))
    if spent.validation is not None:
        rows.append(('validating', spent.validation))
        if spent.validation_later != spent.validation:
            rows.append(('validating again, from features', spent.validation_later))
    rows.append((f'{spent.epochs} epochs', spent.whole))
    return [Text('Expected on this machine, from a few batches.'),
            Table(['', 'seconds'], [[name, seconds_text(value)] for name, value in rows])]


def _markdown(title: str, said: Sequence[str], sections: Sequence[_Section]) -> str:
    lines = [f'# {escape_markdown(title)}', '', *(escape_markdown(line) for line in said), '']
    for section in sections:
        lines += [f'## {escape_markdown(section.title)}', '']
        for block in section.blocks:
            lines += [*_block_markdown(block), '']
    return '\n'.join(lines).rstrip() + '\n'


def _block_markdown(block: Block) -> Iterator[str]:
    if isinstance(block, Text):
        yield escape_markdown(block.text)
    elif isinstance(block, Fold):
        yield plain_markdown(block.table.head, block.table.rows, block.table.text_columns)
    elif isinstance(block, Table):
        yield plain_markdown(block.head, block.rows, block.text_columns)
    for shown in pictures_in([block]):
        yield f'![{escape_markdown(shown.alt)}]({shown.file})'
