"""The page of an examination, and its lines on the terminal."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.command import command_line
from amlnn.console import say
from amlnn.data.prepare.kinds import KINDS
from amlnn.doctor.examine import Examination
from amlnn.doctor.findings import REASONS, Finding, table_text
from amlnn.report.blocks import Block, Facts, Gallery, Heading, Table, Text, Tile
from amlnn.report.classification import share_text, thumbnail_jpeg
from amlnn.report.findings import Chapter, write_findings

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['TABLE', 'print_examination', 'write_examination']

TABLE = 'fixes.csv'
"""The table's name, beside the page."""

_SHOWN = 60  # images of a reason on the page; the table has all
_ROWS = 30
_SIDE = 160
_FIRST = 10  # on the terminal

_SAY = {
    'damaged': 'Damaged images',
    'same-image': 'The same images',
    'near-duplicate': 'Nearly the same images',
    'mislabelled': 'Suspect labels',
    'outlier': 'Outliers',
}


def write_examination(examined: Examination, out: Path | str) -> Path:
    """Write the page and the table of an examination into a folder; the path of the page.

    Raises:
        DataError: the folder cannot be written, or its table was edited.
    """
    files = examined.files
    counted = f'{len(files.images):,} images of {len(files.classes):,} classes'
    return write_findings(out, f'Findings in {files.root.name or files.root}', counted,
                          list(_chapters(examined, Path(out))),
                          {TABLE: table_text(examined.findings)})


def _chapters(examined: Examination, out: Path) -> Iterator[Chapter]:
    yield Chapter('What to do', [*_summary(examined, out)], 'summary')
    yield Chapter('Files', [*_files(examined)], 'files')
    for reason, title in _SAY.items():
        found = [each for each in examined.findings if each.reason == reason]
        if reason == 'damaged' and not found:
            continue
        yield Chapter(f'{title}: {len(found):,}', [*_images(examined, reason, found)], reason)
    yield Chapter('Classes that are not told apart', [*_pairs(examined)], 'pairs')
    yield Chapter('Shortcuts', [*_shortcuts(examined)], 'shortcuts')


def _summary(examined: Examination, out: Path) -> Iterator[Block]:
    judged, files, count = examined.judged, examined.files, Counter(
        each.reason for each in examined.findings)
    yield Table(['found', 'what it is', 'images'],
                [[reason, said, f'{count[reason]:,}'] for reason, said in REASONS.items()], 2)
    yield Text(f'Look through the images below and open {TABLE} beside this page. A row with a '
               'class in the column suggestion gives the image that class; one whose suggestion is '
               'empty leaves the image out; change it as you see fit. A row that you delete does '
               'nothing: delete those of images that are right as they are. No image file is '
               'touched. Then:')
    source = 'SRC' if files.prepared else shlex.quote(str(files.root))
    line = f'{command_line("preprocess")} {source} DST --fixes {shlex.quote(str(out / TABLE))}'
    facts = [('apply', line)]
    if files.prepared:
        facts.append(('SRC', 'the folder that this data set was made of; with the options that it '
                             'was made with'))
    facts += [('folder', str(files.root)), ('looked at by', examined.config),
              ('labels found', f'{100 * judged.accuracy:.1f} % of the images have the label that '
                               'the features of the others suggest (95 % interval '
                               f'{100 * judged.low:.1f} to {100 * judged.high:.1f})'),
              ('seconds', ', '.join(f'{name} {value:.1f}' for name, value
                                    in examined.seconds.items()))]
    yield Facts(facts, frozenset({'apply', 'folder', 'looked at by'}))
    for note in examined.notes:
        yield Text(note, 'quiet')


def _files(examined: Examination) -> Iterator[Block]:
    problems, root = examined.files.problems, shlex.quote(str(examined.files.root))
    if not problems:
        yield Text('Nothing is odd about any file.')
        return
    by_kind = {kind: [each for each in problems if each.kind == kind] for kind in KINDS}
    yield Table(['found', 'first', 'files'], [
        [KINDS[kind], _first(found[0].path, found[0].detail), f'{len(found):,}']
        for kind, found in by_kind.items() if found], 2)
    yield Text(f'All of them: {command_line("preprocess")} --check {root}', 'quiet')


def _first(path: str, detail: str) -> str:
    return f'{path} ({detail})' if detail else path


def _images(examined: Examination, reason: str, found: Sequence[Finding]) -> Iterator[Block]:
    if not found:
        yield Text('None.')
        return
    if reason == 'damaged':
        kinds = {each.path: KINDS[each.kind] for each in examined.files.problems
                 if each.action == 'left out'}
        yield Table(['image', 'why'], [[each.id, kinds.get(each.id, '')]
                                       for each in found[:_ROWS]], 2)
    else:
        yield Text(_EXPLAIN[reason], 'quiet')
        yield Gallery(f'{_SAY[reason]}: {min(len(found), _SHOWN)} of {len(found)}',
                      [_tile(examined, each) for each in found[:_SHOWN]])
    if len(found) > (_ROWS if reason == 'damaged' else _SHOWN):
        yield Text(f'All {len(found):,} are in {TABLE}.', 'quiet')


