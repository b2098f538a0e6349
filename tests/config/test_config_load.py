"""Files, bases, overrides and names become one config that knows where each key came from."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from generated import config_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.config import Config, ConfigDict

from amlnn.config.load import load_config
from amlnn.config.located import Place, located, merge, plain
from amlnn.config.resolved import config_hash, resolved_text
from amlnn.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]


def test_a_child_overrides_one_key_and_inherits_the_others(configs):
    loaded = configs.load("""
        _base_ = 'schedule.py'
        optim_wrapper = dict(optimizer=dict(lr=0.5))
        """)
    assert loaded.config.optim_wrapper.optimizer == dict(type='SGD', lr=0.5, momentum=0.9)
    assert loaded.config.train_cfg.max_epochs == 3
    assert loaded.name == 'child'
    assert loaded.path == Path('child.py')
    assert type(loaded.config) is ConfigDict
    assert type(loaded.config.optim_wrapper.optimizer) is ConfigDict


def test_every_key_knows_the_file_and_line_that_set_it_last(configs):
    loaded = configs.load("""\
        _base_ = ['model.py', 'schedule.py']
        optim_wrapper = dict(
            optimizer=dict(
                lr=0.5))
        train_cfg = {'max_epochs': 7}
        """, 'train_cfg.val_interval=2')
    assert loaded.origins['optim_wrapper.optimizer.lr'] == 'child.py:4'
    assert loaded.origins['optim_wrapper.optimizer.momentum'] == 'schedule.py:4'
    assert loaded.origins['optim_wrapper.optimizer'] == 'child.py:3'
    assert loaded.origins['train_cfg.max_epochs'] == 'child.py:5'
    assert loaded.origins['train_cfg.val_interval'] == '--cfg-options'
    assert loaded.origins['model.backbone.depth'] == 'model.py:4'


def test_keys_may_have_any_name(configs):
    loaded = configs.load("""\
        _keys = dict(index=1, self=2, places=3, args=4, stale=5, put=6)
        _keys.update(self=7)
        custom_hooks = [dict(type='EMAHook', begin_epoch=sum(_keys.values()))]
        model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18),
                     init_cfg=dict(type='Constant', val=0, override=_keys))
        """)
    assert loaded.config.custom_hooks[0].begin_epoch == 1 + 7 + 3 + 4 + 5 + 6
    assert loaded.config.model.init_cfg.override['places'] == 3
    assert loaded.origins['model.init_cfg.override.self'] == 'child.py:2'


def test_elements_of_lists_have_origins_too(configs):
    loaded = configs.load("""\
        custom_hooks = [
            dict(type='EMAHook'),
            dict(type='EMAHook', priority='LOW')]
        """)
    assert loaded.origins['custom_hooks.1.priority'] == 'child.py:3'


def test_delete_replaces_what_was_inherited(configs):
    loaded = configs.load("""
        _base_ = 'schedule.py'
        optim_wrapper = dict(optimizer=dict(_delete_=True, type='Adam', lr=0.1))
        """)
    assert loaded.config.optim_wrapper.optimizer == dict(type='Adam', lr=0.1)


def test_delete_where_nothing_was_inherited_leaves_no_trace(configs):
    loaded = configs.load("optim_wrapper = dict(_delete_=True, optimizer=dict(type='SGD', lr=1))")
    assert loaded.config.optim_wrapper == dict(optimizer=dict(type='SGD', lr=1))


def test_values_of_base_files_can_be_used(configs):
    loaded = configs.load("""
        _base_ = 'schedule.py'
        custom_hooks = [dict(type='EMAHook', momentum={{_base_.optim_wrapper.optimizer.lr}},
                             begin_epoch=_base_.train_cfg.max_epochs)]
        """)
    assert loaded.config.custom_hooks[0].momentum == 0.01
    assert loaded.config.custom_hooks[0].begin_epoch == 3


def test_a_base_can_be_changed_in_place_and_the_line_is_known(configs):
    loaded = configs.load("""\
        _base_ = 'schedule.py'
        _base_.train_cfg.max_epochs = 9
        _base_['optim_wrapper']['optimizer']['lr'] = 0.2
        """)
    assert loaded.config.train_cfg.max_epochs == 9
    assert loaded.origins['train_cfg.max_epochs'] == 'child.py:2'
    assert loaded.origins['optim_wrapper.optimizer.lr'] == 'child.py:3'


def test_changing_a_copy_of_a_base_value_leaves_the_base_alone(configs):
    loaded = configs.load("""
        _base_ = 'schedule.py'
        _optimizer = {{_base_.optim_wrapper.optimizer}}
        _optimizer['lr'] = 5.0
        custom_hooks = [dict(type='EMAHook', momentum=_optimizer['lr'])]
        """)
    assert loaded.config.optim_wrapper.optimizer.lr == 0.01
    assert loaded.config.custom_hooks[0].momentum == 5.0


def test_predefined_and_environment_variables_are_filled_in(configs, monkeypatch):
    monkeypatch.setenv('WHERE', '/data')
    loaded = configs.load("""
        work_dir = 'work/{{ fileBasenameNoExtension }}'
        experiment_name = '{{$WHERE:/nowhere}}-{{$OTHER_UNSET:there}}'
        """)
    assert loaded.config.work_dir == 'work/child'
    assert loaded.config.experiment_name == '/data-there'


def test_an_environment_variable_without_a_default_has_to_be_set(configs):
    error = configs.error("work_dir = 'a'\nload_from = '{{$SURELY_UNSET:}}'\n")
    assert 'child.py:2' in error.message and 'SURELY_UNSET' in error.message


def test_mmpretrain_files_are_bases_by_package_name():
    loaded = load_config('mmpretrain::resnet/resnet50_8xb32_in1k.py')
    assert loaded.config.model.backbone.depth == 50
    assert loaded.origins['model.backbone.depth'].startswith('mmpretrain::_base_/models/resnet50')


def test_a_users_file_can_inherit_from_mmpretrain(configs):
    loaded = configs.load("""
        _base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'
        model = dict(head=dict(num_classes=7), frozen_stages=2)
        """)
    assert loaded.config.model.head.num_classes == 7
    assert loaded.config.model['_scope_'] == 'mmpretrain'
    assert loaded.config.model.frozen_stages == 2


def test_functions_of_a_loader_are_not_handed_a_scope(configs):
    loaded = configs.load("""
        _base_ = 'mmpretrain::mae/mae_vit-base-p16_8xb512-amp-coslr-300e_in1k.py'
        """)
    assert loaded.config.train_dataloader.collate_fn == dict(type='default_collate')
    assert loaded.config.train_dataloader.sampler['_scope_'] == 'mmpretrain'


def test_helper_names_of_mmpretrain_do_not_reach_the_result():
    loaded = load_config('mmpretrain::resnet/resnet50_8xb32_in1k.py')
    assert 'train_pipeline' not in loaded.config
    assert 'dataset_type' not in loaded.config
    assert loaded.notes == []


# -- names private to a file


def test_private_names_are_dropped(configs):
    loaded = configs.load("""
        _lr = 0.3
        optim_wrapper = dict(optimizer=dict(type='SGD', lr=_lr))
        """)
    assert list(loaded.config) == ['optim_wrapper']


def test_a_private_name_that_is_never_used_is_an_error(configs):
    error = configs.error("_base_ = 'schedule.py'\n_pipeline_of_mine = []\n")
    assert error.message == 'child.py:2: `_pipeline_of_mine` is never used in this file'


@pytest.mark.parametrize('name', ['_bsae_', '_base', '__base_', '_base__', '__base__', '_bases_',
                                  'base_'])
def test_a_misspelt_base_is_an_error_that_names_it(configs, name):
    error = configs.error(f"{name} = 'schedule.py'\n")
    assert error.message.startswith('child.py:1: ')
    assert error.hint.startswith('did you mean `_base_`?')


def test_a_misspelt_reserved_word_is_an_error_even_if_it_is_used(configs):
    error = configs.error("""\
        _bsae_ = 'schedule.py'
        work_dir = _bsae_
        """)
    assert 'misspelt `_base_`' in error.message


@pytest.mark.parametrize(('name', 'right'), [('_delet_', '_delete_'), ('_scpoe_', '_scope_')])
def test_a_misspelt_reserved_word_in_a_dict_is_an_error(configs, name, right):
    error = configs.error(f"""\
        _base_ = 'schedule.py'
        optim_wrapper = dict(optimizer=dict({name}=True))
        """)
    assert f'`optim_wrapper.optimizer.{name}`' in error.message
    assert error.hint.startswith(f'did you mean `{right}`?')


def test_names_private_to_a_base_cannot_be_read(configs):
    configs.write('base.py', "_secret = 3\nwork_dir = str(_secret)\n")
    error = configs.error("_base_ = 'base.py'\nexperiment_name = str({{_base_._secret}})\n")
    assert error.message.startswith('child.py:2: `_secret`')
    assert 'private' in error.hint


def test_a_pipeline_variable_that_is_changed_and_not_used_is_an_error(configs):
    error = configs.error("""\
        _base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'
        train_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
        """)
    assert error.message.startswith('child.py:2: `train_pipeline` is changed here and not used')
    assert 'imagenet_bs32.py' in error.message
    assert 'set train_dataloader = dict(dataset=dict(pipeline=train_pipeline)) too' in error.hint


def test_a_pipeline_variable_that_is_changed_and_used_is_fine(configs):
    loaded = configs.load("""
        _base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'
        train_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
        train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
        """)
    assert len(loaded.config.train_dataloader.dataset.pipeline) == 2


def test_an_option_that_changes_only_a_pipeline_variable_is_an_error(configs):
    error = configs.error("_base_ = 'mmpretrain::resnet/resnet50_8xb32_in1k.py'\n",
                          'dataset_type=CIFAR10')
    assert error.message.startswith('--cfg-options: `dataset_type` is changed here and not used')


# -- files that are wrong


def test_a_missing_config_names_the_nearest_one(configs):
    configs.write('configs/resnet50_frozen3.py', "work_dir = 'a'\n")
    with pytest.raises(ConfigError) as caught:
        load_config('configs/resnet50_frozn3.py')
    assert caught.value.message == 'no config file `configs/resnet50_frozn3.py`'
    assert caught.value.hint == 'did you mean `configs/resnet50_frozen3.py`?'


def test_a_missing_config_in_a_misspelt_folder_is_found(configs):
    configs.write('configs/sub/a_config.py', "work_dir = 'a'\n")
    with pytest.raises(ConfigError) as caught:
        load_config('config/sub/a_config.py')
    assert caught.value.hint == 'did you mean `configs/sub/a_config.py`?'


def test_a_missing_base_names_file_line_and_the_nearest_one(configs):
    error = configs.error("""\
        _base_ = [
            'model.py',
            'schedul.py']
        """)
    assert error.message == 'child.py:3: no base file `schedul.py`'
    assert error.hint == 'did you mean `schedule.py`?'


def test_a_syntax_error_names_file_and_line_also_in_a_base(configs):
    configs.write('broken.py', 'a = dict(\nb = 3\n')
    error = configs.error("_base_ = 'broken.py'\n")
    assert error.message.startswith('broken.py:1: ')
    assert 'a = dict(' in error.hint


def test_an_undefined_name_suggests_the_one_that_is_defined(configs):
    error = configs.error("_pipeline = []\ntest_cfg = dict(a=_pipelin)\n_x = _pipeline\nb = _x\n")
    assert error.message == 'child.py:2: `_pipelin` is not defined'
    assert error.hint.startswith('did you mean `_pipeline`?')


def test_reading_what_the_base_does_not_have_suggests_what_it_has(configs):
    error = configs.error("""\
        _base_ = 'schedule.py'
        work_dir = str(_base_.train_cgf)
        """)
    assert error.message.startswith('child.py:2: `train_cgf`')
    assert error.hint.startswith('did you mean `train_cfg`?')


def test_any_other_exception_names_file_and_line(configs):
    error = configs.error('work_dir = str(1 / 0)\n')
    assert error.message == 'child.py:1: ZeroDivisionError: division by zero'


def test_two_bases_that_set_the_same_key_are_both_named(configs):
    configs.write('other.py', "\ntrain_cfg = dict(max_epochs=1)\n")
    error = configs.error("_base_ = ['schedule.py', 'other.py']\n")
    assert 'schedule.py:5' in error.message and 'other.py:2' in error.message


def test_a_circle_of_bases_is_an_error(configs):
    configs.write('other.py', "_base_ = 'child.py'\n")
    error = configs.error("_base_ = 'other.py'\n")
    assert error.message.startswith('other.py:1: ')


def test_a_dict_laid_over_a_value_is_an_error_that_names_both(configs):
    error = configs.error("""\
        _base_ = 'schedule.py'
        train_cfg = dict(max_epochs=dict(a=1))
        """)
    assert 'child.py:2' in error.message and 'schedule.py:5' in error.message


def test_a_config_may_import_the_standard_library(configs):
    loaded = configs.load("""
        import math
        from pathlib import Path
        from math import pi
        work_dir = str(Path('a') / str(math.floor(pi)))
        """)
    assert loaded.config == dict(work_dir='a/3')


@pytest.mark.parametrize('name', ['config.toml', 'config'])
def test_other_files_than_python_json_and_yaml_are_no_configs(configs, name):
    configs.write('config.py', "work_dir = 'a'\n")
    with pytest.raises(ConfigError, match='is not a Python file'):
        load_config(name)


def test_a_package_without_configs_is_named(configs):
    error = configs.error("_base_ = 'mmdet::faster_rcnn/a.py'\n")
    assert 'mmdet' in error.message and error.message.startswith('child.py:1: ')


# -- overrides


@pytest.mark.parametrize(('text', 'value'), [
    ('3', 3), ('1e-3', 0.001), ('True', True), ('false', False), ('None', None), ('abc', 'abc'),
    ("'5'", '5'), ('"a b"', 'a b'), ('a/b.pth', 'a/b.pth')])
def test_options_have_mmengine_s_syntax(configs, text, value):
    loaded = configs.load("model = dict(type='ResNet', depth=18)\n", f'model.style={text}')
    assert loaded.config.model.style == value
    assert type(loaded.config.model.style) is type(value)


@pytest.mark.parametrize(('text', 'value'), [
    ('[1,2]', [1, 2]), ('(1,2)', (1, 2)), ('[(1,2),[a,b]]', [(1, 2), ['a', 'b']]), ('1,2', [1, 2])])
def test_options_can_be_lists_and_tuples(configs, text, value):
    loaded = configs.load("model = dict(type='ResNet', depth=18)\n", f'model.out_indices={text}')
    assert loaded.config.model.out_indices == value


@pytest.mark.parametrize('text', [
    "[dict(type='EMAHook', momentum=-0.5)]", "[{'type': 'EMAHook', 'momentum': -0.5}]"])
def test_an_option_can_hold_dicts_as_a_config_does(configs, text):
    loaded = configs.load('', f'custom_hooks={text}')
    assert loaded.config.custom_hooks == [dict(type='EMAHook', momentum=-0.5)]


def test_an_option_can_go_into_a_list(configs):
    loaded = configs.load("custom_hooks = [dict(type='EMAHook'), dict(type='EMAHook')]\n",
                          'custom_hooks.1.momentum=0.5')
    assert loaded.config.custom_hooks == [dict(type='EMAHook'), dict(type='EMAHook', momentum=0.5)]


@pytest.mark.parametrize(('option', 'said'), [
    ('train_cfg', 'not of the form key=value'), ('=3', 'not of the form key=value'),
    ('model.out_indices=[1,2', 'brackets'), ('custom_hooks.3.type=A', 'custom_hooks.3'),
    ('train_cfg.max_epochs=range(1,3)', 'before or behind its brackets'),
    ('custom_hooks=[1,2]x', 'before or behind its brackets'),
    ("custom_hooks=[dict(type='EMAHook']", 'has a dict'),
    ("custom_hooks=[dict(type=open('x'))]", 'has a dict')])
def test_an_option_that_cannot_be_read_is_an_error(configs, option, said):
    error = configs.error("custom_hooks = [dict(type='EMAHook')]\n", option)
    assert error.message.startswith('--cfg-options: ') and said in error.message


@pytest.mark.parametrize(('option', 'right'), [
    ('optim_wrapper.optimizer.momentun=0.1', 'momentum'), ('optm_wrapper.a=1', 'optim_wrapper'),
    ('train_cfg.max_epoch=3', 'max_epochs')])
def test_an_option_that_names_no_key_suggests_the_nearest(configs, option, right):
    error = configs.error("_base_ = 'schedule.py'\n", option)
    assert error.message.startswith('--cfg-options: ')
    assert error.hint.startswith(f'did you mean `{right}`?')


def test_an_option_may_set_an_argument_that_no_file_sets(configs):
    loaded = configs.load("_base_ = 'schedule.py'\n", 'optim_wrapper.optimizer.nesterov=True')
    assert loaded.config.optim_wrapper.optimizer.nesterov is True


# -- text and hash


def test_every_shipped_config_survives_being_written_and_read(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    files = config_files()
    assert files
    for file in files:
        loaded = load_config(file)
        copy = tmp_path / 'copy.py'
        copy.write_text(resolved_text(loaded.config), encoding='utf-8')
        again = load_config(copy)
        assert again.config == loaded.config, file
        assert again.notes == []
        assert config_hash(again.config) == config_hash(loaded.config)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.tuples(inner)
                      | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=6), inner,
                                                                  max_size=4), max_leaves=12)


@given(VALUES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_text_of_any_value_is_that_value(value):
    space: dict = {}
    exec(resolved_text({'key': value}), space)
    assert repr(space['key']) == repr(value)


@given(VALUES)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_text_of_a_value_has_no_line_over_100_unless_a_leaf_is_long(value):
    for line in resolved_text({'key': value}).splitlines():
        assert len(line) <= 160


def test_the_hash_ignores_order_formatting_and_the_work_folder():
    a = {'x': {'p': 1, 'q': (1, 2)}, 'work_dir': 'a'}
    b = {'work_dir': 'b', 'x': {'q': [1, 2], 'p': 1}}
    assert config_hash(a) == config_hash(b)
    assert len(config_hash(a)) == 64


@pytest.mark.parametrize('changed', [{'x': {'p': 2}}, {'x': {'q': 1}}, {'x': {'p': 1}, 'y': None},
                                     {'x': {'p': '1'}}, {'x': {'p': 1.5}}])
def test_the_hash_sees_every_change(changed):
    assert config_hash({'x': {'p': 1}}) != config_hash(changed)


def test_the_hash_is_the_same_in_another_process():
    code = ("from amlnn.config.load import load_config\n"
            "from amlnn.config.resolved import config_hash\n"
            "print(config_hash(load_config('configs/resnet50_baseline.py').config))")
    hashes = {subprocess.run([sys.executable, '-c', code], cwd=ROOT, text=True, check=True,
                             capture_output=True).stdout for _ in range(2)}
    assert len(hashes) == 1


# -- against MMEngine


def test_inheritance_agrees_with_mmengine_s_own(tmp_path, monkeypatch):
    """MMEngine resolves every shipped config to the same values, private names aside."""
    monkeypatch.chdir(ROOT)
    files = config_files()
    assert files
    for file in files:
        theirs = Config.fromfile(str(file))._cfg_dict
        ours = load_config(file).config
        public = {key: value for key, value in theirs.items() if not key.startswith('_')}
        assert json.dumps(public, sort_keys=True) == json.dumps(ours, sort_keys=True), file


KEYS = st.sampled_from(['a', 'b', 'c', 'd'])
TREES = st.recursive(st.dictionaries(KEYS, st.integers(0, 3) | st.just([1, {'a': 2}])),
                     lambda inner: st.dictionaries(KEYS, st.integers(0, 3) | inner, max_size=3),
                     max_leaves=8)


@given(TREES, TREES)
@settings(max_examples=300, deadline=None)
def test_dicts_are_merged_as_mmengine_merges_them(child, base):
    try:
        theirs = Config._merge_a_into_b(ConfigDict(child), ConfigDict(base))
    except TypeError:
        theirs = None  # a dict over a plain value
    try:
        ours = plain(merge(located(child, Place('c')), located(base, Place('b'))))
    except ConfigError:
        ours = None
    assert ours == theirs


def test_loading_imports_no_torch():
    code = ("import sys\nfrom amlnn.config.load import load_config\n"
            "load_config('configs/resnet50_baseline.py')\n"
            "load_config('mmpretrain::resnet/resnet50_8xb32_in1k.py')\n"
            "sys.exit('torch' in sys.modules)")
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)


@pytest.mark.parametrize('ending', ['exit()', "import sys; sys.exit('done')", 'raise SystemExit(0)',
                                    'quit(3)'])
def test_a_config_that_ends_the_program_says_where(configs, ending):
    error = configs.error(f"_base_ = 'schedule.py'\n{ending}\n")
    assert error.message.startswith('child.py:2: the config ends the program')
    assert 'exit()' in error.hint


def test_a_base_that_ends_the_program_is_named(configs):
    configs.write('base.py', 'work_dir = "runs"\nexit()\n')
    assert configs.error("_base_ = 'base.py'\n").message.startswith('base.py:2: ')
