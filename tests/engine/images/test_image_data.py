"""Training, testing and predicting on Tiny-ImageNet and CIFAR-100 in their own layouts."""

import json
import shutil
import textwrap
from pathlib import Path

import numpy as np
import pytest
from generated import ROOT, WNIDS, write_cifar100, write_tiny_imagenet
from PIL import Image
from trunk_runs import losses, run

from amlnn.data.images.cifar import CIFAR100Python
from amlnn.data.images.tiny_imagenet import TinyImageNet
from amlnn.records import read_run, read_test

pytestmark = pytest.mark.usefixtures('own_cache')

KINDS = {'cifar100': CIFAR100Python, 'tiny_imagenet_32': TinyImageNet}


@pytest.fixture(scope='module')
def roots(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp('data')
    return {'tiny_imagenet_32': write_tiny_imagenet(folder / 'tiny', side=48),
            'cifar100': write_cifar100(folder / 'cifar')}


@pytest.fixture
def config(tmp_path, roots):
    """Writes a config that trains a narrow ResNet18 on one of the data sets."""

    def write(base: str, text: str = '', root: Path | None = None, **dataset) -> Path:
        arguments = {'data_root': str(root or roots[base]), **dataset}
        section = dict(batch_size=8, num_workers=0, persistent_workers=False, dataset=arguments)
        path = tmp_path / 'base.py'
        path.write_text(textwrap.dedent(f'''\
            _base_ = [{', '.join(repr(str(ROOT / 'configs/_base_' / name)) for name in (
                'models/resnet18.py', f'datasets/{base}.py', 'schedules/sgd_8e.py',
                'runtime.py'))}]
            model = dict(pretrained=None, backbone=dict(stem_channels=16, base_channels=16),
                         head=dict(in_channels=128))
            train_dataloader = {section!r}
            val_dataloader = {section!r}
            test_dataloader = {section!r}
            train_cfg = dict(max_epochs=2)
            execution = dict(precision='fp32')
            '''))
        child = tmp_path / 'small.py'
        child.write_text("_base_ = 'base.py'\n" + textwrap.dedent(text))
        return child

    return write


SLOW = pytest.mark.slow
ONE_QUICK = ['cifar100', pytest.param('tiny_imagenet_32', marks=SLOW)]


@pytest.mark.parametrize(('base', 'frozen'), [
    ('cifar100', "'all'"), *(pytest.param(base, frozen, marks=SLOW) for base, frozen in (
        ('cifar100', '2'), ('tiny_imagenet_32', "'all'"), ('tiny_imagenet_32', '2')))])
def test_a_cached_run_equals_the_uncached_one(tmp_path, config, base, frozen):
    path = config(base, f'model = dict(frozen_stages={frozen})', holdout=2)
    plain = run(path, tmp_path / 'plain', 'trunk_cache=False')
    fast = run(path, tmp_path / 'fast', 'trunk_cache=True', 'fold_batch_norm=False')
    again = run(path, tmp_path / 'again', 'trunk_cache=True', 'fold_batch_norm=False')
    assert read_run(plain).trunk is None and read_run(fast).trunk is not None
    assert losses(plain) == pytest.approx(losses(fast), rel=1e-5, abs=1e-5)
    assert losses(again) == losses(fast) and len(losses(fast)) == 2 * 3


@pytest.mark.slow
@pytest.mark.parametrize('base', KINDS)
def test_features_are_found_again_unless_the_images_changed(tmp_path, config, roots, base,
                                                            monkeypatch):
    from amlnn.engine.images.trunk_path import TrunkPath
    root = shutil.copytree(roots[base], tmp_path / 'data')
    path = config(base, "model = dict(frozen_stages='all')\ntrain_cfg = dict(max_epochs=1)", root)
    run(path, tmp_path / 'one', 'trunk_cache=True')
    computed = []
    original = TrunkPath.features
    monkeypatch.setattr(TrunkPath, 'features', lambda self, batch: (
        computed.append(len(batch['data_samples'])), original(self, batch))[1])
    run(path, tmp_path / 'two', 'trunk_cache=True')
    assert not computed
    if base == 'cifar100':
        shutil.rmtree(root)
        write_cifar100(root, seed=1)
    else:
        Image.new('RGB', (48, 48)).save(root / f'train/{WNIDS[0]}/images/{WNIDS[0]}_0.JPEG')
    run(path, tmp_path / 'three', 'trunk_cache=True')
    assert sum(computed) > 30


@pytest.mark.parametrize('base', ONE_QUICK)
def test_a_run_says_what_it_was_trained_on_and_ids_can_be_read(run_tool, config, roots, base):
    path = config(base, 'train_cfg = dict(max_epochs=1)', holdout=2)
    status, shown, errors = run_tool('train', path)
    assert status == 0, errors
    folder = Path('work_dirs/small/latest')
    record = read_run(folder)
    kind, root = KINDS[base], str(roots[base])
    assert record.classes == kind.find_classes(root) and record.data_root == root
    each = len(record.classes)
    assert record.samples == {'train': 4 * each, 'val': 2 * each}
    status, shown, errors = run_tool('test', path, folder / 'best.pth')
    assert status == 0, errors
    assert 'of `test`' in shown
    tested = read_test(folder / 'test_test.json')
    assert tested.data_manifest_hash == record.data_manifest_hash is not None
    assert record.data_manifest_hash != kind.content_hash(root)  # not all of it was trained on
    ids = np.load(folder / 'predictions_test.npz')['id'].tolist()
    assert len(set(ids)) == tested.samples == 2 * each
    expected = [kind(root, split='test', holdout=2).get_data_info(index) for index in range(2)]
    assert ids[:2] == [info.get('id') or str(Path(info['img_path']).relative_to(root))
                       for info in expected]


@pytest.mark.slow
@pytest.mark.parametrize('base', KINDS)
def test_the_part_to_test_is_the_one_that_has_labels(run_tool, config, base):
    path = config(base, 'train_cfg = dict(max_epochs=1)')
    assert run_tool('train', path)[0] == 0
    checkpoint = Path('work_dirs/small/latest/best.pth')
    assert '`val`' in run_tool('test', path, checkpoint)[1]
    status, _, errors = run_tool('test', path, checkpoint, '--split', 'test')
    assert status == 2 and len(errors.splitlines()) == 2
    assert 'no labelled test part' in errors and '--split val' in errors


@pytest.mark.parametrize(('base', 'labels', 'count'), [
    ('cifar100', 'coarse', 3), *(pytest.param(*each, marks=SLOW) for each in (
        ('cifar100', 'fine', 6), ('tiny_imagenet_32', 'own', 5),
        ('tiny_imagenet_32', 'imagenet-1k', 1000)))])
def test_the_class_count_comes_from_the_data_set_and_its_labels(run_tool, config, base, labels,
                                                                count):
    path = config(base, labels=labels)
    status, shown, errors = run_tool('train', path, '--dry-run')
    assert status == 0, errors
    assert f'{128 * count + count:,}' in shown  # the head's parameters
    status, _, errors = run_tool('train', path, '--dry-run', '--cfg-options',
                                 'model.head.num_classes=7')
    assert status == 2 and f'{KINDS[base].classes_file} has {count} classes' in errors


@pytest.mark.parametrize('base', KINDS)
def test_a_missing_data_set_is_told_with_the_command_that_downloads_it(run_tool, config, base):
    path = config(base, root=Path('nowhere'))
    status, _, errors = run_tool('train', path)
    assert status == 2 and 'no data set at `nowhere`' in errors.splitlines()[0]
    name = {'cifar100': 'cifar100', 'tiny_imagenet_32': 'tiny-imagenet'}[base]
    assert f'python data_preprocess.py --download {name}, or name' in errors.splitlines()[1]


def test_a_prepared_folder_s_hint_is_that_of_preparing(run_tool, write_config):
    status, _, errors = run_tool('train', write_config(data_root=Path('nowhere')))
    assert status == 2 and 'data_preprocess.py <folder of class folders> nowhere' in errors


def test_parts_that_disagree_are_refused_before_anything_is_trained(run_tool, config):
    path = config('cifar100')
    for tool in ('train', 'check_config'):
        status, _, errors = run_tool(tool, path, '--cfg-options',
                                     'train_dataloader.dataset.holdout=2')
        assert status == 2 and 'images of one part would be in another' in errors


def test_a_network_of_cifar_predicts_image_files_of_any_size(tmp_path, run_tool, config, roots):
    path = config('cifar100', 'train_cfg = dict(max_epochs=1)')
    assert run_tool('train', path)[0] == 0
    checkpoint = Path('work_dirs/small/latest/best.pth')
    data = CIFAR100Python(str(roots['cifar100']), split='val')
    Image.fromarray(data.get_data_info(0)['img'][:, :, ::-1]).save(tmp_path / 'first.png')
    Image.new('RGB', (90, 60)).save(tmp_path / 'other.png')
    status, shown, errors = run_tool('predict', path, checkpoint, tmp_path / 'first.png',
                                     tmp_path / 'other.png', '--json')
    assert status == 0, errors
    first, second = map(json.loads, shown.splitlines())
    assert run_tool('test', path, checkpoint)[0] == 0
    stored = np.load('work_dirs/small/latest/predictions_val.npz')
    assert first['topk'][0]['prob'] == pytest.approx(float(stored['prob'][0].max()), abs=1e-4)
    assert first['topk'][0]['label'] == int(stored['prob'][0].argmax()) and second['topk']


@pytest.mark.slow
@pytest.mark.parametrize(('base', 'shown'), [('cifar100', False), ('tiny_imagenet_32', True)])
def test_the_report_shows_mistaken_images_that_are_files(run_tool, config, base, shown):
    path = config(base, "train_cfg = dict(max_epochs=1)\nmodel = dict(frozen_stages='all')")
    assert run_tool('train', path)[0] == 0
    assert run_tool('test', path, 'work_dirs/small/latest/best.pth')[0] == 0
    status, _, errors = run_tool('report', 'work_dirs/small/latest', '--out', 'shown')
    assert status == 0, errors
    assert bool(list(Path('shown').rglob('*_mistakes.png'))) == shown
    pages = ''.join(page.read_text() for page in Path('shown').rglob('*.html'))
    assert ('The worst mistakes are not shown' in pages) != shown
