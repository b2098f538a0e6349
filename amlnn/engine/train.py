"""Trains what a config describes into a run folder."""

import shlex
import sys
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console

from amlnn.atomic import write_text
from amlnn.command import command_line
from amlnn.config.experiment import identity, together
from amlnn.config.load import LoadedConfig
from amlnn.config.own_imports import check_unchanged, keep_own_modules
from amlnn.config.resolved import config_hash
from amlnn.config.schedules import rising_again
from amlnn.console import say
from amlnn.engine.announce import announce
from amlnn.engine.device import choose_device, device_name
from amlnn.engine.dry_run import dry_run
from amlnn.engine.kinds import in_scope, open_task, task_class
from amlnn.engine.make_runner import make_runner
from amlnn.engine.new_record import count_samples, new_record
from amlnn.engine.opening import check_trainable, open_to_train
from amlnn.engine.options import AUTO, TrainOptions
from amlnn.engine.processes import Processes, cause, joined, processes
from amlnn.engine.rehearsal import rehearse
from amlnn.engine.run.checkpoint import load_weights
from amlnn.engine.run.failures import explained
from amlnn.engine.run.folder import named_run
from amlnn.engine.run.full_disk import Reserve
from amlnn.engine.run.hooks import AskingHook
from amlnn.engine.run.progress import TrainingProgress, duration
from amlnn.engine.run.publish import Publisher
from amlnn.engine.run.recorder import Recorder
from amlnn.engine.run.resume import NothingToResume, RunPlace, StoredRun, find_run, how_far
from amlnn.engine.run.shared_steps import several_notes
from amlnn.engine.seeding import seed_epoch
from amlnn.engine.task import Task
from amlnn.engine.workers import end_workers
from amlnn.errors import UsageError
from amlnn.records import EpochRecord, RunRecord, process_count
from amlnn.run_folder import RunLock, begin_run_folder, point_latest, remove_run_folder
from amlnn.signals import signals_wait

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
    for word, given in (('--exact', options.exact), ('--data-changed', options.data_changed)):
        if given and options.resume is None and options.run_name is None:
            raise UsageError(f'{word} says how to go on with a run, and a new one begins',
                             hint=f'add --resume, or leave {word} out')
    device = choose_device(options.device)
    with joined(options.launcher, device):
        return _train(options, device, draw, processes(), processes().console(console))


def _train(options: TrainOptions, device: str, draw: Draw | None, all_: Processes,
           console: Console) -> Path | None:
    loaded = options.loaded()
    kind = task_class(loaded.config)
    notes = check_trainable(loaded)
    whole = kind.trained_first(loaded, options, console, planned_identity,
                               lambda each: _train(each, device, draw, all_, console))
    if whole is None:
        return None
    loaded = whole
    with in_scope(loaded.config):
        task = open_to_train(loaded, device, options.seed, options.pretrained, notes)
        if options.dry_run:
            all_.on_first(lambda: dry_run(task, console))
            return None
        if options.keep_features and task.plan.policy.trunk_cache == 'auto':
            task.plan.policy.trunk_cache = True
        all_.wait()  # a folder is made only when nothing is wrong in any of them
        locks: list[RunLock] = []
        folder, stored = all_.on_first(lambda: _folder(options, task, all_.count, locks))
        if stored is not None:
            task.plan.begun_engine = stored.trunk_engine
            if options.pretrained is None:
                task.plan.begin_as(stored.config)
        config = task.plan.effective_config()
        with locks[0] if all_.first else nullcontext():
            if all_.first:
                task.plan.notes += keep_own_modules(config, folder)
                write_text(folder / 'config.py', task.config_text(config))
            place = RunPlace(folder, stored is not None, stored.faults if stored else [])
            Training(task, place, config, console, draw, all_, options.after_epoch,
                     stored.record if stored else None).run()
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


