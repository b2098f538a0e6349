"""The fast path agrees with the plain one, and is refused where it would not."""

from pathlib import Path

import pytest
import torch
from generated import write_small_config
from trunk_runs import FREEZE, losses, run

from amlnn.engine.train import TrainOptions, train
from amlnn.errors import ConfigError
from amlnn.records import read_run

BACKBONES = {
    'ResNet18': '',
    'ResNet50': 'model = dict(backbone=dict(depth=50), head=dict(in_channels=512), '
                'frozen_stages=3)',
    'ResNetV1d': "model = dict(backbone=dict(type='ResNetV1d'), frozen_stages=3)",
}


pytestmark = pytest.mark.usefixtures('own_cache')


def assert_same_run(left: Path, right: Path, tolerance: float) -> None:
    """Every iteration's loss, and every epoch's validation, agree."""
    assert len(losses(left)) == len(losses(right)) > 0
    assert losses(left) == pytest.approx(losses(right), rel=tolerance, abs=tolerance)
    for first, second in zip(read_run(left).epochs, read_run(right).epochs, strict=True):
        assert first.val_loss == pytest.approx(second.val_loss, rel=tolerance, abs=tolerance)
        assert first.metrics == second.metrics


@pytest.mark.parametrize('backbone', [
    name if name == 'ResNet18' else pytest.param(name, marks=pytest.mark.slow)
    for name in BACKBONES])
def test_in_float32_without_folding_every_loss_is_that_of_the_plain_path(
        tmp_path, data_set, backbone):
    config = write_small_config(tmp_path / 'small.py', data_set,
                                BACKBONES[backbone] or FREEZE['three stages'])
    plain = run(config, tmp_path / 'plain', 'trunk_cache=False')
    fast = run(config, tmp_path / 'fast', 'trunk_cache=True', 'fold_batch_norm=False')
    assert read_run(plain).trunk is None and 'layer3' in read_run(fast).trunk
    assert_same_run(plain, fast, 1e-5)


@pytest.mark.slow
def test_with_everything_frozen_the_paths_agree_too(tmp_path, data_set):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['everything'])
    plain = run(config, tmp_path / 'plain', 'trunk_cache=False')
    fast = run(config, tmp_path / 'fast', 'fold_batch_norm=False')
    assert_same_run(plain, fast, 1e-5)


def test_fewer_views_come_again_in_the_plain_path_and_from_the_cache_alike(tmp_path, data_set):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['three stages'], epochs=3)
    plain = run(config, tmp_path / 'plain', 'trunk_cache=False', 'views=2')
    fast = run(config, tmp_path / 'fast', 'views=2', 'fold_batch_norm=False')
    assert_same_run(plain, fast, 1e-5)
    other = run(config, tmp_path / 'other', 'trunk_cache=False')
    assert losses(other)[:8] == losses(plain)[:8] and losses(other)[8:] != losses(plain)[8:]


@pytest.fixture
def count_trunk(monkeypatch):
    """Counts the images that go through a trunk, apart from its own self-tests."""
    from amlnn.engine.images.trunk_path import TrunkPath
    counted = []
    original = TrunkPath.features

    def features(self, batch):
        counted.append(len(batch['data_samples']))
        return original(self, batch)

    monkeypatch.setattr(TrunkPath, 'features', features)
    return counted


def test_a_view_is_computed_once_and_validation_once_a_run(tmp_path, data_set, count_trunk):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['three stages'], epochs=4)
    run(config, tmp_path / 'work', 'views=2')
    assert sum(count_trunk) == 2 * 40 + 20


def test_without_random_transforms_one_view_serves_all_epochs(tmp_path, data_set, count_trunk):
    fixed = ("train_dataloader.dataset.pipeline=[dict(type='LoadImageFromFile'), "
             "dict(type='Resize', scale=(64,64)), dict(type='PackInputs')]")
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['three stages'], epochs=4)
    cached = run(config, tmp_path / 'work', fixed, 'fold_batch_norm=False')
    assert sum(count_trunk) == 40 + 20
    plain = run(config, tmp_path / 'plain', fixed, 'trunk_cache=False')
    assert losses(cached) == pytest.approx(losses(plain), rel=1e-4)


@pytest.mark.slow
def test_the_next_trial_of_a_sweep_computes_nothing(tmp_path, data_set, count_trunk):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['everything'])
    run(config, tmp_path / 'one', 'trunk_cache=True')
    count_trunk.clear()
    second = run(config, tmp_path / 'two', 'trunk_cache=True')
    assert sum(count_trunk) == 0
    third = run(config, tmp_path / 'plain', 'trunk_cache=False')
    assert losses(second) == pytest.approx(losses(third), rel=1e-3)


@pytest.mark.slow
def test_a_view_used_once_is_not_written(tmp_path, data_set, own_cache):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['everything'])
    run(config, tmp_path / 'work')
    rows = {path.parent.name: path.stat().st_size for path in own_cache.glob('*/view_*.data')}
    assert len(rows) == 1 and set(rows.values()) == {20 * 128 * 4}  # validation alone


@pytest.mark.slow
@pytest.mark.parametrize('option', ['model.head.loss.loss_weight=2.0', 'train_cfg.max_epochs=3'])
def test_what_does_not_change_the_features_finds_them_again(tmp_path, data_set, count_trunk,
                                                            option):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['everything'], epochs=2)
    run(config, tmp_path / 'one', 'views=2', 'trunk_cache=True')
    count_trunk.clear()
    run(config, tmp_path / 'two', 'views=2', 'trunk_cache=True', option)
    assert sum(count_trunk) == 0


