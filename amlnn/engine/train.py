"""Trains what a config describes into a run folder."""

import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from amlnn.atomic import write_text
from amlnn.command import command_line, shipped_config
from amlnn.config.check import check_parameters
from amlnn.config.experiment import identity, together
from amlnn.config.kind import PARTS
from amlnn.config.load import LoadedConfig
from amlnn.config.own_imports import check_unchanged, keep_own_modules
from amlnn.config.resolved import config_hash
from amlnn.config.run_keys import check_run_keys
from amlnn.config.schedules import rising_again
from amlnn.console import say
from amlnn.engine.device import choose_device, device_name
from amlnn.engine.make_runner import make_runner
from amlnn.engine.memory import is_out_of_memory
from amlnn.engine.new_record import count_samples, new_record
from amlnn.engine.options import AUTO, TrainOptions
from amlnn.engine.processes import Processes, cause, joined, processes
from amlnn.engine.rehearsal import rehearse
from amlnn.engine.run.checkpoint import CheckpointFolder, read_checkpoint
from amlnn.engine.run.folder import (
    RunLock,
    create_run_folder,
    named_run,
    new_run_name,
    point_latest,
    remove_run_folder,
)
from amlnn.engine.run.hooks import AskingHook
from amlnn.engine.run.progress import TrainingProgress, duration
from amlnn.engine.run.recorder import Recorder
from amlnn.engine.run.resume import NothingToResume, RunPlace, find_run
from amlnn.engine.run.shared_steps import several_notes
from amlnn.engine.seeding import seed_epoch
from amlnn.engine.task import Task, in_scope, open_task, parameter_names, task_class
from amlnn.errors import ConfigError, DataError, RunFailed
from amlnn.records import EpochRecord, RunRecord, process_count, read_run

__all__ = ['TrainOptions', 'planned_identity', 'train']

Draw = Callable[[RunRecord, Path], None]


