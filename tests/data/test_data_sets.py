"""What holds for the images of every kind of data set, on the generated one of its kind."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
from generated import DATA_SETS
from mmengine.registry import DATASETS

from amlnn.data.images.layout import Layout, layout_of
from amlnn.data.images.views import ViewDataset
from amlnn.errors import DataError
from amlnn.registry import COMPONENT_MODULES, import_components


@pytest.fixture(scope='module', autouse=True)
def registered():
    import_components(tuple(name for name in COMPONENT_MODULES if name.startswith('amlnn.data')))


@pytest.fixture(scope='module', params=DATA_SETS)
def section(request, tmp_path_factory) -> dict:
    root = DATA_SETS[request.param](tmp_path_factory.mktemp('any') / 'data')
    return dict(type=request.param, data_root=str(root))


def build(section: dict, **changes):
    return ViewDataset(DATASETS.build({**section, **changes}))


def test_every_layout_has_a_generated_data_set():
    known = {name for name, kind in DATASETS.module_dict.items() if issubclass(kind, Layout)}
    assert known == set(DATA_SETS)


def test_its_class_says_which_classes_and_parts_it_has(section):
    kind, root = layout_of(section), section['data_root']
    classes = kind.find_classes(root)
    assert len(classes) == len(set(classes)) == 5
    assert (Path(root) / kind.classes_file).is_file()
    for part in kind.find_parts(root):
        data = build(section, split=part)
        assert data.metainfo['classes'] == classes
        assert len({data.key(index) for index in range(len(data))}) == len(data) >= 5
        assert {data.get_cat_ids(index)[0] for index in range(len(data))} == set(range(5))


def test_no_two_parts_share_an_image(section):
    parts = layout_of(section).find_parts(section['data_root'])
    keys = [data.key(index) for part in parts for data in [build(section, split=part)]
            for index in range(len(data))]
    assert len(keys) == len(set(keys))


def test_a_subset_has_as_many_images_of_each_class_and_another_seed_others(section):
    chosen = []
    for seed in (0, 0, 1):
        data = build(section, subset=10, seed=seed)
        assert Counter(data.get_cat_ids(index)[0] for index in range(10)) \
            == dict.fromkeys(range(5), 2)
        chosen.append({data.key(index) for index in range(len(data))})
    assert chosen[0] == chosen[1] != chosen[2]


def test_keys_do_not_depend_on_where_it_lies(section, tmp_path):
    copy = shutil.copytree(section['data_root'], tmp_path / 'copy')
    first, second = build(section), build(section, data_root=str(copy))
    assert [first.key(index) for index in range(len(first))] \
        == [second.key(index) for index in range(len(second))]


@pytest.mark.parametrize('change', [dict(data_root='nowhere'), dict(split='training'),
                                    dict(subset=7)])
def test_what_is_not_there_is_an_error_with_a_hint(section, change):
    with pytest.raises(DataError) as error:
        build(section, **change)
    assert error.value.hint
