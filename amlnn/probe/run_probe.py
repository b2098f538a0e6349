"""Probes configs: features, the table, the map, and the config of its best place."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from amlnn.atomic import write_text
from amlnn.command import command_line
from amlnn.config.data_place import data_option
from amlnn.config.kind import part_data_sets
from amlnn.config.load import LoadedConfig, load_config
from amlnn.console import say
from amlnn.engine.device import choose_device
from amlnn.engine.images.feature_pass import FeaturePass, PartFeatures
from amlnn.engine.images.split_pace import Splits, frozen_choices
from amlnn.engine.kinds import open_task, task_class
from amlnn.engine.task import Task
from amlnn.errors import UsageError
from amlnn.models.images.stages import backbone_kind
from amlnn.probe.table import MOST, Part, ProbeTable, check_parts
from amlnn.report.probed import probe_tables, write_probe
from amlnn.results.probed import Cell, Probed, chosen_cell, share_right
from amlnn.sweep.chosen_config import named_from

__all__ = ['ProbeOptions', 'probe']


@dataclass(frozen=True)
class ProbeOptions:
    """The command line of tools/probe.py."""

    configs: Sequence[str]
    data: Path | None = None
    out: Path | None = None
    write: Path | None = None
    cfg_options: Sequence[str] = ()
    device: str = 'auto'
    timed: bool = True
    """Time trainings, for the map."""
    split: str | None = None
    """The part that judges; None for the test part where there is one."""


def probe(options: ProbeOptions, console: Console) -> list[Probed]:
    """Probe every config, print the tables, write the page and perhaps a config.

    Raises:
        AmlnnError: a config or the data is wrong.
    """
    _check(options)
    loaded = [load_config(config, [*options.cfg_options, *data_option(options.data)])
              for config in options.configs]
    for each in loaded:
        task_class(each.config).check_data(each.config, ('train', 'val'))
    found = [_probed(each, named, name, options, console) for each, named, name in
             zip(loaded, options.configs, _names(options.configs), strict=True)]
    if chosen := chosen_cell(found):
        chosen[1].chosen = True
    for table in probe_tables(found):
        console.print(table)
    for probed in found:
        for note in probed.notes:
            say(console, f'{probed.name}: {note}', 'note')
    out = options.out or Path('work_dirs/probe') / '-'.join(probed.name for probed in found)[:80]
    say(console, f'the page: {write_probe(found, out)}')
    if options.write and chosen:
        write_text(options.write, _child(*chosen, options.write, options.data))
        say(console, f'wrote {options.write}: ' + command_line('train', options.write))
    return found


def _check(options: ProbeOptions) -> None:
    for place, config in enumerate(options.configs):
        if config in options.configs[:place]:
            raise UsageError(f'`{config}` is named twice', hint='name it once')
    if options.write and options.write.exists():
        raise UsageError(f'`{options.write}` is there already',
                         hint='name another file with --write, or remove it')
    if options.write and not options.timed:
        raise UsageError('--write writes what the map chooses, and --no-map leaves it out',
                         hint='leave one of them out')


def _names(configs: Sequence[str]) -> list[str]:
    """Short, where that tells them apart."""
    short = [Path(each.rpartition('::')[2]).stem for each in configs]
    return [name if short.count(name) == 1 else Path(config).with_suffix('').as_posix()
            for name, config in zip(short, configs, strict=True)]


def _probed(loaded: LoadedConfig, config: str, name: str, options: ProbeOptions,
            console: Console) -> Probed:
    task = open_task(loaded, choose_device(options.device))
    one = FeaturePass(task)
    parts = ['train', 'val'] + ['test'] * (_judge(task, options.split) == 'test')
    labels = [Part(part, one.labels(part), {}) for part in parts]
    classes = task.classes or []
    check_parts(classes, *labels)
    features = {part: _features(one, part, name, console) for part in parts}
    begin = time.perf_counter()
    few = {part: Part(part, each.labels, each.stages).few() for part, each in features.items()}
    table = ProbeTable(classes, few['train'], few['val'], few.get('test'))
    found = Probed(
        config, name, backbone_kind(one.backbone), classes,
        {part: len(each.ids) for part, each in features.items()}, table.judge.name,
        sum(each.seconds for each in features.values()),
        sum(each.computed for each in features.values()), list(table.rows()),
        shots=table.shots(), gains=table.gains(), stages=list(table.stages()), alike=table.alike,
        notes=_notes(task.plan.notes, features, table))
    found.cells = _cells(one, table)
    found.table_seconds = time.perf_counter() - begin
    say(console, f'{name}: the table in {found.table_seconds:.1f} s')
    if options.timed:
        _time(found, Splits(one), console)
    return found


def _judge(task: Task, split: str | None) -> str:
    """The part whose accuracies are shown."""
    there = bool(part_data_sets(task.plan.config, 'test')) and task.default_split() == 'test'
    if split == 'test' and not there:
        raise UsageError(f'--split test: the data of `{task.plan.loaded.path}` have no test part',
                         hint='leave it out, and the validation part judges')
    return split or ('test' if there else 'val')


def _features(one: FeaturePass, part: str, name: str, console: Console) -> PartFeatures:
    with Progress(TextColumn('{task.description}'), BarColumn(None),
                  TextColumn('{task.completed:,} of {task.total:,} images'),
                  TimeRemainingColumn(), console=console, transient=True,
                  disable=not console.is_terminal) as bar:
        shown = bar.add_task(f'{name}, {part}', total=1)
        found = one.of(part, on_batch=lambda done, total: bar.update(
            shown, completed=done, total=total))
    rate = f', {found.computed / found.seconds:.1f} img/s' if found.computed else ''
    say(console, f'{name}: features of {len(found.ids):,} images of `{part}`: '
                 f'{found.computed:,} computed, the others read, in {found.seconds:.1f} s{rate}')
    return found


def _notes(notes: Sequence[str], features: dict[str, PartFeatures],
           table: ProbeTable) -> list[str]:
    said = [*notes, *(note for each in features.values() for note in each.notes)]
    if table.alike:
        said.append(f'{table.alike} training images are nearly the same as another by their '
                    'features; leave-one-out leaves them out together')
    for part, each in features.items():
        if len(each.ids) > MOST:
            said.append(f'of the {len(each.ids):,} images of `{part}`, {MOST:,} are looked at, of '
                        'each class the same share')
    return list(dict.fromkeys(said))


def _cells(one: FeaturePass, table: ProbeTable) -> list[Cell]:
    """What is to be expected of every number of frozen stages, without seconds."""
    together = table.together()  # from the last stage to all of them
    cells = []
    for frozen_stages, frozen in frozen_choices(one.backbone):
        # The open part is given the output of the last frozen stage.
        right = together[min(len(together) - max(frozen, 1), len(together) - 1)]
        cells.append(Cell(frozen_stages, frozen, share_right(right), None, right.tolist()))
    return cells


def _time(found: Probed, splits: Splits, console: Console) -> None:
    begin = time.perf_counter()
    paces = splits.paces()
    for cell in found.cells:
        pace = paces[cell.frozen_stages]
        if pace is not None:
            images = found.images['train'], found.images['val']
            cell.seconds, cell.pace = splits.seconds(pace, *images), splits.summed(pace, *images)
    found.epochs = splits.epochs
    found.notes += splits.notes
    say(console, f'{found.name}: steps of {len(found.cells)} numbers of frozen stages timed in '
                 f'{time.perf_counter() - begin:.1f} s')


def _child(probed: Probed, cell: Cell, path: Path, data: Path | None) -> str:
    """The text of the config of a cell."""
    accuracy = f'{100 * cell.accuracy.value:.1f} % top-1 on {cell.accuracy.images:,} images of ' \
        f'`{probed.judged_on}`'
    base = named_from(probed.config, path)
    lines = [f'"""{probed.name}, frozen_stages={cell.frozen_stages!r}: a probe without training '
             f'has {accuracy};', f'about {cell.seconds:,.0f} s for {probed.epochs} epochs where it '
             'was probed.', '', f'python tools/train.py {path}', '"""',
             f'_base_ = {base!r}']
    if data:
        lines.append(f'data = {str(data)!r}')
    trained = load_config(probed.config).config['model'].get('trainable')
    again = ', trainable=()' if trained else ''  # it re-opened parts of what another froze
    lines.append(f'model = dict(frozen_stages={cell.frozen_stages!r}{again})')
    return '\n'.join(lines) + '\n'
