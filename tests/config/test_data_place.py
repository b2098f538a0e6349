"""--data and the key `data`: one word for where the data of every part are."""

import pytest
from generated import ROOT

from amlnn.config.data_place import data_option
from amlnn.config.load import load_config
from amlnn.errors import ConfigError

FLOWERS = ROOT / 'configs/resnet50_frozen3.py'
ETT = ROOT / 'configs/series/etth1_seggru_96.py'
GENERATED = ROOT / 'configs/series/hourly_seggru.py'
PARTS = ('train', 'val', 'test')


def roots(config) -> list[str]:
    return [config[f'{part}_dataloader']['dataset']['data_root'] for part in PARTS]


@pytest.mark.parametrize('folder', ['data/mine', 'my flowers', 'a,b', "it's", '[x]', 'dict(a=1)'])
def test_a_folder_becomes_the_data_root_of_every_part(folder):
    loaded = load_config(FLOWERS, data_option(folder))
    assert roots(loaded.config) == [folder] * 3
    assert 'data' not in loaded.config
    assert loaded.origins['val_dataloader.dataset.data_root'] == '--cfg-options'


def test_a_file_becomes_the_path_of_a_series(tmp_path):
    file = tmp_path / 'mine.csv'
    file.touch()
    config = load_config(ETT, data_option(file)).config
    assert config['train_dataloader']['dataset']['source']['path'] == str(file)


def test_a_config_says_the_same_with_one_key_which_an_option_replaces(tmp_path):
    child = tmp_path / 'mine.py'
    child.write_text(f"_base_ = '{FLOWERS}'\ndata = 'data/theirs'\n")
    loaded = load_config(child)
    assert roots(loaded.config) == ['data/theirs'] * 3
    assert loaded.origins['train_dataloader.dataset.data_root'].endswith('mine.py:2')
    assert roots(load_config(child, data_option('other')).config) == ['other'] * 3


def test_data_sets_inside_wrappers_have_it_too(tmp_path):
    child = tmp_path / 'mine.py'
    child.write_text(f"""_base_ = '{FLOWERS}'
_inner = dict(type='ImageNetFolder', data_root='a', split='train', pipeline=[])
train_dataloader = dict(dataset=dict(
    _delete_=True, type='ConcatDataset', datasets=[_inner, _inner]))
""")
    config = load_config(child, data_option('b')).config
    assert [leaf['data_root'] for leaf in
            config['train_dataloader']['dataset']['datasets']] == ['b', 'b']


def test_what_does_not_fit_the_kind_of_data_set_is_said_in_two_lines(tmp_path):
    file = tmp_path / 'mine.csv'
    file.touch()
    for config, place, words in (
            (FLOWERS, file, 'is a file, and this config reads a data set from a folder'),
            (ETT, tmp_path, 'is a folder, and this config reads a series'),
            (GENERATED, file, 'reads no data from a folder or a file')):
        with pytest.raises(ConfigError, match=words) as error:
            load_config(config, data_option(place))
        assert error.value.hint


@pytest.mark.parametrize('value', ['3', "['a', 'b']", "''"])
def test_a_place_that_is_no_text_is_an_error(value):
    with pytest.raises(ConfigError, match='not a folder or a file'):
        load_config(FLOWERS, [f'data={value}'])
