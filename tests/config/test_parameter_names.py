"""Names of parameters in a config are compared with those of the model, which is built once."""

import pytest

from amlnn.config.check import check_parameters
from amlnn.errors import ConfigError

NAMES = ['backbone.conv1.weight', 'backbone.layer1.0.conv1.weight', 'backbone.layer1.0.bn1.bias',
         'backbone.layer10.0.conv1.weight', 'head.fc.weight', 'head.fc.bias']


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


class Builder:
    """Counts how often the model was built."""

    def __init__(self, names=NAMES):
        self.names, self.calls = names, 0

    def __call__(self, model):
        self.calls += 1
        assert model['backbone']['type'] == 'ResNet'
        return list(self.names)


def config(configs, trainable=(), custom=()):
    keys = ', '.join(f'{key!r}: dict(lr_mult=0.1)' for key in custom)
    return configs.load(f"""\
        _base_ = ['model.py', 'schedule.py']
        model = dict(trainable={list(trainable)!r})
        optim_wrapper = dict(paramwise_cfg=dict(custom_keys={{{keys}}}))
        """)


@pytest.mark.parametrize('prefix', ['layer1', 'layer1.0.bn1', 'layer1.0.bn1.bias',
                                    'backbone.layer1', 'head.fc'])
def test_prefixes_that_match_are_let_pass(configs, prefix):
    check_parameters(config(configs, trainable=[prefix]), Builder())


@pytest.mark.parametrize(('prefix', 'right'), [
    ('layer1.0.bn2', 'layer1.0.bn1'), ('layr1', 'layer1'), ('layer', 'layer1'),
    ('head.fx', 'head.fc')])
def test_prefixes_that_match_nothing_are_errors_that_name_the_nearest(configs, prefix, right):
    with pytest.raises(ConfigError) as caught:
        check_parameters(config(configs, trainable=['layer1', prefix]), Builder())
    assert caught.value.message == (f'child.py:2: `model.trainable` names `{prefix}`, which no '
                                    'parameter of the model matches')
    assert caught.value.hint == f'did you mean `{right}`?'


def test_custom_keys_match_anywhere_in_a_name(configs):
    check_parameters(config(configs, custom=['bn1', 'fc.bias', '.conv1']), Builder())


def test_custom_keys_that_match_nothing_are_errors(configs):
    with pytest.raises(ConfigError) as caught:
        check_parameters(config(configs, custom=['bn1', 'haed']), Builder())
    assert caught.value.message.startswith(
        'child.py:3: `optim_wrapper.paramwise_cfg.custom_keys.haed` names `haed`')
    assert caught.value.hint == 'did you mean `head`?'


def test_a_config_that_names_no_parameters_builds_nothing(configs):
    builder = Builder()
    check_parameters(config(configs), builder)
    assert builder.calls == 0


def test_an_equal_model_is_built_once(configs):
    builder = Builder()
    check_parameters(config(configs, trainable=['layer1']), builder)
    check_parameters(config(configs, trainable=['head'], custom=['bn1']), builder)
    assert builder.calls == 1


def test_another_model_is_built_anew(configs):
    builder = Builder()
    check_parameters(config(configs, trainable=['layer1']), builder)
    configs.write('model.py', "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', "
                              "depth=34))\n")
    check_parameters(config(configs, trainable=['layer1']), builder)
    assert builder.calls == 2


@pytest.mark.parametrize('damage', ['', '{}', '[1]', 'null'])
def test_a_damaged_cache_is_written_anew(configs, tmp_path, damage):
    builder = Builder()
    check_parameters(config(configs, trainable=['layer1']), builder)
    files = list((tmp_path / 'cache' / 'amlnn' / 'parameters').iterdir())
    assert len(files) == 1
    files[0].write_text(damage, encoding='utf-8')
    check_parameters(config(configs, trainable=['layer1']), builder)
    check_parameters(config(configs, trainable=['layer1']), builder)
    assert builder.calls == 2