@pytest.mark.slow
def test_another_pipeline_seed_or_trunk_is_another_cache(tmp_path, data_set, count_trunk):
    text = FREEZE['everything']
    config = write_small_config(tmp_path / 'small.py', data_set, text, epochs=1)
    run(config, tmp_path / 'one', 'trunk_cache=True')
    whole = 40 + 20
    count_trunk.clear()
    run(config, tmp_path / 'two', 'trunk_cache=True',
        'train_dataloader.dataset.pipeline.1.padding=1')
    assert sum(count_trunk) == 40  # validation's pipeline is what it was
    count_trunk.clear()
    train(TrainOptions(config, work_dir=tmp_path / 'three', seed=9,
                       cfg_options=['execution.trunk_cache=True']))
    assert sum(count_trunk) == whole


def damage_every_store(cache: Path) -> None:
    for path in cache.glob('*/view_*.data'):
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 1
        path.write_bytes(content)


def test_a_flipped_bit_in_the_cache_changes_no_loss(tmp_path, data_set, own_cache):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['three stages'])
    first = run(config, tmp_path / 'one', 'trunk_cache=True')
    damage_every_store(own_cache)
    second = run(config, tmp_path / 'two', 'trunk_cache=True')
    assert losses(second) == losses(first)


@pytest.mark.slow
def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path, data_set, monkeypatch):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['three stages'])
    first = run(config, tmp_path / 'one', 'trunk_cache=True')
    (tmp_path / 'file').touch()
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'file' / 'cache'))
    second = run(config, tmp_path / 'two', 'trunk_cache=True')
    assert losses(second) == losses(first)


@pytest.mark.slow
def test_a_cache_smaller_than_a_view_is_not_used_and_said(tmp_path, data_set, capsys):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['three stages'])
    first = run(config, tmp_path / 'one', 'trunk_cache=False')
    second = run(config, tmp_path / 'two', 'cache_gb=0.000001', 'fold_batch_norm=False')
    assert_same_run(first, second, 1e-5)
    assert 'more than the limit' in capsys.readouterr().out


@pytest.mark.parametrize(('frozen', 'asked', 'needed', 'later'), [
    # 40 images, so many numbers of 4 bytes each
    ('three stages', 'trunk_cache=True',
     '(64 x 2 x 2 numbers in float32 each) take 40.96 kB, 2 views 81.92 kB', True),
    ('three stages', 'views=1', '(64 x 2 x 2 numbers in float32 each) take 40.96 kB;', True),
    ('everything', 'trunk_cache=True', '(128 numbers in float32 each) take 20.48 kB', False),
])
def test_features_that_have_no_room_are_refused_before_the_first_epoch(
        tmp_path, data_set, frozen, asked, needed, later):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE[frozen], epochs=2)
    with pytest.raises(ConfigError) as caught:
        run(config, tmp_path / 'one', asked, 'cache_gb=0.000001')
    assert needed in caught.value.message
    assert 'may have 1.00 kB' in caught.value.message
    assert 'execution.trunk_cache=False' in caught.value.hint
    assert ("model.frozen_stages='all'" in caught.value.hint) == later
    assert not list((tmp_path / 'one').glob('*/run.json'))


def test_a_resumed_fast_run_repeats_the_whole_one(tmp_path, data_set, monkeypatch):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE['three stages'], epochs=3)
    whole = run(config, tmp_path / 'whole', 'views=2')

    def stop(record, path):
        if record.status == 'running' and len(record.epochs) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr('amlnn.engine.run.recorder._SECONDS_BETWEEN_DRAWINGS', -1.0)
    options = ['default_hooks.logger.interval=1', 'execution.views=2']
    with pytest.raises(KeyboardInterrupt):
        train(TrainOptions(config, work_dir=tmp_path / 'cut', cfg_options=options), draw=stop)
    cut = train(TrainOptions(config, work_dir=tmp_path / 'cut', resume='', cfg_options=options))
    assert losses(cut) == losses(whole)
    left, right = (torch.load(each / 'checkpoints/epoch_0003.pth', weights_only=True)['state_dict']
                   for each in (cut, whole))
    assert all(torch.equal(left[name], right[name]) for name in left)


@pytest.mark.slow
def test_decoded_images_from_the_cache_train_the_same_run(tmp_path, data_set, own_cache):
    config = write_small_config(tmp_path / 'small.py', data_set)
    plain = run(config, tmp_path / 'plain')
    assert not own_cache.exists()
    first = run(config, tmp_path / 'first', 'decoded_cache=True')
    assert len(list(own_cache.glob('*/images.data'))) == 1
    again = run(config, tmp_path / 'again', 'decoded_cache=True')
    assert losses(plain) == losses(first) == losses(again)


def test_a_trunk_that_is_demanded_and_cannot_be_is_an_error(tmp_path, data_set):
    config = write_small_config(tmp_path / 'small.py', data_set)
    with pytest.raises(ConfigError, match='nothing is frozen'):
        run(config, tmp_path / 'work', 'trunk_cache=True')
    assert not (tmp_path / 'work').exists()


def test_a_refusal_is_said_in_one_line_and_the_run_goes_on(tmp_path, data_set, capsys):
    config = write_small_config(
        tmp_path / 'small.py', data_set,
        "model = dict(frozen_stages=2, train_cfg=dict(augments=dict(type='Mixup', alpha=0.8)), "
        'head=dict(loss=dict(use_soft=True)))\n', epochs=1)
    folder = run(config, tmp_path / 'work')
    assert read_run(folder).trunk is None
    assert 'computed anew in every epoch: batch augmentations' in capsys.readouterr().out