def _folder(options: TrainOptions, task: Task, count: int,
            locks: list[RunLock]) -> tuple[Path, StoredRun | None]:
    """A new run folder, or the one to go on with, whose weights the plan then begins with.

    Returns:
        The folder, and the run in it if it is an old one.
    """
    parent = options.work_dir or task.plan.work_dir
    config = task.plan.effective_config()
    resume = options.resume
    if options.run_name is not None:
        resume = named_run(parent, options.run_name)
    try:
        run = None if resume is None else find_run(
            '' if resume == AUTO else resume, parent, config, task.data_hash(),
            options.pretrained is not None, count, options.data_changed)
    except NothingToResume as nothing:
        if resume != AUTO:
            raise
        task.plan.notes.append(f'{nothing.message}: a new one begins')
        run = None
    if run is None:
        folder, lock = begin_run_folder(parent, config_hash(config), options.run_name)
        locks.append(lock)
        return folder, None
    check_unchanged(config, run.folder)
    _check_exact(run.record, task, options.exact)
    if changed := run.other_data(task.data_hash()):
        task.plan.notes.append(f'it goes on with other data: {changed}')
        run.record.data_changed = '; '.join(filter(None, (run.record.data_changed, changed)))
        run.record.data_manifest_hash = task.data_hash()
    locks.append(RunLock(run.folder))
    return run.folder, run


