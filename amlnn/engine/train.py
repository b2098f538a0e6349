"""Trains what a config describes into a run folder."""

import copy
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from amlnn.atomic import write_text
from amlnn.command import command_line, shipped_config
from amlnn.config.check import check_parameters
from amlnn.config.experiment import identity
from amlnn.config.kind import run_kind
from amlnn.config.load import LoadedConfig, load_config
from amlnn.config.resolved import config_hash, resolved_text
from amlnn.console import say
from amlnn.engine.adapt import Plan, adapt, check_data_roots
from amlnn.engine.build import (
    build_evaluator,
    build_loader,
    build_model,
    check_features,
    choose_device,
    device_name,
    forward_context,
    hide_accelerators,
    in_scope,
    one_batch,
    parameter_names,
)
from amlnn.engine.evaluation import evaluate
from amlnn.engine.forecasting import (
    ForecastRunner,
    evaluate_forecaster,
    try_evaluation,
    write_components,
)
from amlnn.engine.memory import is_out_of_memory
from amlnn.engine.run.checkpoint import CheckpointFolder, read_checkpoint
from amlnn.engine.run.folder import (
    RunLock,
    create_run_folder,
    new_run_name,
    point_latest,
    remove_run_folder,
    utc_now,
)
from amlnn.engine.run.hooks import EpochHook, FiniteLossHook
from amlnn.engine.run.progress import TrainingProgress, duration
from amlnn.engine.run.recorder import Recorder
from amlnn.engine.run.resume import RunPlace, find_run, stored_pretrained
from amlnn.engine.run.runner import FolderRunner, library_versions
from amlnn.engine.seeding import seed_epoch
from amlnn.errors import ConfigError, DataError, RunFailed
from amlnn.models.images.freezing import count_parameters, stage_table
from amlnn.records import RunRecord, read_run

__all__ = ['TrainOptions', 'planned_identity', 'train']


@dataclass
class TrainOptions:
    """The command line of tools/train.py."""

    config: Path
    work_dir: Path | None = None
    pretrained: str | None = None
    resume: str | None = None
    """None: a new run; '': the newest unfinished run of this config; else a run folder."""
    cfg_options: Sequence[str] = ()
    seed: int | None = None
    device: str = 'auto'
    dry_run: bool = False


def train(options: TrainOptions, draw: Callable[[RunRecord, Path], None] | None = None,
          console: Console | None = None) -> Path | None:
    """Train, and return the run folder (None after a dry run).

    Args:
        options: What to train, and how.
        draw: Draws curves.png from the record.
        console: Where to print.

    Raises:
        AmlnnError: the input was wrong (before any training), or the run failed.
        KeyboardInterrupt: it was stopped; the run can be resumed.
    """
    console = console or Console()
    loaded = load_config(options.config, options.cfg_options)
    check_data_roots(loaded.config, ('train', 'val'))
    _check_epochs(loaded)
    parent = options.work_dir or Path('work_dirs') / loaded.name
    hide_accelerators(options.device)
    with in_scope(loaded.config):
        plan = adapt(loaded, choose_device(options.device), options.seed, options.pretrained)
        check_parameters(loaded, lambda model: parameter_names(loaded))
        effective = _effective_config(plan)
        if options.dry_run:
            _dry_run(plan, console)
            return None
        if options.resume is None:
            folder = create_run_folder(parent, new_run_name(config_hash(effective)))
        else:
            folder = find_run(options.resume, parent, effective, plan.data_hash(),
                              options.pretrained is not None)
            if options.pretrained is None:  # the weights that the run began with
                plan.model_options.pretrained = stored_pretrained(folder)
                effective = _effective_config(plan)
        with RunLock(folder):
            write_text(folder / 'config.py', resolved_text(effective))
            place = RunPlace(folder, resumed=options.resume is not None)
            _train_in(place, plan, effective, draw, console)
    return folder


