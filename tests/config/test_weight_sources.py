"""The weights that a config names, beside those that a run began with."""

import pytest

from amlnn.config.weight_sources import as_begun

INIT = dict(type='Pretrained', checkpoint='a')


@pytest.mark.parametrize('stored', [
    {}, {'model': None}, {'model': 'ResNet'}, {'model': []}, {'model': {}},
    {'model': {'backbone': 3}}, {'model': {'backbone': [dict(init_cfg=INIT)]}}])
@pytest.mark.parametrize('config', [
    {}, {'model': None}, {'model': {'backbone': 3}}, {'model': {'backbone': [3]}},
    {'model': {'backbone': {'depth': 18}, 'pretrained': None}}])
def test_a_config_that_lacks_what_a_run_or_a_damaged_one_has_is_told_from_it_without_an_error(
        config, stored):
    begun = as_begun(config, stored)
    assert set(begun) == set(config)
    if not isinstance(config.get('model'), dict) or not isinstance(stored.get('model'), dict):
        assert begun == config


@pytest.mark.parametrize('backbone', [3, [3], 'ResNet', None])
def test_weights_of_a_run_go_into_no_backbone_that_is_no_section(backbone):
    stored = dict(model=dict(backbone=dict(depth=18, init_cfg=INIT), pretrained='b'))
    begun = as_begun(dict(model=dict(backbone=backbone)), stored)
    assert begun == dict(model=dict(backbone=backbone, pretrained='b'))
