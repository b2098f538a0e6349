"""`pretrained` in a checkpoint's place: a library's weights evaluated as they are."""

import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import write_data_set, write_series, write_series_config
from PIL import Image
from torchvision.models import resnet18

from amlnn.records import read_run, read_test

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


def save_resnet18(path: Path, classes: int) -> torch.nn.Module:
    torch.manual_seed(0)
    network = resnet18(num_classes=classes).eval()
    torch.save(network.state_dict(), path)
    return network


def probabilities(network: torch.nn.Module, image: Path) -> np.ndarray:
    """By torchvision's network, for an image that is as large as the config makes it."""
    pixels = np.asarray(Image.open(image).convert('RGB').resize((40, 40)), np.float32)
    x = torch.from_numpy((pixels - MEAN) / STD).float().permute(2, 0, 1)[None]
    with torch.no_grad():
        return network(x).softmax(1)[0].numpy()


def config_text(source: str, data_root: Path) -> str:
    """torchvision's ResNet18 for colour images of 40 pixels."""
    steps = "dict(type='LoadImageFromFile'), dict(type='Resize', scale=40), dict(type='PackInputs')"
    parts = ''.join(
        f'{part}_dataloader = dict(dataset=dict(data_root={str(data_root)!r}, '
        f'pipeline=[{steps}]))\n' for part in ('train', 'val', 'test'))
    return f'''
model = dict(
    backbone=dict(stem_channels=64, base_channels=64), head=dict(in_channels=512),
    pretrained={source!r}, pretrained_head=True)
data_preprocessor = dict(mean={MEAN}, std={STD})
{parts}'''


@pytest.fixture
def five(tmp_path, write_config, data_set):
    """A config of five classes, whose weights are torchvision's network with five."""
    network = save_resnet18(tmp_path / 'five.pth', 5)
    return write_config(config_text(str(tmp_path / 'five.pth'), data_set)), network


def test_testing_gives_the_scores_of_the_librarys_network_in_a_run_folder_of_its_own(
        five, run_tool, data_set):
    config, network = five
    status, shown, errors = run_tool('test', config, 'pretrained')
    assert status == 0, errors
    assert '100 of 100 backbone tensors and the head from' in shown
    run = Path('work_dirs/small/latest')
    record, tested = read_run(run), read_test(run / 'test_test.json')
    assert record.status == 'done' and record.epochs == []
    assert record.pretrained.endswith('five.pth')
    assert tested.checkpoint == 'pretrained' and tested.checkpoint_epoch is None
    stored = np.load(run / 'predictions_test.npz')
    assert list(stored['classes']) == (data_set / 'classes.txt').read_text().split()
    for name, row in zip(stored['id'], stored['prob'], strict=True):
        np.testing.assert_allclose(row, probabilities(network, data_set / name), atol=1e-5)
    right = np.mean(stored['prob'].argmax(1) == stored['label'])
    assert tested.metrics['accuracy/top1'] == pytest.approx(100 * right)


def test_a_run_folder_as_working_folder_is_not_taken_for_the_checkpoints(
        five, run_tool, monkeypatch):
    config, _ = five
    Path('run.json').write_text('{}')
    status, _, errors = run_tool('test', config, 'pretrained')
    assert status == 0, errors
    assert Path('run.json').read_text() == '{}'


def test_a_thousand_classes_are_imagenets_where_there_is_no_data_set(
        tmp_path, write_config, run_tool, monkeypatch, data_set):
    network = save_resnet18(tmp_path / 'resnet18-f37072fd.pth', 1000)
    monkeypatch.setenv('AMLNN_WEIGHTS', str(tmp_path))
    names = [f'n{number:08} thing {number}' for number in range(1000)]
    module = types.ModuleType('amlnn.data.images.imagenet_classes')
    module.imagenet_classes = lambda: names
    monkeypatch.setitem(sys.modules, 'amlnn.data.images.imagenet_classes', module)
    config = write_config(config_text('torchvision://resnet18', tmp_path / 'nowhere'))
    image = data_set / 'val_set/rose/0.png'
    status, shown, errors = run_tool('predict', config, 'pretrained', image, '--json')
    assert status == 0, errors
    assert 'and the head from' in errors  # what is piped on holds predictions only
    (line,) = [json.loads(line) for line in shown.splitlines()]
    expected = probabilities(network, image)
    best = np.argsort(-expected)[:10]
    assert [each['name'] for each in line['topk']] == [names[label] for label in best]
    assert [each['prob'] for each in line['topk']] == pytest.approx(
        [float(expected[label]) for label in best], abs=1e-5)


def test_names_are_the_data_sets_where_it_has_as_many_classes(five, run_tool, data_set):
    config, _ = five
    _, shown, _ = run_tool('predict', config, 'pretrained', data_set / 'val_set/rose', '--json')
    names = {each['name'] for line in shown.splitlines() for each in json.loads(line)['topk']}
    assert names == set((data_set / 'classes.txt').read_text().split())


@pytest.mark.parametrize(('words', 'expected'), [
    (['model.pretrained_head=False'], ['random', 'model.pretrained_head=True']),
    (['model.pretrained=None'], ['sets no `model.pretrained`']),
    (["model.pretrained='gone.pth'"], ['gone.pth', 'weights/']),
    (['model.head.num_classes=7'], ['num_classes', '7', '5 classes'])])
@pytest.mark.parametrize('tool', ['test', 'predict'])
def test_what_would_be_random_or_is_not_there_is_two_lines(five, run_tool, data_set, tool, words,
                                                           expected):
    config, _ = five
    more = [data_set / 'val_set'] if tool == 'predict' else []
    status, _, errors = run_tool(tool, config, 'pretrained', *more, '--cfg-options', *words)
    assert status == 2 and errors.startswith('error: ') and len(errors.splitlines()) == 2
    assert all(word in errors for word in expected), errors
    assert not Path('work_dirs').exists()


def test_a_data_set_of_other_classes_is_two_lines(tmp_path, five, run_tool):
    config, _ = five
    other = write_data_set(tmp_path / 'three', classes=('ant', 'bee', 'cat'))
    options = [f'{part}_dataloader.dataset.data_root={other}' for part in ('train', 'val', 'test')]
    status, _, errors = run_tool('test', config, 'pretrained', '--cfg-options', *options)
    assert status == 2 and len(errors.splitlines()) == 2
    assert '3 classes' in errors and '5' in errors


@pytest.mark.parametrize('tool', ['test', 'predict'])
def test_a_forecaster_has_no_such_weights(tmp_path, run_tool, tool):
    series = write_series(tmp_path / 'series.csv')
    config = write_series_config(tmp_path / 'forecast.py', series)
    more = [series] if tool == 'predict' else []
    status, _, errors = run_tool(tool, config, 'pretrained', *more)
    assert status == 2 and 'is for classifiers' in errors
