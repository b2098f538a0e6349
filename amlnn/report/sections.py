"""The section of one run on the report's page: facts, stages, and the figures of its kind."""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amlnn.errors import DataError
from amlnn.formulas.proportions import wilson
from amlnn.report.classification import (
    draw_confusion,
    draw_mistakes,
    draw_reliability,
    has_image_files,
)
from amlnn.report.figures import draw_curves, metric_label, metric_text
from amlnn.report.forecasting import draw_error_by_step, draw_forecasts
from amlnn.report.tables import count, seconds_text
from amlnn.results.classification import (
    ClassScore,
    calibration,
    class_scores,
    confusion_matrix,
    confusions,
    worst_mistakes,
)
from amlnn.results.forecasting import error_by_step, find_intervals, reference_errors
from amlnn.results.store import Predictions, StoredRun

__all__ = ['Picture', 'Section', 'picture', 'plain_table', 'run_section', 'run_state', 'slug']

_ALL_CLASSES_UP_TO = 30


@dataclass(frozen=True)
class Picture:
    """A figure as a file beside the page and as an element of it."""

    file: str
    alt: str
    element: str


@dataclass
class Section:
    """One run's part of the page and of the Markdown file."""

    anchor: str
    title: str
    state: str
    facts: list[tuple[str, str]]
    pictures: list[Picture] = field(default_factory=list)
    element: str = ''


def run_section(run: StoredRun, title: str, anchor: str, split: str, folder: Path,
                detailed: bool = True) -> Section:
    """Draw a run's figures into `folder` and return its section.

    Args:
        run: At any status.
        title: What the table calls the run.
        anchor: The id of the section on the page, and the beginning of its files' names.
        split: The split to look into; where the run has no predictions on it, another.
        folder: Where the figures go.
        detailed: False for a run that the table leaves out: facts and curves only.
    """
    record = run.record
    section = Section(anchor, title, run_state(run), _facts(run))
    parts = [f'<section class="run" id="{html.escape(anchor)}">',
             f'<h2>{html.escape(title)} <span class="status {html.escape(record.status)}">'
             f'{html.escape(record.status)}</span></h2>',
             f'<p>{html.escape(section.state)}</p>']
    if record.error:
        parts.append(f'<p class="error">{html.escape(record.error)}</p>')
    draw_curves(record, folder / f'{anchor}_curves.png')
    curves = picture(folder / f'{anchor}_curves.png', f'Curves of {title}: {section.state}',
                     wide=bool(record.epochs))
    section.pictures.append(curves)
    parts.append(curves.element)
    # What else there is to see depends on the kind; a kind without an entry has facts and curves.
    details = {'classification': _classification, 'forecasting': _forecasting}.get(record.kind)
    if detailed and details is not None:
        parts += details(run, split, section, folder)
    parts.append('<h3>How it was run</h3>')
    parts.append(_definitions(section.facts))
    if record.stages:
        parts.append('<h3>Stages</h3>')
        parts.append(plain_table(
            ['stage', 'state', 'trainable', 'total'],
            [[stage.name, 'frozen' if stage.frozen else 'trained',
              count(stage.trainable_parameters), count(stage.total_parameters)]
             for stage in record.stages], text_columns=2))
    parts.append('</section>')
    section.element = '\n'.join(parts)
    return section


def run_state(run: StoredRun) -> str:
    """Say in one sentence how far the run came and how good it was."""
    record = run.record
    done = len(record.epochs)
    if not done and record.status == 'done':
        sentence = 'Evaluated without training'
    else:
        verb = {'done': 'Finished', 'failed': 'Failed', 'interrupted': 'Interrupted',
                'running': 'Still running'}[record.status]
        of = f' of {record.max_epochs}' if record.max_epochs and record.max_epochs != done else ''
        sentence = f'{verb} after {done}{of} epoch{"s" * (done != 1 or bool(of))}'
        if record.stopped_early:
            sentence += ', stopped early'
    if record.epochs:
        sentence += f', {seconds_text(record.total_seconds)} seconds'
    if record.best_value is not None:
        label = metric_label(record.monitor).removesuffix(' (%)')
        sentence += f'; best validation {label} {metric_text(record.monitor, record.best_value)}'
        if record.best_epoch is not None:
            sentence += f' at epoch {record.best_epoch}'
    return sentence + '.'


