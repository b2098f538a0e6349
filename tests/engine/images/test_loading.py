"""Options of loading change how images come, and nothing of what comes."""

import shutil
from pathlib import Path

import pytest
from generated import write_data_set
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS
from tiny_runs import write_tiny_config
from trunk_runs import losses

from amlnn.config.load import load_config
from amlnn.engine.images.trunk_path import TrunkPath
from amlnn.engine.kinds import in_scope, open_task
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import ConfigError

pytestmark = pytest.mark.usefixtures('own_cache')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp('loading') / 'data', side=8)


@pytest.fixture
def run(tmp_path, data):
    def run(name, *options, text=''):
        config = write_tiny_config(tmp_path / 'small.py', data, text, epochs=3)
        return train(TrainOptions(config, work_dir=tmp_path / name, cfg_options=[
            'default_hooks.logger.interval=1', *options]))
    return run


@pytest.fixture
def count_decoding(monkeypatch):
    """Counts the images that this process decodes."""
    from amlnn.data.images.reader import LoadImageFromFile
    counted = []
    original = LoadImageFromFile.transform

    def transform(self, results):
        counted.append(results['img_path'])
        return original(self, results)
    monkeypatch.setattr(LoadImageFromFile, 'transform', transform)
    return counted


@pytest.mark.parametrize('workers', [0, 2])
def test_a_run_with_images_in_memory_has_the_losses_of_a_plain_one(run, workers):
    plain = run('plain')
    cached = run('cached', "execution.decoded_cache='memory'",
                 f'train_dataloader.num_workers={workers}')
    assert losses(cached) == losses(plain) and len(losses(plain)) == 12


def test_with_images_in_memory_each_is_decoded_once(run, count_decoding):
    run('cached', "execution.decoded_cache='memory'")
    training = [path for path in count_decoding if 'training_set' in path]
    assert len(training) == len(set(training)) == 40
    count_decoding.clear()
    run('plain')
    looked_at = 32 + 2  # before the first epoch: sizes, and a rehearsed step
    assert len([path for path in count_decoding if 'training_set' in path]) == 3 * 40 + looked_at


def test_images_in_memory_write_nothing_to_the_cache_on_disk(run, own_cache):
    run('cached', "execution.decoded_cache='memory'")
    assert not list(own_cache.rglob('*.data'))
    run('disk', 'execution.decoded_cache=True')
    assert list(own_cache.rglob('images.data'))


def task_of(config, *options):
    return open_task(load_config(config, list(options)), 'cpu')


def loaded_part(task, part='train'):
    with in_scope(task.plan.config):
        return task.loader(part)


@pytest.mark.parametrize('kind', ["'memory'", 'True'])
def test_pixels_that_are_no_files_are_not_kept_again_and_this_is_said(
        tmp_path, data, monkeypatch, kind):
    @DATASETS.register_module(force=True)
    class Pixels(BaseDataset):
        """Arrays, as CIFAR's pickles hold them."""

        def __init__(self, pipeline=()):
            super().__init__(pipeline=list(pipeline), metainfo={'classes': ('a', 'b')})

        def load_data_list(self):
            return [dict(sample_idx=index, gt_label=index % 2) for index in range(4)]

    task = task_of(write_tiny_config(tmp_path / 'small.py', data),
                   f'execution.decoded_cache={kind}')
    task.classes = None
    task.plan.config['model']['head']['num_classes'] = 2
    task.plan.config['train_dataloader']['dataset'] = dict(type='Pixels')
    loaded_part(task)
    assert [note for note in task.plan.notes if 'decoded_cache' in note] == [
        'execution.decoded_cache does nothing: the training images come as pixels, and no file is '
        'decoded']


@pytest.mark.parametrize('options', [dict(color_type='grayscale'), dict(imdecode_backend='pillow')])
def test_images_decoded_otherwise_are_not_kept_and_this_is_said(tmp_path, data, options):
    task = task_of(write_tiny_config(tmp_path / 'small.py', data),
                   "execution.decoded_cache='memory'")
    task.plan.config['train_dataloader']['dataset']['pipeline'][0].update(options)
    loaded_part(task)
    assert any('decoded_cache does nothing' in note for note in task.plan.notes)


