"""Stages that open in the course of a training, and a head that begins with a solution."""

import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from exact_resume import assert_a_stopped_run_ends_alike, assert_equal, contents
from generated import ROOT
from rich.console import Console
from sklearn.linear_model import Ridge
from tiny_runs import write_tiny_config
from trunk_runs import losses

from amlnn.config.load import load_config
from amlnn.engine.browse import BrowseOptions, browse
from amlnn.engine.kinds import in_scope, open_task
from amlnn.engine.lr_finder import Ramp, find_rate
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import ConfigError
from amlnn.models.images.freezing import freeze_model, refreeze
from amlnn.records import read_run

OPENING = ("model = dict(frozen_stages='all', unfreeze=[dict(epoch=3, frozen_stages=2), "
           "dict(epoch=4, frozen_stages=-1)])")
STAGES = ['stem', 'layer1', 'layer2', 'layer3', 'layer4']
EXACT = 'execution.fold_batch_norm=False'


@pytest.fixture(autouse=True)
def cache(own_cache):
    return own_cache


@pytest.fixture
def tiny(tmp_path, data_set):
    def write(text=OPENING, **options):
        return write_tiny_config(tmp_path / 'tiny.py', data_set, text, **options)
    return write


def run(config, folder, *options, epochs=4, **given):
    return train(TrainOptions(config, work_dir=folder, cfg_options=[
        'default_hooks.logger.interval=1', f'train_cfg.max_epochs={epochs}', EXACT, *options],
        **given))


def weights_after(config, folder, epochs, *options):
    """The weights after so many epochs of the same training."""
    done = run(config, folder / f'{epochs}', *options, epochs=epochs)
    path = done / f'checkpoints/epoch_{epochs:04d}.pth'
    return torch.load(path, weights_only=True)['state_dict']


def moved(before, after):
    """The parts of the backbone of which any byte is another."""
    parts = {'conv1': 'stem', 'bn1': 'stem'}
    return {parts.get(name.split('.')[1], name.split('.')[1]) for name in before
            if name.startswith('backbone.') and not torch.equal(before[name], after[name])}


@pytest.mark.parametrize('option', ['execution.trunk_cache=auto', 'execution.trunk_cache=False',
                                    'execution.views=1'])
def test_what_is_frozen_in_an_epoch_keeps_every_byte_and_the_rest_moves(tiny, tmp_path, option):
    config = tiny()
    states = [weights_after(config, tmp_path, epochs, option) for epochs in (1, 2, 3, 4)]
    assert moved(states[0], states[1]) == set()
    assert moved(states[1], states[2]) == {'layer3', 'layer4'}
    assert moved(states[2], states[3]) == set(STAGES)


def test_the_record_and_the_report_say_which_epoch_had_what_frozen(tiny, tmp_path, run_tool):
    folder = run(tiny(), tmp_path / 'runs')
    record = read_run(folder)
    assert [epoch.frozen for epoch in record.epochs] == [STAGES, STAGES, STAGES[:3], []]
    status, _, errors = run_tool('report', folder, '--out', tmp_path / 'report')
    assert status == 0, errors
    page = (tmp_path / 'report/index.html').read_text()
    table = page[page.index('Frozen by epoch'):].partition('</table>')[0]
    cells = re.findall('<td>(.*?)</td>', table)
    assert cells == ['1 to 2', ', '.join(STAGES), '3', ', '.join(STAGES[:3]), '4', 'nothing']


def test_a_run_that_never_changes_says_nothing_of_it(tiny, tmp_path):
    record = read_run(run(tiny("model = dict(frozen_stages='all')"), tmp_path / 'runs', epochs=1))
    assert record.epochs[0].frozen is None


def test_both_paths_end_in_the_same_losses(tiny, tmp_path):
    config = tiny()
    fast = run(config, tmp_path / 'fast')
    plain = run(config, tmp_path / 'plain', 'execution.trunk_cache=False')
    assert losses(fast) == pytest.approx(losses(plain), rel=2e-4)