def picture(path: Path, alt: str, caption: str = '', wide: bool = False) -> Picture:
    """Return a PNG as an element that holds its own bytes.

    Args:
        path: The PNG.
        alt: What it shows, for those who do not see it.
        caption: Below it.
        wide: Whether a narrow screen scrolls it rather than shrinks it.
    """
    from PIL import Image
    with Image.open(path) as image:
        # A figure's inch is a hundred pixels of the page, whatever its resolution.
        width, height = (round(100 * pixels / dpi) for pixels, dpi
                         in zip(image.size, image.info.get('dpi', (150, 150)), strict=True))
    data = base64.b64encode(path.read_bytes()).decode('ascii')
    below = f'<figcaption>{html.escape(caption)}</figcaption>' if caption else ''
    scroll = ' class="scroll"' if wide else ''
    element = (f'<figure{scroll}><img width="{width}" height="{height}" alt="{html.escape(alt)}" '
               f'src="data:image/png;base64,{data}">{below}</figure>')
    return Picture(path.name, alt, element)


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int = 1) -> str:
    """Return an HTML table, everything escaped; columns after the first few are numbers."""
    def cell(tag: str, index: int, text: str) -> str:
        side = ' class="number"' if index >= text_columns else ''
        return f'<{tag}{side}>{html.escape(text)}</{tag}>'
    lines = [''.join(cell('td', index, text) for index, text in enumerate(row)) for row in rows]
    body = '\n'.join(f'<tr>{line}</tr>' for line in lines)
    top = ''.join(cell('th', index, text) for index, text in enumerate(head))
    return (f'<div class="wide"><table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n{body}\n</tbody>\n'
            f'</table></div>')


def _classification(run: StoredRun, split: str, section: Section, folder: Path) -> list[str]:
    split = next((name for name in (split, 'test', 'val') if run.has_predictions(name)), split)
    if not run.has_predictions(split):
        return ['<p class="quiet">No predictions are stored for this run: no confusion matrix, '
                'scores by class, reliability or mistakes.</p>']
    try:
        predictions = run.predictions(split)
    except DataError as error:
        return [f'<p class="error">{html.escape(error.message)}</p>']
    right, images = int(predictions.correct.sum()), len(predictions.ids)
    low, high = (100 * limit for limit in wilson(right / images, images))
    parts = [f'<h3>Predictions on {html.escape(split)}</h3>',
             f'<p>{right:,} of {images:,} images right: {100 * right / images:.2f} % '
             f'(95 % interval {low:.2f} to {high:.2f}).</p>']
    stem = folder / section.anchor
    confusion, reliability = Path(f'{stem}_confusion.png'), Path(f'{stem}_reliability.png')
    draw_confusion(confusion_matrix(predictions), predictions.classes, confusion)
    result = calibration(predictions)
    draw_reliability(result, reliability)
    pair = [picture(confusion, f'Confusion matrix of {section.title} on {split}',
                    _confusions_text(predictions)),
            picture(reliability, f'Reliability of {section.title} on {split}: expected calibration '
                                 f'error {100 * result.ece:.1f} points',
                    'Bars: how often the class was right, by how sure the network was. Orange: '
                    'the distance from what it claimed.')]
    section.pictures += pair
    parts.append(f'<div class="pair">{"".join(shown.element for shown in pair)}</div>')
    parts.append('<h3>Classes</h3>')
    parts.append(_class_table(class_scores(predictions)))
    mistakes = worst_mistakes(predictions)
    if mistakes and not has_image_files(mistakes, _data_root(run, split)):
        parts.append('<p class="quiet">The worst mistakes are not shown: the images are not there '
                     'as files.</p>')
    elif mistakes:
        path = Path(f'{stem}_mistakes.png')
        draw_mistakes(mistakes, _data_root(run, split), path)
        worst = picture(path, f'The {len(mistakes)} worst mistakes of {section.title} on {split}',
                        wide=len(mistakes) > 3)
        section.pictures.append(worst)
        parts.append(worst.element)
    return parts


def _forecasting(run: StoredRun, split: str, section: Section, folder: Path) -> list[str]:
    split = next((name for name in (split, 'test', 'val') if run.has_predictions(name)), split)
    if not run.has_predictions(split):
        return ['<p class="quiet">No forecasts are stored for this run.</p>']
    try:
        forecasts = run.forecasts(split)
    except DataError as error:
        return [f'<p class="error">{html.escape(error.message)}</p>']
    windows = f'{len(forecasts.ids):,} window{"s" * (len(forecasts.ids) != 1)}'
    parts = [f'<h3>Forecasts on {html.escape(split)}</h3>', f'<p>{windows}, {forecasts.horizon:,} '
             f'step{"s" * (forecasts.horizon != 1)} ahead of {_listed(forecasts.columns)}: mean '
             f'squared error {metric_text("forecast/mse", forecasts.mse)} in scaled units.</p>']
    intervals = find_intervals(run, split)
    stem = folder / section.anchor
    path = Path(f'{stem}_forecasts.png')
    draw_forecasts(forecasts, intervals, path, f'{section.title} on {split}')
    shown = [picture(path, f'Forecasts of {section.title} on {split} against the truth, {windows}',
                     _intervals_text(run, split, bool(intervals)), wide=True)]
    if forecasts.horizon > 1:
        path = Path(f'{stem}_steps.png')
        draw_error_by_step([(section.title, error_by_step(forecasts))], path,
                           reference_errors(forecasts), len(forecasts.ids))
        shown.append(picture(path, f'Error by step ahead of {section.title} on {split}'))
    section.pictures += shown
    return parts + [each.element for each in shown]


