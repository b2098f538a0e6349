"""What a page of a config shows is what its training is given."""

import json
import random
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from generated import ROOT, write_series, write_series_config
from trunk_runs import run

from amlnn.browsed import TrainingTime
from amlnn.config.load import load_config
from amlnn.engine.browse import BrowseOptions, browse
from amlnn.errors import UsageError


@pytest.fixture(autouse=True)
def cache(own_cache):
    return own_cache


def look(config, *overrides, **options):
    return browse(load_config(config, list(overrides)), 'cpu', BrowseOptions(**options))


PIPELINE = 'train_dataloader.dataset.pipeline=' + repr([
    dict(type='LoadImageFromFile'), dict(type='RandomFlip', prob=0.5), dict(type='PackInputs')])


def test_views_are_the_original_as_the_pipeline_changes_it(tiny, data_set):
    given = look(tiny(), PIPELINE, count=6, views=5).given
    assert len(given.images) == 6 and {len(each.views) for each in given.images} == {5}
    flips = Counter()
    for each in given.images:
        original = cv2.imread(str(data_set / each.name))[:, :, ::-1]
        assert np.array_equal(each.original, original)
        assert each.label == Path(each.name).parent.name
        for view in each.views:
            same = [np.abs(view.astype(int) - other).max() <= 1
                    for other in (original, original[:, ::-1])]
            assert sum(same) == 1
            flips[same.index(True)] += 1
    assert min(flips.values()) > 5 and not given.mixed and not given.notes


def test_what_reaches_the_network_otherwise_than_red_green_blue_is_said(tiny):
    given = look(tiny('data_preprocessor = dict(to_rgb=False)'), count=1).given
    assert 'blue, green, red' in given.notes[0]
    shown = given.images[0]
    assert np.abs(shown.views[0].astype(int) - shown.original).max() <= 1


def test_a_pipeline_that_scales_pixels_itself_is_stretched_and_said(tiny):
    pipeline = 'train_dataloader.dataset.pipeline=' + repr([
        dict(type='LoadImageFromFile'),
        dict(type='Normalize', mean=[0, 0, 0], std=[255, 255, 255], to_rgb=False),
        dict(type='PackInputs')])
    given = look(tiny('data_preprocessor = dict(_delete_=True, to_rgb=True)'), pipeline,
                 count=1).given
    assert 'scales pixels itself' in given.notes[0]
    view = given.images[0].views[0]
    assert view.min() == 0 and view.max() == 255


def test_a_mixed_batch_shows_sums_of_images_with_their_shares(tiny):
    text = "model = dict(train_cfg=dict(augments=dict(type='Mixup', alpha=1.0)))"
    given = look(tiny(text), count=5).given
    assert len(given.mixed) == 5
    for each in given.mixed:
        shares = [int(part.split()[-2]) for part in each.label.split(', ')]
        assert 99 <= sum(shares) <= 101 and each.pixels.shape == (40, 40, 3)
    plain = look(tiny(), count=40).given.images
    first = given.mixed[0].pixels.astype(float)
    assert min(np.abs(each.original - first).max() for each in plain) > 10


def test_classes_are_counted_in_the_part_the_epoch_and_the_batch(tiny, data_set):
    sampler = 'train_dataloader.sampler=' + repr(
        dict(type='WeightedSampler', class_weights=[3, 1, 1, 1, 0]))
    folders = {path.name: len(list(path.iterdir()))
               for path in (data_set / 'training_set').iterdir()}
    usual, weighted = look(tiny()).given.classes, look(tiny(), sampler).given.classes
    assert {each.name: each.part for each in usual} == folders
    assert {each.name: each.epoch for each in usual} == folders
    total = sum(folders.values())
    assert [each.epoch / total for each in weighted] == pytest.approx(
        [3 / 6, 1 / 6, 1 / 6, 1 / 6, 0], abs=0.06)
    assert sum(each.batch for each in usual) == sum(each.batch for each in weighted) == 10


SCHEDULE = '''
    optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone.layer1': dict(lr_mult=0.1)}))
    param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=6),
                       dict(type='CosineAnnealingLR', by_epoch=True, begin=1, T_max=3)]
    '''


def test_rates_are_those_that_a_training_logs(tiny, tmp_path):
    config = tiny(SCHEDULE, epochs=4)
    courses = {each.name: each for each in look(config).rates}
    assert set(courses) == {'layer1', 'stem, layer2, layer3, layer4, head'}
    folder = run(config, tmp_path / 'runs')
    logged = [json.loads(line) for line in (folder / 'scalars.jsonl').read_text().splitlines()]
    whole = courses['stem, layer2, layer3, layer4, head']
    assert whole.rates.tolist() == pytest.approx([each['lr'] for each in logged])
    assert (courses['layer1'].rates / whole.rates).tolist() == pytest.approx([0.1] * 16)
    assert whole.epochs.tolist() == pytest.approx((np.arange(16) / 4).tolist())


def test_what_is_frozen_has_no_rate(tiny):
    (course,) = look(tiny("model = dict(frozen_stages='all')")).rates
    assert course.name == 'head' and course.parameters == 32 * 5 + 5


def test_a_schedule_that_waits_for_a_result_is_said(tiny):
    text = ("param_scheduler = dict(_delete_=True, type='ReduceOnPlateauLR', "
            "monitor='accuracy/top1', rule='greater')")
    browsed = look(tiny(text))
    assert any('ReduceOnPlateauLR' in note for note in browsed.notes)


