"""What a class declares of itself is all that the checker knows of it; it names none."""

import ast
import re
import subprocess
import sys
import textwrap
from itertools import count
from pathlib import Path

import pytest

from amlnn.config.facts import VOCABULARY, gather
from amlnn.config.kind import run_kind
from amlnn.config.library_facts import DEFAULT_CLASSES, FACTS, LOOP_OF_ITERATIONS
from amlnn.config.monitors import produced
from amlnn.config.scan import scan_module
from amlnn.config.signatures import Library, library, library_of
from amlnn.registry import VALIDATION_LOSS

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / 'amlnn' / 'config'
NUMBERS = count()

FACES = '''
@DATASETS.register_module()
class Faces(HeldOutDataset):
    """Ages of faces."""

    kind = 'regression'
    smallest: ClassVar = {'years': 2}
    same_in_every_part = dict(camera='another camera sees other faces')

    def __init__(self, data_root: str, split: str = 'train', pipeline: list = (),
                 holdout: int = 0, years: int = 5, camera: str = 'left'):
        super().__init__(data_root, split, pipeline, holdout, None, 0, 'own', {})
'''
HEAD = '''
from typing import ClassVar
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, METRICS
from mmpretrain.evaluation import Accuracy
from amlnn.data.images.held_out import HeldOutDataset

raise RuntimeError('imported')
'''


@pytest.fixture
def own(configs, monkeypatch):
    """Write a module of one's own that cannot be imported; the first lines of a config with it."""
    monkeypatch.syspath_prepend(str(configs.root))

    def write(text: str) -> str:
        name = f'own_{next(NUMBERS)}'
        configs.write(f'{name}.py', HEAD + textwrap.dedent(text))
        return f'custom_imports = dict(imports=[{name!r}])\n'

    return write


def faces(**keys: str) -> str:
    """Loaders of all parts; `keys` are further arguments of the data set, by part."""
    return ''.join(f"{part}_dataloader = dict(batch_size=2, dataset=dict(type='Faces', "
                   f"data_root='a', {keys.get(part, '')}))\n" for part in ('train', 'val', 'test'))


# -- kinds


def test_a_data_set_says_which_kind_of_experiment_it_makes(configs, own):
    assert run_kind(configs.load(own(FACES) + faces()).config) == 'regression'


def test_a_subclass_and_a_wrapper_make_the_same_kind(configs, own):
    text = own(FACES + '@DATASETS.register_module()\nclass OldFaces(Faces):\n    pass\n')
    loaded = configs.load(text + "val_dataloader = dict(dataset=dict(type='RepeatDataset', "
                                 "times=2, dataset=dict(type='OldFaces', data_root='a')))\n")
    assert run_kind(loaded.config) == 'regression'


@pytest.mark.parametrize('config', [
    {}, {'train_dataloader': None}, {'train_dataloader': {'dataset': {'type': 'NobodyKnows'}}},
    {'train_dataloader': {'dataset': {'type': 3}}}, {'val_dataloader': {'dataset': [1]}}])
def test_what_declares_no_kind_is_classification(config):
    assert run_kind(config) == 'classification'


@pytest.mark.parametrize('name', [
    'SeriesWindows', 'amlnn.SeriesWindows', 'amlnn.data.series.windows.SeriesWindows'])
def test_windows_of_a_series_make_a_forecast_in_whichever_part(name):
    for part in ('train', 'val', 'test'):
        assert run_kind({f'{part}_dataloader': {'dataset': {'type': name}}}) == 'forecasting'


def test_to_know_the_kind_nothing_is_imported(configs, own):
    configs.write('child.py', own(FACES) + faces())
    code = ("import sys; sys.path.insert(0, '.')\nfrom amlnn.config.kind import run_kind\n"
            "from amlnn.config.load import load_config\n"
            "print(run_kind(load_config('child.py').config), 'torch' in sys.modules)")
    shown = subprocess.run([sys.executable, '-c', code], cwd=configs.root, text=True,
                           capture_output=True, check=True).stdout
    assert shown.split() == ['regression', 'False']


