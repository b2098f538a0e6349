"""Stops a training anywhere, resumes it, and compares the end with that of one never stopped."""

import json

import pytest
import torch

from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.train import TrainOptions, train
from amlnn.records import read_run


class Stop:
    """Stops one training in the given epoch: within it, in its validation, or at its end."""

    def __init__(self, patch, epoch, where):
        self.original = getattr(EpochHook, where)
        self.left = epoch if where != 'after_train_iter' else (epoch - 1) * 1000 + 2
        self.epoch, self.where, self.done = epoch, where, False
        patch.setattr(EpochHook, where, self.hook())

    def hook(self):
        def stopping(hook, runner, *arguments, **options):
            result = self.original(hook, runner, *arguments, **options)
            late = self.where != 'after_train_iter' or options.get('batch_idx') == 1
            epoch = runner.epoch + (self.where == 'after_train_iter')
            if not self.done and epoch == self.epoch and late:
                self.done = True
                raise KeyboardInterrupt
            return result
        return stopping


WHERE = {'in mid-epoch': 'after_train_iter', 'before validation': 'after_train_epoch',
         'before the epoch is saved': 'after_epoch_metrics'}


def contents(folder):
    """All that a resume must bring to the same: tensors, optimizer, curves."""
    newest = max((folder / 'checkpoints').glob('*.pth'))
    stored = torch.load(newest, map_location='cpu', weights_only=True)
    parts = {key: stored[key] for key in stored
             if key in ('state_dict', 'ema_state_dict', 'optimizer', 'gradients', 'intervals')}
    # EMAHook notes that it was resumed; two keys of another hook are paths.
    parts |= {name: {key: value for key, value in state.items()
                     if key not in ('out_dir', 'last_ckpt')}
              for name, state in stored['own_hooks'].items() if 'EMA' not in name}
    record = read_run(folder)
    epochs = [(each.train_loss, each.val_loss, each.metrics, each.learning_rate)
              for each in record.epochs]
    scalars = [{name: value for name, value in json.loads(line).items() if 'second' not in name}
               for line in (folder / 'scalars.jsonl').read_text().splitlines()]
    return parts, epochs, scalars, record.best_epoch


def assert_equal(one, other, at=''):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other), at
    elif isinstance(one, dict):
        assert list(one) == list(other), at
        for key in one:
            assert_equal(one[key], other[key], f'{at}.{key}')
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), at
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f'{at}.{index}')
    else:
        assert one == other, at


def assert_a_stopped_run_ends_alike(config, folder, where='in mid-epoch', epoch=3):
    whole = train(TrainOptions(config, work_dir=folder / 'whole', device='cpu'))
    with pytest.MonkeyPatch.context() as patch:
        stop = Stop(patch, epoch, WHERE[where])
        with pytest.raises(KeyboardInterrupt):
            train(TrainOptions(config, work_dir=folder / 'cut', device='cpu'))
        assert stop.done
    again = train(TrainOptions(config, work_dir=folder / 'cut', resume='', device='cpu'))
    assert_equal(contents(whole), contents(again))
    return whole