def _listed(columns: Sequence[str]) -> str:
    more = f' and {len(columns) - 8} more' if len(columns) > 8 else ''
    return html.escape(', '.join(columns[:8])) + more


def _intervals_text(run: StoredRun, split: str, drawn: bool) -> str:
    """What the intervals are, and what they held."""
    if not drawn:
        return ''
    if split == 'val':
        return 'Intervals: from the errors on these same windows, so they hold what they claim.'
    metrics = run.tests[split].metrics if split in run.tests else {}
    held = [f'{100 * value:.1f} % of the values lie in the {name.rpartition("_")[2]} % interval'
            for name, value in metrics.items() if name.startswith('interval/coverage_')]
    return '; '.join(['Intervals: split-conformal, from the errors on the validation part', *held]
                     ) + '.'


def _data_root(run: StoredRun, split: str) -> str | None:
    test = run.tests.get(split)
    return (test.data_root if test is not None else None) or run.record.data_root


def _confusions_text(predictions: Predictions) -> str:
    most = confusions(predictions, 3)
    if not most:
        return 'No mistake.'
    return 'Most often confused: ' + ', '.join(
        f'{true} taken for {taken} ({times:,})' for true, taken, times in most) + '.'


def _class_table(scores: list[ClassScore]) -> str:
    def table(shown: Sequence[ClassScore]) -> str:
        rows = [[score.name, *map(_share, (score.precision, score.recall, score.f1)),
                 count(score.support)] for score in shown]
        return plain_table(['class', 'precision %', 'recall %', 'F1 %', 'images'], rows)
    if len(scores) <= _ALL_CLASSES_UP_TO:
        return table(scores)
    # NaN, a class that was neither shown nor predicted, comes last.
    worst = sorted(scores, key=lambda score: (score.f1 != score.f1, score.f1))
    return (f'<p>The 15 classes with the lowest F1 of {len(scores)}.</p>{table(worst[:15])}'
            f'<details><summary>All {len(scores)} classes</summary>{table(scores)}</details>')


def _share(value: float) -> str:
    return '–' if value != value else f'{100 * value:.1f}'  # noqa: RUF001


def _facts(run: StoredRun) -> list[tuple[str, str]]:
    record = run.record
    samples = ', '.join(f'{split} {count(number)}' for split, number in record.samples.items())
    versions = ', '.join(f'{name} {version}' for name, version in sorted(record.versions.items()))
    threads = f'{record.threads} thread{"s" * (record.threads != 1)}'
    times = f'{record.started} to {record.finished}' if record.finished else record.started
    facts = [
        ('command', ' '.join(record.command)), ('config', record.config_path),
        ('config hash', record.config_hash), ('folder', _relative(run.folder)), ('time', times),
        ('device', f'{record.device}, {record.precision}, {threads}'), ('seed', str(record.seed)),
        ('pretrained', record.pretrained), ('data', record.data_root), ('samples', samples),
        ('data manifest', record.data_manifest_hash), ('versions', versions)]
    facts += [(f'evaluated on {split}', _test_text(test)) for split, test in run.tests.items()]
    return [(name, value) for name, value in facts if value]


def _test_text(test) -> str:
    metrics = ', '.join(f'{metric_label(name).removesuffix(" (%)")} {metric_text(name, value)}'
                        for name, value in test.metrics.items())
    epoch = f' of epoch {test.checkpoint_epoch}' if test.checkpoint_epoch is not None else ''
    return (f'{metrics}; {count(test.samples)} samples, {Path(test.checkpoint).name}{epoch}'
            f'{", with test-time augmentation" if test.tta else ""}')


def _definitions(facts: list[tuple[str, str]]) -> str:
    code = {'command', 'config', 'config hash', 'folder', 'data', 'data manifest', 'pretrained'}
    lines = []
    for name, value in facts:
        text = html.escape(value)
        text = f'<code>{text}</code>' if name in code else text
        lines.append(f'<dt>{html.escape(name)}</dt><dd>{text}</dd>')
    return f'<dl class="facts">{"".join(lines)}</dl>'


def _relative(folder: Path) -> str:
    try:
        return str(folder.relative_to(Path.cwd()))
    except ValueError:
        return str(folder)


def slug(name: str) -> str:
    """`name` as a part of a file's name and of an address.

    >>> slug('resnet50 lr=0.001')
    'resnet50_lr_0.001'
    """
    return re.sub(r'[^A-Za-z0-9._-]+', '_', name).strip('_.') or 'run'
