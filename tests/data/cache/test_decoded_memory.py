import copy
import gc
import os
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest
from generated import write_data_set
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from amlnn.data.cache.decoded import LoadCachedImage, use_cache
from amlnn.data.cache.decoded_memory import MemoryCache, free_memory
from amlnn.data.images.folder import ImageNetFolder
from amlnn.data.images.reader import LoadImageFromFile
from amlnn.data.images.views import ViewDataset


@pytest.fixture
def images(tmp_path):
    """Files of several formats and sizes, one of them turned by its EXIF."""
    random = np.random.default_rng(0)
    shapes = {'a.png': (30, 40, 3), 'b.jpg': (31, 17, 3), 'grey.jpg': (9, 50),
              'turned.jpg': (20, 33)}
    for name, shape in shapes.items():
        exif = Image.Exif()
        if name == 'turned.jpg':
            exif[0x0112] = 6
        Image.fromarray(random.integers(0, 256, shape).astype(np.uint8)).save(
            tmp_path / name, exif=exif)
    return [str(tmp_path / name) for name in shapes]


@pytest.fixture
def cache(images):
    cache = MemoryCache.open(images, warn=pytest.fail)
    yield cache
    cache.close()


def kept(cache) -> int:
    """How many images are in it."""
    return int(np.count_nonzero(cache._flags))


def test_images_come_back_as_opencv_decodes_them(cache, images):
    step = LoadCachedImage(cache)
    assert kept(cache) == 0 and [cache.read(path) for path in images] == [None] * 4
    for _ in range(2):
        for path in images:
            assert np.array_equal(step(dict(img_path=path))['img'], cv2.imread(path))
    assert kept(cache) == 4
    assert cache.read(images[3]).shape == (33, 20, 3)  # turned, while the header says 33 x 20
    assert cache.total_bytes == sum(cv2.imread(path).nbytes + 8 for path in images)


def test_later_epochs_open_no_file(cache, images):
    step = LoadCachedImage(cache)
    first = [step(dict(img_path=path))['img'] for path in images]
    for path in images:
        Path(path).unlink()
    for path, image in zip(images, first, strict=True):
        assert np.array_equal(step(dict(img_path=path))['img'], image)


def test_an_image_may_be_changed_by_who_read_it(cache, images):
    step = LoadCachedImage(cache)
    for _ in range(3):
        image = step(dict(img_path=images[0]))['img']
        assert np.array_equal(image, cv2.imread(images[0])) and image.flags.writeable
        image[:] = 0


def test_what_does_not_fit_its_slot_or_is_not_known_is_not_kept(cache, images, tmp_path):
    assert not cache.write(images[0], np.zeros((3, 3, 3), np.uint8))
    assert not cache.write(images[0], np.zeros((30, 40, 3), np.float32))
    assert not cache.write(tmp_path / 'other.png', np.zeros((30, 40, 3), np.uint8))
    assert cache.read(tmp_path / 'other.png') is None and kept(cache) == 0


def test_a_file_that_is_no_image_fails_as_without_a_cache(images, tmp_path):
    broken = tmp_path / 'broken.jpg'
    broken.write_bytes(b'no image')
    step = LoadCachedImage(MemoryCache.open([*images, broken], warn=pytest.fail))
    for _ in range(2):
        with pytest.raises(AssertionError):
            step(dict(img_path=str(broken)))
        assert step(dict(img_path=images[0]))['img'].shape == (30, 40, 3)


class Loaded(Dataset):
    """Images through a transform, for a loader with workers."""

    def __init__(self, images, step):
        self.images, self.step = images, step

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.step(dict(img_path=self.images[index]))['img']


@pytest.mark.parametrize('method', ['fork', pytest.param('spawn', marks=pytest.mark.slow)])
def test_workers_fill_one_cache_and_find_what_others_decoded(tmp_path, method):
    root = write_data_set(tmp_path / 'flowers', sizes={'train': 4})
    images = sorted(str(path) for path in root.rglob('*.png'))
    expected = [cv2.imread(path) for path in images]
    cache = MemoryCache.open(images, warn=pytest.fail)
    data = Loaded(images, LoadCachedImage(cache))
    loader = DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context=method,
                        persistent_workers=True)
    for epoch in range(2):
        for image, known in zip(loader, expected, strict=True):
            assert np.array_equal(image, known)
        assert kept(cache) == len(images) == 20  # seen here, written there
        assert all(np.array_equal(cache.read(path), known)
                   for path, known in zip(images, expected, strict=True))
        if epoch == 0:
            for path in images:
                Path(path).unlink()


