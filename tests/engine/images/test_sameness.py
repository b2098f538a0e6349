"""Images that a network cannot tell apart are two lines: in a training, a probe and a doctor."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from generated import write_data_set, write_small_config

from amlnn.engine.images.feature_pass import FeaturePass
from amlnn.engine.images.sameness import Extent

pytestmark = pytest.mark.usefixtures('own_cache')

BLACK = "dict(type='Brightness', magnitude=1.0, prob=1.0, random_negative_prob=1.0)"
ZERO = "model = dict(frozen_stages='all', pretrained=None, backbone=dict(init_cfg=dict(" \
       "type='Constant', layer=['Conv2d', '_BatchNorm'], val=0, bias=0)))"


def steps(part: str, *between: str) -> list[str]:
    """Words that give a part a pipeline without chance."""
    names = ', '.join(["dict(type='LoadImageFromFile')", *between, "dict(type='PackInputs')"])
    return ['--cfg-options', f'{part}_dataloader.dataset.pipeline=[{names}]']


def refused(run_tool, *words) -> tuple[str, str]:
    status, _, err = run_tool(*words)
    lines = err.strip().splitlines()
    assert status == 2 and lines[-2].startswith('error: ') and lines[-1].startswith('hint: '), err
    return lines[-2], lines[-1]


@pytest.fixture
def copies(tmp_path) -> Path:
    """A data set whose training images are one image, in every class."""
    root = write_data_set(tmp_path / 'copies')
    first, *others = sorted((root / 'training_set').rglob('*.png'))
    for path in others:
        path.write_bytes(first.read_bytes())
    return root


@pytest.fixture
def images(tmp_path) -> Path:
    """Class folders."""
    shutil.move(write_data_set(tmp_path / 'set') / 'training_set', tmp_path / 'raw')
    return tmp_path / 'raw'


def test_a_training_on_images_that_a_step_paints_over_does_not_begin(run_tool, write_config,
                                                                     tmp_path):
    said, hint = refused(run_tool, 'train', write_config(), '--work-dir', tmp_path / 'runs',
                         *steps('train', BLACK))
    assert 'all 32 training images that were looked at are the same behind pipeline' in said
    assert 'data_preprocessor.std' in hint


def test_a_training_on_copies_of_one_image_does_not_begin(run_tool, copies, tmp_path):
    config = write_small_config(tmp_path / 'a.py', copies)
    said, hint = refused(run_tool, 'train', config, '--work-dir', tmp_path / 'runs',
                         *steps('train'))
    assert 'are the same behind pipeline' in said and 'tools/doctor.py' in hint


def test_a_training_behind_a_frozen_backbone_that_gives_nothing_does_not_begin(
        run_tool, write_config, tmp_path):
    said, hint = refused(run_tool, 'train', write_config(ZERO), '--work-dir', tmp_path / 'runs')
    assert 'frozen backbone makes the same features of all 32 training images' in said
    assert 'model.pretrained' in hint


def test_a_few_copies_among_others_stop_nothing(run_tool, tmp_path):
    root = write_data_set(tmp_path / 'data')
    lines = (root / 'train.txt').read_text().splitlines()
    first, middle = (root / 'training_set' / lines[place].rpartition(' ')[0] for place in (0, 20))
    middle.write_bytes(first.read_bytes())  # the two that are looked at before the others
    status, _, err = run_tool('train', write_small_config(tmp_path / 'a.py', root, epochs=1),
                              '--work-dir', tmp_path / 'runs')
    assert status == 0, err


def test_a_probe_of_images_that_a_step_paints_over_is_two_lines(run_tool, write_config):
    said, hint = refused(run_tool, 'probe', write_config(), '--device', 'cpu', *steps('val', BLACK))
    assert 'the features of all 40 images of the train part are the same from stem on' in said
    assert 'val_dataloader.dataset.pipeline' in hint


def test_a_probe_of_weights_that_give_nothing_is_two_lines(run_tool, write_config):
    said, hint = refused(run_tool, 'probe', write_config(ZERO), '--device', 'cpu')
    assert 'are the same from stem on' in said and 'model.pretrained' in hint


def test_from_which_stage_on_features_are_the_same_is_said(run_tool, write_config, monkeypatch):
    model = FeaturePass.model

    def broken(self):
        built = model.func(self)
        for each in built.backbone.layer3.parameters():
            each.data[:] = 0
        return built

    monkeypatch.setattr(FeaturePass, 'model', property(broken))
    said, _ = refused(run_tool, 'probe', write_config(), '--device', 'cpu')
    assert 'are the same from layer3 on' in said


def test_a_probe_of_copies_of_one_image_is_two_lines(run_tool, copies, tmp_path):
    config = write_small_config(tmp_path / 'a.py', copies)
    assert 'the same from stem on' in refused(run_tool, 'probe', config, '--device', 'cpu')[0]


def test_a_doctor_of_copies_of_one_image_is_two_lines(run_tool, images, write_config, tmp_path):
    first, *others = sorted(images.rglob('*.png'))
    for path in others:
        path.write_bytes(first.read_bytes())
    said, _ = refused(run_tool, 'doctor', images, '--out', tmp_path / 'out', '--config',
                      write_config())
    assert 'too few usable, different images' in said and not (tmp_path / 'out').exists()


def test_a_doctor_of_weights_that_give_nothing_is_two_lines(run_tool, images, write_config,
                                                            tmp_path):
    said, hint = refused(run_tool, 'doctor', images, '--out', tmp_path / 'out', '--config',
                         write_config(ZERO), '--device', 'cpu')
    assert 'all 40 images of the train part are the same from stem on' in said
    assert 'model.pretrained' in hint and not (tmp_path / 'out').exists()


@pytest.mark.parametrize('option', ['model.data_preprocessor.std=[0,0,0]',
                                    'data_preprocessor.std=[0,0,0]',
                                    'data_preprocessor.mean=[127,127]'])
@pytest.mark.parametrize('tool', ['train', 'probe', 'check_config'])
def test_a_scale_that_leaves_nothing_is_said_by_every_command(run_tool, write_config, tool, option):
    assert 'data_preprocessor' in refused(run_tool, tool, write_config(), '--cfg-options',
                                          option)[0]


def test_the_doctors_config_is_checked_too(run_tool, write_config, images, tmp_path):
    config = write_config('data_preprocessor = dict(std=[0, 0, 0])')
    said, _ = refused(run_tool, 'doctor', images, '--out', tmp_path / 'out', '--config', config)
    assert '`data_preprocessor.std` is [0, 0, 0]' in said


def test_what_differs_is_that_of_all_batches_together():
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
    rows[:, 2] = 7.7
    rows[20:40, 2] *= 1 + 1e-7  # as rounding has it
    extent = Extent()
    assert extent.count == 0
    for begin in range(0, 60, 20):
        extent.add(rows[begin:begin + 20])
        assert not extent.differ(slice(2, 3)) and extent.differ(slice(1, 3))
    extent.add(np.full((1, 4), 7.8, np.float32))
    assert extent.differ(slice(2, 3)) and extent.count == 61


def test_one_image_alone_is_told_from_nothing_and_refused_by_nothing():
    extent = Extent()
    extent.add(np.ones((1, 3), np.float32))
    assert extent.differ()