_EXPLAIN = {
    'same-image': 'The first one stays, the second is left out. Of copies with several labels the '
                  'one stays whose label fits best.',
    'near-duplicate': 'The first one stays, the second is left out. Found by their pixels, as '
                      'saved again or resized, or by their features, as cropped or mirrored.',
    'mislabelled': 'The class that fits best, and the probability that the label is wrong, by '
                   'features alone: photographs that are hard to tell are named too. No image was '
                   'judged by itself or by a copy.',
    'outlier': 'Far from all others of their class, or of no class at all.',
}


def _tile(examined: Examination, finding: Finding) -> Tile:
    names = [finding.other, finding.id] if finding.other else [finding.id]
    root = examined.files.root
    said = {'mislabelled': finding.suggestion, 'outlier': 'unlike its class'}.get(
        finding.reason, 'apart' if finding.apart else 'copy')
    return Tile(names, [thumbnail_jpeg(name, root, _SIDE) or '' for name in names], said,
                share_text(finding.score), f'label: {finding.label}')


def _pairs(examined: Examination) -> Iterator[Block]:
    pairs, names = examined.judged.pairs, examined.files.classes
    if not pairs:
        yield Text('All classes are told apart better than by chance.')
        return
    yield Text('Of an image of one of the two, the share of which the features say rightly which; '
               'by chance it is 50 %. Such classes may be one, or their labels mixed up.')
    yield Table(['class', 'and', 'told apart', '95 % interval'], [
        [names[each.one], names[each.other], f'{100 * each.share:.1f} %',
         f'{100 * each.low:.1f} to {100 * each.high:.1f}'] for each in pairs[:_ROWS]], 2)


def _shortcuts(examined: Examination) -> Iterator[Block]:
    names = examined.files.classes
    if not examined.shortcuts:
        yield Text('Neither size nor type of a file, nor border nor brightness of an image, tells '
                   'its class better than chance.')
        return
    yield Text('How many images a classification tree gets right that knows this fact alone, and '
               'was grown on other images. A network may learn it in the place of the class.')
    yield Table(['fact', 'told best', 'right', '95 % interval', 'by chance'], [
        [each.fact, ', '.join(f'{names[label]} ({100 * found:.0f} % found, {100 * right:.0f} % '
                              'right)' for label, found, right in each.told),
         f'{100 * each.accuracy:.1f} %', f'{100 * each.low:.1f} to {100 * each.high:.1f}',
         f'{100 * each.chance:.1f} %'] for each in examined.shortcuts], 2)
    yield Heading('What helps')
    yield Text('Crop borders away, save all images in one type and size, and take images of every '
               'class under the same light.')


def print_examination(examined: Examination, page: Path, console: 'Console') -> None:
    """Print what was found, the surest first, and where all of it is."""
    from rich.table import Table as Lines
    from rich.text import Text as Words
    count = Counter(each.reason for each in examined.findings)
    table = Lines('found', 'what it is', title='Findings', title_justify='left')
    table.add_column('images', justify='right')
    for reason, said in REASONS.items():
        table.add_row(reason, said, f'{count[reason]:,}')
    console.print(table)
    suspects = [each for each in examined.findings if each.reason == 'mislabelled'][:_FIRST]
    if suspects:
        lines = Lines('image', 'label', 'suggestion', title='The most suspect labels',
                      title_justify='left')
        lines.add_column('sure', justify='right')
        for each in suspects:
            lines.add_row(Words(each.id, overflow='fold'), Words(each.label),
                          Words(each.suggestion), share_text(each.score))
        console.print(lines)
    names = examined.files.classes
    for pair in examined.judged.pairs[:_FIRST]:
        say(console, f'not told apart: {names[pair.one]} and {names[pair.other]} '
                     f'({100 * pair.share:.1f} %, interval {100 * pair.low:.1f} to '
                     f'{100 * pair.high:.1f}, chance 50)')
    for found in examined.shortcuts:
        say(console, f'shortcut: {found.fact} alone tells {100 * found.accuracy:.1f} % of the '
                     f'images (interval {100 * found.low:.1f} to {100 * found.high:.1f}, chance '
                     f'{100 * found.chance:.1f})')
    problems = len(examined.files.problems)
    say(console, f'{problems:,} findings in files, which the page lists' if problems
        else 'nothing is odd about any file')
    for note in examined.notes:
        say(console, note, 'note')
    spent = ', '.join(f'{name} {value:.1f}' for name, value in examined.seconds.items())
    say(console, f'{len(examined.files.images):,} images, {examined.computed:,} of them computed; '
                 f'seconds: {spent}')
    say(console, f'page: {page}')
    say(console, f'table to go through, for --fixes: {page.parent / TABLE}')