def planned_identity(options: TrainOptions) -> str:
    """The identity (`amlnn.config.experiment`) that a training with these options would have.

    Raises:
        AmlnnError: the config is wrong, or the data cannot be read.
    """
    loaded = load_config(options.config, options.cfg_options)
    with in_scope(loaded.config):
        plan = adapt(loaded, choose_device(options.device), options.seed, options.pretrained)
        return identity(_effective_config(plan), plan.data_hash())


def _train_in(place: RunPlace, plan: Plan, effective, draw, console) -> None:
    folder, checkpoint = place.folder, place.checkpoint
    try:
        seed_epoch(plan.seed, -1)  # the weights' initialisation
        model, weights = build_model(plan, weights=checkpoint is None)
        loaders = {part: build_loader(plan, part) for part in ('train', 'val')
                   if plan.config.get(f'{part}_dataloader')}
        if checkpoint:  # a trunk is a copy of the weights, so they must be those of the run
            model.load_state_dict(checkpoint['state_dict'])
        if 'val' in loaders:  # what is wrong with a metric is said before any training
            evaluator = build_evaluator(plan, 'val', loaders['val'])
            if plan.series is not None:
                try_evaluation(model, loaders['val'], evaluator, forward_context(plan))
        if plan.series is None and checkpoint is None:
            check_features(model, loaders['train'])
        path = _trunk_path(plan, model)
        record = read_run(folder) if place.resumed else _new_record(plan, model, loaders, effective)
    except BaseException:
        if not place.resumed:  # wrong input; a folder without a run would only be in the way
            remove_run_folder(folder)
        raise
    record.status, record.error, record.finished = 'running', None, None
    record.trunk = path.notes[0] if path else None
    record.max_epochs = plan.config['train_cfg']['max_epochs']
    # A longer training is another experiment than the shorter one that it goes on with.
    record.experiment = identity(effective, plan.data_hash())
    _announce(plan, record, weights, place, path, console)
    recorder = Recorder(folder, record, draw)
    if place.resumed and checkpoint is None:  # it was stopped in its first epoch
        recorder.rewind([], 0.0, 0)
    recorder.write()
    if plan.series is not None and not place.resumed:
        write_components(folder / 'components.npz', plan.series)
    point_latest(folder)
    progress = TrainingProgress(console) if plan.series is None \
        else TrainingProgress(console, 'windows', digits=4)
    try:
        def warn(text):
            say(console, text, 'note')

        if path:
            loaders = {part: path.loader(plan, part, loader, warn)
                       for part, loader in loaders.items()}
        runner = _make_runner(folder, plan, model, loaders, effective, recorder, progress, path)
        runner._load_from = checkpoint
        runner.train()
        runner.close()
        if path:
            path.close()
    except KeyboardInterrupt:
        progress.stop()
        recorder.finish('interrupted')
        saved = CheckpointFolder(folder / 'checkpoints').entries()
        epochs = saved[-1]['epoch'] if saved else 0
        say(console, f'stopped; {epochs} of {record.max_epochs} epochs are saved; go on: add '
                     f'--resume {folder}')
        raise
    except BaseException as error:
        progress.stop()
        failure = _out_of_memory(plan, folder, record, error) if is_out_of_memory(error) else error
        recorder.finish('failed', f'{type(failure).__name__}: {failure}')
        if failure is error:
            raise
        raise failure from error
    progress.stop()
    recorder.finish('done')
    _conclude(record, folder, console)


def _out_of_memory(plan: Plan, folder: Path, record: RunRecord, error: BaseException) -> RunFailed:
    """What to tell about a run that had no memory left in the middle of an epoch."""
    done = len(record.epochs)
    reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:160].strip(': ')
    kept = f'; {done} epoch{"s are" if done > 1 else " is"} done' if done else ''
    if (folder / 'best.pth').is_file():
        kept += f', {folder / "best.pth"} holds epoch {record.best_epoch}'
    size = plan.config['train_dataloader'].get('batch_size')
    smaller = f', such as {size // 2} instead of {size}' if size and size > 1 else ''
    return RunFailed(
        f'out of memory in epoch {done + 1} of {record.max_epochs} ({reason}){kept}',
        hint=f'a smaller train_dataloader.batch_size{smaller}; where the machine\'s own memory '
        'is short, fewer num_workers')