def test_images_that_would_not_fit_are_refused_in_one_line(images):
    said = []
    cache = MemoryCache.open(images, limit_bytes=1000, warn=said.append)
    assert not cache.useful
    assert len(said) == 1 and 'free memory, 1.00 kB: they are decoded in every epoch' in said[0]
    step = LoadCachedImage(cache)
    assert np.array_equal(step(dict(img_path=images[0]))['img'], cv2.imread(images[0]))
    assert cache.read(images[0]) is None


def test_half_of_the_free_memory_is_the_limit(images, monkeypatch):
    need = MemoryCache.open(images, warn=pytest.fail).total_bytes
    for free, useful in ((2 * need, True), (2 * need - 2, False)):
        monkeypatch.setattr('amlnn.data.cache.decoded_memory.free_memory', lambda free=free: free)
        assert MemoryCache.open(images, warn=lambda text: None).useful == useful


def test_free_memory_is_at_most_what_the_machine_has():
    assert 0 < free_memory() <= os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')


@pytest.mark.parametrize(('limit', 'free'), [('9000', 9000 - 5000 + 300 + 40), ('4000', 0)])
def test_a_container_counts_what_it_has_taken_but_not_the_files_it_read(tmp_path, limit, free):
    (tmp_path / 'memory.max').write_text(f'{limit}\n')
    (tmp_path / 'memory.current').write_text('5000\n')
    (tmp_path / 'memory.stat').write_text('anon 4000\nfile 500\nactive_file 300\n'
                                          'inactive_file 40\n')
    assert free_memory(tmp_path) == free
    (tmp_path / 'memory.max').write_text('max\n')
    assert free_memory(tmp_path) == pytest.approx(free_memory(tmp_path / 'none'), rel=0.5)


def test_a_system_without_files_in_memory_decodes_and_says_so(images, monkeypatch):
    monkeypatch.delattr(os, 'memfd_create')
    said = []
    assert not MemoryCache.open(images, warn=said.append).useful
    assert 'no files in memory' in said[0]


def memory_files():
    """Open files in memory of this process."""
    links = []
    for handle in Path('/proc/self/fd').iterdir():
        with suppress(OSError):  # that of the folder itself
            links.append(str(handle.readlink()))
    return [link for link in links if 'decoded images' in link]


def test_a_closed_cache_has_given_its_memory_back(images):
    gc.collect()
    before = len(memory_files())
    cache = MemoryCache.open(images, warn=pytest.fail)
    LoadCachedImage(cache)(dict(img_path=images[0]))
    assert len(memory_files()) > before
    cache.close()
    assert len(memory_files()) == before
    assert cache.read(images[0]) is None and not cache.useful


def test_a_cache_that_nobody_uses_any_more_has_too(images):
    gc.collect()
    before = len(memory_files())
    step = LoadCachedImage(MemoryCache.open(images, warn=pytest.fail))
    step(dict(img_path=images[0]))
    assert len(memory_files()) > before
    del step
    gc.collect()
    assert len(memory_files()) == before


def test_views_of_a_data_set_are_the_same_with_a_cache(data_set):
    pipeline = [dict(type='mmpretrain.LoadImageFromFile'),
                dict(type='mmpretrain.RandomResizedCrop', scale=16),
                dict(type='mmpretrain.RandomFlip', prob=0.5), dict(type='mmpretrain.PackInputs')]

    def views(cached):
        source = ImageNetFolder(str(data_set), pipeline=copy.deepcopy(pipeline))
        if cached:
            paths = [source.get_data_info(index)['img_path'] for index in range(len(source))]
            assert use_cache(source.pipeline.transforms, MemoryCache.open(paths)) == 1
        else:
            assert type(source.pipeline.transforms[0]) is LoadImageFromFile
        data = ViewDataset(source, seed=1)
        return [data[index, view]['inputs'].numpy().tobytes()
                for view in range(3) for index in range(40)]
    assert views(True) == views(False)