def test_images_that_do_not_fit_are_decoded_in_every_epoch_and_this_is_said(
        tmp_path, data, monkeypatch):
    monkeypatch.setattr('amlnn.data.cache.decoded_memory.free_memory', lambda: 2000)
    task = task_of(write_tiny_config(tmp_path / 'small.py', data),
                   "execution.decoded_cache='memory'")
    loader = loaded_part(task)
    assert any('more than half of the free memory' in note for note in task.plan.notes)
    assert type(loader.dataset.leaves[0].pipeline.transforms[0]).__name__ == 'LoadImageFromFile'


def test_another_kind_of_decoded_cache_is_refused(tmp_path, data):
    with pytest.raises(ConfigError, match=r"execution\.decoded_cache` is 'ram'") as error:
        task_of(write_tiny_config(tmp_path / 'small.py', data), "execution.decoded_cache='ram'")
    assert 'memory' in error.value.hint


def test_a_run_goes_on_with_another_kind_of_decoded_cache(run_tool, tmp_path, data):
    config = write_tiny_config(tmp_path / 'small.py', data, epochs=1)
    assert run_tool('train', config, '--cfg-options', "execution.decoded_cache='memory'")[0] == 0
    status, _, errors = run_tool('train', config, '--resume', Path('work_dirs/small/latest'),
                                 '--cfg-options', 'train_cfg.max_epochs=2',
                                 'execution.decoded_cache=False')
    assert status == 0, errors


WORKERS = ('train_dataloader.num_workers=1', 'train_dataloader.prefetch_factor=5',
           'train_dataloader.persistent_workers=True')


def test_a_loader_prefetches_and_keeps_its_workers_as_the_config_says(tmp_path, data):
    config = write_tiny_config(tmp_path / 'small.py', data)
    loader = loaded_part(task_of(config, *WORKERS))
    assert (loader.num_workers, loader.prefetch_factor, loader.persistent_workers) == (1, 5, True)
    loader = loaded_part(task_of(config, 'train_dataloader.num_workers=1'))
    assert (loader.prefetch_factor, loader.persistent_workers) == (2, False)  # of PyTorch


def test_so_does_the_fast_path(tmp_path, data):
    task = task_of(write_tiny_config(tmp_path / 'small.py', data,
                                     "model = dict(frozen_stages='all')"), *WORKERS)
    with in_scope(task.plan.config):
        model, _ = task.build_model()
        path = TrunkPath.plan(task.plan, model)
        loader = path.loader(task.plan, 'train', task.loader('train'), pytest.fail)
        assert (loader._images.num_workers, loader._images.prefetch_factor) == (1, 5)
        path.close()


def test_without_workers_what_is_meant_for_them_is_left_out(tmp_path, data, run):
    options = ('train_dataloader.prefetch_factor=4', 'train_dataloader.persistent_workers=True')
    loader = loaded_part(task_of(write_tiny_config(tmp_path / 'small.py', data), *options))
    assert (loader.num_workers, loader.persistent_workers) == (0, False)
    assert losses(run('with', *options)) == losses(run('without'))


def test_an_unknown_option_of_a_loader_is_refused_with_the_nearest(tmp_path, data):
    with pytest.raises(ConfigError, match='prefetch_factors') as error:
        load_config(write_tiny_config(tmp_path / 'small.py', data),
                    ['train_dataloader.prefetch_factors=4'])
    assert '`prefetch_factor`' in error.value.hint


def test_a_run_whose_images_are_in_memory_needs_their_files_no_more(run, tmp_path, data,
                                                                    monkeypatch):
    copy = shutil.copytree(data, tmp_path / 'copy')
    from amlnn.engine.run.hooks import EpochHook
    original = EpochHook.after_train_epoch

    def after_train_epoch(self, runner):
        original(self, runner)
        if runner.folder.parent.name == 'cached':  # and not a rehearsal's
            shutil.rmtree(copy / 'training_set', ignore_errors=True)
    monkeypatch.setattr(EpochHook, 'after_train_epoch', after_train_epoch)
    options = [f'train_dataloader.dataset.data_root={copy}', "execution.decoded_cache='memory'"]
    assert losses(run('cached', *options)) == losses(run('plain'))