def _make_runner(folder, plan, model, loaders, effective, recorder, progress,
                 path=None) -> FolderRunner:
    config = plan.config
    log_interval = (config['default_hooks'].get('logger') or {}).get('interval', 20)
    epoch_hook = EpochHook(recorder, progress, plan.seed, log_interval)
    validation = {}
    if 'val' in loaders:
        validation = dict(
            val_dataloader=loaders['val'],
            val_evaluator=build_evaluator(plan, 'val', loaders['val']),
            val_cfg={})
    kind = FolderRunner if plan.series is None else ForecastRunner
    return kind(
        folder, recorder, epoch_hook, progress, effective, forward_context(plan), path,
        model=model,
        train_dataloader=loaders['train'], train_cfg=config['train_cfg'], **validation,
        optim_wrapper=config['optim_wrapper'], param_scheduler=config.get('param_scheduler'),
        auto_scale_lr=config.get('auto_scale_lr'), default_hooks=config['default_hooks'],
        custom_hooks=[*(config.get('custom_hooks') or []), epoch_hook,
                      FiniteLossHook(1 if plan.device == 'cpu' else 20)],
        env_cfg=config.get('env_cfg') or dict(dist_cfg=dict(backend='nccl')),
        log_processor=config.get('log_processor'), log_level=config.get('log_level', 'INFO'),
        visualizer=config.get('visualizer'), default_scope=config.get('default_scope'),
        randomness={**(config.get('randomness') or {}), 'seed': plan.seed})


def _trunk_path(plan: Plan, model):
    """The fast path, where there is a frozen trunk that could take it."""
    if plan.series is not None:
        return None
    from amlnn.engine.trunk import TrunkPath  # brings in MMPretrain
    return TrunkPath.plan(plan, model)


def _check_epochs(loaded: LoadedConfig) -> None:
    section = loaded.config.get('train_cfg')
    if not section or not loaded.config.get('train_dataloader'):
        raise ConfigError(f'`{loaded.path}` has no `train_cfg` or no `train_dataloader`',
                          hint=f'inherit a base from {shipped_config("configs/_base_/schedules")} '
                          'and one from datasets')
    if section.get('max_epochs') is None or not section.get('by_epoch', True):
        raise ConfigError(
            f'`{loaded.path}` trains by iterations; runs here are counted in epochs',
            hint='train_cfg = dict(_delete_=True, by_epoch=True, max_epochs=10, val_interval=1)')


def _effective_config(plan: Plan):
    """The resolved config with what the command line set, as config.py stores it."""
    config = copy.deepcopy(plan.loaded.config)
    config['model']['pretrained'] = plan.model_options.pretrained
    config['randomness'] = {**(config.get('randomness') or {}), 'seed': plan.seed}
    return config


def _new_record(plan: Plan, model, loaders, effective) -> RunRecord:
    trainable, total = count_parameters(model)
    kind = run_kind(plan.config)
    return RunRecord(
        kind=kind, config_name=plan.loaded.name, config_path=str(plan.loaded.path),
        command=list(sys.argv), config_hash=config_hash(effective),
        experiment=identity(effective, plan.data_hash()), started=utc_now(), seed=plan.seed,
        data_root=plan.data_root, data_manifest_hash=plan.data_hash(),
        classes=list(loaders['train'].dataset.metainfo.get('classes') or plan.classes or []),
        samples={part: len(loader.dataset) for part, loader in loaders.items()},
        versions=library_versions(kind), device=device_name(plan.device),
        threads=torch.get_num_threads(), precision=plan.precision,
        pretrained=plan.model_options.pretrained, frozen_stages=plan.model_options.frozen_stages,
        stages=stage_table(model), trainable_parameters=trainable, total_parameters=total)


