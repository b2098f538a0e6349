"""What a training adds to freezing goes the fast path as it goes the plain one, or is refused."""

import json

import pytest
import torch
from exact_resume import assert_a_stopped_run_ends_alike
from generated import write_data_set
from mmengine.model import BaseAveragedModel, ExponentialMovingAverage
from tiny_runs import write_tiny_config
from torch import nn
from trunk_runs import losses, run

from amlnn.data.images.views import ViewDataset, ViewSampler
from amlnn.engine.images.trunk_path import TrunkPath, average_what_moves
from amlnn.errors import AmlnnError, ConfigError
from amlnn.records import read_run
from amlnn.registry import import_components

pytestmark = pytest.mark.usefixtures('own_cache')

PIPELINE = "[dict(type='LoadImageFromFile'), dict(type='RandomCrop', crop_size=8, padding=2), " \
    "dict(type='PackInputs')]"
SOFT = "head=dict(loss=dict(type='CrossEntropyLoss', use_soft=True))"
WEIGHTED = "train_dataloader = dict(sampler=dict(_delete_=True, type='WeightedSampler'))\n"
EMA = "dict(type='EMAHook', momentum=0.3)"
MIXUP = "augments=dict(type='Mixup', alpha=0.8)"
FEATURE_MIXUP = "augments=dict(type='FeatureMixup', alpha=0.8), probs=[0.7]"
DEEPER = "model = dict(backbone=dict(_delete_=True, type='ResNet', depth=34, stem_channels=4, " \
    'base_channels=4))\n'

# What of a config follows the freezing.
ALIKE = {
    'averaged weights': f'custom_hooks = [{EMA}]\n',
    'averaged weights and buffers, by package':
        "custom_hooks = [dict(type='mmengine.EMAHook', momentum=0.3, update_buffers=True)]\n",
    'averaged weights among the default hooks': f'default_hooks = dict(average={EMA})\n',
    'averages of another kind':
        "custom_hooks = [dict(type='EMAHook', ema_type='StochasticWeightAverage', begin_epoch=2)]",
    'mixed features': f'model = dict(train_cfg=dict({FEATURE_MIXUP}), {SOFT})\n',
    'balanced classes': "_data = dict(type='ImageNetFolder', data_root={data!r}, split='train', "
        f'pipeline={PIPELINE})\n'
        "train_dataloader = dict(dataset=dict(_delete_=True, type='ClassBalancedDataset', "
        'oversample_thr=0.9, dataset=_data))\n',
    'weighted classes': WEIGHTED,
    'repeated images': "train_dataloader = dict(sampler=dict(_delete_=True, "
        "type='RepeatAugSampler'))\n",
    'rates by name': "optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'head.fc.bias': "
        "dict(lr_mult=10.0, decay_mult=0.0), 'layer4': dict(lr_mult=0.1)}))\n",
    'rates by depth': DEEPER + "optim_wrapper = dict(paramwise_cfg=dict(layer_decay_rate=0.5), "
        "constructor='LearningRateDecayOptimWrapperConstructor')\n",
    'accumulated gradients': 'optim_wrapper = dict(accumulative_counts=2)\n',
    'clipped gradients': 'optim_wrapper = dict(clip_grad=dict(max_norm=0.05))\n',
    'smoothed labels': "model = dict(head=dict(loss=dict(type='LabelSmoothLoss', "
        'label_smooth_val=0.2)))\n',
    'labels as class scores': "model = dict(head=dict(loss=dict(type='CrossEntropyLoss', "
        'use_sigmoid=True)))\n'
        'data_preprocessor = dict(to_onehot=True)\n',
    'a head with a loss of its own':
        "model = dict(head=dict(_delete_=True, type='ArcFaceClsHead', in_channels=32))\n",
    'another loss later': "custom_hooks = [dict(type='SwitchRecipeHook', schedule=[dict("
        "action_epoch=2, loss=dict(type='LabelSmoothLoss', label_smooth_val=0.3))])]\n",
}
ALIKE['several of them'] = WEIGHTED + ALIKE['averaged weights'] + ALIKE['smoothed labels'] + \
    'optim_wrapper = dict(accumulative_counts=2, clip_grad=dict(max_norm=0.05), paramwise_cfg=' \
    "dict(custom_keys={'head.fc.bias': dict(lr_mult=10.0, decay_mult=0.0)}))\n"
FAST = {'several of them', 'mixed features', 'labels as class scores'}


def switched(what):
    return "custom_hooks = [dict(type='SwitchRecipeHook', schedule=[" \
        f'dict(action_epoch=2, {what})])]\n'


