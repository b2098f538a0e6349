"""Signatures read from source agree with what Python says once everything is imported."""

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from amlnn.config.scan import scan_module
from amlnn.config.signatures import Library, Parameter, library
from amlnn.config.structure import TOP_LEVEL
from amlnn.config.values import expected_instead

ROOT = Path(__file__).resolve().parents[2]


REGISTRIES = ('MODELS', 'DATASETS', 'TRANSFORMS', 'HOOKS', 'OPTIMIZERS', 'OPTIM_WRAPPERS',
              'PARAM_SCHEDULERS', 'DATA_SAMPLERS', 'METRICS', 'LOOPS', 'BATCH_AUGMENTS',
              'VISUALIZERS', 'VISBACKENDS', 'WEIGHT_INITIALIZERS', 'LOG_PROCESSORS', 'EVALUATOR',
              'OPTIM_WRAPPER_CONSTRUCTORS', 'FUNCTIONS')


@pytest.mark.parametrize('registry', REGISTRIES)
def test_every_class_that_is_registered_is_known(registries, registry):
    known = library().components[registry]
    really = registries[registry]
    assert really
    placeholders = {name for name, value in really.items() if inspect.isfunction(value)
                    and value.__name__ == 'ask_install'}
    assert set(really) - set(known) - placeholders == set()


@pytest.mark.parametrize('registry', REGISTRIES)
def test_every_argument_in_a_signature_is_known(registries, registry):
    """The arguments Python names for a class are those read from its source, and no fewer."""
    looked = 0
    for name, value in registries[registry].items():
        component = library().find(registry, name)
        if component is None or not inspect.isclass(value):
            continue
        signature = library().signature(component.module, component.local)
        real = inspect.signature(value.__init__).parameters
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        named = [p for p in list(real)[1:] if real[p].kind not in kinds]
        takes_more = any(real[p].kind is inspect.Parameter.VAR_KEYWORD for p in real)
        assert set(named) <= set(signature.parameters), name
        if not takes_more:
            assert list(signature.parameters) == named, name
            assert not signature.open_at, name
        looked += 1
    assert looked or registry == 'FUNCTIONS'


def test_most_classes_with_kwargs_are_followed_to_the_end():
    parts = library()
    every = [(component.local, parts.signature(component.module, component.local).open_at)
             for known in parts.components.values() for component in known.values()]
    unknown = {name for name, open_at in every if open_at}
    assert len(every) > 500
    assert len(unknown) < 0.05 * len(every), unknown
    assert not unknown & {'ImageNetFolder', 'CustomDataset', 'ImageNet', 'LinearClsHead', 'ResNet'}


def test_arguments_are_followed_through_kwargs_across_packages():
    parts = library()
    found = parts.signature('mmpretrain.datasets.cifar', 'CIFAR100').parameters
    assert {'data_root', 'split', 'lazy_init', 'serialize_data', 'max_refetch'} <= set(found)
    found = parts.signature('mmengine.optim.scheduler.lr_scheduler', 'CosineAnnealingLR')
    assert {'T_max', 'eta_min', 'begin', 'end', 'by_epoch'} <= set(found.parameters)
    assert 'param_name' not in found.parameters  # the class fills it in: 'lr'


def test_the_top_level_keys_are_those_of_mmengine_s_runner_and_amlnn_s():
    runner = library().signature('mmengine.runner.runner', 'Runner').parameters
    assert set(runner) - {'cfg'} <= set(TOP_LEVEL)
    assert {'execution', 'custom_imports', 'tta_model', 'tta_pipeline'} <= set(TOP_LEVEL)


# -- modules made up for the purpose


def made(tmp_path, text: str, local: str = 'Child', **others: str):
    modules = {}
    for name, source in {'m': text, **others}.items():
        path = tmp_path / f'{name}.py'
        path.write_text(source, encoding='utf-8')
        modules[name] = scan_module(path, name)
    return Library(modules).signature('m', local)


def test_what_a_parent_is_given_by_hand_cannot_be_given_again(tmp_path):
    found = made(tmp_path, '''
class Parent:
    def __init__(self, a, b, c=1, **kwargs): pass
class Child(Parent):
    def __init__(self, x, **kwargs):
        super().__init__(x, b=2, **kwargs)
''')
    assert list(found.parameters) == ['x', 'c']


def test_keys_taken_from_kwargs_are_arguments(tmp_path):
    found = made(tmp_path, '''
class Child:
    def __init__(self, x, **kwargs):
        self.a = kwargs.pop('a', 1)
        self.b = kwargs['b']
        if 'c' in kwargs: pass
''')
    assert list(found.parameters) == ['x', 'a', 'b', 'c'] and not found.open_at