def _announce(plan: Plan, record: RunRecord, weights, place: RunPlace, path, console) -> None:
    for note in plan.notes:
        say(console, note, 'note')
    for note in path.notes if path else ():
        say(console, note)
    if weights:
        say(console, str(weights))
    table = Table('stage', 'frozen', 'trainable', 'total', box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = 'right'
    for stage in record.stages:
        table.add_row(stage.name, 'frozen' if stage.frozen else '',
                      f'{stage.trainable_parameters:,}', f'{stage.total_parameters:,}')
    table.add_row('all', '', f'{record.trainable_parameters:,}', f'{record.total_parameters:,}')
    console.print(table)
    samples = ', '.join(f'{count:,} {part}' for part, count in record.samples.items())
    what = f'{samples} images, {len(record.classes)} classes' if plan.series is None \
        else f'{samples} windows, {plan.series.describe()}'
    say(console, f'{record.config_name}: {what}, {record.device}, {record.precision}, '
                 f'seed {record.seed}')
    for warning in plan.series.warnings() if plan.series else ():
        say(console, warning, 'warning')
    if place.resumed:
        done = place.checkpoint['meta']['epoch'] if place.checkpoint else 0
        say(console, f'resumed after epoch {done}')
    say(console, f'run folder: {place.folder}')


def _conclude(record: RunRecord, folder: Path, console: Console) -> None:
    if record.stopped_early:
        say(console, 'stopped early: no improvement')
    best = ''
    if record.best_epoch is not None:
        best = f'best {record.monitor} {record.best_value:.4f} in epoch {record.best_epoch}, '
    say(console, f'{best}{duration(record.total_seconds)} for {len(record.epochs)} epochs')
    if (folder / 'best.pth').is_file():
        say(console, f'{command_line("test")} {record.config_path} {folder / "best.pth"}')


def _dry_run(plan: Plan, console: Console) -> None:
    """Build everything, run one batch of each part and a checkpoint round trip, leave nothing."""
    with tempfile.TemporaryDirectory(prefix='amlnn-dry-run-') as name:
        folder = Path(name)
        model, weights = build_model(plan)
        parts = [part for part in ('train', 'val', 'test') if plan.config.get(f'{part}_dataloader')]
        loaders = {}
        for part in parts:
            try:
                loaders[part] = one_batch(build_loader(plan, part))
            except DataError as error:
                if part != 'test':
                    raise
                # Split 8:2, a data set has no test part, and training does not need one.
                say(console, error.message, 'note')
        if plan.series is None:
            check_features(model, loaders['train'])
        effective = _effective_config(plan)
        record = _new_record(plan, model, loaders, effective)
        record.max_epochs = 1
        path = _trunk_path(plan, model)
        if path:
            path.features(next(iter(loaders['train'])))
        _announce(plan, record, weights, RunPlace(folder, resumed=False), path, console)
        plan.config['train_cfg'] = dict(by_epoch=True, max_epochs=1)
        quiet = Console(quiet=True)
        runner = _make_runner(folder, plan, model, loaders, effective, Recorder(folder, record),
                              TrainingProgress(quiet))
        runner.train()
        if 'test' in loaders:
            run = evaluate if plan.series is None else evaluate_forecaster
            run(model, loaders['test'], build_evaluator(plan, 'test', loaders['test']),
                forward_context(plan))
        path = CheckpointFolder(folder / 'checkpoints').newest_whole()
        runner.restore(read_checkpoint(path))
        runner.close()
    say(console, 'dry run: everything was built, one batch of each part ran, and a checkpoint was '
                 'written and read back; nothing was kept')