def test_the_trunk_gets_shorter_with_every_opening(tiny, tmp_path, capsys):
    run(tiny(), tmp_path / 'runs')
    said = capsys.readouterr().out
    assert 'frozen_stages: all, from epoch 3 on 2, from epoch 4 on -1' in said
    assert 'trunk: the whole backbone' in said
    assert re.search('epoch 3: frozen_stages is 2\ntrunk: the stages to layer2', said)
    assert 'epoch 4: nothing is frozen' in said


LAYERWISE = ("\noptim_wrapper = dict(paramwise_cfg=dict(custom_keys={"
             "'backbone.layer4': dict(lr_mult=0.5)}))")


@pytest.mark.parametrize(('epoch', 'where'), [
    (2, 'in mid-epoch'), (2, 'before the epoch is saved'), (3, 'in mid-epoch'),
    (3, 'before validation'), (4, 'in mid-epoch')])
@pytest.mark.parametrize('cache', ["'auto'", 'False'])
def test_a_run_that_is_stopped_around_an_opening_ends_in_the_same_bits(
        tiny, tmp_path, epoch, where, cache):
    config = tiny(f'{OPENING}{LAYERWISE}\nexecution = dict(trunk_cache={cache})')
    whole = assert_a_stopped_run_ends_alike(config, tmp_path, where, epoch)
    cut = next((tmp_path / 'cut').glob('2*'))
    assert [each.frozen for each in read_run(cut).epochs] == \
        [each.frozen for each in read_run(whole).epochs]


@pytest.mark.slow
@pytest.mark.parametrize('epoch', [1, 2, 3])
def test_a_run_that_is_killed_behind_an_epoch_ends_in_the_same_bits(
        tiny, tmp_path, epoch, monkeypatch):
    config = tiny(OPENING + LAYERWISE)
    (config.parent / 'killer.py').write_text(KILLER)
    options = [f"custom_hooks=[{{'type': 'Killer', 'epoch': {epoch}}}]",
               "custom_imports={'imports': ['killer']}"]
    done = subprocess.run(
        [sys.executable, str(ROOT / 'tools/train.py'), str(config), '--work-dir',
         str(tmp_path / 'cut'), '--device', 'cpu', '--cfg-options', *options],
        capture_output=True, text=True, cwd=config.parent)
    assert done.returncode == -signal.SIGKILL, done.stderr
    (cut,) = (tmp_path / 'cut').glob('2*')
    assert len(read_run(cut).epochs) == epoch
    monkeypatch.setenv('SPARED', 'yes')
    whole, again = (train(TrainOptions(config, work_dir=tmp_path / name, resume=resume,
                                       device='cpu', cfg_options=options))
                    for name, resume in (('whole', None), ('cut', str(cut))))
    assert_equal(contents(whole), contents(again))


KILLER = '''
"""Kills its process when an epoch begins that is not the first after a start."""
import os
import signal

from mmengine.hooks import Hook
from mmengine.registry import HOOKS


@HOOKS.register_module(force=True)
class Killer(Hook):
    def __init__(self, epoch: int):
        self.epoch = epoch

    def before_train_epoch(self, runner) -> None:
        if runner.epoch == self.epoch and len(runner.recorder.record.epochs) == self.epoch \\
                and not os.environ.get('SPARED'):
            os.kill(os.getpid(), signal.SIGKILL)
'''


@pytest.mark.parametrize('extra', [
    "paramwise_cfg=dict(custom_keys={'backbone.layer4': dict(lr_mult=0.1)})",
    "type='OptimWrapper', constructor='LearningRateDecayOptimWrapperConstructor', "
    'paramwise_cfg=dict(layer_decay_rate=0.5)'])