def test_parts_have_their_parameters_and_multiplications(tiny):
    browsed = look(tiny('model = dict(frozen_stages=1)'))
    parts = {each.name: each for each in browsed.parts}
    assert list(parts) == ['stem', 'layer1', 'layer2', 'layer3', 'layer4', 'head']
    assert [parts[name].frozen for name in ('stem', 'layer1', 'layer2')] == [True, True, False]
    assert parts['head'].multiplications == 32 * 5
    # A convolution of 3 x 3 from 3 to 4 channels, at 40 x 40 places.
    assert parts['stem'].multiplications == 40 * 40 * 4 * 27
    assert parts['stem'].parameters == 4 * 27 + 8


def test_the_time_of_a_training_is_the_sum_of_its_parts():
    plain = TrainingTime(loading=2, workers=0, frozen=0, rest=10, validation=3,
                         validation_later=3, epochs=4, views=0)
    assert plain.training == 12 and plain.later is None and plain.whole == 4 * 15
    meanwhile = TrainingTime(loading=11, workers=2, frozen=6, rest=4, validation=3,
                             validation_later=1, epochs=4, views=2)
    assert meanwhile.training == 11 and meanwhile.later == 4
    assert meanwhile.whole == 2 * 11 + 2 * 4 + 3 + 3 * 1
    as_they_come = TrainingTime(loading=0, workers=0, frozen=6, rest=4, validation=None,
                                validation_later=None, epochs=3, views=3)
    assert as_they_come.whole == 30


def test_an_epoch_is_measured_on_both_paths(tiny):
    text = "model = dict(frozen_stages='all')"
    fast, plain = look(tiny(text)), look(tiny(text), 'execution.trunk_cache=False')
    assert fast.time.frozen > 0 and fast.time.views == 1 and plain.time.frozen == 0
    assert min(fast.time.rest, plain.time.rest, fast.time.validation, plain.time.loading) > 0
    assert plain.time.epochs == 4


def test_nothing_of_it_stays(tiny, tmp_path):
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    look(tiny())
    assert (random.getstate(), np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist()) == states
    assert not list((tmp_path / 'cwd').iterdir())


def test_a_forecaster_shows_windows_and_how_training_tilts_them(tmp_path):
    config = write_series_config(tmp_path / 'gru.py', write_series(tmp_path / 'series.csv'))
    browsed = look(config, count=3)
    assert [each.columns for each in browsed.given.windows] == [['c0', 'c1']] * 3
    assert browsed.given.windows[0].past.shape == (24, 2)
    assert browsed.given.windows[0].tilted is None
    assert browsed.time.rest > 0 and browsed.rates and browsed.parts
    tilted = look(config, 'model.random_slope=0.5', count=3).given.windows[0]
    line = np.concatenate(tilted.tilted) - np.concatenate([tilted.past, tilted.future])
    steps = np.diff(line, axis=0)
    assert np.allclose(steps, steps[0], atol=1e-5) and np.abs(steps).max() > 1e-3


def test_a_model_in_closed_form_has_windows_and_no_rates(tmp_path):
    config = tmp_path / 'ridge.py'
    series = write_series(tmp_path / 'series.csv', rows=400)
    config.write_text(f"_base_ = {str(ROOT / 'configs/series/own_ridge.py')!r}\n"
                      f'data = {str(series)!r}\n')
    browsed = look(config, count=2)
    assert len(browsed.given.windows) == 2 and not browsed.rates and browsed.time is None


@pytest.mark.parametrize('options', [dict(count=0), dict(views=0)])
def test_to_show_nothing_is_refused(options):
    with pytest.raises(UsageError, match='nothing'):
        BrowseOptions(**options)


def test_the_command_writes_one_page(tiny, run_tool, tmp_path):
    text = "model = dict(train_cfg=dict(augments=dict(type='CutMix', alpha=1.0)))"
    status, said, errors = run_tool('browse', tiny(text), '--device', 'cpu', '--samples', '2',
                                    '--views', '3')
    assert status == 0, errors
    folder = tmp_path / 'cwd/work_dirs/browse/tiny'
    assert said.strip() == 'work_dirs/browse/tiny/index.html'
    page = (folder / 'index.html').read_text()
    assert page.count('data:image/jpeg;base64,') == 2 * (1 + 3) + 2
    assert 'src="http' not in page and '<link' not in page
    text = (folder / 'browse.md').read_text()
    for words in ('## Views of images', '## Images of a batch, mixed', '## Classes',
                  '## Learning rates', '## Parameters and multiplications', '## Time'):
        assert words in text
    for name in ('views.png', 'mixed.png', 'rates.png'):
        assert (folder / name).read_bytes().startswith(b'\x89PNG') and f'({name})' in text
    (folder / 'mine.txt').write_text('kept')
    status, _, errors = run_tool('browse', tiny(), '--device', 'cpu', '--samples', '1', '--seed',
                                 '7')
    assert status == 0, errors
    assert (folder / 'mine.txt').is_file() and not (folder / 'mixed.png').exists()


def test_a_folder_of_something_else_is_left_alone(tiny, run_tool, tmp_path):
    (tmp_path / 'other').mkdir()
    (tmp_path / 'other/file').write_text('')
    status, _, errors = run_tool('browse', tiny(), '--device', 'cpu', '--out', tmp_path / 'other')
    assert status == 2 and len(errors.splitlines()) == 2