def test_kwargs_that_are_stored_leave_the_signature_open(tmp_path):
    assert made(tmp_path, '''
class Child:
    def __init__(self, x, **kwargs):
        self.rest = kwargs
''').open_at == 'Child'


def test_kwargs_extended_and_handed_on_are_followed(tmp_path):
    found = made(tmp_path, '''
from n import Parent
class Child(Parent):
    def __init__(self, x, **kwargs):
        kwargs = {'c': 1, **kwargs}
        super().__init__(**kwargs)
''', n='class Parent:\n    def __init__(self, a, c): pass\n')
    assert list(found.parameters) == ['x', 'a', 'c'] and not found.open_at


def test_a_method_or_function_that_gets_the_kwargs_is_followed(tmp_path):
    found = made(tmp_path, '''
def outer(u, v=1): pass
class Child:
    def __init__(self, **kwargs):
        self.inner(**kwargs)
        outer(**kwargs)
    def inner(self, p, q=1): pass
''')
    assert list(found.parameters) == ['p', 'q', 'u', 'v']


def test_a_mixin_is_asked_in_python_s_order(tmp_path):
    found = made(tmp_path, '''
class Base:
    def __init__(self, z): pass
class A(Base):
    def __init__(self, a, **kwargs): super().__init__(**kwargs)
class B(Base):
    def __init__(self, b, **kwargs): super().__init__(**kwargs)
class Child(A, B): pass
''')
    assert list(found.parameters) == ['a', 'b', 'z']


def test_the_fields_of_a_dataclass_are_arguments(tmp_path):
    found = made(tmp_path, '''
from dataclasses import dataclass
@dataclass(frozen=True)
class Child:
    a: int
    b: str = 'x'
''')
    assert found.parameters['b'] == Parameter('b', 'str', "'x'")
    assert list(found.parameters) == ['a', 'b']


# -- the cache


def run(code: str, **environment: str) -> str:
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, text=True, capture_output=True,
                          env={**os.environ, **environment}, check=True)
    return done.stdout.strip()


CODE = ("from amlnn.config.load import load_config\n"
        "print(len(load_config('configs/resnet50_baseline.py').config))")


def test_the_cache_survives_damage(tmp_path):
    home = str(tmp_path)
    right = run(CODE, XDG_CACHE_HOME=home)
    files = sorted((tmp_path / 'amlnn' / 'signatures').iterdir())
    assert {file.name.split('-')[0] for file in files} >= {'mmengine', 'mmpretrain', 'torch'}
    for file, damage in zip(files, ['', '{', '[]', '{"root": 1}', '\0'], strict=False):
        file.write_text(damage, encoding='utf-8')
    assert run(CODE, XDG_CACHE_HOME=home) == right
    for file in files:
        assert json.loads(file.read_text(encoding='utf-8'))['modules']


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path):
    blocked = tmp_path / 'file'
    blocked.write_text('not a folder', encoding='utf-8')
    assert int(run(CODE, XDG_CACHE_HOME=str(blocked))) > 10


# -- small parts


@pytest.mark.parametrize(('annotation', 'value', 'said'), [
    ('int', '3', 'an integer'), ('int', 3.0, ''), ('int', 3.5, 'an integer'), ('float', 3, ''),
    ('Optional[int]', None, ''), ('Optional[int]', 'a', 'an integer'), ('bool', 'x', 'True or '),
    ('bool', 1, ''), ('int | None', 'a', 'an integer'), ('Union[int, str]', 'a', ''),
    ('Union[float, Tensor]', 'a', 'a number'), ('Sequence[int]', 'a', ''), ('int', [1], 'an int'),
    ('Callable', 'a', ''), ("'int'", 'a', 'an integer'), (None, 'a', '')])
def test_values_are_judged_by_annotation_where_there_is_no_doubt(annotation, value, said):
    assert expected_instead(Parameter('x', annotation), value).startswith(said)
    if not said:
        assert expected_instead(Parameter('x', annotation), value) == ''


def test_a_name_with_its_package_means_the_class_of_that_package():
    known = library()
    assert {scope: known.find('HOOKS', f'{scope}.EMAHook').module for scope in (
        'mmengine', 'mmpretrain')} == {'mmengine': 'mmengine.hooks.ema_hook',
                                       'mmpretrain': 'mmpretrain.engine.hooks.ema_hook'}
    assert known.find('HOOKS', 'mmpretrain.LoggerHook').module == 'mmengine.hooks.logger_hook'
    assert known.find('HOOKS', 'mmengine.NoSuchHook') is None