# -- arguments


@pytest.mark.parametrize(('key', 'least', 'more'), [
    ('years', 2, ''), ('holdout', 0, ' (and 2 more)')])  # the other parts hold out other images
def test_least_numbers_are_a_class_s_own_and_those_of_its_bases(configs, own, key, least, more):
    text = own(FACES)
    error = configs.error(text + faces(train=f'{key}={least - 1}'))
    assert error.message == f'child.py:2: `train_dataloader.dataset.{key}` is {least - 1}, and ' \
                            f'Faces takes numbers from {least}{more}'
    alike = dict.fromkeys(('train', 'val', 'test'), f'{key}={least}')
    assert configs.load(text + faces(**alike)).notes == []


@pytest.mark.parametrize(('key', 'value', 'why'), [
    ('camera', 'right', 'another camera sees other faces'),
    ('holdout', 3, 'images of one part would be in another')])
def test_parts_have_to_agree_on_what_a_class_or_its_base_says(configs, own, key, value, why):
    error = configs.error(own(FACES) + faces(val=f'{key}={value!r}'))
    assert error.message.startswith(f'child.py:3: `val_dataloader.dataset.{key}` is {value!r}')
    assert why in error.message


def test_a_class_of_ones_own_says_what_its_numbers_have_to_be(configs, own):
    text = own('''
        @HOOKS.register_module()
        class Odd(Hook):
            above = {'rate': 2, 'shift': None}
            goes_with = {'rate': 'shift'}

            def __init__(self, rate=None, shift=None):
                pass
        ''') + "custom_hooks = [dict(type='Odd', {})]\n"
    assert configs.load(text.format('rate=3, shift=[1, 2]')).notes == []
    assert 'Odd takes numbers above 2' in configs.error(text.format('rate=2, shift=1')).message
    assert 'without which `rate` does nothing' in configs.error(text.format('rate=3')).message


BUILDER = '''
@HOOKS.register_module()
class Builder(Hook):
    builds = {'extra': ('DATASETS', 'split'), 'loss': None,
              'steps': {'at': None, 'net': 'MODELS'}}

    def __init__(self, extra, loss, steps):
        pass
'''


@pytest.mark.parametrize(('given', 'key', 'hint'), [
    ("extra=dict(type='ImageNetFolder', data_rot='a')", 'extra.data_rot',
     'did you mean `data_root`? ImageNetFolder takes data_root, pipeline, subset'),
    ("steps=dict(a_t=1)", 'steps.a_t', 'did you mean `at`?'),
    ("steps=[dict(net=dict(type='ResNet', dept=18))]", 'steps.0.net.dept',
     'did you mean `depth`?')])
def test_what_a_class_builds_of_an_argument_is_checked(configs, own, given, key, hint):
    text = own(BUILDER) + "custom_hooks = [dict(type='Builder', {})]\n"
    error = configs.error(text.format(given))
    assert error.message.startswith(f'child.py:2: `custom_hooks.0.{key}` is not ')
    assert error.hint.startswith(hint)


def test_what_a_class_declares_to_be_free_is_not_checked(configs, own):
    text = own(BUILDER) + "custom_hooks = [dict(type='Builder', loss=dict(tipe=1), " \
                          "extra=dict(type='ImageNetFolder', data_root='a', split='val'))]\n"
    assert configs.load(text).notes == []


SWALLOWS = '''
@HOOKS.register_module()
class Swallows(Hook):
    {}
    def __init__(self, **kwargs):
        self.rest = dict(**kwargs)

@HOOKS.register_module()
class HandsOn(Swallows):
    def __init__(self, first=1, **kwargs):
        super().__init__(**kwargs)

@HOOKS.register_module()
class Closed(Swallows):
    def __init__(self, first=1):
        super().__init__(speed=first)
'''