def _check_exact(record: RunRecord, task: Task, exact: bool) -> None:
    """Say, or refuse, what keeps a resumed run from ending in the same bits."""
    now = {'device': device_name(task.plan.device), **task.versions()}
    before = {'device': record.device.partition(' x ')[2] or record.device, **record.versions}
    threads = {record.threads, *(epoch.threads for epoch in record.epochs if epoch.threads)}
    differ = [f'threads {each} before, {torch.get_num_threads()} now'
              for each in sorted(threads - {torch.get_num_threads()})]
    differ += [f'{name} {before[name]} before, {value} now' for name, value in now.items()
               if name in before and before[name] != value]
    if differ and exact:
        raise UsageError(f'going on would not end in the same bits: {"; ".join(differ)}',
                         hint=f'the same as before, such as OMP_NUM_THREADS={record.threads}, or '
                         'without --exact' if len(threads) == 1 else 'without --exact: its epochs '
                         'had several numbers of threads already')
    if differ:
        task.plan.notes.append(f'the end may differ from that of one machine in its last bits: '
                               f'{"; ".join(differ)}')


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
    stored: RunRecord | None = None
    """Of a run that is gone on with."""
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
        with ExitStack() as beginning:
            # One that comes when the record is there, and nobody yet who would end it, has to wait.
            beginning.enter_context(signals_wait())
            self.begin(record)
            self._train_begun(beginning.close)
        _conclude(record, self.task.plan.loaded, self.place.folder, self.console)

    def _train_begun(self, let_signals: Callable[[], None]) -> None:
        """Train, and record how it ended where it did not come to its end."""
        try:
            try:
                let_signals()
                self.train()
                with signals_wait():
                    self.finish()
            except BaseException as error:
                reason = cause(error)  # that of another process, perhaps
                if reason is error:
                    raise
                raise reason from error
        except KeyboardInterrupt:
            if self.recorder.record.status == 'running':
                self.stopped()
            raise
        except BaseException as error:
            failure = self.failed(error)
            if failure is error:
                raise
            raise failure from error

    def build(self) -> str | None:
        """Build model, loaders and fast path, and ask whether they go together.

        Returns:
            What weights were loaded, in words.
        """
        task, checkpoint = self.task, self.place.checkpoint
        seed_epoch(task.plan.seed, -1)  # the weights' initialisation
        self.model, said = task.build_model(weights=checkpoint is None)
        if checkpoint:
            task.staging.open_for(self.model, checkpoint['meta']['epoch'] + 1)
        self.loaders = {part: task.loader(part) for part in ('train', 'val')
                        if task.plan.config.get(f'{part}_dataloader')}
        self.all.on_first(lambda: task.check_apart(self.loaders))
        task.plan.notes += rising_again(task.plan.config, len(self.loaders['train']))
        if checkpoint:  # a trunk is a copy of the weights, so they must be those of the run
            task.check_resumed(checkpoint, self.place.folder)
            load_weights(self.model, checkpoint, self.place.folder / 'checkpoints')
        if checkpoint is None:
            self.all.on_first(self.rehearse)
        self.all.make_alike(self.model)
        task.plan.notes += several_notes(
            task.plan.config['train_dataloader'].get('batch_size', 1), self.model, self.all)
        self.path = task.fast_path(self.model, self.loaders)
        return said

    def rehearse(self) -> None:
        """Ask whether model, data and libraries go together."""
        rehearse(self.task, self.model, self.loaders, self.config)

    def describe(self) -> RunRecord:
        """The record that the run begins or goes on with."""
        record = self.stored or new_record(
            self.task, self.config, self.model, count_samples(self.loaders), sys.argv)
        if record.status == 'done' and self.place.checkpoint:  # it is to be trained for longer
            self.place.checkpoint['meta']['stopped'] = False
        record.status, record.error, record.finished = 'running', None, None
        record.trunk = self.path.notes[0] if self.path and self.path.notes else None
        record.trunk_engine = self.path.engine if self.path else None
        record.class_facts = self.task.class_facts(self.model, self.loaders['train'])
        record.threads = torch.get_num_threads()
        record.max_epochs = self.task.plan.config['train_cfg']['max_epochs']
        record.config_hash = config_hash(self.config)
        # A longer training is another experiment than the shorter one that it goes on with.
        record.experiment = identity(together(self.config, self.all.count), self.task.data_hash())
        if process_count(record.device) != self.all.count:
            record.device = device_name(self.task.plan.device)
        return record

    def begin(self, record: RunRecord) -> None:
        """Let the folder say that a run is going on in it."""
        folder = self.place.folder
        self.recorder = Recorder(folder, record, self.draw, writes=self.all.first)
        self.reserve, self.publisher = Reserve(folder), Publisher(folder)
        if self.place.resumed and self.place.checkpoint is None:  # stopped in its first epoch
            self.recorder.rewind([], 0.0, 0)
            if self.all.first:
                self.publisher.settle(self.recorder, None, keeps_best=True)
        self.recorder.write()
        if self.all.first:
            self.task.write_truth(folder)
            point_latest(folder)
            self.reserve.take()
        self.progress = TrainingProgress(self.console, self.task.rate, self.task.digits)

    def train(self) -> None:
        """Train to the last epoch, or until a hook stops it."""
        if self.path:
            self.loaders = {part: self.path.loader(self.task.plan, part, loader, self._warn)
                            for part, loader in self.loaders.items()}
        if self.place.checkpoint is None:
            said = self.task.staging.start_head(self.model, self.loaders['train'], self.path)
            if said:
                say(self.console, said)
        runner = make_runner(self.place.folder, self.task, self.model, self.loaders, self.config,
                             self.recorder, self.progress, self.path)
        runner._load_from, runner.publisher = self.place.checkpoint, self.publisher
        if self.after_epoch:
            self.asked = AskingHook(self.after_epoch)
            runner.register_hook(self.asked)
        runner.train()
        runner.renew_predictions()
        runner.close()
        self._let_go()

    def finish(self) -> None:
        """Record that it came to its end, or to that of a hook that was asked."""
        record = self.recorder.record
        self.progress.stop()
        self.reserve.give_back()
        if self.asked and self.asked.word and len(record.epochs) < (record.max_epochs or 0):
            self.recorder.finish('interrupted', self.asked.word)
        else:
            self.recorder.finish('done')

    def stopped(self) -> None:
        """Record that it was stopped, and say how to go on."""
        self.progress.stop()
        self.reserve.give_back()
        self.recorder.finish('interrupted')
        saved = self.publisher.checkpoints.saved
        say(self.console, f'stopped; what is saved goes to '
                          f'{how_far(saved) if saved else self.place.progress} of '
                          f'{self.recorder.record.max_epochs}; go on: add --resume '
                          f'{shlex.quote(str(self.place.folder))}')

    def failed(self, error: BaseException) -> BaseException:
        """Record that it failed; what to raise."""
        self.progress.stop()
        self.reserve.give_back()
        self._let_go()
        failure = explained(self.task, self.place.folder, self.recorder.record, error)
        try:
            self.recorder.finish('failed', f'{type(failure).__name__}: {failure}')
        except OSError as another:  # the disk takes nothing at all
            self._warn(f'`{self.place.folder / "run.json"}` could not be written: {another}')
        return failure

    def _let_go(self) -> None:
        """Of workers and caches: another training may follow in this process."""
        for loader in self.loaders.values():
            end_workers(loader)
        if self.path:
            self.path.close()

    def _warn(self, text: str) -> None:
        say(self.console, text, 'note')


def _conclude(record: RunRecord, loaded: LoadedConfig, folder: Path, console: Console) -> None:
    if record.stopped_early:
        say(console, 'stopped early: no improvement')
    best = ''
    if record.best_epoch is not None:
        best = f'best {record.monitor} {record.best_value:.4f} in epoch {record.best_epoch}, '
    say(console, f'{best}{duration(record.total_seconds)} for {len(record.epochs)} epochs')
    if (folder / 'best.pth').is_file():
        # What the command line said of the data, say, is in the run's own config alone.
        changed = '--cfg-options' in loaded.origins.values()
        config = folder / 'config.py' if changed else record.config_path
        say(console, command_line('test', config, folder / 'best.pth'))
