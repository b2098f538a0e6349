"""Classifiers on the page: accuracies, confusions, calibration, worst mistakes."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.errors import DataError
from amlnn.formulas.proportions import wilson
from amlnn.report.blocks import (
    Block,
    Fold,
    Heading,
    Pair,
    Table,
    Text,
    Thumbnail,
    Thumbnails,
    picture,
)
from amlnn.report.classification import (
    draw_confusion,
    draw_mistakes,
    draw_reliability,
    has_image_files,
    share_text,
    thumbnail_jpeg,
)
from amlnn.report.columns import (
    UNKNOWN,
    Column,
    best_epoch_text,
    count,
    difference_text,
    epochs_text,
    frozen_text,
    interval_text,
    minus_interval_text,
    minus_text,
    number_text,
    recorded_text,
    seconds_text,
    value_text,
)
from amlnn.report.ensembles import ensemble_blocks
from amlnn.report.figures import metric_label
from amlnn.report.insight import insight_blocks
from amlnn.report.presented import Presented
from amlnn.report.sureness import fitted_on, sureness_blocks
from amlnn.results.classification import (
    ClassScore,
    Mistake,
    Tempered,
    class_scores,
    confusion_matrix,
    confusions,
    tempered,
    worst_mistakes,
)
from amlnn.results.store import Predictions, StoredRun

if TYPE_CHECKING:
    from amlnn.results.summary import Summary

__all__ = ['Classifiers']

_FURTHER = ('superclass/', 'present/')
_ALL_CLASSES_UP_TO = 30


class Classifiers(Presented):
    """Compared by accuracy, with intervals over the choice of images."""

    def columns(self, summary: 'Summary') -> list[Column]:
        """Parameters, accuracies, their intervals and differences, cost."""
        rows = summary.rows
        label = metric_label(summary.metric).removesuffix(' (%)').replace(' accuracy', '')
        samples = {row.samples for row in rows if row.value is not None}
        one_size = len(samples) == 1 and None not in samples
        where = f'{summary.split}, n={samples.copy().pop():,}' if one_size else summary.split
        finished = all(row.status == 'done' for row in rows)
        status = [] if finished else [Column('status', lambda row: row.status, right=False)]
        columns = [
            Column('configuration', lambda row: row.name, right=False),
            *status,
            Column('frozen', lambda row: frozen_text(row.record.frozen_stages), rank=5),
            Column('trainable', lambda row: count(row.record.trainable_parameters), rank=2),
            Column('total', lambda row: count(row.record.total_parameters), rank=7),
            Column(f'{label}\n({where})', lambda row: value_text(row, summary.metric)),
        ]
        if samples and not one_size:
            columns.append(Column('images', lambda row: count(row.samples), rank=6))
        if any(row.low is not None for row in rows):
            columns.append(Column('95 %\ninterval', interval_text, rank=3))
        columns += _further_accuracies(summary)
        if any(row.difference is not None for row in rows):
            columns += [
                Column(f'minus\n{summary.baseline.name}', lambda row: minus_text(row, summary)),
                Column('95 % interval of\nthe difference', minus_interval_text, rank=1)]
        if any(row.reported is not None for row in rows):
            columns.append(Column('reported', lambda row: UNKNOWN if row.reported is None
                                  else number_text(row.reported.value, summary.metric)))
        columns += [
            Column('seconds', lambda row: seconds_text(row.seconds), rank=4),
            Column('images/s', lambda row: UNKNOWN if row.samples_per_second is None
                   else f'{row.samples_per_second:,.0f}', rank=9),
            Column('epochs', epochs_text, rank=8),
            Column('best', best_epoch_text, rank=11),
            Column('seeds', lambda row: str(len(row.group.runs)), rank=10),
        ]
        return columns

    def heading(self, summary: 'Summary', tables: int) -> str:
        """Only where other tables stand beside this one."""
        return 'Classification' if tables > 1 else ''

    def finding(self, summary: 'Summary') -> str:
        """Which configurations differ clearly from the baseline."""
        label = metric_label(summary.metric).removesuffix(' (%)')
        compared = [row for row in summary.rows
                    if row.status == 'done' and row.difference is not None
                    and row.difference.low is not None]
        if not compared:
            return ''
        clear = [row for row in compared if row.difference.clear]
        name = summary.baseline.name
        if not clear:
            return (f'No configuration differs from {name} in {label} on {summary.split} by more '
                    'than the choice of images explains: every interval holds 0.')
        listed = ', '.join(f'{row.name} {difference_text(row.difference, summary.metric)}'
                           for row in clear)
        verb = 'differs' if len(clear) == 1 else 'differ'
        return (f'{len(clear)} of {len(compared)} {verb} from {name} in {label} on '
                f'{summary.split} by more than the choice of images explains: {listed}.')

    def details(self, run: StoredRun, title: str, split: str, stem: Path) -> list[Block]:
        """The members of a vote, confusions and calibration, scores by class, worst mistakes."""
        return [*ensemble_blocks(run), *_prediction_blocks(run, title, split, stem)]


def _prediction_blocks(run: StoredRun, title: str, split: str, stem: Path) -> list[Block]:
    split = next((name for name in (split, 'test', 'val') if run.has_predictions(name)), split)
    if not run.has_predictions(split):
        return [Text('No predictions are stored for this run: no confusion matrix, scores by '
                     'class, reliability or mistakes.', 'quiet')]
    try:
        predictions = run.predictions(split)
    except DataError as error:
        return [Text(error.message, 'error')]
    right, images = int(predictions.correct.sum()), len(predictions.ids)
    low, high = (100 * limit for limit in wilson(right / images, images))
    other = fitted_on(run, split)
    fitted = tempered(predictions, other)
    return [
        Heading(f'Predictions on {split}'),
        Text(f'{right:,} of {images:,} images right: {100 * right / images:.2f} % '
             f'(95 % interval {low:.2f} to {high:.2f}).'),
        _confusion_and_reliability(predictions, fitted, f'{title} on {split}', stem),
        *sureness_blocks(predictions, fitted, other, f'{title} on {split}', stem),
        Heading('Classes'), *_class_tables(class_scores(predictions),
                                           _facts_of(run, predictions.classes)),
        *_mistakes(worst_mistakes(predictions), _data_root(run, split),
                   f'{title} on {split}', stem),
        *insight_blocks(run.folder, split, predictions.classes, f'{title} on {split}', stem)]


def _confusion_and_reliability(predictions: Predictions, fitted: Tempered, what: str,
                               stem: Path) -> Pair:
    return Pair([
        picture(Path(f'{stem}_confusion.png'),
                partial(draw_confusion, confusion_matrix(predictions), predictions.classes),
                f'Confusion matrix of {what}', _confusions_text(predictions)),
        picture(Path(f'{stem}_reliability.png'),
                partial(draw_reliability, fitted.before, after=fitted.after),
                f'Reliability of {what}: expected calibration error '
                f'{100 * fitted.before.ece:.1f} points',
                'Bars: how often the class was right, by how sure the network was. Orange: the '
                'distance from what it claimed. Squares: as sure as a fitted temperature makes '
                'it.')])


def _confusions_text(predictions: Predictions) -> str:
    most = confusions(predictions, 3)
    if not most:
        return 'No mistake.'
    return 'Most often confused: ' + ', '.join(
        f'{true} taken for {taken} ({times:,})' for true, taken, times in most) + '.'


def _facts_of(run: StoredRun, classes: list[str]) -> dict[str, list[str]]:
    """Cells of the columns that the record has for each class."""
    record = run.record
    if list(record.classes) != classes:
        return {}
    return {name: [UNKNOWN if value is None else f'{value:,.6g}' for value in values]
            for name, values in record.class_facts.items() if len(values) == len(classes)}


def _class_tables(scores: list[ClassScore], facts: dict[str, list[str]]) -> list[Block]:
    further = [[cells[place] for cells in facts.values()] for place in range(len(scores))]

    def table(places: Sequence[int]) -> Table:
        rows = [[scores[place].name,
                 *map(_share, (scores[place].precision, scores[place].recall, scores[place].f1)),
                 count(scores[place].support), *further[place]] for place in places]
        return Table(['class', 'precision %', 'recall %', 'F1 %', 'images', *facts], rows)
    if len(scores) <= _ALL_CLASSES_UP_TO:
        return [table(range(len(scores)))]
    # NaN, a class that was neither shown nor predicted, comes last.
    worst = sorted(range(len(scores)),
                   key=lambda place: (scores[place].f1 != scores[place].f1, scores[place].f1))
    return [Text(f'The 15 classes with the lowest F1 of {len(scores)}.'), table(worst[:15]),
            Fold(f'All {len(scores)} classes', table(range(len(scores))))]


def _mistakes(mistakes: list[Mistake], data_root: str | None, what: str,
              stem: Path) -> list[Block]:
    if not mistakes:
        return []
    if not has_image_files(mistakes, data_root):
        return [Text('The worst mistakes are not shown: the images are not there as files.',
                     'quiet')]
    path = Path(f'{stem}_mistakes.png')
    draw_mistakes(mistakes, data_root, path)
    shown = [Thumbnail(mistake.id, thumbnail_jpeg(mistake.id, data_root), mistake.predicted,
                       share_text(mistake.prob), mistake.label) for mistake in mistakes]
    return [Heading('Worst mistakes'),
            Thumbnails(path.name, f'The {len(mistakes)} worst mistakes of {what}', shown)]


def _data_root(run: StoredRun, split: str) -> str | None:
    test = run.tests.get(split)
    return (test.data_root if test is not None else None) or run.record.data_root


def _share(value: float) -> str:
    return UNKNOWN if value != value else f'{100 * value:.1f}'


def _further_accuracies(summary: 'Summary') -> list[Column]:
    """A column of every accuracy of superclasses or of present classes that a row has."""
    names = {name for row in summary.rows for run in row.group.runs
             for metrics in (*(epoch.metrics for epoch in run.record.epochs),
                             *(test.metrics for test in run.tests.values()))
             for name in metrics if name.startswith(_FURTHER)}
    columns = []
    for name in sorted(names, key=lambda name: (not name.startswith('superclass/'), name)):
        cells = {id(row): recorded_text(row, name, summary.split) for row in summary.rows}
        if any(cell != UNKNOWN for cell in cells.values()):
            group, _, metric = name.partition('/')
            title = group if group == 'superclass' else f'{group} classes'
            metric = metric.replace('top', 'top-')
            columns.append(Column(f'{metric},\n{title}', lambda row, cells=cells: cells[id(row)],
                                  rank=3))
    return columns
