"""Tries out what a config describes, and leaves nothing."""

import sys
import tempfile
from pathlib import Path

from rich.console import Console

from amlnn.config.kind import PARTS
from amlnn.config.schedules import rising_again
from amlnn.console import say
from amlnn.engine.announce import announce
from amlnn.engine.make_runner import make_runner
from amlnn.engine.new_record import count_samples, new_record
from amlnn.engine.rehearsal import rehearse, rehearse_evaluation
from amlnn.engine.run.checkpoint import CheckpointFolder, read_checkpoint
from amlnn.engine.run.progress import TrainingProgress
from amlnn.engine.run.recorder import Recorder
from amlnn.engine.run.resume import RunPlace
from amlnn.engine.task import Task
from amlnn.errors import DataError

__all__ = ['dry_run']


def dry_run(task: Task, console: Console) -> None:
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
        rehearse(task, model, loaders, task.plan.effective_config())
        stored = task.plan.effective_config()
        record = new_record(task, stored, model, count_samples(loaders), sys.argv)
        record.max_epochs = 1
        path = task.fast_path(model, loaders)
        if path:
            path.features(next(iter(loaders['train'])))
        announce(task, record, weights, RunPlace(folder, resumed=False), path, console)
        config['train_cfg'] = dict(by_epoch=True, max_epochs=1)
        runner = make_runner(folder, task, model, loaders, stored, Recorder(folder, record),
                             TrainingProgress(Console(quiet=True)))
        runner.train()
        if 'test' in loaders:
            rehearse_evaluation(task, model, 'test', loaders['test'])
        path = CheckpointFolder(folder / 'checkpoints').newest_whole()
        runner.restore(read_checkpoint(path))
        runner.close()
    say(console, 'dry run: everything was built, one batch of each part ran, and a checkpoint was '
                 'written and read back; nothing was kept')
