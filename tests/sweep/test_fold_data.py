"""Folds: equal shares of each class, copies and groups together, the test part untouched."""

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from generated import write_data_set, write_small_config
from sklearn.model_selection import StratifiedKFold

from amlnn.config.experiment import identity
from amlnn.config.load import load_config
from amlnn.data.images.folds import FoldDataset, assign_folds, copies
from amlnn.errors import ConfigError, DataError
from amlnn.results.grouping import group_runs
from amlnn.results.store import find_runs
from amlnn.results.summary import summarise
from amlnn.sweep.folds import fold_options

PIPELINE = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]


def data(root: Path, fold: int, part: str, folds: int = 3, **more) -> FoldDataset:
    sections = [dict(type='ImageNetFolder', data_root=str(root), split=split, pipeline=PIPELINE)
                for split in ('train', 'val')]
    return FoldDataset(sections, folds, fold, part, **more)


def paths(dataset: FoldDataset) -> list[str]:
    return [dataset.get_data_info(place)['img_path'] for place in range(len(dataset))]


@pytest.fixture(scope='module')
def root(tmp_path_factory) -> Path:
    from amlnn.registry import import_components
    import_components()
    return write_data_set(tmp_path_factory.mktemp('folds') / 'data',
                          sizes={'train': 7, 'val': 2, 'test': 3})


def test_the_folds_are_all_images_but_those_of_the_test_part_and_each_once(root):
    held = [path for fold in range(3) for path in paths(data(root, fold, 'val'))]
    assert len(held) == len(set(held)) == 5 * 9
    assert not any('test_set' in path for path in held)
    for fold in range(3):
        assert set(paths(data(root, fold, 'train'))) == set(held) - set(
            paths(data(root, fold, 'val')))


def test_every_fold_has_its_share_of_every_class_as_scikit_learn_has(root):
    labels = np.repeat(np.arange(5), 9)
    expected = [Counter(labels[test]) for _, test in StratifiedKFold(3).split(labels, labels)]
    assert [Counter(data(root, fold, 'val').get_gt_labels().tolist())
            for fold in range(3)] == expected


def test_copies_of_an_image_are_in_one_fold(root, tmp_path):
    twin = tmp_path / 'data'
    shutil.copytree(root, twin)
    for split, folder in (('train', 'training_set'), ('val', 'val_set')):
        source = twin / 'training_set/daisy/0.png'
        for number in range(3):
            shutil.copy(source, twin / folder / f'daisy/copy_{number}.png')
            with open(twin / f'{split}.txt', 'a') as file:
                file.write(f'daisy/copy_{number}.png 0\n')
    for seed in range(4):
        holding = [fold for fold in range(3) if any(
            'copy' in path or path.endswith('training_set/daisy/0.png')
            for path in paths(data(twin, fold, 'val', seed=seed)))]
        assert len(holding) == 1


def test_images_of_a_group_are_in_one_fold(root):
    pattern = r'/(\d+)\.png'  # the same number in any class
    folds = [{Path(path).name for path in paths(data(root, fold, 'val', group_by=pattern))}
             for fold in range(3)]
    assert set.union(*folds) == {f'{number}.png' for number in range(7)}
    assert sum(map(len, folds)) == 7


def test_folds_do_not_depend_on_the_order_of_the_images():
    keys = [f'{number:03}' for number in range(60)]
    labels = [number % 4 for number in range(60)]
    first = assign_folds(keys, labels, range(60), 5, seed=1)
    order = np.random.default_rng(0).permutation(60)
    other = assign_folds([keys[place] for place in order], [labels[place] for place in order],
                         list(order), 5, seed=1)
    assert (other == first[order]).all()
    assert (assign_folds(keys, labels, range(60), 5, seed=2) != first).any()


def test_copies_are_found_by_content_not_by_name_or_size(tmp_path):
    for name, content in (('a', b'one'), ('b', b'two'), ('c', b'one'), ('d', b'three')):
        (tmp_path / name).write_bytes(content)
    found = copies([str(tmp_path / name) for name in 'abcd'] + ['nowhere', 'nowhere'])
    assert found[0] == found[2] and len(set(found)) == 5


def test_what_cannot_be_folded_is_said(root):
    with pytest.raises(DataError, match='there is no fold 3 of 3'):
        data(root, 3, 'val')
    with pytest.raises(DataError, match='cannot be 100 folds'):
        data(root, 0, 'val', folds=100)
    with pytest.raises(ConfigError, match='cannot be divided into folds'):
        fold_options({'train_dataloader': dict(dataset=dict(
            type='RepeatDataset', times=2, dataset=dict(type='ImageNetFolder')))}, 0, 3)


def test_folds_repeat_one_experiment_and_each_is_a_run(root, tmp_path):
    config = write_small_config(tmp_path / 'config.py', root)
    first, second = (load_config(config, fold_options(load_config(config).config, fold, 3)).config
                     for fold in (0, 1))
    assert identity(first) == identity(second) != identity(load_config(config).config)
    assert first.train_dataloader.dataset.part == 'train'
    assert first.test_dataloader.dataset.type == 'ImageNetFolder'


@pytest.mark.slow
def test_a_sweep_over_folds_is_one_row_over_all_images(root, tmp_path, run_tool, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    write_small_config(tmp_path / 'config.py', root)
    (tmp_path / 'sweep.py').write_text(
        "config = 'config.py'\naxes = {'optim_wrapper.optimizer.lr': [0.1, 0.01]}\nfolds = 3\n"
        "test = 'val'\n")
    status, output, errors = run_tool('sweep', tmp_path / 'sweep.py', '--work-dir', tmp_path / 'w',
                                      '--out', tmp_path / 'report')
    assert status == 0, errors
    runs = find_runs([tmp_path / 'w'])
    assert len(runs) == 6 and len(group_runs(runs)) == 2
    summary = summarise(runs, 'val')
    assert [row.samples for row in summary.rows] == [45, 45]
    assert summary.rows[1].difference.method == 'paired'
    right = [run.predictions('val').correct for run in summary.rows[0].group.runs]
    assert summary.rows[0].value == pytest.approx(100 * np.mean([each.mean() for each in right]))
    assert 'n=45' in output and '3 folds' in output
