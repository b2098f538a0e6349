"""The image data sets of configs/_base_/datasets, on generated data."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import ROOT, WNIDS, write_cifar100, write_python2_pickle, write_tiny_imagenet
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from PIL import Image

from amlnn.data.images import cifar, tiny_imagenet  # noqa: F401 - registers its classes
from amlnn.data.images.views import ViewDataset

BASES = ROOT / 'configs/_base_/datasets'
SIDES = {'tiny_imagenet': 224, 'tiny_imagenet_padded': 224, 'tiny_imagenet_299': 299,
         'tiny_imagenet_cubic': 224, 'tiny_imagenet_cubic_240': 240, 'tiny_imagenet_cubic_260': 260,
         'tiny_imagenet_64': 64, 'tiny_imagenet_32': 32, 'cifar100': 32}
AUGMENTED = {'tiny_imagenet_64', 'tiny_imagenet_32', 'cifar100'}


@pytest.fixture(scope='module')
def roots(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('data')
    return {'TinyImageNet': write_tiny_imagenet(folder / 'tiny', train=2, val=1),
            'CIFAR100Python': write_cifar100(folder / 'cifar', train=2, test=1)}


def section(name: str, part: str) -> dict:
    return Config.fromfile(BASES / f'{name}.py')[f'{part}_dataloader']['dataset'].to_dict()


def views(name: str, part: str, root: Path, **changes) -> ViewDataset:
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return ViewDataset(DATASETS.build({**section(name, part), 'data_root': str(root),
                                           **changes}))


def of_base(name: str, part: str, roots, **changes) -> ViewDataset:
    return views(name, part, roots[section(name, part)['type']], **changes)


def test_every_base_of_such_a_data_set_is_here():
    sections = {path.stem: Config.fromfile(path)['train_dataloader'].get('dataset')
                for path in BASES.glob('*.py')}
    assert [name for name, section in sections.items() if not section] == ['image_loaders']
    del sections['image_loaders']
    # What holds images out is another such base with nothing else changed.
    assert {name for name, section in sections.items()
            if section['type'] in ('TinyImageNet', 'CIFAR100Python')
            and 'holdout' not in section} == set(SIDES)


@pytest.mark.parametrize('part', ['train', 'val', 'test'])
@pytest.mark.parametrize('name', SIDES)
def test_images_have_the_size_that_the_base_is_for(name, part, roots):
    data = of_base(name, part, roots, **(dict(holdout=1) if part == 'test' else {}))
    item = data[(0, 0)]
    assert item['inputs'].shape == (3, SIDES[name], SIDES[name])
    assert item['inputs'].dtype == torch.uint8
    assert item['data_samples'].id == data.key(0)


@pytest.mark.parametrize('name', SIDES)
def test_only_training_images_of_networks_from_scratch_are_augmented(name, roots):
    for part in ('train', 'val'):
        data = of_base(name, part, roots)
        same = [torch.equal(data[(0, 0)]['inputs'], data[(0, view)]['inputs'])
                for view in range(1, 4)]
        assert any(same) != (part == 'train' and name in AUGMENTED)


@pytest.mark.parametrize('name', sorted(AUGMENTED))
def test_a_view_is_the_same_every_time(name, roots):
    first, second = of_base(name, 'train', roots), of_base(name, 'train', roots)
    _ = second[(1, 1)]
    assert torch.equal(first[(0, 3)]['inputs'], second[(0, 3)]['inputs'])


def test_padding_puts_80_black_pixels_on_each_side(roots):
    root = roots['TinyImageNet']
    padded = views('tiny_imagenet_padded', 'val', root)[(0, 0)]['inputs']
    plain = views('tiny_imagenet_64', 'val', root)[(0, 0)]['inputs']
    assert torch.equal(padded[:, 80:144, 80:144], plain)
    padded[:, 80:144, 80:144] = 0
    assert not padded.any()


def test_resizing_is_bilinear(roots):
    root = roots['TinyImageNet']
    large = views('tiny_imagenet', 'val', root)[(0, 0)]['inputs']
    plain = views('tiny_imagenet_64', 'val', root)[(0, 0)]['inputs']
    expected = torch.nn.functional.interpolate(plain[None].float(), size=(224, 224),
                                               mode='bilinear', align_corners=False)[0]
    assert (large.float() - expected).abs().max() <= 1.5  # OpenCV's fixed-point weights


@pytest.mark.parametrize('name', ['tiny_imagenet', 'tiny_imagenet_padded', 'tiny_imagenet_32'])
def test_a_red_image_file_comes_as_blue_green_red(tmp_path, roots, name):
    root = shutil.copytree(roots['TinyImageNet'], tmp_path / 'red')
    path = root / f'train/{WNIDS[0]}/images/{WNIDS[0]}_0.JPEG'
    Image.fromarray(np.full((64, 64, 3), (255, 0, 0), dtype=np.uint8)).save(path, quality=100)
    middle = SIDES[name] // 2
    pixel = views(name, 'train', root)[(0, 0)]['inputs'][:, middle, middle]
    assert (pixel.int() - torch.tensor([0, 0, 255])).abs().max() <= 2


def test_what_comes_in_from_outside_has_imagenets_mean_colour(tmp_path):
    def black(path, value):
        write_python2_pickle(path, {
            **value, **({'data': np.zeros_like(value['data'])} if 'data' in value else {})})
    root = write_cifar100(tmp_path / 'black', write=black)
    data = views('cifar100', 'train', root)
    seen = torch.stack([data[(0, view)]['inputs'] for view in range(40)])
    mean = torch.tensor([103.53, 116.28, 123.675])  # as data_preprocessor has it, blue first
    assert (seen.amax((0, 2, 3)) - mean).abs().max() < 0.5
    assert (seen == 0).float().mean() > 0.7


def test_cifars_augmentation_mirrors_zooms_turns_and_shifts(tmp_path):
    def dot(path, value):
        if 'data' in value:
            image = np.zeros((3, 32, 32), dtype=np.uint8)
            image[:, 14:18, 22:26] = 255
            value = {**value, 'data': np.repeat(image.reshape(1, -1), len(value['data']), 0)}
        write_python2_pickle(path, value)
    data = views('cifar100', 'train', write_cifar100(tmp_path / 'dot', write=dot))
    places, sizes = [], []
    for view in range(60):
        bright = (data[(0, view)]['inputs'][0] > 180).nonzero().float()
        places.append(bright.mean(0))
        sizes.append(len(bright))
    rows, columns = torch.stack(places).T
    assert {bool(column > 16) for column in columns} == {True, False}  # mirrored
    assert rows.max() - rows.min() > 4 and columns[columns > 16].std() > 1  # turned and shifted
    assert max(sizes) > 16 > min(sizes)  # zoomed
