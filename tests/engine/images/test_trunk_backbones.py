"""Every backbone of a base config trains through the cache of its trunk as it does without."""

import json
from pathlib import Path

import pytest
from generated import ROOT, write_data_set

from amlnn.engine.train import TrainOptions, train
from amlnn.records import read_run

MODELS = sorted(path.stem for path in (ROOT / 'configs/_base_/models').glob('*.py')
                if 'Forecaster' not in path.read_text()
                and path.stem not in ('any_backbone', 'pooled_linear'))  # without a backbone
# Pixels; the others take less.
SIDES = {'dinov3_small': 48, 'inceptionv3': 80, 'inceptionv4': 80, 'swin_tiny': 224,
         'vit_small': 224}
# Features of an image of 40 pixels, where the head takes the map as it is.
FEATURES = {'vgg16_flatten': 512, 'vgg19_flatten': 512, 'simple_cnn': 64 * 6 * 6}


@pytest.fixture(scope='module')
def few_images(tmp_path_factory) -> Path:
    return write_data_set(tmp_path_factory.mktemp('few') / 'data',
                          sizes={'train': 4, 'val': 1, 'test': 1})


def write_config(path: Path, model: str, frozen_stages: int | str, data: Path) -> Path:
    bases = [f'models/{model}.py', 'datasets/digits.py', 'schedules/sgd_8e.py', 'runtime.py']
    side = SIDES.get(model, 40)
    head = f', head=dict(in_channels={FEATURES[model]})' if model in FEATURES else ''
    path.write_text(f'''
_base_ = {[str(ROOT / "configs/_base_" / base) for base in bases]}
_pipeline = [dict(type='LoadImageFromFile'), dict(type='Resize', scale={side}),
             dict(type='RandomCrop', crop_size={side}, padding=3), dict(type='PackInputs')]
_data = dict(data_root={str(data)!r}, pipeline=_pipeline)
train_dataloader = dict(batch_size=10, dataset=_data)
val_dataloader = dict(dataset=_data)
test_dataloader = dict(dataset=_data)
model = dict(pretrained=None, frozen_stages={frozen_stages!r}{head})
train_cfg = dict(max_epochs=2)
execution = dict(precision='fp32')
''')
    return path


def run(config: Path, work_dir: Path, *options: str) -> tuple[list[float], object]:
    folder = train(TrainOptions(config, work_dir=work_dir, cfg_options=[
        'default_hooks.logger.interval=1', *(f'execution.{option}' for option in options)]))
    lines = (folder / 'scalars.jsonl').read_text().splitlines()
    return [json.loads(line)['loss'] for line in lines], read_run(folder)


@pytest.mark.slow
@pytest.mark.parametrize(('frozen_stages', 'options', 'tolerance'), [
    # Random networks' tails amplify what folding rounds; heads do not.
    (2, ['fold_batch_norm=False'], 1e-5), ('all', [], 1e-3)], ids=['two stages', 'all, folded'])
@pytest.mark.parametrize('model', MODELS)
def test_every_loss_is_that_of_the_plain_path(
        model, frozen_stages, options, tolerance, tmp_path, few_images, monkeypatch):
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'cache'))
    config = write_config(tmp_path / 'config.py', model, frozen_stages, few_images)
    plain, without = run(config, tmp_path / 'plain', 'trunk_cache=False')
    cached, record = run(config, tmp_path / 'cached', 'trunk_cache=True', *options)
    assert without.trunk is None and record.trunk is not None
    assert len(plain) == 4
    assert cached == pytest.approx(plain, rel=tolerance, abs=tolerance)
    assert [epoch.val_loss for epoch in record.epochs] == pytest.approx(
        [epoch.val_loss for epoch in without.epochs], rel=tolerance, abs=tolerance)


def test_the_walk_finds_the_base_configs_of_classifiers():
    assert len(MODELS) >= 18
