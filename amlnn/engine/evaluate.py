"""Evaluates a checkpoint on a part of its data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress
from torch import nn

from amlnn.atomic import replacing, write_text
from amlnn.config.own_imports import keep_own_modules
from amlnn.console import say
from amlnn.engine.device import choose_device, device_name, set_environment
from amlnn.engine.evaluations import Evaluation
from amlnn.engine.kinds import in_scope, open_task, task_class
from amlnn.engine.new_record import new_record
from amlnn.engine.options import CheckpointOptions, TestOptions
from amlnn.engine.processes import Processes, joined, processes
from amlnn.engine.rehearsal import rehearse_evaluation
from amlnn.engine.run.folder import checkpoint_run, name_within
from amlnn.engine.run.resume import change_of
from amlnn.engine.task import Task
from amlnn.engine.weights import PRETRAINED, Weights
from amlnn.engine.workers import end_workers
from amlnn.errors import ConfigError, DataError
from amlnn.records import TestRecord, write_record
from amlnn.run_folder import begin_run_folder, point_latest, utc_now

__all__ = ['TestOptions', 'data_change', 'open_weights', 'test']


def test(options: TestOptions, console: Console | None = None) -> TestRecord:
    """Evaluate, print, and write the record and the predictions into the checkpoint's run folder.

    Raises:
        AmlnnError: config, checkpoint and data do not fit one another.
    """
    with joined(options.launcher, choose_device(options.device)):
        return _test(options, processes(), processes().console(console))


def _test(options: TestOptions, all_: Processes, console: Console) -> TestRecord:
    task, weights = open_weights(options)
    task.check_test(options)
    config = task.plan.config
    split = options.split or task.default_split()
    if not config.get(f'{split}_dataloader'):
        raise ConfigError(f'`{task.plan.loaded.path}` has no `{split}_dataloader`',
                          hint='choose another part with --split')
    task.check_data(config, (split,))
    with in_scope(config):
        set_environment(config.get('env_cfg') or {})
        task.fit_test(options, split)
        loader = task.loader(split)
        changed = data_change(task, weights, options)
        if weights.path != PRETRAINED:  # which were not trained on what the config says
            task.check_apart({split: loader})
        model = task.restore(weights, console)
        all_.make_alike(model)
        tester = task.tester(model, options)
        all_.on_first(lambda: rehearse_evaluation(task, tester, split, loader))
        evaluator = task.evaluator(split, loader)
        fast = task.fast_inference(model, loader, options, console)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            shown = bar.add_task(f'testing on {split}', total=len(loader.dataset) // all_.count)
            result = task.evaluate(tester, loader, evaluator,
                                   lambda count: bar.advance(shown, count), fast and fast.forward)
        record = TestRecord(
            checkpoint=str(options.checkpoint), checkpoint_epoch=weights.meta.get('epoch'),
            split=split, samples=result.samples, loss=result.loss, metrics=result.metrics,
            arrays=result.arrays, engine=fast.engine if fast else task.engine,
            seconds=round(result.seconds, 3),
            samples_per_second=round(result.samples / result.seconds, 2),
            device=device_name(task.plan.device), precision=task.plan.precision,
            data_root=task.data_root, data_manifest_hash=task.data_hash(),
            versions=task.versions(), created=utc_now(), data_changed=changed)
        if changed:
            say(console, f'{task.samples} that it was trained on may be in the {split} part: '
                         f'{changed}', 'warning')
        if not all_.first:
            return record
        task.complete(record, result, model, loader, weights, options, console)
        further = _explained(task, result, model, loader, console) if options.explain else {}
        end_workers(loader)
    with _folder(task, model, {split: result.samples}, options) as folder:
        record.checkpoint = name_within(folder, options.checkpoint)
        # Killed from here on, what an earlier test says is not read beside this one's predictions.
        (folder / f'test_{split}.json').unlink(missing_ok=True)
        task.write_predictions(folder / f'predictions_{split}.npz', result)
        _write_arrays(folder / f'insight_{split}.npz', further)
        write_record(folder / f'test_{split}.json', record)
    if options.out:
        write_record(options.out, record)
    task.show(record, console)
    say(console, f'written: {folder / f"test_{split}.json"}')
    return record


def _explained(task: Task, evaluation: Evaluation, model: nn.Module, loader, console: Console
               ) -> dict[str, np.ndarray]:
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        shown = bar.add_task('explaining', total=None)
        return task.explain(evaluation, model, loader, lambda count: bar.advance(shown, count))


def _write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Keep arrays; without any, none of another checkpoint's stay."""
    if not arrays:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def open_weights(options: CheckpointOptions) -> tuple[Task, Weights]:
    """The task of a config and the weights that will be evaluated or predict.

    Raises:
        AmlnnError: config or checkpoint cannot be read, or they do not fit one another.
    """
    loaded = options.loaded()
    weights = Weights.read(options.checkpoint, options.trust_checkpoint)
    known = task_class(loaded.config).known_to(weights, loaded)
    device = choose_device(options.device)
    own = weights.path == PRETRAINED
    return open_task(loaded, device, pretrained=None if own else 'none', known=known), weights


def data_change(task: Task, weights: Weights, options: CheckpointOptions) -> str | None:
    """How the data differ from those that weights were trained on, in words; None if they do not.

    Weights that no training of amlnn made, or of data that nothing names, say nothing of it.

    Raises:
        DataError: they do, and nobody said that they may.
    """
    before = weights.meta.get('data_manifest_hash')
    changed = change_of(str(before), task.data_hash()) if before else ''
    # A forecaster is asked of newer rows, and of other series, by its checkpoint's scale.
    if changed and not options.data_changed and not task.data_grow:
        raise DataError(
            f'`{task.data_root}` is not what `{weights.path}` was trained on: {changed}; images '
            'that it was trained on may be in the test part now',
            hint='put the old data back, train anew, or add --data-changed, which is recorded')
    # Data that are those of the last epochs need not be those of the first.
    trained_on = (weights.meta.get('run') or {}).get('data_changed')
    told = f'it went on with other data while it was trained: {trained_on}' if trained_on else ''
    return '; '.join(filter(None, (changed, told))) or None


@contextmanager
def _folder(task: Task, model: nn.Module, samples: dict[str, int], options: TestOptions
            ) -> Iterator[Path]:
    """The run folder of the checkpoint, or a new one for weights that were not trained here.

    Args:
        task: The task.
        model: What was evaluated.
        samples: How many of each part.
        options: With the checkpoint and the command line.
    """
    trained_in = None if options.checkpoint == PRETRAINED else checkpoint_run(options.checkpoint)
    if options.into or trained_in:
        folder = options.into or trained_in
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    config = task.plan.loaded.config
    record = new_record(task, config, model, samples, options.command)
    record.status, record.finished, record.max_epochs = 'done', record.started, 0
    record.pretrained = task.plan.model_options.pretrained or str(options.checkpoint)
    parent = task.plan.work_dir
    folder, lock = begin_run_folder(parent, record.config_hash)
    with lock:
        keep_own_modules(config, folder)
        write_text(folder / 'config.py', task.config_text(config))
        yield folder
        write_record(folder / 'run.json', record)  # last: without it the folder is a dead one
    point_latest(folder)