# What of a config follows the freezing, and what is said.
PLAIN = {
    'mixed images': (f'model = dict(train_cfg=dict({MIXUP}), {SOFT})\n', 'mix images'),
    'cut images': (f'model = dict(train_cfg=dict({MIXUP.replace("Mixup", "CutMix")}), {SOFT})\n',
                   'mix images'),
    'images mixed later': (switched(f'batch_augments=dict({MIXUP})')
                           + f'model = dict({SOFT})\ndata_preprocessor = dict(to_onehot=True)\n',
                           'SwitchRecipeHook changes how images are mixed'),
    'another pipeline later': (switched(f'train_pipeline={PIPELINE}'),
                               'SwitchRecipeHook changes the pipeline'),
    'statistics of images': ("custom_hooks = [dict(type='PreciseBNHook', num_samples=8)]\n",
                             'PreciseBNHook passes images'),
}


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    """12 and 6 training images of two classes."""
    root = write_data_set(tmp_path_factory.mktemp('images') / 'data', ('a', 'b'),
                          {'train': 12, 'val': 4, 'test': 2}, side=8)
    lines = (root / 'train.txt').read_text().splitlines(keepends=True)
    (root / 'train.txt').write_text(''.join(lines[:-6]))
    for line in lines[-6:]:
        (root / 'training_set' / line.split()[0]).unlink()
    return root


def written(folder, data, text, frozen="'all'", epochs=2):
    """A config of the tiny network on random crops, which `text` goes on with."""
    config = write_tiny_config(
        folder / 'frozen.py', data, f'model = dict(frozen_stages={frozen})\n'
        f'train_dataloader = dict(batch_size=8, dataset=dict(pipeline={PIPELINE}))\n', epochs)
    (folder / 'options.py').write_text(
        f'_base_ = {config.name!r}\n' + text.replace('{data!r}', repr(str(data))))
    return folder / 'options.py'


def compared(config, folder, *options):
    """The fast path and the plain one give the same losses, weights and averages."""
    plain = run(config, folder / 'plain', 'trunk_cache=False', *options)
    fast = run(config, folder / 'fast', 'fold_batch_norm=False', *options)
    assert read_run(plain).trunk is None and 'trunk' in read_run(fast).trunk
    assert losses(fast) == pytest.approx(losses(plain), rel=1e-5, abs=1e-5)
    for one, two in zip(read_run(plain).epochs, read_run(fast).epochs, strict=True):
        assert (two.val_loss is None) == (one.val_loss is None) and one.metrics == two.metrics
        assert two.val_loss is None or two.val_loss == pytest.approx(one.val_loss, rel=1e-5)
    one, two = (torch.load(max((each / 'checkpoints').glob('*.pth')), weights_only=True)
                for each in (plain, fast))
    for part in {'state_dict', 'ema_state_dict'} & one.keys():
        assert one[part].keys() == two[part].keys()
        for name in one[part]:
            torch.testing.assert_close(two[part][name], one[part][name], rtol=1e-5, atol=1e-5)
    return one


@pytest.mark.parametrize('what', [
    what if what in FAST else pytest.param(what, marks=pytest.mark.slow) for what in ALIKE])
def test_with_everything_frozen_the_paths_agree(tmp_path, images, no_rehearsal, what):
    config = written(tmp_path, images, ALIKE[what])
    compared(config, tmp_path, 'views=1')  # computed in the first epoch, read in the second


@pytest.mark.slow
@pytest.mark.parametrize('what', [what for what in ALIKE if what != 'mixed features'])
def test_with_a_tail_that_is_trained_the_paths_agree(tmp_path, images, no_rehearsal, what):
    config = written(tmp_path, images, ALIKE[what], frozen=3, epochs=3)
    compared(config, tmp_path, 'views=2')


@pytest.mark.slow
@pytest.mark.parametrize('what', ALIKE)
def test_each_of_them_changes_the_training(tmp_path, images, no_rehearsal, what):
    frozen = 3 if what == 'rates by depth' else "'all'"  # else the head alone is trained
    base = DEEPER if what == 'rates by depth' else ''
    kept = []
    for number, text in enumerate((base, ALIKE[what])):
        (tmp_path / str(number)).mkdir()
        folder = run(written(tmp_path / str(number), images, text, frozen), tmp_path / 'runs')
        newest = torch.load(max((folder / 'checkpoints').glob('*.pth')), weights_only=True)
        kept.append(next(value for name, value in newest['state_dict'].items()
                         if name.startswith('head.') and name.endswith('weight')))
    assert not torch.equal(*kept)


@pytest.mark.parametrize('what', [
    what if 'later' in what else pytest.param(what, marks=pytest.mark.slow) for what in PLAIN])
def test_what_the_fast_path_would_pass_by_refuses_it(tmp_path, images, what):
    text, reason = PLAIN[what]
    with pytest.raises(ConfigError, match=reason) as refused:
        run(written(tmp_path, images, text), tmp_path / 'work', 'trunk_cache=True')
    assert refused.value.hint and len(refused.value.message.splitlines()) == 1


@pytest.mark.parametrize('what', [
    what if what == 'another pipeline later' else pytest.param(what, marks=pytest.mark.slow)
    for what in PLAIN])
