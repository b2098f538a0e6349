"""The section of one run on the report's page: facts, stages, and the figures of its kind."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from amlnn.records import EpochRecord
from amlnn.report.blocks import (
    Block,
    Facts,
    Fold,
    Heading,
    ImageRows,
    Listing,
    Picture,
    Table,
    Text,
    Thumbnails,
    picture,
    pictures_in,
)
from amlnn.report.columns import UNKNOWN, count, seconds_text
from amlnn.report.ensembles import ensemble_text
from amlnn.report.figures import draw_curves, metric_label, metric_text
from amlnn.report.kinds import kind_of
from amlnn.results.store import StoredRun

__all__ = ['Section', 'run_section', 'run_state', 'slug']

_CODE = frozenset({'command', 'config', 'config hash', 'folder', 'data', 'data manifest',
                   'pretrained'})


@dataclass
class Section:
    """One run's part of the page and of the Markdown file."""

    anchor: str
    title: str
    status: str
    state: str
    facts: list[tuple[str, str]]
    blocks: list[Block] = field(default_factory=list)

    @property
    def pictures(self) -> list[Picture | Thumbnails | ImageRows]:
        """What has a file beside the page, in its order."""
        return pictures_in(self.blocks)

    @property
    def listings(self) -> list[Listing]:
        """The long tables."""
        return [each for each in self.blocks if isinstance(each, Listing)]


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
    section = Section(anchor, title, record.status, run_state(run), _facts(run))
    section.blocks.append(Text(section.state))
    if record.error:
        section.blocks.append(Text(record.error, 'error'))
    if ensemble_text(run) is None:  # a vote was not trained
        section.blocks.append(picture(folder / f'{anchor}_curves.png', partial(draw_curves, record),
                                      f'Curves of {title}: {section.state}'))
    if detailed:
        section.blocks += kind_of(record.kind).details(run, title, split, folder / anchor)
        section.blocks += _array_blocks(run)
    section.blocks += [Heading('How it was run'), Facts(section.facts, _CODE)]
    if record.stages:
        section.blocks += [Heading('Stages'), Table(
            ['stage', 'state', 'trainable', 'total'],
            [[stage.name, 'frozen' if stage.frozen else 'trained',
              count(stage.trainable_parameters), count(stage.total_parameters)]
             for stage in record.stages], text_columns=2)]
    section.blocks += _openings(record.epochs)
    return section


def _openings(epochs: Sequence[EpochRecord]) -> list[Block]:
    """Which epoch had what frozen, where that changed."""
    spans: list[tuple[int, int, list[str]]] = []
    for epoch in epochs:
        if epoch.frozen is None:
            return []
        if spans and spans[-1][2] == epoch.frozen:
            spans[-1] = (spans[-1][0], epoch.epoch, epoch.frozen)
        else:
            spans.append((epoch.epoch, epoch.epoch, epoch.frozen))
    rows = [[f'{first}' if first == last else f'{first} to {last}',
             ', '.join(frozen) or 'nothing'] for first, last, frozen in spans]
    return [Heading('Frozen by epoch'), Table(['epochs', 'frozen'], rows, text_columns=2)] \
        if rows else []


def run_state(run: StoredRun) -> str:
    """Say in one sentence how far the run came and how good it was."""
    record = run.record
    vote = ensemble_text(run)
    if vote is not None:
        return vote
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


def _array_blocks(run: StoredRun) -> list[Block]:
    """The metrics of several numbers: each by class where it has one for each."""
    record = run.record
    best = next((epoch for epoch in record.epochs if epoch.epoch == record.best_epoch), None)
    best = best or (record.epochs[-1] if record.epochs else None)
    measured = [('validation', best.arrays)] if best is not None else []
    measured += [(name, test.arrays) for name, test in run.tests.items()]
    return [Fold(f'{name} on {split}', _array_table(name, values, record.classes))
            for split, arrays in measured for name, values in arrays.items() if values]


def _array_table(name: str, values: list, classes: Sequence[str]) -> Table:
    several = isinstance(values[0], list)
    rows = values if several else [[value] for value in values]
    names = _numbered(len(rows), classes)
    return Table(['class' if names is classes else '',
                  *(_numbered(len(rows[0]), classes) if several else [name])],
                 [[each, *map(_array_text, row)] for each, row in zip(names, rows, strict=True)])


def _numbered(count: int, classes: Sequence[str]) -> Sequence[str]:
    """The classes where there are as many, else numbers from 1."""
    return classes if count == len(classes) else [str(place) for place in range(1, count + 1)]


def _array_text(value: object) -> str:
    if value is None:
        return UNKNOWN
    return f'{value:.6g}' if isinstance(value, float) else str(value)


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
        ('data manifest', record.data_manifest_hash), ('data changed', record.data_changed),
        ('versions', versions)]
    facts += [(f'evaluated on {split}', _test_text(test)) for split, test in run.tests.items()]
    return [(name, value) for name, value in facts if value]


def _test_text(test) -> str:
    metrics = ', '.join(f'{metric_label(name).removesuffix(" (%)")} {metric_text(name, value)}'
                        for name, value in test.metrics.items())
    epoch = f' of epoch {test.checkpoint_epoch}' if test.checkpoint_epoch is not None else ''
    return (f'{metrics}; {count(test.samples)} samples, {Path(test.checkpoint).name}{epoch}'
            f'{", with test-time augmentation" if test.tta else ""}')


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
