"""A run that was stopped anywhere, and goes on, ends as one that never was: to the bit."""

import importlib
import itertools
import json
import sys

import pytest
import torch
from generated import write_data_set, write_series, write_series_config
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS
from tiny_runs import write_tiny_config

from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import AmlnnError
from amlnn.records import read_run

TIMES = ('seconds', 'train_seconds', 'val_seconds', 'samples_per_second', 'lr')


@pytest.fixture(scope='module')
def series(tmp_path_factory):
    return write_series(tmp_path_factory.mktemp('series') / 'series.csv')


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp('images') / 'data', side=8)


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
    # EMAHook notes that it was resumed.
    parts |= {name: state for name, state in stored['own_hooks'].items() if 'EMA' not in name}
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


# Two epochs of warm-up, then one of everything; arguments that make each show within 5 epochs.
SCHEDULERS = {
    'Constant': dict(factor=0.5, end=3),
    'CosineAnnealing': dict(),
    'CosineRestart': dict(periods=[2, 3], restart_weights=[1, 0.5], eta_min=1e-4),
    'Exponential': dict(gamma=0.5),
    'Linear': dict(start_factor=0.1),
    'MultiStep': dict(milestones=[2, 3], gamma=0.1),
    'OneCycle': dict(eta_max=0.1, total_steps=5),
    'Poly': dict(power=2),
    'ReduceOnPlateau': dict(monitor='val_loss', patience=0, threshold=0.5),
    'Step': dict(step_size=2, gamma=0.1),
}
# Each of them for the learning rate, for the momentum, and for any named parameter of a group.
ENDINGS = {'LR': {}, 'Momentum': {}, 'ParamScheduler': {'param_name': 'lr'}}


def scheduler_names():
    found = sorted(name for name in PARAM_SCHEDULERS.module_dict)
    expected = {f'{name}{ending}' for name, ending in itertools.product(SCHEDULERS, ENDINGS)}
    assert set(found) == expected - {'OneCycleMomentum'}  # which MMEngine does not have
    return found


def section(name):
    kind = next(kind for kind in SCHEDULERS if name.startswith(kind))
    return dict(type=name, **SCHEDULERS[kind], **ENDINGS[name.removeprefix(kind)])


@pytest.mark.parametrize('name', scheduler_names())
def test_every_scheduler_is_resumed(name, series, tmp_path):
    text = ', '.join(f'{key}={value!r}' for key, value in section(name).items())
    config = write_series_config(
        tmp_path / 'small.py', series,
        f'param_scheduler = dict(_delete_=True, {text})\n'
        "optim_wrapper = dict(optimizer=dict(_delete_=True, type='SGD', lr=0.05, momentum=0.9))",
        epochs=5)
    assert_a_stopped_run_ends_alike(config, tmp_path, 'before validation')


@pytest.mark.parametrize('by_epoch', ['by_epoch=True', 'by_epoch=False',
                                      'by_epoch=True, convert_to_iter_based=True'])
@pytest.mark.parametrize('name', ['StepLR', 'ExponentialLR', 'MultiStepLR', 'LinearLR'])
def test_a_run_that_goes_on_for_longer_has_the_rates_of_one_planned_so(
        name, by_epoch, series, tmp_path):
    given = section(name)
    if name == 'LinearLR':
        given['end'] = 3  # else it would last as long as the training
    words = ', '.join(f'{key}={value!r}' for key, value in given.items())
    def run(folder, epochs, **options):
        config = write_series_config(
            tmp_path / 'small.py', series,
            f'param_scheduler = dict(_delete_=True, {words}, {by_epoch})', epochs)
        return train(TrainOptions(config, work_dir=tmp_path / folder, **options))
    whole = run('whole', 5)
    shorter = run('longer', 2)
    longer = run('longer', 5, resume=str(shorter))
    (parts, epochs, *_), (long_parts, long_epochs, *_) = contents(whole), contents(longer)
    assert_equal(parts, long_parts)
    # The second epoch ended without a step, as it was the last one then.
    assert_equal([epoch[:3] for epoch in epochs], [epoch[:3] for epoch in long_epochs])
    assert_equal(epochs[2:], long_epochs[2:])


def test_a_scheduler_that_lasts_as_long_as_the_training_ends_with_the_longer_one(series, tmp_path):
    def run(epochs, **options):
        config = write_series_config(
            tmp_path / 'small.py', series,
            "param_scheduler = dict(_delete_=True, type='CosineAnnealingLR', eta_min=0.0)", epochs)
        return read_run(train(TrainOptions(config, work_dir=tmp_path / 'runs', **options)))
    rates = [epoch.learning_rate for epoch in run(2).epochs]
    folder = next(path for path in (tmp_path / 'runs').iterdir() if not path.is_symlink())
    longer = [epoch.learning_rate for epoch in run(4, resume=str(folder)).epochs]
    assert longer[:2] == rates
    assert all(before > after for before, after in itertools.pairwise(longer))


HOOK = '''
from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module(force=True)
class CountingHook(Hook):
    """Counts batches, and lets the rate follow the count."""

    def __init__(self):
        self.count, self.seen = 0, set()

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.count += 1
        self.seen.add(len(data_batch['inputs']))
        for group in runner.optim_wrapper.optimizer.param_groups:
            group['lr'] = 0.1 / self.count
'''


@pytest.mark.parametrize('where', WHERE)
def test_averages_gradients_that_wait_and_hooks_of_ones_own_are_resumed(
        where, images, tmp_path, monkeypatch):
    (tmp_path / 'counting_hooks.py').write_text(HOOK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, 'counting_hooks', raising=False)
    importlib.import_module('counting_hooks')
    config = write_tiny_config(
        tmp_path / 'small.py', images,
        "custom_imports = dict(imports=['counting_hooks'])\n"
        "optim_wrapper = dict(accumulative_counts=3)\n"
        "custom_hooks = [dict(type='EMAHook', momentum=0.1, begin_epoch=2),\n"
        "                dict(type='CountingHook')]", epochs=5)
    whole = assert_a_stopped_run_ends_alike(config, tmp_path, where)
    stored = torch.load(whole / 'checkpoints/epoch_0004.pth', weights_only=True)
    assert stored['own_hooks']['CountingHook-1']['count'] == 4 * 4  # batches of an epoch: 4
    assert stored['gradients']  # 16 batches, by threes: one waits


def test_every_optimizer_is_resumed_or_refused(images, tmp_path):
    import mmpretrain.engine  # noqa: F401 - registers its optimizers
    from mmpretrain.registry import OPTIMIZERS as MORE
    refused = {}
    names = sorted({*OPTIMIZERS.module_dict, *MORE.module_dict})
    assert len(names) > 15
    for name in names:
        (folder := tmp_path / name).mkdir()
        config = write_tiny_config(
            folder / 'small.py', images,
            f"optim_wrapper = dict(optimizer=dict(_delete_=True, type='{name}', lr=0.01))",
            epochs=3)
        try:
            assert_a_stopped_run_ends_alike(config, folder, epoch=2)
        except AmlnnError as error:
            refused[name] = f'{error.message}: {error.hint}'
            assert not list(folder.glob('whole/*/run.json'))  # before the run begins
    # A closure, matrices alone, sparse gradients alone, several processes, and the base class.
    assert set(refused) == {'LBFGS', 'Muon', 'SparseAdam', 'ZeroRedundancyOptimizer', 'Optimizer'}