def test_rates_of_layers_hold_for_what_opens_later(tiny, extra):
    config = tiny(f"{OPENING.replace('model = dict(', 'model = dict(')}\n"
                  f'optim_wrapper = dict({extra})')
    if 'decay' in extra:  # CIFAR's ResNet does not say how deep a layer lies
        with pytest.raises(ConfigError):
            browse(load_config(config), 'cpu', BrowseOptions(count=1, views=1))
        return
    found = browse(load_config(config), 'cpu', BrowseOptions(count=1, views=1))
    rates = {each.name: float(each.rates[0]) for each in found.rates}
    assert rates == {'stem, layer1, layer2, layer3, head': pytest.approx(0.01),
                     'layer4': pytest.approx(0.001)}


def test_an_averaged_model_follows_what_opens(tiny, tmp_path):
    text = OPENING + "\ncustom_hooks = [dict(type='EMAHook', momentum=0.1)]"
    fast = run(tiny(text), tmp_path / 'fast')
    plain = run(tiny(text), tmp_path / 'plain', 'execution.trunk_cache=False')
    states = [torch.load(folder / 'checkpoints/epoch_0004.pth', weights_only=True)['state_dict']
              for folder in (fast, plain)]
    for name, value in states[1].items():
        assert torch.allclose(states[0][name].float(), value.float(), rtol=1e-2, atol=1e-3), name


def test_refreezing_gives_what_freezing_gives(tiny):
    loaded = load_config(tiny('model = dict(frozen_stages=-1)'))
    task = open_task(loaded, 'cpu')
    with in_scope(loaded.config):
        models = [task.build_model()[0] for _ in range(2)]
    for value in ('all', 3, 0, -1, 2):
        refreeze(models[0], value)
        fresh = models[1]
        with in_scope(loaded.config):
            fresh, _ = task.build_model()
        freeze_model(fresh, value)
        assert [each.requires_grad for each in models[0].parameters()] == \
            [each.requires_grad for each in fresh.parameters()]
        models[0].train(), fresh.train()
        image = torch.zeros(2, 3, 40, 40)
        models[0](image), fresh(image)
        assert [each.training for each in models[0].modules()] == \
            [each.training for each in fresh.modules()]
        assert len(models[0].backbone._forward_pre_hooks) <= 1


PROBE = "model = dict(frozen_stages='all', head_start='probe')"


def test_the_head_begins_with_ridge_regression_on_the_features(tiny, tmp_path):
    loaded = load_config(tiny(PROBE))
    task = open_task(loaded, 'cpu')
    with in_scope(loaded.config):
        torch.manual_seed(0)
        model, _ = task.build_model()
        loader = task.loader('train')
        said = task.staging.start_head(model, loader, None)
        features, labels = [], []
        with torch.no_grad():
            for index in range(len(loader.dataset)):
                sample = loader.dataset[index]
                image = model.data_preprocessor({'inputs': sample['inputs'][None]})['inputs']
                features.append(model.extract_feat(image)[0][0].double().numpy())
                labels.append(int(sample['data_samples'].gt_label))
    weights = model.head.fc.weight.detach().double().numpy()
    # Up to a common factor the weights are those of a ridge regression with some penalty.
    best = min(np.abs(weights / np.linalg.norm(weights) - ridge / np.linalg.norm(ridge)).max()
               for penalty in np.logspace(-9, 3, 241) for ridge in [Ridge(penalty).fit(
                   np.array(features), np.eye(5)[labels]).coef_])
    assert best < 0.02
    scores = np.array(features) @ weights.T + model.head.fc.bias.detach().double().numpy()
    right = (scores.argmax(1) == labels).mean()
    assert f'{100 * right:.1f} % of 40 right' in said and right > 0.9


def test_a_head_that_has_a_start_is_right_from_the_first_epoch(tiny, tmp_path):
    lower = 'optim_wrapper.optimizer.lr=1e-5'
    begun = losses(run(tiny(PROBE), tmp_path / 'begun', lower, epochs=1))
    random = losses(run(tiny(PROBE.replace(", head_start='probe'", '')), tmp_path / 'random',
                        lower, epochs=1))
    assert max(begun) < 0.5 * min(random)


