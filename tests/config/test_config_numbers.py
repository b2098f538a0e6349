"""Scales that leave nothing of an image, or do nothing, are said before anything is built."""

import pytest

SCALE = '\ndata_preprocessor = dict({})\n'


@pytest.mark.parametrize(('given', 'said'), [
    ('mean=[1, 2, 3], std=[1, 0, 3]', '`data_preprocessor.std` is [1, 0, 3], and '
     'ClsDataPreprocessor takes numbers above 0'),
    ('mean=[1, 2, 3], std=[1, -2, 3]', 'takes numbers above 0'),
    ("mean=[1, 2, 3], std=[1, float('inf'), 3]", 'takes numbers above 0'),
    ("mean=[1, float('nan'), 3], std=[1, 2, 3]", '`data_preprocessor.mean` is [1, nan, 3], and '
     'ClsDataPreprocessor takes finite numbers'),
    ("type='SelfSupDataPreprocessor', mean=[0.0], std=[0.0]", 'takes numbers above 0'),
    ("type='TwoNormDataPreprocessor', mean=[0.0], std=[1.0], second_mean=[0.0], second_std=[-1]",
     '`data_preprocessor.second_std` is [-1]')])
def test_scales_that_make_all_images_the_same_are_named(configs, given, said):
    error = configs.error(SCALE.format(given))
    assert said in error.message and 'child.py:2' in error.message
    assert error.hint.startswith('give ') and ("'model'" in error.hint) == ('second' not in given)


@pytest.mark.parametrize(('given', 'said'), [
    ('std=[1, 2, 3]', 'there is no `mean`, without which `std` does nothing'),
    ('mean=[1, 2, 3]', 'there is no `std`, without which `mean` does nothing'),
    ('mean=[1, 2], std=[1, 2, 3]', '`std` has 3 numbers and `mean` 2')])
def test_scales_that_do_not_go_together_are_named(configs, given, said):
    error = configs.error(SCALE.format(given))
    assert error.message == f'child.py:2: `data_preprocessor`: {said}' and 'None' in error.hint


@pytest.mark.parametrize('given', [
    'mean=[1, 2, 3], std=[1, 2, 3]', 'mean=[1, 2, 3], std=[2]', "mean='model', std='model'",
    'mean=None, std=None', ''])
def test_scales_that_can_be_are_let_pass(configs, given):
    assert configs.load(SCALE.format(given)).notes == []


def test_a_scale_of_a_pipeline_and_one_of_the_command_line_are_looked_at_too(configs):
    steps = "[dict(type='Normalize', mean=[0, 0, 0], std=[0, 0, 0])]"
    error = configs.error(f"train_dataloader = dict(dataset=dict(type='ImageNetFolder', "
                          f"data_root='a', pipeline={steps}))\n")
    assert '`train_dataloader.dataset.pipeline.0.std` is [0, 0, 0]' in error.message
    error = configs.error(SCALE.format('mean=[1], std=[2]'), 'data_preprocessor.std=[0]')
    assert '`data_preprocessor.std` is [0]' in error.message