def test_what_kwargs_take_can_be_declared_and_is_then_all(configs, own):
    text = own(SWALLOWS.format("also_takes = ('speed',)"))
    for name in ('Swallows', 'HandsOn'):
        hook = text + f"custom_hooks = [dict(type='{name}', {{}}=2)]\n"
        assert configs.load(hook.format('speed')).notes == []
        assert configs.error(hook.format('sped')).hint.startswith('did you mean `speed`?')
        assert f'is not an argument of {name}' in configs.error(hook.format('colour')).message
    error = configs.error(text + "custom_hooks = [dict(type='Closed', speed=2)]\n")
    assert error.hint == 'Closed takes first, priority'
    undeclared = own(SWALLOWS.format('')) + "custom_hooks = [dict(type='HandsOn', colour=2)]\n"
    assert 'is not checked' in configs.load(undeclared).notes[0]


def test_a_data_set_names_the_loader_that_it_needs(configs, own):
    configs.write('my_loader.py', '''\
        class RowLoader:
            smallest = {'rows': 3}
            supplied = ('seed',)

            def __init__(self, dataset, rows: int, seed: int, wrap: bool = False):
                pass
        ''')
    text = own("@DATASETS.register_module()\nclass Rows:\n    loader = ('my_loader', 'RowLoader')\n"
               "    def __init__(self, path):\n        pass\n")
    loader = text + "train_dataloader = dict(dataset=dict(type='Rows', path='a'), {})\n"
    assert configs.load(loader.format('rows=3, wrap=True, seed=1')).notes == []
    error = configs.error(loader.format('num_workers=2'))
    assert error.message.startswith('child.py:2: `train_dataloader.num_workers` is not an argument '
                                    'of RowLoader')
    assert error.hint.endswith('RowLoader takes dataset, rows, wrap')  # amlnn gives the seed
    assert 'takes numbers from 3' in configs.error(loader.format('rows=2')).message


# -- results of metrics

AGES = '''
@METRICS.register_module()
class AgeError(BaseMetric):
    default_prefix = 'age'
    reports = ('bias', 'within_{limits}')

    def __init__(self, limits=(1, 5), prefix=None):
        super().__init__(prefix=prefix)

    def compute_metrics(self, results):
        return {}
'''


@pytest.mark.parametrize(('given', 'names'), [
    ('', ['age/bias', 'age/within_1', 'age/within_5']),
    ('limits=[3]', ['age/bias', 'age/within_3']),
    ("limits=2, prefix='a'", ['a/bias', 'a/within_2'])])
def test_a_metric_says_what_it_reports(configs, own, given, names):
    loaded = configs.load(own(AGES) + f"val_evaluator = dict(type='AgeError', {given})\n")
    assert produced(loaded.config, library_of(loaded.config)) == [*names, VALIDATION_LOSS]


def test_a_monitor_of_a_metric_of_one_s_own_is_checked(configs, own):
    text = own(AGES) + "val_evaluator = dict(type='AgeError')\ndefault_hooks = dict(" \
                       "checkpoint=dict(type='RunCheckpointHook', save_best='age/within_2'))\n"
    assert 'validation reports age/bias, age/within_1' in configs.error(text).message


@pytest.mark.parametrize(('body', 'names'), [
    ('pass', ['accuracy/top1', VALIDATION_LOSS]),
    ('def compute_metrics(self, results): ...', None),
    ("reports = ('mine',)\n    def compute_metrics(self, results): ...",
     ['accuracy/mine', VALIDATION_LOSS]),
    ('reports = None', None)])
def test_a_metric_s_names_are_its_base_s_until_it_computes_others(configs, own, body, names):
    text = own(f'@METRICS.register_module()\nclass Mine(Accuracy):\n    {body}\n')
    loaded = configs.load(text + "val_evaluator = dict(type='Mine')\n")
    assert produced(loaded.config, library_of(loaded.config)) == names


def test_a_class_that_shares_its_name_with_a_library_s_is_another_class(configs, own):
    loaded = configs.load(own("""
        @METRICS.register_module(name='Ours')
        class ConfusionMatrix(BaseMetric):
            pass
        """) + "val_evaluator = [dict(type='Ours'), dict(type='ConfusionMatrix')]\n")
    found = library_of(loaded.config)
    assert produced(loaded.config, found) is None
    assert found.facts_of('METRICS', 'ConfusionMatrix').reports == ('result',)


