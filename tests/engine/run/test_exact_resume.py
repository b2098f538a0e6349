"""A run that was stopped anywhere, and goes on, ends as one that never was: to the bit."""

import importlib
import itertools
import sys

import pytest
import torch
from exact_resume import WHERE, assert_a_stopped_run_ends_alike, assert_equal, contents
from generated import write_data_set, write_series, write_series_config
from mmengine.registry import OPTIMIZERS, PARAM_SCHEDULERS
from tiny_runs import write_tiny_config

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
