"""`amlnn::NAME`: the project's configs from any folder, in a checkout and in a wheel."""

from pathlib import Path

import pytest
from generated import ROOT

from amlnn.config import files
from amlnn.config.files import find_file, own_folder, resolve
from amlnn.config.load import load_config
from amlnn.config.resolved import resolved_text
from amlnn.errors import ConfigError

NAMES = ['resnet50_frozen3.py', 'series/hourly_seggru.py', 'cifar100/study_e_simple_cnn.py']


def error(name: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(name)
    return caught.value


@pytest.fixture
def wheel(tmp_path, monkeypatch) -> Path:
    """The folder of configs of a package that was installed below the working folder."""
    package = Path.cwd() / 'env/site-packages/amlnn'
    configs = package / '.mim/configs'
    (configs / '_base_').mkdir(parents=True)
    (configs / '_base_/runtime.py').write_text("log_level = 'WARNING'\n")
    monkeypatch.setattr(files, '_PACKAGE', package)
    return configs


@pytest.mark.parametrize('name', NAMES)
def test_a_config_is_the_same_by_its_name_and_by_its_path(name):
    named, by_path = load_config(f'amlnn::{name}'), load_config(ROOT / 'configs' / name)
    assert resolved_text(named.config) == resolved_text(by_path.config)
    assert '_scope_' not in resolved_text(named.config)
    assert (named.name, str(named.path)) == (Path(name).stem, f'amlnn::{name}')


def test_a_config_of_ones_own_inherits_and_origins_name_both(configs):
    loaded = configs.load("_base_ = 'amlnn::resnet50_baseline.py'\nmodel = dict(frozen_stages=2)\n")
    assert loaded.config.model.frozen_stages == 2
    assert loaded.origins['model.frozen_stages'] == 'child.py:2'
    lines = (ROOT / 'configs/_base_/schedules/sgd_30e.py').read_text().splitlines()
    where = next(number for number, line in enumerate(lines, 1) if 'lr=' in line)
    assert loaded.origins['optim_wrapper.optimizer.lr'] == \
        f'amlnn::_base_/schedules/sgd_30e.py:{where}'


def test_in_a_checkout_its_configs_are_shown_as_the_files_they_are(monkeypatch):
    monkeypatch.chdir(ROOT)
    for name in ('amlnn::resnet50_baseline.py', 'configs/resnet50_baseline.py'):
        origin = load_config(name).origins['train_cfg.max_epochs']
        assert origin.startswith('configs/_base_/schedules/sgd_30e.py:')


def test_an_installed_config_is_never_shown_by_where_it_is_installed(wheel):
    assert own_folder() == wheel
    (wheel / 'one.py').write_text("_base_ = '_base_/runtime.py'\n")
    assert load_config('amlnn::one.py').origins['log_level'] == 'amlnn::_base_/runtime.py:1'


def test_the_projects_own_configs_are_strict(wheel):
    (wheel / 'one.py').write_text("_base_ = '_base_/runtime.py'\nnobody_knows_this_key = 1\n")
    wrong = error('amlnn::one.py')
    assert wrong.message == 'amlnn::one.py:2: `nobody_knows_this_key` is not a key of a config'


@pytest.mark.parametrize(('name', 'right'), [
    ('amlnn::resnet50_baselin.py', 'amlnn::resnet50_baseline.py'),
    ('amlnn::serie/hourly_seggru.py', 'amlnn::series/hourly_seggru.py'),
    ('amlnn::hourly_seggru.py', 'amlnn::series/hourly_seggru.py'),
    ('amlnn::resnet50_baseline', 'amlnn::resnet50_baseline.py'),
    ('configs/resnet50_baseline.py', 'amlnn::resnet50_baseline.py'),
    ('resnet50_baselin.py', 'amlnn::resnet50_baseline.py'),
    ('amln::resnet50_baseline.py', 'amlnn::...'),
    ('mmpretrian::resnet/resnet50_8xb32_in1k.py', 'mmpretrain::...'),
])
def test_a_misspelt_name_is_answered_with_the_nearest(name, right):
    assert error(name).hint == f'did you mean `{right}`?'


def test_a_misspelt_base_is_answered_with_the_nearest_in_a_checkout_too(configs, monkeypatch):
    path = configs.write('mine/child.py', "_base_ = 'amlnn::quickstart/digits_sorce.py'\n")
    for folder in (configs.root, ROOT):
        monkeypatch.chdir(folder)
        wrong = error(str(path))
        assert 'child.py:1: no base file `amlnn::quickstart/digits_sorce.py`' in wrong.message
        assert wrong.hint == 'did you mean `amlnn::quickstart/digits_source.py`?'


def test_a_file_that_nobody_has_is_not_taken_for_one_of_the_projects():
    assert error('flowers_of_mine.py').hint == 'no Python file below `.` has a name like it'


def test_only_configs_of_other_libraries_bring_the_scope_of_their_classes(tmp_path):
    assert find_file('amlnn::resnet50_baseline.py', tmp_path)[1] is None
    assert find_file('mmpretrain::resnet/resnet50_8xb32_in1k.py', tmp_path)[1] == 'mmpretrain'


def test_a_folder_has_a_name_too_and_a_path_is_of_the_folder_it_was_written_in(tmp_path):
    assert resolve('amlnn::series') == ROOT / 'configs/series'
    assert resolve('a/../b.py', tmp_path) == tmp_path / 'b.py'
    assert resolve('nowhere_installed::a.py') is None
