"""What a user gets wrong: two lines, exit status 2, nothing trained, no folder left behind."""

import json
import math
import shutil
from pathlib import Path

import pytest
import torch

from amlnn.engine.run.checkpoint import CheckpointFolder
from amlnn.records import read_run


def assert_two_lines(errors: str, *words: str) -> None:
    lines = errors.strip().splitlines()
    assert len(lines) == 2, errors
    assert lines[0].startswith('error: ') and lines[1].startswith('hint: ')
    for word in words:
        assert word in errors, errors


@pytest.mark.parametrize(('words', 'expected'), [
    (['--cfg-options', 'train_cfg.max_epoch=3'], ['max_epoch', 'max_epochs']),
    (['--cfg-options', 'optim_wrapper.optimizer.momentun=0.5'], ['momentun', 'momentum']),
    (['--cfg-options', 'train_dataloader.dataset.data_root=data/nowhere'],
     ['data/nowhere', 'data_preprocess.py']),
    (['--cfg-options', 'model.head.num_classes=7'], ['7', '5 classes', 'classes.txt']),
    (['--cfg-options', 'model.frozen_stages=9'], ['frozen_stages', '9', '4 stages']),
    (['--pretrained', 'missing.pth'], ['missing.pth', 'weights/']),
    (['--pretrained', 'torchvision://resnet51'], ['resnet51']),
    (['--cfg-options', "execution.precision='fp64'"], ['fp64', 'bf16']),
    (['--cfg-options', "execution.precision='fp16'", '--device', 'cpu'], ['fp16']),
    (['--seed', 'x'], ['--seed', '--help']),
    (['--nonsense'], ['--nonsense', '--help']),
    (['--cfg-options', 'train_cfg.by_epoch=False'], ['max_epochs', 'IterBasedTrainLoop']),
    (['--cfg-options', 'model.trainable=["layer9"]', 'model.frozen_stages=1'], ['layer9']),
])
def test_a_wrong_input_to_training_is_two_lines(write_config, run_tool, words, expected):
    status, _, errors = run_tool('train', write_config(), *words)
    assert status == 2
    assert_two_lines(errors, *expected)
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(('option', 'expected'), [
    ("test_evaluator.topk=dict(type='ResNet', _delete_=True)", 'evaluation on 2 images'),
    ("test_evaluator.topk='a'", 'evaluation on 2 images'),
    ('test_dataloader.dataset.pipeline=[]', 'evaluation on 2 images'),
    ('model.backbone.base_channels=0', 'model'),
])
def test_what_only_the_first_images_show_is_a_fault_of_the_config(write_config, run_tool, option,
                                                                  expected):
    status, _, errors = run_tool('train', write_config(), '--dry-run', '--cfg-options', option)
    assert status == 2
    assert_two_lines(errors.replace('note: ', ''), expected)


def test_a_wrong_config_path_is_two_lines_with_the_nearest_one(write_config, run_tool):
    path = write_config()
    status, _, errors = run_tool('train', path.with_name('smal.py'))
    assert status == 2
    assert_two_lines(errors, 'smal.py', 'small.py')


def test_cuda_without_a_gpu_is_two_lines(write_config, run_tool, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    status, _, errors = run_tool('train', write_config(), '--device', 'cuda')
    assert status == 2
    assert_two_lines(errors, '--device')


def test_an_image_that_became_corrupt_ends_the_run_with_its_name(write_config, run_tool, data_set,
                                                                 tmp_path):
    data = shutil.copytree(data_set, tmp_path / 'data')
    (data / 'training_set/rose/3.png').write_bytes(b'no image')
    status, _, errors = run_tool('train', write_config(data_root=data))
    assert status == 2
    assert_two_lines(errors, 'rose/3.png')


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A ResNet50's checkpoint, for a config that says ResNet18."""
    from mmpretrain.models import build_classifier
    model = build_classifier(dict(
        type='ImageClassifier', backbone=dict(type='ResNet', depth=50),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=5, in_channels=2048)))
    path = tmp_path_factory.mktemp('checkpoint') / 'resnet50.pth'
    torch.save({'state_dict': model.state_dict(), 'meta': {}}, path)
    return path


@pytest.mark.parametrize('tool', ['test', 'predict'])
def test_a_checkpoint_of_another_architecture_is_two_lines(
        write_config, run_tool, checkpoint, data_set, tool):
    more = [data_set / 'val_set'] if tool == 'predict' else []
    status, _, errors = run_tool(tool, write_config(), checkpoint, *more)
    assert status == 2
    assert_two_lines(errors, 'resnet50.pth', 'another model', 'conv1.weight')


@pytest.mark.parametrize('command', ['test', 'predict'])
def test_a_pipeline_that_packs_nothing_is_a_fault_of_the_config(write_config, run_tool, data_set,
                                                                command):
    config = write_config()
    assert run_tool('train', config, '--work-dir', 'run', '--cfg-options',
                    'train_cfg.max_epochs=1')[0] == 0
    steps = "test_dataloader.dataset.pipeline=[dict(type='LoadImageFromFile')]"
    inputs = [data_set / 'training_set/rose/3.png'] if command == 'predict' else []
    status, _, errors = run_tool(command, config, 'run/latest/best.pth', *inputs, '--cfg-options',
                                 steps)
    assert status == 2
    assert_two_lines(errors, 'inputs')