def train(options: TrainOptions, draw: Draw | None = None,
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
    device = choose_device(options.device)
    with joined(options.launcher, device):
        return _train(options, device, draw, processes(), processes().console(console))


def _train(options: TrainOptions, device: str, draw: Draw | None, all_: Processes,
           console: Console) -> Path | None:
    loaded = options.loaded()
    kind = task_class(loaded.config)
    kind.check_data(loaded.config, ('train', 'val'))
    _check_epochs(loaded)
    notes = check_run_keys(loaded)
    with in_scope(loaded.config):
        task = kind.open(loaded, device, options.seed, options.pretrained)
        task.plan.notes += notes
        check_parameters(loaded, lambda model: parameter_names(loaded))
        if options.dry_run:
            all_.on_first(lambda: _dry_run(task, console))
            return None
        if options.keep_features and task.plan.policy.trunk_cache == 'auto':
            task.plan.policy.trunk_cache = True
        all_.wait()  # a folder is made only when nothing is wrong in any of them
        folder, resumed, task.plan.model_options.pretrained = all_.on_first(
            lambda: (*_folder(options, task, all_.count), task.plan.model_options.pretrained))
        config = task.plan.effective_config()
        with RunLock(folder) if all_.first else nullcontext():
            if all_.first:
                task.plan.notes += keep_own_modules(config, folder)
                write_text(folder / 'config.py', task.config_text(config))
            place = RunPlace(folder, resumed)
            Training(task, place, config, console, draw, all_, options.after_epoch).run()
    return folder


def planned_identity(options: TrainOptions) -> str:
    """The identity (`amlnn.config.experiment`) that a training with these options would have.

    Raises:
        AmlnnError: the config is wrong, or the data cannot be read.
    """
    task = open_task(options.loaded(), choose_device(options.device), seed=options.seed,
                     pretrained=options.pretrained)
    with in_scope(task.plan.config):
        return identity(task.plan.effective_config(), task.data_hash())


def _folder(options: TrainOptions, task: Task, count: int) -> tuple[Path, bool]:
    """A new run folder, or the one to go on with, whose weights the plan then begins with.

    Returns:
        The folder, and whether it is an old one.
    """
    parent = options.work_dir or task.plan.work_dir
    config = task.plan.effective_config()
    resume = options.resume
    if options.run_name is not None:
        resume = named_run(parent, options.run_name)
    try:
        run = None if resume is None else find_run(
            '' if resume == AUTO else resume, parent, config, task.data_hash(),
            options.pretrained is not None, count)
    except NothingToResume as nothing:
        if resume != AUTO:
            raise
        task.plan.notes.append(f'{nothing.message}: a new one begins')
        run = None
    if run is None:
        return create_run_folder(
            parent, options.run_name or new_run_name(config_hash(config))), False
    check_unchanged(config, run.folder)
    if options.pretrained is None:
        task.plan.begin_as(run.config)
    return run.folder, True


@dataclass
class Training:
    """One training in its run folder, from what is built to what is said at the end."""

    task: Task
    place: RunPlace
    config: dict
    """As config.py stores it."""
    console: Console
    draw: Draw | None = None
    all: Processes = field(default_factory=Processes)
    """Those that train together; the first one writes."""
    after_epoch: Callable[[EpochRecord], str | None] | None = None
    loaders: dict = field(default_factory=dict)
    asked: AskingHook | None = None

    def run(self) -> None:
        """Train.

        Raises:
            AmlnnError: input was wrong, and the folder is gone; or the run failed, and can be
                resumed.
            KeyboardInterrupt: it was stopped, and can be resumed.
        """
        try:
            said = self.build()
            record = self.describe()
        except BaseException:
            # Wrong input; a folder without a run would be in the way.
            if self.all.first and not self.place.resumed:
                remove_run_folder(self.place.folder)
            raise
        announce(self.task, record, said, self.place, self.path, self.console)
        self.begin(record)
        try:
            try:
                self.train()
            except BaseException as error:
                reason = cause(error)  # that of another process, perhaps
                if reason is error:
                    raise
                raise reason from error
        except KeyboardInterrupt:
            self.stopped()
            raise
        except BaseException as error:
            failure = self.failed(error)
            if failure is error:
                raise
            raise failure from error
        self.progress.stop()
        if self.asked and self.asked.word and len(record.epochs) < (record.max_epochs or 0):
            self.recorder.finish('interrupted', self.asked.word)
        else:
            self.recorder.finish('done')
        _conclude(record, self.place.folder, self.console)

    def build(self) -> str | None:
        """Build model, loaders and fast path, and ask whether they go together.

        Returns:
            What weights were loaded, in words.
        """
        task, checkpoint = self.task, self.place.checkpoint
        seed_epoch(task.plan.seed, -1)  # the weights' initialisation
        self.model, said = task.build_model(weights=checkpoint is None)
        self.loaders = {part: task.loader(part) for part in ('train', 'val')
                        if task.plan.config.get(f'{part}_dataloader')}
        task.plan.notes += rising_again(task.plan.config, len(self.loaders['train']))
        if checkpoint:  # a trunk is a copy of the weights, so they must be those of the run
            self.model.load_state_dict(checkpoint['state_dict'])
        if checkpoint is None:
            self.all.on_first(self.rehearse)
        self.all.make_alike(self.model)
        task.plan.notes += several_notes(
            task.plan.config['train_dataloader'].get('batch_size', 1), self.model, self.all)
        self.path = task.fast_path(self.model)
        return said

    def rehearse(self) -> None:
        """Ask whether model, data and libraries go together."""
        self.task.try_out(self.model, self.loaders)
        rehearse(self.task, self.model, self.loaders, self.config)

    def describe(self) -> RunRecord:
        """The record that the run begins or goes on with."""
        record = read_run(self.place.folder) if self.place.resumed else new_record(
            self.task, self.config, self.model, count_samples(self.loaders), sys.argv)
        record.status, record.error, record.finished = 'running', None, None
        record.trunk = self.path.notes[0] if self.path else None
        record.max_epochs = self.task.plan.config['train_cfg']['max_epochs']
        # A longer training is another experiment than the shorter one that it goes on with.
        record.experiment = identity(together(self.config, self.all.count), self.task.data_hash())
        if process_count(record.device) != self.all.count:
            record.device = device_name(self.task.plan.device)
        return record

    def begin(self, record: RunRecord) -> None:
        """Let the folder say that a run is going on in it."""
        folder = self.place.folder
        self.recorder = Recorder(folder, record, self.draw, writes=self.all.first)
        if self.place.resumed and self.place.checkpoint is None:  # stopped in its first epoch
            self.recorder.rewind([], 0.0, 0)
        self.recorder.write()
        if self.all.first:
            if not self.place.resumed:
                self.task.write_truth(folder)
            point_latest(folder)
        self.progress = TrainingProgress(self.console, self.task.rate, self.task.digits)

    def train(self) -> None:
        """Train to the last epoch, or until a hook stops it."""
        if self.path:
            self.loaders = {part: self.path.loader(self.task.plan, part, loader, self._warn)
                            for part, loader in self.loaders.items()}
        runner = make_runner(self.place.folder, self.task, self.model, self.loaders, self.config,
                             self.recorder, self.progress, self.path)
        runner._load_from = self.place.checkpoint
        if self.after_epoch:
            self.asked = AskingHook(self.after_epoch)
            runner.register_hook(self.asked)
        runner.train()
        runner.close()
        if self.path:
            self.path.close()

    def stopped(self) -> None:
        """Record that it was stopped, and say how to go on."""
        self.progress.stop()
        self.recorder.finish('interrupted')
        folder = self.place.folder
        saved = CheckpointFolder(folder / 'checkpoints').entries()
        epochs = saved[-1]['epoch'] if saved else 0
        say(self.console, f'stopped; {epochs} of {self.recorder.record.max_epochs} epochs are '
                          f'saved; go on: add --resume {folder}')

    def failed(self, error: BaseException) -> BaseException:
        """Record that it failed; what to raise."""
        self.progress.stop()
        failure = _out_of_memory(self.task, self.place.folder, self.recorder.record, error) \
            if is_out_of_memory(error) else error
        self.recorder.finish('failed', f'{type(failure).__name__}: {failure}')
        return failure

    def _warn(self, text: str) -> None:
        say(self.console, text, 'note')


def _out_of_memory(task: Task, folder: Path, record: RunRecord, error: BaseException) -> RunFailed:
    """What to tell about a run that had no memory left in the middle of an epoch."""
    done = len(record.epochs)
    reason = ' '.join(f'{type(error).__name__}: {error}'.split())[:160].strip(': ')
    kept = f'; {done} epoch{"s are" if done > 1 else " is"} done' if done else ''
    if (folder / 'best.pth').is_file():
        kept += f', {folder / "best.pth"} holds epoch {record.best_epoch}'
    size = task.plan.config['train_dataloader'].get('batch_size')
    smaller = f', such as {size // 2} instead of {size}' if size and size > 1 else ''
    return RunFailed(
        f'out of memory in epoch {done + 1} of {record.max_epochs} ({reason}){kept}',
        hint=f'a smaller train_dataloader.batch_size{smaller}; where the machine\'s own memory '
        'is short, fewer num_workers')


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


def announce(task: Task, record: RunRecord, weights: str | None, place: RunPlace, path,
             console: Console) -> None:
    """Say what will be trained, and what of it is frozen."""
    for note in task.plan.notes:
        say(console, note, 'note')
    for note in path.notes if path else ():
        say(console, note)
    if weights:
        say(console, weights)
    table = Table('stage', 'frozen', 'trainable', 'total', box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = 'right'
    for stage in record.stages:
        table.add_row(stage.name, 'frozen' if stage.frozen else '',
                      f'{stage.trainable_parameters:,}', f'{stage.total_parameters:,}')
    table.add_row('all', '', f'{record.trainable_parameters:,}', f'{record.total_parameters:,}')
    console.print(table)
    say(console, f'{record.config_name}: {task.describe(record.samples)}, {record.device}, '
                 f'{record.precision}, seed {record.seed}')
    for warning in task.warnings():
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


def _dry_run(task: Task, console: Console) -> None:
    """Build everything, run one batch of each part and a checkpoint round trip, leave nothing."""
    config = task.plan.config
    with tempfile.TemporaryDirectory(prefix='amlnn-dry-run-') as name:
        folder = Path(name)
        model, weights = task.build_model()
        loaders = {}
        for part in [part for part in PARTS if config.get(f'{part}_dataloader')]:
            try:
                loader = task.loader(part)
                if part == 'train':
                    task.plan.notes += rising_again(config, len(loader))
                loaders[part] = task.first_batch(loader)
            except DataError as error:
                if part != 'test':
                    raise
                # Split 8:2, a data set has no test part, and training does not need one.
                say(console, error.message, 'note')
        task.try_out(model, loaders)
        rehearse(task, model, loaders, task.plan.effective_config())
        stored = task.plan.effective_config()
        record = new_record(task, stored, model, count_samples(loaders), sys.argv)
        record.max_epochs = 1
        path = task.fast_path(model)
        if path:
            path.features(next(iter(loaders['train'])))
        announce(task, record, weights, RunPlace(folder, resumed=False), path, console)
        config['train_cfg'] = dict(by_epoch=True, max_epochs=1)
        runner = make_runner(folder, task, model, loaders, stored, Recorder(folder, record),
                             TrainingProgress(Console(quiet=True)))
        runner.train()
        if 'test' in loaders:
            task.evaluate(model, loaders['test'], task.evaluator('test', loaders['test']))
        path = CheckpointFolder(folder / 'checkpoints').newest_whole()
        runner.restore(read_checkpoint(path))
        runner.close()
    say(console, 'dry run: everything was built, one batch of each part ran, and a checkpoint was '
                 'written and read back; nothing was kept')
