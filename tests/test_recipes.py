"""Schedules, optimizers and exercise 2's augmentations do what their configs say."""

import copy
import math

import cv2
import numpy as np
import pytest
import torch
from generated import ROOT, write_data_set
from mmengine.optim import build_optim_wrapper
from mmengine.registry import TRANSFORMS

from amlnn.config.load import load_config
from amlnn.data.images.views import ViewDataset
from amlnn.engine.kinds import in_scope
from amlnn.engine.train import TrainOptions, train
from amlnn.records import read_run

SCHEDULES = ROOT / 'configs/_base_/schedules'

# The learning rate of an epoch, counted from 0.
RATES = {
    'adam_10e': lambda epoch: 0.001,
    'adam_30e': lambda epoch: 0.001,
    'adam_50e': lambda epoch: 0.001,
    'adam_exponential_30e': lambda epoch: 0.001 * 0.9 ** epoch,
    'adam_exponential_50e': lambda epoch: 0.002 * 0.95 ** epoch,
    'rmsprop_25e': lambda epoch: 0.001,
    'sgd_8e': lambda epoch: 0.03 * (1 + math.cos(math.pi * epoch / 8)) / 2,
    'sgd_30e': lambda epoch: 0.01,
    'sgd_cosine_30e': lambda epoch: 0.01 * (1 + math.cos(math.pi * epoch / 30)) / 2,
    'sgd_step_25e': lambda epoch: 0.001 * 0.1 ** (epoch // 7),
}


def test_every_schedule_is_here():
    fitted = {'fit_once'}  # without a rate
    assert {*RATES, *fitted} == {path.stem for path in SCHEDULES.glob('*.py')}


@pytest.fixture(scope='module')
def two_images(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp('two') / 'data', classes=('a', 'b'),
                          sizes={'train': 1}, side=8)


@pytest.mark.parametrize('name', [
    pytest.param(name, marks=pytest.mark.slow)
    if name in ('adam_10e', 'adam_30e', 'adam_50e', 'sgd_30e')  # constant, as is rmsprop_25e
    else name for name in RATES])
def test_a_run_records_the_learning_rates_of_its_schedule(name, two_images, tmp_path):
    config = tmp_path / 'small.py'
    config.write_text(f'''\
_base_ = [{str(SCHEDULES / f"{name}.py")!r}, {str(ROOT / "configs/_base_/runtime.py")!r}]
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet_CIFAR', depth=18, stem_channels=2, base_channels=2),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=16))
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='ImageNetFolder', data_root={str(two_images)!r}, split='train',
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')]))
val_cfg = None
test_cfg = None
default_hooks = dict(checkpoint=dict(interval=100, save_best=None), logger=dict(interval=100))
''')
    record = read_run(train(TrainOptions(config, work_dir=tmp_path / 'work')))
    assert len(record.epochs) == int(name.rpartition('_')[2].removesuffix('e'))
    for epoch, row in enumerate(record.epochs):
        assert row.learning_rate == pytest.approx(RATES[name](epoch), rel=1e-9, abs=1e-12)


def adam(gradients, rate, eps):
    """Kingma and Ba 2015, algorithm 1, with its usual decay of 0.9 and 0.999."""
    weight = first = second = 0.0
    for step, gradient in enumerate(gradients, 1):
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient ** 2
        weight -= rate * (first / (1 - 0.9 ** step)) / (
            math.sqrt(second / (1 - 0.999 ** step)) + eps)
    return weight


def rmsprop(gradients, rate, decay, eps):
    """Tieleman and Hinton 2012, with an epsilon beside the root."""
    weight = square = 0.0
    for gradient in gradients:
        square = decay * square + (1 - decay) * gradient ** 2
        weight -= rate * gradient / (math.sqrt(square) + eps)
    return weight


def sgd(gradients, rate, decay):
    """Momentum of 0.9; weight decay adds its share of the weight to the gradient."""
    weight = velocity = 0.0
    for gradient in gradients:
        velocity = 0.9 * velocity + gradient + decay * weight
        weight -= rate * velocity
    return weight


UPDATES = {
    'adam_10e': lambda gradients: adam(gradients, 0.001, 1e-8),
    'adam_30e': lambda gradients: adam(gradients, 0.001, 1e-7),
    'adam_50e': lambda gradients: adam(gradients, 0.001, 1e-7),
    'adam_exponential_30e': lambda gradients: adam(gradients, 0.001, 1e-8),
    'adam_exponential_50e': lambda gradients: adam(gradients, 0.002, 1e-7),
    'rmsprop_25e': lambda gradients: rmsprop(gradients, 0.001, 0.9, 1e-7),
    'sgd_8e': lambda gradients: sgd(gradients, 0.03, 0.0001),
    'sgd_30e': lambda gradients: sgd(gradients, 0.01, 0.0001),
    'sgd_cosine_30e': lambda gradients: sgd(gradients, 0.01, 0.0001),
    'sgd_step_25e': lambda gradients: sgd(gradients, 0.001, 0.0),
}


@pytest.mark.parametrize('name', RATES)
def test_an_optimizer_takes_the_steps_of_its_formula(name):
    # The smallest are of the size of epsilon, or it would not be seen.
    gradients = [3e-7, -2e-8, 1e-7, 5e-8]
    section = load_config(SCHEDULES / f'{name}.py').config['optim_wrapper']
    model = torch.nn.Linear(1, 1, bias=False).double()
    torch.nn.init.zeros_(model.weight)
    wrapper = build_optim_wrapper(model, copy.deepcopy(section))
    for gradient in gradients:
        model.weight.grad = torch.full_like(model.weight, gradient)
        wrapper.step()
    assert model.weight.item() == pytest.approx(UPDATES[name](gradients), rel=1e-9)


@pytest.fixture(scope='module')
def exercise():
    return load_config(ROOT / 'configs/exercise2.py').config


@pytest.fixture(scope='module')
def steps(exercise):
    """The augmentations by their names, as config sections."""
    pipeline = exercise['train_dataloader']['dataset']['pipeline']
    plain = ('LoadImageFromFile', 'ResizeEdge', 'PackInputs')
    return [dict(step) for step in pipeline if step['type'] not in plain]


@pytest.fixture(scope='module')
def views(exercise, two_images):
    """Views of one image under some steps alone, uint8 [256, 256, BGR] before a crop."""

    def draw(steps, count=8, seed=0):
        with in_scope(exercise):
            data = ViewDataset(dict(
                type='ImageNetFolder', data_root=str(two_images), split='train', pipeline=[
                    dict(type='LoadImageFromFile'),
                    dict(type='ResizeEdge', scale=256, edge='short', backend='cv2'),
                    *copy.deepcopy(steps), dict(type='PackInputs')]), seed=seed)
            return [data[0, view]['inputs'].numpy().transpose(1, 2, 0) for view in range(count)]

    return draw


def test_exercise_2_has_its_five_augmentations_and_normalises(exercise, steps):
    assert [(step['type'], step.get('direction')) for step in steps] == [
        ('RandomFlip', 'horizontal'), ('RandomFlip', 'vertical'), ('ColorJitter', None),
        ('Rotate', None), ('RandomCrop', None)]
    assert exercise['data_preprocessor']['mean'] == [123.675, 116.28, 103.53]
    assert exercise['train_dataloader']['batch_size'] == 32
    assert exercise['model']['frozen_stages'] == -1
    assert exercise['default_hooks']['checkpoint']['save_best'] == 'accuracy/top1'


@pytest.mark.parametrize('place', range(5))
def test_each_augmentation_changes_the_image_and_comes_again_with_its_seed(views, steps, place):
    plain = views([], count=1)[0]
    drawn = views([steps[place]])
    assert len({view.tobytes() for view in drawn}) > 1
    assert any(view.tobytes() != plain.tobytes() for view in drawn)
    for view, again in zip(drawn, views([steps[place]]), strict=True):
        assert np.array_equal(view, again)
    others = views([steps[place]], seed=1)
    assert any(view.tobytes() != other.tobytes()
               for view, other in zip(drawn, others, strict=True))


@pytest.mark.parametrize(('place', 'axis'), [(0, 1), (1, 0)])
def test_the_flips_mirror_half_of_the_views(views, steps, place, axis):
    plain = views([], count=1)[0]
    mirrored = [np.array_equal(view, np.flip(plain, axis)) for view in views([steps[place]], 40)]
    kept = [np.array_equal(view, plain) for view in views([steps[place]], 40)]
    assert [a != b for a, b in zip(mirrored, kept, strict=True)] == [True] * 40
    assert 10 < sum(mirrored) < 30


def test_the_crop_is_a_window_of_the_image(views, steps):
    plain = views([], count=1)[0]
    corners = set()
    for view in views([steps[4]]):
        assert view.shape == (224, 224, 3)
        score = cv2.matchTemplate(plain, view, cv2.TM_SQDIFF)
        left, top = cv2.minMaxLoc(score)[2]
        assert np.array_equal(plain[top:top + 224, left:left + 224], view)
        corners.add((left, top))
    assert len(corners) > 4


def test_colour_jitter_moves_no_edge(views, steps):
    plain = views([], count=1)[0].astype(float).mean(2)
    for view in views([steps[2]]):
        assert np.corrcoef(plain.ravel(), view.astype(float).mean(2).ravel())[0, 1] > 0.97


def test_a_rotation_turns_both_ways_and_fills_the_corners_with_what_normalises_to_zero(
        exercise, views, steps):
    with in_scope(exercise):
        step = TRANSFORMS.build(steps[3])
    angles = []
    for seed in range(300):
        np.random.seed(seed)
        angles.append(step.random_negative(step.random_magnitude()))
    assert max(angles) == pytest.approx(30, abs=1) and min(angles) == pytest.approx(-30, abs=1)
    assert abs(np.mean(angles)) < 3
    empty = np.array([104, 116, 124])
    turned = [view for view in views([steps[3]]) if not np.array_equal(view[0, 0], view[128, 128])]
    filled = [view for view in turned if np.array_equal(view[0, 0], empty)]
    assert filled
    preprocessor = exercise['data_preprocessor']
    for rgb, mean, std in zip(empty[::-1], preprocessor['mean'], preprocessor['std'], strict=True):
        assert abs((rgb - mean) / std) < 0.01