def test_where_it_is_not_demanded_the_plain_path_is_taken_and_said(
        tmp_path, images, no_rehearsal, capsys, what):
    text, reason = PLAIN[what]
    folder = run(written(tmp_path, images, text), tmp_path / 'work')
    assert read_run(folder).trunk is None
    said = ' '.join(capsys.readouterr().out.split())
    assert 'computed anew in every epoch' in said and reason in said


@pytest.mark.parametrize(('text', 'frozen', 'reason'), [
    (ALIKE['mixed features'], 3, 'layer4.*is trained'),
    pytest.param(ALIKE['mixed features'], -1, 'conv1.*is trained', marks=pytest.mark.slow),
    (f'model = dict(train_cfg=dict({FEATURE_MIXUP}), neck=None, head=dict(_delete_=True, '
     "type='DenseHead', in_channels=32, loss=dict(type='CrossEntropyLoss', use_soft=True)))\n",
     "'all'", 'one vector an image'),
    ("model = dict(train_cfg=dict(augments=[dict(type='FeatureMixup', alpha=0.8), "
     f"dict(type='Mixup', alpha=0.8)]), {SOFT})\n", "'all'", 'cannot take turns'),
    (ALIKE['mixed features'] + switched('batch_augments=None'), "'all'",
     'SwitchRecipeHook changes what mixes images'),
    (switched(f'batch_augments=dict({FEATURE_MIXUP})'), "'all'",
     'SwitchRecipeHook changes what mixes images'),
], ids=['a trained stage', 'nothing frozen', 'no pooling', 'images too', 'switched off',
        'switched on'])
def test_features_are_mixed_only_where_they_are_frozen_and_pooled(
        tmp_path, images, text, frozen, reason):
    with pytest.raises(AmlnnError, match=reason) as refused:
        run(written(tmp_path, images, text, frozen), tmp_path / 'work')
    assert refused.value.exit_status == 2 and refused.value.hint
    assert not (tmp_path / 'work').exists() or not any((tmp_path / 'work').iterdir())


def test_a_stopped_run_with_averages_mixing_weights_and_waiting_gradients_ends_alike(
        tmp_path, images, no_rehearsal):
    text = ALIKE['averaged weights'] + WEIGHTED + ALIKE['mixed features'] + \
        ALIKE['accumulated gradients']
    whole = assert_a_stopped_run_ends_alike(written(tmp_path, images, text), tmp_path, epoch=2)
    assert 'trunk' in read_run(whole).trunk


@pytest.mark.slow
def test_rates_by_depth_of_a_backbone_without_depth_say_what_sets_rates(tmp_path, images):
    text = ALIKE['rates by depth'].removeprefix(DEEPER)
    with pytest.raises(ConfigError, match='get_layer_depth') as refused:
        run(written(tmp_path, images, text), tmp_path / 'work')
    assert 'custom_keys' in refused.value.hint


@pytest.mark.slow
def test_a_run_that_mixes_features_is_tested_from_its_folder(tmp_path, images, run_tool):
    folder = run(written(tmp_path, images, ALIKE['mixed features']), tmp_path / 'work')
    status, _, said = run_tool('test', folder / 'config.py', folder / 'best.pth', '--split', 'val')
    assert status == 0, said
    best = read_run(folder).epochs[read_run(folder).best_epoch - 1]
    record = json.loads((folder / 'test_val.json').read_text())
    assert record['loss'] == pytest.approx(best.val_loss, rel=1e-5)


def test_a_view_that_is_drawn_again_is_not_computed_again(
        tmp_path, images, no_rehearsal, monkeypatch):
    computed = []
    original = TrunkPath.features

    def features(path, batch):
        computed.extend(sample.id for sample in batch['data_samples'])
        return original(path, batch)

    monkeypatch.setattr(TrunkPath, 'features', features)
    config = written(tmp_path, images, WEIGHTED, epochs=4)
    run(config, tmp_path / 'work', 'views=2')
    import_components()
    data = ViewDataset(dict(type='ImageNetFolder', data_root=str(images), split='train',
                            pipeline=[]))
    sampler = ViewSampler(data, dict(type='WeightedSampler'), seed=0, views=2)
    drawn = []
    for epoch in range(4):
        sampler.set_epoch(epoch)
        drawn += list(sampler)
    assert {view.repeat for view in drawn} == {0}
    validation = 8
    assert len(drawn) == 4 * 18
    assert len(computed) - validation == len(set(drawn)) <= 2 * 18


def test_what_is_frozen_is_not_averaged_anew():
    class Own(BaseAveragedModel):
        def avg_func(self, averaged_param, source_param, steps):
            averaged_param.mul_(0.5)

    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[0].requires_grad_(False)
    averaged, own = ExponentialMovingAverage(model), Own(model)
    for each in (averaged, own):
        average_what_moves(each, model)
    assert list(averaged.avg_parameters) == ['1.weight', '1.bias']
    assert len(own.avg_parameters) == 4  # whatever it does with them
