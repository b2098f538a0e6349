import copy
import errno
import os
import pickle
import shutil

import cv2
import numpy as np
import pytest
from generated import write_data_set
from mmcv.transforms import LoadImageFromFile
from mmengine.registry import TRANSFORMS
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from amlnn.data.cache.decoded import DecodedCache, LoadCachedImage, use_cache
from amlnn.data.images.folder import ImageNetFolder
from amlnn.data.images.views import ViewDataset

LIMIT = 10**8


def pixels(height, width, channels=3, dtype=np.uint8, seed=0):
    values = np.random.default_rng(seed).integers(0, 256, (height, width, channels))
    return values.astype(dtype).squeeze(2) if channels == 1 else values.astype(dtype)


@pytest.fixture
def images(tmp_path):
    """Files of several formats, sizes and kinds of pixel, one of them turned by its EXIF."""
    folder = tmp_path / 'images'
    (folder / 'sub').mkdir(parents=True)
    Image.fromarray(pixels(30, 40)).save(folder / 'colour.png')
    Image.fromarray(pixels(31, 17)).save(folder / 'sub' / 'colour.jpg', quality=80)
    Image.fromarray(pixels(9, 50, 1)).save(folder / 'grey.jpg')
    opaque = np.full((8, 8, 1), 255, dtype=np.uint8)
    Image.fromarray(np.concatenate([pixels(8, 8), opaque], axis=2)).save(folder / 'alpha.png')
    Image.fromarray(pixels(12, 10)).quantize(16).save(folder / 'palette.png')
    cv2.imwrite(str(folder / 'deep.png'), pixels(6, 7, dtype=np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    Image.fromarray(pixels(20, 33)).save(folder / 'turned.jpg', exif=exif)
    return sorted(str(path) for path in folder.rglob('*.*'))


@pytest.fixture
def opened(tmp_path, images):
    caches = []

    def open_cache(names=None, limit_bytes=LIMIT, warn=pytest.fail, **options):
        caches.append(DecodedCache.open(tmp_path / 'root', names or images, limit_bytes, warn=warn,
                                        **options))
        return caches[-1]
    yield open_cache
    for cache in caches:
        cache.close()


def fill(cache, images):
    for path in images:
        assert cache.write(path, cv2.imread(path))


def test_images_come_back_as_opencv_decodes_them(opened, images):
    assert len(images) == 7
    cache = opened()
    assert [cache.read(path) for path in images] == [None] * 7
    fill(cache, images)
    for found in (cache, opened(), pickle.loads(pickle.dumps(cache)), copy.deepcopy(cache)):
        for path in images:
            expected, image = cv2.imread(path), found.read(path)
            assert image.dtype == np.uint8
            assert np.array_equal(image, expected)
        assert found.useful
        found.close()
    assert cv2.imread(images[-1]).shape == (33, 20, 3)  # turned, while the header says 33 x 20


def test_an_image_may_be_changed_by_who_read_it(opened, images):
    cache = opened()
    fill(cache, images)
    image = cache.read(images[0])
    assert image.flags.writeable
    assert image.flags.c_contiguous
    image[:] = 0
    assert np.array_equal(cache.read(images[0]), cv2.imread(images[0]))


OPTIONS = [dict(), dict(to_float32=True), dict(color_type='grayscale'),
           dict(color_type='unchanged'), dict(color_type='color_ignore_orientation'),
           dict(imdecode_backend='pillow'), dict(backend_args=dict(backend='local')),
           dict(ignore_empty=True)]


@pytest.mark.parametrize('filled', [False, True], ids=['a new cache', 'a full cache'])
@pytest.mark.parametrize('options', OPTIONS, ids=str)
def test_the_transform_gives_what_mmcv_gives_in_the_first_and_later_epochs(
        opened, images, options, filled):
    cache = opened()
    if filled:
        fill(cache, images)
    plain = TRANSFORMS.build(dict(type='LoadImageFromFile', **options))
    cached = TRANSFORMS.build(dict(type='LoadCachedImage', cache=cache, **options))
    for _ in range(3):
        for path in images:
            expected, found = plain(dict(img_path=path)), cached(dict(img_path=path))
            assert found.keys() == expected.keys()
            assert np.array_equal(found.pop('img'), expected['img'])
            assert found == {key: expected[key] for key in found}
    assert cached(dict(img_path=images[0]))['img'].dtype == expected['img'].dtype
    for path in images:  # other ways of decoding leave nothing for this one
        image = cache.read(path)
        assert image is None or np.array_equal(image, cv2.imread(path))
    otherwise = {'color_type', 'imdecode_backend'} & options.keys()
    assert (cache.read(images[0]) is None) == (bool(otherwise) and not filled)


def test_later_epochs_decode_nothing(opened, images, monkeypatch):
    step = LoadCachedImage(opened())
    first = [step(dict(img_path=path))['img'] for path in images]
    monkeypatch.setattr('amlnn.data.images.reader.read_pixels',
                        lambda *args, **options: pytest.fail('decoded'))
    monkeypatch.setattr('mmengine.fileio.get', lambda *args, **options: pytest.fail('read'))
    for path, image in zip(images, first, strict=True):
        assert np.array_equal(step(dict(img_path=path))['img'], image)


def test_an_image_that_is_none_fails_as_without_a_cache(opened, tmp_path, images):
    broken, absent = str(tmp_path / 'images' / 'broken.jpg'), str(tmp_path / 'absent.jpg')
    with open(broken, 'wb') as file:
        file.write(b'no image')
    cache = opened([*images, broken, absent])
    for path, error in ((broken, AssertionError), (absent, FileNotFoundError)):
        for _ in range(2):
            with pytest.raises(error):
                LoadCachedImage(cache)(dict(img_path=path))
    assert LoadCachedImage(cache, ignore_empty=True)(dict(img_path=absent)) is None
    assert LoadCachedImage(cache)(dict(img_path=images[0]))['img'].shape == (8, 8, 3)


def test_an_image_that_the_cache_does_not_know_is_decoded(opened, images):
    cache = opened(images[1:])
    assert np.array_equal(LoadCachedImage(cache)(dict(img_path=images[0]))['img'],
                          cv2.imread(images[0]))
    assert cache.read(images[0]) is None


def test_an_array_that_does_not_fit_its_image_is_not_kept(opened, images):
    cache = opened()
    for image in (pixels(3, 3), pixels(8, 8, 1), pixels(8, 8).astype(np.float32)):
        assert not cache.write(images[0], image)
    assert cache.read(images[0]) is None


def test_use_cache_replaces_plain_loaders_and_keeps_what_they_were_told(opened):
    class Other(LoadImageFromFile):
        """Somebody's own."""

    flip = TRANSFORMS.build(dict(type='mmpretrain.RandomFlip', prob=0.5))
    transforms = [LoadImageFromFile(to_float32=True, ignore_empty=True), flip, Other(),
                  LoadImageFromFile(color_type='grayscale')]
    cache = opened()
    assert use_cache(transforms, cache) == 2
    assert [type(step).__name__ for step in transforms] == \
        ['LoadCachedImage', 'RandomFlip', 'Other', 'LoadCachedImage']
    first, _, _, last = transforms
    assert (first.to_float32, first.ignore_empty, first.cache) == (True, True, cache)
    assert (last.color_type, last.cache) == ('grayscale', None)


def test_views_of_a_data_set_are_the_same_with_a_cache(tmp_path, data_set):
    pipeline = [dict(type='mmpretrain.LoadImageFromFile'),
                dict(type='mmpretrain.RandomResizedCrop', scale=16),
                dict(type='mmpretrain.RandomFlip', prob=0.5), dict(type='mmpretrain.PackInputs')]

    def views(root):
        source = ImageNetFolder(str(data_set), pipeline=copy.deepcopy(pipeline))
        paths = [source.get_data_info(index)['img_path'] for index in range(len(source))]
        if root:
            cache = DecodedCache.open(root, paths, LIMIT)
            assert use_cache(source.pipeline.transforms, cache) == 1
        data = ViewDataset(source, seed=1)
        return [data[index, view]['inputs'].numpy().tobytes()
                for view in range(3) for index in range(40)]
    assert views(tmp_path / 'root') == views(None)


class Loaded(Dataset):
    """Images through a transform, for a loader with workers."""

    def __init__(self, images, step):
        self.images, self.step = images, step

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.step(dict(img_path=self.images[index]))['img']


def test_forked_workers_fill_one_cache_and_read_what_others_wrote(tmp_path, opened):
    root = write_data_set(tmp_path / 'flowers')
    images = sorted(str(path) for path in root.rglob('*.png'))
    expected = [cv2.imread(path) for path in images]
    cache = opened(images)
    loader = DataLoader(Loaded(images, LoadCachedImage(cache)), batch_size=None, num_workers=2,
                        multiprocessing_context='fork', shuffle=True)
    assert len(list(loader)) == len(images) == 70
    shutil.rmtree(root)  # from here on there is nothing to decode
    loader = DataLoader(loader.dataset, batch_size=None, num_workers=2,
                        multiprocessing_context='fork')
    for image, known in zip(loader, expected, strict=True):
        assert np.array_equal(image, known)


def test_an_image_that_changed_is_decoded_anew_and_a_moved_data_set_is_not(
        tmp_path, opened, images):
    fill(opened(), images)
    (tmp_path / 'images').rename(tmp_path / 'moved')
    moved = [path.replace('/images/', '/moved/') for path in images]
    assert np.array_equal(opened(moved).read(moved[0]), cv2.imread(moved[0]))
    os.utime(moved[3], ns=(0, 1))
    assert opened(moved).read(moved[0]) is None
    assert opened(moved[:-1]).read(moved[0]) is None


def test_hashes_tell_an_image_whose_size_and_time_did_not_change(opened, images):
    hashes = [str(number) for number in range(7)]
    fill(opened(hashes=hashes), images)
    assert opened(hashes=hashes).read(images[0]) is not None
    assert opened(hashes=['other', *hashes[1:]]).read(images[0]) is None
    assert opened().read(images[0]) is None
    with pytest.raises(ValueError, match='shorter'):
        opened(hashes=hashes[1:])


def test_images_that_would_not_fit_are_refused_in_one_line(opened, images, tmp_path):
    said = []
    cache = opened(limit_bytes=1000, warn=said.append)
    assert not cache.useful
    assert not cache.write(images[0], cv2.imread(images[0]))
    assert cache.read(images[0]) is None
    assert len(said) == 1
    assert 'more than the limit of 1.00 kB: they are decoded in every epoch' in said[0]
    assert sum(path.stat().st_size for path in (tmp_path / 'root').rglob('images.*')) == 0


def test_what_a_smaller_limit_no_longer_allows_is_still_read_where_it_is_there(opened, images):
    fill(opened(), images)
    assert np.array_equal(opened(limit_bytes=1000).read(images[2]), cv2.imread(images[2]))


def test_without_a_limit_half_the_memory_is_one(opened, monkeypatch):
    said = []
    monkeypatch.setattr('amlnn.data.cache.decoded.machine_memory', lambda: 4000)
    opened(limit_bytes=None, warn=said.append)
    assert 'the limit of 2.00 kB' in said[0]
    monkeypatch.undo()
    assert opened(limit_bytes=None).useful


@pytest.mark.parametrize('name', ['images.data', 'images.sums', 'sizes.data', 'sizes.sums',
                                  'key.json'])
def test_no_damage_to_any_file_gives_a_wrong_image(opened, images, name):
    cache = opened()
    fill(cache, images)
    path = cache.folder.path / name
    cache.close()
    whole = path.read_bytes()
    places = sorted({*range(0, len(whole), max(1, len(whole) // 25)), len(whole) - 1})
    versions = [whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1:]
                for place in places]
    versions += [whole[:place] for place in places[::4]] + [bytes(len(whole)), whole[::-1]]
    for broken in versions:
        path.write_bytes(broken)
        said = []
        cache = opened(warn=said.append)
        for image in images:
            found = cache.read(image)
            assert found is None or np.array_equal(found, cv2.imread(image))
        assert all('\n' not in text for text in said)
        step = LoadCachedImage(cache)
        for _ in range(2):
            for image in images:
                assert np.array_equal(step(dict(img_path=image))['img'], cv2.imread(image))
        assert all(cache.read(image) is not None for image in images)
        cache.close()
        assert path.read_bytes() == whole


def test_a_disk_that_is_full_ends_the_writing_and_nothing_else(opened, images, monkeypatch):
    pwrite, said = os.pwrite, []
    cache = opened(warn=said.append)
    fill(cache, images[:3])

    def full(handle, piece, offset):
        pwrite(handle, piece[:len(piece) // 2], offset)
        raise OSError(errno.ENOSPC, 'No space left on device')
    monkeypatch.setattr(os, 'pwrite', full)
    step = LoadCachedImage(cache)
    for _ in range(2):
        for path in images:
            assert np.array_equal(step(dict(img_path=path))['img'], cv2.imread(path))
    assert [cache.read(path) is not None for path in images] == [True] * 3 + [False] * 4
    assert len(said) == 1
    assert said[0].endswith('No space left on device')