@pytest.mark.parametrize('option', ['execution.trunk_cache=auto', 'execution.trunk_cache=False'])
def test_a_run_with_a_started_head_goes_on_in_the_same_bits(tiny, tmp_path, option):
    config = tiny(PROBE)
    whole = run(config, tmp_path / 'whole', option, epochs=2)
    part = run(config, tmp_path / 'part', option, epochs=2, after_epoch=lambda epoch:
               'stopped' if epoch.epoch == 1 else None)
    run(config, tmp_path / 'part', option, epochs=2, resume=str(part))
    assert losses(part) == losses(whole)


def test_a_range_test_begins_with_the_head_that_a_training_begins_with(tiny):
    def first(config):
        return find_rate(load_config(config), 'cpu', Ramp(1e-6, 1e-4, 10),
                         Console(quiet=True)).curve.losses[0]
    assert first(tiny(PROBE)) < 0.5 * first(tiny(PROBE.replace(", head_start='probe'", '')))


@pytest.mark.parametrize(('text', 'words'), [
    ("model = dict(unfreeze=[dict(epoch=3, frozen_stages=2)])", '`model.frozen_stages` is not set'),
    ("model = dict(frozen_stages=2, unfreeze=[dict(epoch=3, frozen_stages=3)])", 'freezes more'),
    ("model = dict(frozen_stages=2, unfreeze=[dict(epoch=3, frozen_stages=2)])", 'as much'),
    ("model = dict(frozen_stages=2, unfreeze=[dict(epoch=1, frozen_stages=1)])", 'behind epoch 1'),
    ("model = dict(frozen_stages=2, unfreeze=[dict(epoch=4, frozen_stages=1), "
     "dict(epoch=4, frozen_stages=-1)])", 'behind epoch 4'),
    ("model = dict(frozen_stages=2, unfreeze=[dict(epoch=4)])", 'not a list of dict'),
    ("model = dict(frozen_stages=2, unfreeze=[dict(epohc=4, frozen_stages=1)])", 'key `epohc`'),
    ("model = dict(frozen_stages=2, unfreeze=dict(epoch=4, frozen_stages=1))", 'not a list'),
    ("model = dict(frozen_stages=2, unfreeze=[dict(epoch=4, frozen_stages='none')])", 'not a list'),
    ("model = dict(frozen_stages=2, trainable=['layer2'], unfreeze=[dict(epoch=4, "
     "frozen_stages=1)])", 'both set'),
    ("model = dict(head_start='lda')", "not 'probe'"),
])
def test_a_slip_in_the_keys_is_told_with_its_place(tiny, text, words):
    with pytest.raises(ConfigError, match=re.escape(words)) as wrong:
        load_config(tiny(text))
    assert 'tiny.py:' in wrong.value.message and wrong.value.hint


def test_an_opening_behind_the_last_epoch_is_noted(tiny, tmp_path, capsys):
    run(tiny(), tmp_path / 'runs', epochs=3)
    assert 'the training ends in epoch 3' in capsys.readouterr().out


@pytest.mark.parametrize(('text', 'words'), [
    ("model = dict(head_start='probe', head=dict(type='DenseHead', hidden_channels=(8, )))",
     'no single dense layer'),
    ("model = dict(head_start='probe', neck=None, backbone=dict(base_channels=128), "
     "head=dict(type='DenseHead', in_channels=25600))", '5 GB'),
    ("model = dict(frozen_stages='all', unfreeze=[dict(epoch=2, frozen_stages=3)], "
     "train_cfg=dict(augments=dict(type='FeatureMixup', alpha=0.2)))", 'FeatureMixup'),
    ("model = dict(frozen_stages='all', unfreeze=[dict(epoch=2, frozen_stages=9)])", None),
])
def test_what_cannot_be_is_refused_before_a_run_begins(tiny, tmp_path, text, words):
    with pytest.raises(ConfigError, match=words):
        run(tiny(text), tmp_path / 'runs', epochs=2)
    assert not list((tmp_path / 'runs').glob('2*'))