def test_a_checkpoint_of_another_class_count_is_two_lines(write_config, run_tool, tmp_path):
    path = tmp_path / 'seven.pth'
    torch.save({'state_dict': {'head.fc.weight': torch.zeros(7, 128)}, 'meta': {}}, path)
    status, _, errors = run_tool('test', write_config('model = dict(head=dict(num_classes=5))'),
                                 path)
    assert status == 2
    assert_two_lines(errors, '5', '7 classes')


@pytest.mark.parametrize(('content', 'expected'), [
    (None, 'no checkpoint'), (b'', 'cannot be read'), (b'text', 'cannot be read')])
def test_a_missing_or_damaged_checkpoint_is_two_lines(write_config, run_tool, tmp_path, content,
                                                      expected):
    path = tmp_path / 'c.pth'
    if content is not None:
        path.write_bytes(content)
    status, _, errors = run_tool('test', write_config(), path)
    assert status == 2
    assert_two_lines(errors, 'c.pth', expected)


class Hostile:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path('harmed'),)


def test_a_checkpoint_that_would_run_code_is_refused_unless_it_is_trusted(
        write_config, run_tool, tmp_path):
    path = tmp_path / 'hostile.pth'
    torch.save({'state_dict': {}, 'meta': Hostile()}, path)
    status, _, errors = run_tool('test', write_config(), path)
    assert status == 2 and not Path('harmed').exists()
    assert_two_lines(errors, 'hostile.pth', '--trust-checkpoint')
    run_tool('test', write_config(), path, '--trust-checkpoint')
    assert Path('harmed').exists()


def test_a_loss_that_is_not_finite_ends_the_run_and_keeps_the_last_good_epoch(
        write_config, run_tool, monkeypatch, no_rehearsal):
    from mmpretrain.models.losses import CrossEntropyLoss
    original, calls = CrossEntropyLoss.forward, []

    def forward(self, *args, **kwargs):
        calls.append(1)
        loss = original(self, *args, **kwargs)
        return loss * math.nan if len(calls) == 7 else loss  # 4 + 1 a validated epoch: the second

    monkeypatch.setattr(CrossEntropyLoss, 'forward', forward)
    status, _, errors = run_tool('train', write_config(epochs=3))
    assert status == 1
    assert_two_lines(errors, 'nan', 'epoch 2', 'epoch_0001.pth', 'lr')
    run = Path('work_dirs/small/latest')
    record = read_run(run)
    assert record.status == 'failed' and 'nan' in record.error
    assert [epoch.epoch for epoch in record.epochs] == [1] and record.best_epoch == 1
    assert torch.load(run / 'best.pth', weights_only=True)['meta']['epoch'] == 1
    assert CheckpointFolder(run / 'checkpoints').newest_whole().name == 'epoch_0001.pth'
    json.loads((run / 'run.json').read_text(), parse_constant=pytest.fail)


def test_a_validation_loss_that_is_not_finite_is_never_the_best(
        write_config, run_tool, monkeypatch):
    from mmpretrain.models.heads import ClsHead
    original = ClsHead._get_loss

    def get_loss(self, scores, samples, **kwargs):
        losses = original(self, scores, samples, **kwargs)
        return losses if self.training else {'loss': torch.tensor(math.inf)}

    monkeypatch.setattr(ClsHead, '_get_loss', get_loss)
    status, _, errors = run_tool('train', write_config())
    assert status == 1
    assert_two_lines(errors, 'validation loss is inf', 'epoch 1')
    assert not (Path('work_dirs/small/latest') / 'best.pth').exists()


def test_a_crash_while_a_checkpoint_is_written_leaves_the_earlier_ones_whole(
        write_config, run_tool, monkeypatch):
    original = torch.save

    def save(value, file, *args, **kwargs):
        if value['meta']['epoch'] == 2:
            file.write(b'half a file')
            raise OSError(28, 'No space left on device')
        return original(value, file, *args, **kwargs)

    monkeypatch.setattr(torch, 'save', save)
    status, _, errors = run_tool('train', write_config(epochs=3))
    assert status == 1 and 'No space left' in errors
    run = Path('work_dirs/small/latest')
    assert read_run(run).status == 'failed'
    assert sorted(path.name for path in (run / 'checkpoints').iterdir()) == [
        'epoch_0001.pth', 'manifest.json']
    assert CheckpointFolder(run / 'checkpoints').newest_whole().name == 'epoch_0001.pth'
    assert torch.load(run / 'best.pth', weights_only=True)['meta']['epoch'] == 1
    monkeypatch.setattr(torch, 'save', original)
    assert run_tool('train', write_config(epochs=3), '--resume')[0] == 0
    assert len(read_run(run).epochs) == 3