# -- how a declaration is read


def test_what_cannot_be_read_is_said_and_left_aside(configs, own):
    text = own("""
        LEAST = 3

        @HOOKS.register_module()
        class Odd(Hook):
            kind = list
            smallest = {'size': LEAST}
            supplied = 'speed'

            def __init__(self, size: int):
                pass
        """) + "custom_hooks = [dict(type='Odd', size=1)]\n"
    notes = configs.load(text).notes
    assert [note.split('`')[3] for note in notes] == ['smallest', 'supplied']  # a hook has no kind
    assert notes[0].startswith('child.py:2: `custom_hooks.0` is Odd')


@pytest.mark.parametrize('value', ['5', '[]', '[None]', '{1, 2}', "b'a'", 'len', '{**{}}'])
def test_a_constant_that_means_something_else_does_no_harm(configs, own, value):
    text = own(f'@DATASETS.register_module()\nclass Odd:\n    loader = {value}\n')
    loaded = configs.load(text + "train_dataloader = dict(num_workers=0, dataset=dict("
                                 "type='Odd'))\n")
    assert ['`loader` declares nothing' in note for note in loaded.notes] == [True]


@pytest.mark.parametrize(('name', 'value'), [
    ('kind', ''), ('kind', None), ('loader', ('a',)), ('loader', 'ab'), ('smallest', {'a': 1.5}),
    ('smallest', {'a': True}), ('smallest', ['a']), ('same_in_every_part', {'a': 1}),
    ('default_prefix', 1), ('reports', 'top1'), ('reports', (1,)), ('builds', {'a': 'models'}),
    ('builds', {'a': ()}), ('builds', 'MODELS'), ('supplied', 'seed'), ('also_takes', {'a': 1}),
    ('stands_for', ('b',)), ('stands_for', 'b'), ('loads_weights', 1), ('above', {'a': '0'}),
    ('above', ['a']), ('goes_with', {'a': 1}), ('goes_with', 'a')])
def test_a_fact_of_another_shape_is_unread_and_hides_that_of_a_base(name, value):
    right = dict(kind='b', loader=('b', 'c'), smallest={'b': 1}, same_in_every_part={'b': 'c'},
                 default_prefix='b', reports=('b',), builds={'b': 'C'}, supplied=('b',),
                 also_takes=('b',), stands_for=('b', ('c',)), loads_weights=True,
                 above={'b': None}, goes_with={'b': 'c'})
    assert set(right) == set(VOCABULARY)
    registry = {'default_prefix': 'METRICS', 'reports': 'METRICS',
                'loads_weights': 'WEIGHT_INITIALIZERS'}.get(name, 'DATASETS')
    nothing, all_right = gather([], registry), gather([right], registry)
    assert all_right.unread == () and getattr(all_right, name) != getattr(nothing, name)
    facts = gather([{name: value}, right], registry)
    assert facts.unread == (name,) and getattr(facts, name) == getattr(nothing, name)


def test_facts_of_a_dataclass_are_not_its_arguments(tmp_path):
    path = tmp_path / 'm.py'
    path.write_text(textwrap.dedent('''
        @dataclass
        class Sized:
            smallest: ClassVar[dict] = dict(size=2)
            size: int = 3
        '''), encoding='utf-8')
    found = Library({'m': scan_module(path, 'm')})
    assert list(found.signature('m', 'Sized').parameters) == ['size']
    assert found.modules['m']['classes']['Sized']['facts'] == {'smallest': {'size': 2}}


# -- amlnn's classes and the libraries'


def test_what_amlnn_s_classes_declare_is_what_python_has(registries):
    looked = 0
    for registry in library().components:
        for name, value in registries.get(registry, {}).items():
            if not getattr(value, '__module__', '').startswith('amlnn.'):
                continue
            facts = library().facts_of(registry, name)
            assert facts.unread == ()
            words = {key for base in value.__mro__ for key in vars(base)
                     if base.__module__.startswith('amlnn.')}
            for word in words & {*VOCABULARY} - ({'kind'} if registry == 'MODELS' else set()):
                assert getattr(facts, word) == getattr(value, word), (name, word)
                looked += 1
    assert looked > 15


