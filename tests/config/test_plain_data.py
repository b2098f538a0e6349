"""A config is data: whatever is none is refused with its key and its line, where it comes in."""

import runpy

import pytest

from amlnn.config.located import OPTIONS, Located, located
from amlnn.config.plain_values import DEEPEST

HOSTILE = '''\
class _Hostile:
    def __repr__(self):
        raise RuntimeError('no repr')

    def __eq__(self, other):
        raise RuntimeError('no eq')


class _Named(str):
    def __eq__(self, other):
        raise RuntimeError('no eq')

    __hash__ = str.__hash__


def _call():
    raise RuntimeError('called')


_circle = {'a': 1}
_circle['b'] = _circle
_deep = 1
for _ in range(5000):
    _deep = [_deep]
_ = (_Hostile, _Named, _call)
'''
LINE = HOSTILE.count('\n') + 2


@pytest.mark.parametrize(('value', 'said'), [
    ('_Hostile()', 'a _Hostile'), ('[1, _Hostile()]', 'a _Hostile'), ('{1, 2}', 'a set'),
    ('range(3)', 'a range'),
    ('_call', 'a function'), ('lambda: 0', 'a function'), ('object()', 'an object'),
    ('_deep', f'nested more than {DEEPEST} times'), ('10 ** 5000', 'more than 64 bits'),
    ('{1: 2}', 'the key 1'), ('{None: 2}', 'the key None'), (r"'a\0'", r"'\x00'"),
    (r"'\ud800'", r"'\ud800'"), ('{_Hostile: 1}', 'the key of type type')])
def test_what_is_no_data_is_refused_with_its_key_and_line(configs, value, said):
    error = configs.error(f"_base_ = 'schedule.py'\n{HOSTILE}train_cfg = dict(max_epochs={value})")
    assert error.message.startswith(f'child.py:{LINE}: `train_cfg.max_epochs')
    assert said in error.message and 'no data' in error.message


def test_a_dict_that_holds_itself_is_refused(configs):
    error = configs.error(f"_base_ = 'schedule.py'\n{HOSTILE}train_cfg = dict(max_epochs=_circle)")
    assert 'max_epochs.b.b.b.b.b.b...` is nested more than 100 times' in error.message


def test_what_is_no_data_is_refused_in_a_base_that_a_file_changes_in_place(configs):
    error = configs.error("_base_ = 'schedule.py'\n_base_.train_cfg.max_epochs = {1, 2}")
    assert error.message == 'child.py:2: `train_cfg.max_epochs` is a set, which is no data'


@pytest.mark.parametrize(('value', 'plain'), [
    ('__import__("numpy").int64(3)', 3), ('__import__("numpy").float32(0.5)', 0.5),
    ('__import__("pathlib").Path("a/b")', 'a/b'), ('__import__("fractions").Fraction(1, 2)', 0.5),
    ('__import__("enum").IntEnum("E", "A").A', 1), ('_Named("a")', 'a'),
    ('__import__("collections").OrderedDict(a=1)', {'a': 1}),
    ('__import__("collections").namedtuple("N", "a b")(1, 2)', (1, 2))])
def test_what_stands_for_data_is_taken_as_the_data_it_stands_for(configs, value, plain):
    configs.write('own.py', f'{HOSTILE}value = {value}')
    found = located(runpy.run_path('own.py')['value'], OPTIONS)
    assert found == plain and type(found) is (Located if type(plain) is dict else type(plain))


def test_a_tool_that_a_file_makes_its_values_with_may_be_anything(configs):
    loaded = configs.load("""\
        _base_ = 'schedule.py'
        rates = range(1, 4)
        chosen = {3, 5}
        train_cfg = dict(max_epochs=max(chosen) * rates[1])""")
    assert loaded.config.train_cfg.max_epochs == 10


@pytest.mark.parametrize('text', [
    'model = 3', "train_cfg = 'a'", 'optim_wrapper = [1]', 'optim_wrapper = dict(optimizer=1)',
    'optim_wrapper = dict(paramwise_cfg=dict(custom_keys=[1]))', 'custom_hooks = [1]',
    'default_hooks = [dict()]', "env_cfg = dict(mp_cfg='fork')", 'visualizer = True',
    'train_dataloader = dict(sampler=[1])', 'default_hooks = dict(sampler_seed=1)',
    "train_dataloader = dict(dataset=dict(type='CustomDataset', pipeline='a'))",
    "model = dict(type='ImageClassifier', backbone=3)",
    "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), head=3)",
    "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), "
    "head=[dict(type='LinearClsHead', in_channels=512)])",
    "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), neck='gap')",
    "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), neck=[3])"])
def test_a_section_that_is_no_dict_is_refused_by_its_name(configs, text):
    error = configs.error(text)
    assert error.message.startswith('child.py:1: `') and 'not a dict' in error.message


@pytest.mark.parametrize(('name', 'text'), [
    ('a.py', 'x = ' + '(' * 50_000), ('a.py', 'x = ' + '-' * 100_000 + '1'),
    ('a.py', 'x = ' + '1 + ' * 3000 + '1'), ('a.json', '[' * 100_000), ('a.yaml', '[' * 3000)])
def test_a_file_nested_too_deeply_to_be_read_says_so(configs, name, text):
    error = configs.error(text, name=name)
    assert error.message.startswith(name) and 'nested' in error.message


@pytest.mark.parametrize(('name', 'text'), [
    ('a.json', '{"data": ' + '9' * 5000 + '}'), ('a.yaml', 'data: 2020-13-45'),
    ('a.yaml', 'data: !!int x'), ('a.yaml', 'data: !!bool x'), ('a.yml', 'data: !!timestamp x')])
def test_a_number_or_date_that_nobody_can_read_is_an_error_of_its_file(configs, name, text):
    assert configs.error(text, name=name).message.startswith(f'{name}: a value that cannot be read')


@pytest.mark.parametrize('raised', ['GeneratorExit', 'BaseException', 'ValueError(10 ** 5000)',
                                    'KeyError(3)', 'NameError(1, name=[])', 'AttributeError()'])
def test_whatever_a_config_raises_is_an_error_with_its_line(configs, raised):
    assert configs.error(f'a = 1\nraise {raised}').message.startswith('child.py:2: ')


@pytest.mark.parametrize('base', [r'a\0.py', '//', '~nobody-of-this-name/a.py', '.', ''])
def test_a_base_that_can_be_no_file_is_refused(configs, base):
    assert configs.error(f"_base_ = '{base}'").message.startswith('child.py:1: ')


@pytest.mark.parametrize('option', ['data={[]: 1}', 'data=dict(a={[1]: 2})', 'data=[]]['])
def test_an_option_that_cannot_be_read_is_refused(configs, option):
    assert configs.error("_base_ = 'schedule.py'", option).message.startswith('--cfg-options: ')


@pytest.mark.parametrize('name', ['//', '.', '..', 'a..b', '/etc/passwd', 'a b'])
def test_a_module_that_no_name_can_be_is_not_there(configs, name):
    error = configs.error(f'custom_imports = dict(imports=[{name!r}])')
    assert f'custom_imports names `{name}`, and there is no such module' in error.message
