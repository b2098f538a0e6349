"""Own modules whose source is a part of the place of a trunk's features."""

import hashlib
import importlib
from types import SimpleNamespace

import pytest
from mmcv.transforms import Compose, RandomApply, Resize
from torch import nn

from amlnn.config.located import Place
from amlnn.config.own_modules import OwnModule
from amlnn.engine.images.own_code import own_code

SOURCE = '''
import {name}_widths
from mmcv.transforms import BaseTransform
from torch import nn

class Halved(BaseTransform):
    def transform(self, results):
        return results

class Layer(nn.Module):
    pass
'''


@pytest.fixture
def own(tmp_path, monkeypatch, request):
    """An own module, imported, and a config that names it."""
    name = f'own_code_{request.node.callspec.indices["part"]}'
    (tmp_path / f'{name}.py').write_text(SOURCE.format(name=name))
    (tmp_path / f'{name}_widths.py').write_text('width = 3')
    monkeypatch.syspath_prepend(tmp_path)
    module = OwnModule.found(name, tmp_path, True, Place('small.py', 1))
    return SimpleNamespace(
        code=importlib.import_module(name), config={'custom_imports': {'imports': [module]}},
        files=[tmp_path / f'{name}.py', tmp_path / f'{name}_widths.py'])


def data_set(step):
    return SimpleNamespace(dataset=SimpleNamespace(pipeline=Compose([Resize(8), step])))


@pytest.mark.parametrize('part', [
    lambda code: data_set(code.Halved()),
    lambda code: data_set(RandomApply(code.Halved(), prob=0.5)),
    lambda code: SimpleNamespace(datasets=[data_set(Resize(4)), data_set(code.Halved())]),
    lambda code: nn.ModuleDict({'backbone': nn.Sequential(code.Layer())}),
    lambda code: nn.ModuleDict({'data_preprocessor': code.Layer()})],
    ids=['a transform', 'one within another', 'one of several data sets', 'a backbone',
         'a preprocessor'])
def test_features_that_own_code_computes_are_kept_by_its_source_and_that_beside_it(part, own):
    def kept():
        return own_code(own.config, part(own.code))

    before = kept()
    assert before == {'own_code': {
        path.name: hashlib.sha256(b'\0' + path.read_bytes()).hexdigest() for path in own.files}}
    own.files[1].write_text('width = 4')
    assert kept() != before


@pytest.mark.parametrize('part', [
    lambda code: data_set(Resize(4)), lambda code: nn.ModuleDict({'backbone': nn.Linear(2, 2)}),
    lambda code: nn.ModuleDict({'head': code.Layer()})],
    ids=['transforms', 'a backbone', 'an own head'])
def test_own_code_that_no_feature_comes_through_is_no_part_of_its_place(part, own):
    assert own_code(own.config, part(own.code)) == {}