def test_every_word_is_explained_to_who_writes_a_class():
    text = (ROOT / 'CONTRIBUTING.md').read_text(encoding='utf-8')
    section = text.partition('\n## Facts a class can declare\n')[2].partition('\n## ')[0]
    assert re.findall(r'^\| `(\w+)` \|', section, re.MULTILINE) == list(VOCABULARY)


@pytest.mark.parametrize('key', FACTS)
def test_the_table_names_classes_that_the_libraries_have(key):
    package, _, local = key.partition('.')
    places = [module for module, content in library().modules.items()
              if module.partition('.')[0] == package and local in content['classes']]
    assert len(places) == 1
    for registry in ('DATASETS', 'METRICS', 'WEIGHT_INITIALIZERS'):
        assert gather([FACTS[key]], registry).unread == ()
    assert set(FACTS[key]) <= set(VOCABULARY)


def test_the_classes_that_are_built_without_a_type_are_there():
    for key, name in {**DEFAULT_CLASSES, 'iterations': LOOP_OF_ITERATIONS}.items():
        module, local = name if isinstance(name, tuple) else ('', name)
        found = library().modules[module]['classes'].get(local) if module \
            else library().find_anywhere(local)
        assert found is not None, key


def test_no_library_uses_a_word_by_chance():
    used = {(module, local, word) for module, content in library().modules.items()
            if not module.startswith('amlnn') for local, entry in content['classes'].items()
            for word, value in entry.get('facts', {}).items()
            if word != 'default_prefix' and (word, value) != ('reports', None)}
    assert used == set()


# -- the checker names no class


def classes_of(package: str) -> set[str]:
    """Names of classes that `package` has, or in other packages, and that config has not."""
    here = {node.name for path in CONFIG.glob('*.py') for node in
            ast.walk(ast.parse(path.read_text(encoding='utf-8'))) if isinstance(node, ast.ClassDef)}
    return {local for module, content in library().modules.items()
            if (module.partition('.')[0] == 'amlnn') == (package == 'amlnn')
            for local in content['classes']} - here


def words_of_strings(path: Path) -> set[str]:
    """Words of all strings that are not docstrings, where an example is no knowledge."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)
               and isinstance(node.value, str) and id(node) not in docs]
    return {word for text in strings for word in re.findall(r'\w+', text)}


def without_docstrings(text: str) -> str:
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            for line in range(node.lineno - 1, node.end_lineno):
                lines[line] = ''
    return '\n'.join(lines)


FILES = sorted(path for path in CONFIG.glob('*.py') if path.stem != '__init__')


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_no_class_of_amlnn_s_is_named_not_even_in_a_comment(path):
    classes = classes_of('amlnn')
    assert len(classes) > 20
    assert {'SeriesWindows', 'HeldOutDataset', 'WindowLoader', 'RunCheckpointHook'} <= classes
    words = set(re.findall(r'\w+', without_docstrings(path.read_text(encoding='utf-8'))))
    assert len(words) > 20
    assert not words & classes


@pytest.mark.parametrize('path', FILES, ids=lambda path: path.name)
def test_no_class_of_a_library_s_is_named_outside_the_table(path):
    registered = {name for known in library().components.values() for name in known}
    classes = {name for name in classes_of('libraries') | registered if name[0].isupper()}
    assert len(classes) > 500 and {'Accuracy', 'DataLoader', 'SGD'} <= classes
    named = words_of_strings(path) & classes
    if path.name == 'library_facts.py':
        assert {'Accuracy', 'DataLoader'} <= named
    else:
        examples = {'options.py': {'PackInputs'},  # in hints
                    'run_keys.py': {'LoggerHook', 'IterTimerHook', 'RuntimeInfoHook'}}
        assert named <= examples.get(path.name, set())
