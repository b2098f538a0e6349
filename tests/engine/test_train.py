import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from generated import write_data_set, write_small_config
from sklearn.metrics import accuracy_score, log_loss

from amlnn.config.load import load_config
from amlnn.engine.run.checkpoint import CheckpointFolder, file_sha256
from amlnn.records import read_run, read_test

FILES = {'config.py', 'run.json', 'scalars.jsonl', 'train.log', 'curves.png', 'checkpoints',
         'best.pth', 'predictions_val.npz'}


@pytest.fixture(scope='module')
def trained(tmp_path_factory, data_set):
    """One run of three epochs, trained once for all tests that only look at it."""
    from amlnn.engine.train import TrainOptions, train
    from amlnn.report.figures import draw_curves
    folder = tmp_path_factory.mktemp('trained')
    # As wide as torchvision's, whose parameters are counted below.
    config = write_small_config(
        folder / 'three.py', data_set, 'model = dict(frozen_stages=1, backbone=dict('
        'stem_channels=64, base_channels=64), head=dict(in_channels=512))', epochs=3)
    run = train(TrainOptions(config=config, work_dir=folder / 'work'), draw=draw_curves)
    return config, run


@pytest.fixture
def run_copy(trained, tmp_path):
    """A copy that a test may write into."""
    config, run = trained
    return config, shutil.copytree(run, tmp_path / 'run')


def test_a_run_folder_holds_exactly_the_files_of_the_contract(trained):
    _, run = trained
    assert {path.name for path in run.iterdir()} == FILES
    assert {path.name for path in (run / 'checkpoints').iterdir()} == {
        'manifest.json', 'epoch_0002.pth', 'epoch_0003.pth'}
    assert (run.parent / 'latest').resolve() == run.resolve()


def test_the_record_knows_what_was_trained(trained, data_set):
    _, run = trained
    record = read_run(run)
    assert record.status == 'done' and record.config_name == 'three'
    assert record.classes == (data_set / 'classes.txt').read_text().split()
    assert record.samples == {'train': 40, 'val': 20}
    assert [epoch.epoch for epoch in record.epochs] == [1, 2, 3]
    assert [epoch.iteration for epoch in record.epochs] == [4, 8, 12]
    assert record.total_samples == 3 * 40
    assert record.versions['torch'] == torch.__version__
    from torchvision.models import resnet18
    reference = resnet18(num_classes=5)
    frozen = sum(p.numel() for part in (reference.conv1, reference.bn1, reference.layer1)
                 for p in part.parameters())
    total = sum(p.numel() for p in reference.parameters())
    assert record.total_parameters == total
    assert record.trainable_parameters == total - frozen
    assert [stage.name for stage in record.stages if stage.frozen] == ['stem', 'layer1']


def test_the_best_epoch_is_the_first_with_the_best_metric(trained):
    _, run = trained
    record = read_run(run)
    values = [epoch.metrics['accuracy/top1'] for epoch in record.epochs]
    assert record.best_value == max(values)
    assert record.best_epoch == values.index(max(values)) + 1
    best = torch.load(run / 'best.pth', weights_only=True)
    assert best['meta']['epoch'] == record.best_epoch


def test_loss_and_accuracy_of_the_record_are_those_of_the_stored_probabilities(trained):
    _, run = trained
    record = read_run(run)
    best = record.epochs[record.best_epoch - 1]
    stored = np.load(run / 'predictions_val.npz')
    assert stored['prob'].dtype == np.float32
    accuracy = accuracy_score(stored['label'], stored['prob'].argmax(1))
    assert best.metrics['accuracy/top1'] == pytest.approx(100 * accuracy, abs=1e-4)
    loss = log_loss(stored['label'], stored['prob'], labels=range(5))
    assert best.val_loss == pytest.approx(loss, rel=1e-4)


def test_predictions_name_the_images_below_the_data_root(trained, data_set):
    _, run = trained
    stored = np.load(run / 'predictions_val.npz')
    assert sorted(stored['id']) == sorted(
        path.relative_to(data_set).as_posix() for path in (data_set / 'val_set').rglob('*.png'))
    for name, label in zip(stored['id'], stored['label'], strict=True):
        assert stored['classes'][label] == name.split('/')[1]


def test_the_manifest_tells_the_bytes_of_the_checkpoints(trained):
    _, run = trained
    entries = CheckpointFolder(run / 'checkpoints').entries()
    assert [entry['epoch'] for entry in entries] == [2, 3]
    for entry in entries:
        path = run / 'checkpoints' / entry['file']
        assert entry['sha256'] == file_sha256(path) and entry['bytes'] == path.stat().st_size


def test_scalars_are_one_object_a_line_with_the_last_iteration_of_every_epoch(trained):
    _, run = trained
    lines = [json.loads(line) for line in (run / 'scalars.jsonl').read_text().splitlines()]
    assert [(line['epoch'], line['iteration']) for line in lines] == [(1, 4), (2, 8), (3, 12)]
    assert all(math.isfinite(line['loss']) and line['lr'] > 0 for line in lines)


def test_the_stored_config_is_a_config_that_says_the_same(trained):
    config, run = trained
    stored, given = load_config(run / 'config.py').config, load_config(config).config
    assert stored['model'] == given['model']
    assert stored['train_dataloader'] == given['train_dataloader']


def test_frozen_stages_are_bit_identical_after_training(trained):
    _, run = trained
    first = torch.load(run / 'checkpoints/epoch_0002.pth', weights_only=True)['state_dict']
    last = torch.load(run / 'checkpoints/epoch_0003.pth', weights_only=True)['state_dict']
    frozen = ('backbone.conv1', 'backbone.bn1', 'backbone.layer1')
    names = [name for name in first if name.startswith(frozen)]
    assert names and all(torch.equal(first[name], last[name]) for name in names)
    moved = [name for name in first if name not in names]
    assert all(not torch.equal(first[name], last[name]) for name in moved)


def test_testing_writes_record_and_predictions_beside_the_checkpoint(run_copy, run_tool, tmp_path):
    config, run = run_copy
    out = tmp_path / 'copy.json'
    status, shown, _ = run_tool('test', config, run / 'best.pth', '--out', out)
    assert status == 0 and '10 images of `test`' in shown
    record = read_test(run / 'test_test.json')
    assert record == read_test(out)
    assert record.checkpoint == 'best.pth' and record.samples == 10
    stored = np.load(run / 'predictions_test.npz')
    accuracy = accuracy_score(stored['label'], stored['prob'].argmax(1))
    assert record.metrics['accuracy/top1'] == pytest.approx(100 * accuracy, abs=1e-4)


def test_testing_the_validation_part_gives_what_training_recorded(run_copy, run_tool):
    config, run = run_copy
    run_tool('test', config, run / 'best.pth', '--split', 'val')
    record = read_run(run)
    tested = read_test(run / 'test_val.json')
    assert tested.metrics == pytest.approx(record.epochs[record.best_epoch - 1].metrics)
    assert tested.loss == pytest.approx(record.epochs[record.best_epoch - 1].val_loss, rel=1e-5)


def test_a_data_set_without_a_test_part_is_tested_on_its_validation_part(
        run_copy, run_tool, tmp_path):
    config, run = run_copy
    data = write_data_set(tmp_path / 'no_test', sizes={'train': 1, 'val': 4})
    options = [f'{part}_dataloader.dataset.data_root={data}' for part in ('val', 'test', 'train')]
    status, shown, _ = run_tool('test', config, run / 'best.pth', '--cfg-options', *options)
    assert status == 0 and '20 images of `val`' in shown


def test_test_time_augmentation_averages_an_image_and_its_mirror_image(
        run_copy, run_tool, tmp_path):
    config, run = run_copy
    mirrored = tmp_path / 'mirrored.py'
    mirrored.write_text(f"_base_ = {str(config)!r}\ntest_dataloader = dict(dataset=dict(pipeline=["
                        "dict(type='LoadImageFromFile'), dict(type='RandomFlip', prob=1.0), "
                        "dict(type='PackInputs')]))\n")
    probabilities = []
    for words in ([config], [mirrored], [config, '--tta']):
        status, _, errors = run_tool('test', words[0], run / 'best.pth', *words[1:])
        assert status == 0, errors
        probabilities.append(np.load(run / 'predictions_test.npz')['prob'])
    plain, flipped, averaged = probabilities
    assert not np.allclose(plain, flipped)
    np.testing.assert_allclose(averaged, (plain + flipped) / 2, atol=1e-5)
    assert read_test(run / 'test_test.json').tta


def test_a_loose_checkpoint_gets_a_run_folder_of_its_own(trained, run_tool, tmp_path):
    config, run = trained
    loose = tmp_path / 'loose.pth'
    loose.write_bytes((run / 'best.pth').read_bytes())
    status, _, _ = run_tool('test', config, loose)
    assert status == 0
    folder = Path('work_dirs/three/latest')
    assert read_run(folder).epochs == [] and read_run(folder).status == 'done'
    assert read_test(folder / 'test_test.json').checkpoint == str(loose)


def test_prediction_names_the_classes_best_first_without_any_data_set(trained, run_tool, data_set):
    config, run = trained
    missing = [f'{part}_dataloader.dataset.data_root=nowhere' for part in ('train', 'val', 'test')]
    status, shown, _ = run_tool('predict', config, run / 'best.pth', data_set / 'val_set/rose',
                                '--json', '--topk', 3, '--cfg-options', *missing)
    assert status == 0
    lines = [json.loads(line) for line in shown.splitlines()]
    assert [line['path'] for line in lines] == ['0.png', '1.png', '2.png', '3.png']
    classes = (data_set / 'classes.txt').read_text().split()
    for line in lines:
        assert len(line['topk']) == 3
        assert [each['prob'] for each in line['topk']] == sorted(
            (each['prob'] for each in line['topk']), reverse=True)
        assert all(classes[each['label']] == each['name'] for each in line['topk'])


def test_images_of_which_a_network_is_less_sure_than_asked_for_are_left_unanswered(
        trained, run_tool, data_set):
    config, run = trained
    words = (config, run / 'best.pth', data_set / 'val_set')
    plain = [json.loads(line) for line in run_tool('predict', *words, '--json')[1].splitlines()]
    assert all(set(line) == {'path', 'topk'} for line in plain)
    limit = sorted(line['topk'][0]['prob'] for line in plain)[len(plain) // 2]
    _, shown, _ = run_tool('predict', *words, '--json', '--reject-below', limit)
    lines = [json.loads(line) for line in shown.splitlines()]
    assert [line.pop('rejected') for line in lines] == [
        line['topk'][0]['prob'] < limit for line in plain]
    assert lines == plain
    _, shown, _ = run_tool('predict', *words, '--reject-below', limit)
    assert shown.count('  unanswered: ') == sum(
        line['topk'][0]['prob'] < limit for line in plain) > 0
    status, _, errors = run_tool('predict', *words, '--reject-below', 1.5)
    assert status == 2 and errors.startswith('error: --reject-below is 1.5')


def test_prediction_agrees_with_testing(trained, run_tool, data_set):
    config, run = trained
    stored = np.load(run / 'predictions_val.npz')
    _, shown, _ = run_tool('predict', config, run / 'best.pth', data_set / 'val_set', '--json')
    lines = {f'val_set/{line["path"]}': line['topk']
             for line in map(json.loads, shown.splitlines())}
    assert set(lines) == set(stored['id'])
    for name, row in zip(stored['id'], stored['prob'], strict=True):
        given = {each['label']: each['prob'] for each in lines[name]}
        assert [given[label] for label in range(5)] == pytest.approx(list(row), abs=2e-4)


def test_an_unreadable_image_is_named_and_the_others_are_predicted(trained, run_tool, data_set,
                                                                   tmp_path):
    config, run = trained
    broken = tmp_path / 'broken.png'
    broken.write_bytes(b'no image')
    good = data_set / 'val_set/rose/0.png'
    status, shown, errors = run_tool('predict', config, run / 'best.pth', broken, good)
    assert status == 1
    assert len(shown.splitlines()) == 1 and shown.startswith(str(good))
    assert 'broken.png' in errors


def test_globs_are_expanded_and_an_empty_one_is_an_error(trained, run_tool, data_set):
    config, run = trained
    status, shown, _ = run_tool('predict', config, run / 'best.pth', f'{data_set}/val_set/*/0.png')
    assert status == 0 and len(shown.splitlines()) == 5
    status, _, errors = run_tool('predict', config, run / 'best.pth', f'{data_set}/*/none.png')
    assert status == 2 and errors.startswith('error: ') and '\nhint: ' in errors


def test_two_runs_with_one_seed_are_the_same_and_with_another_are_not(write_config, run_tool):
    config = write_config(epochs=1)
    losses = []
    for seed in (4, 4, 5):
        assert run_tool('train', config, '--seed', seed)[0] == 0
        losses.append(read_run(Path('work_dirs/small/latest')).epochs[0].train_loss)
    assert losses[0] == losses[1] != losses[2]
    assert len([path for path in Path('work_dirs/small').iterdir() if not path.is_symlink()]) == 3


def test_a_class_that_has_only_shuffled_labels_is_not_learned(run_tool, write_config, tmp_path):
    """What is tested was never trained on: labels without meaning fall to chance."""
    data = write_data_set(tmp_path / 'shuffled', sizes={'train': 20, 'val': 20, 'test': 40})
    random = np.random.default_rng(0)
    for split, folder in (('train', 'training_set'), ('val', 'val_set'), ('test', 'test_set')):
        images = sorted((data / folder).rglob('*.png'))
        contents = [image.read_bytes() for image in images]
        for image, place in zip(images, random.permutation(len(images)), strict=True):
            image.write_bytes(contents[place])
        assert (data / f'{split}.txt').is_file()
    config = write_config(data_root=data, epochs=4)
    assert run_tool('train', config)[0] == 0
    run_tool('test', config, 'work_dirs/small/latest/best.pth')
    tested = read_test('work_dirs/small/latest/test_test.json')
    # 200 images, chance 20 %: four standard deviations are 11 points.
    assert abs(tested.metrics['accuracy/top1'] - 20) < 12


def test_a_dry_run_builds_everything_and_leaves_nothing(write_config, run_tool):
    status, shown, _ = run_tool('train', write_config(), '--dry-run')
    assert status == 0 and 'dry run' in shown
    assert list(Path().iterdir()) == []


def test_early_stopping_ends_a_run_that_does_not_improve(write_config, run_tool):
    config = write_config('''
        default_hooks = dict(early_stopping=dict(
            type='RunEarlyStoppingHook', monitor='val_loss', patience=2, min_delta=1000.0))
        ''', epochs=9)
    status, shown, _ = run_tool('train', config)
    record = read_run(Path('work_dirs/small/latest'))
    # The first epoch sets the mark; two more without an improvement end it.
    assert status == 0 and record.stopped_early and len(record.epochs) == 3
    assert 'stopped early' in shown


def test_a_command_reads_its_config_once_and_a_resume_the_stored_one_once(
        trained, tmp_path, run_tool, monkeypatch):
    from amlnn.config import load
    read = []
    original = load.find_file

    def find_file(name, folder, where=''):
        if not where:  # not a base
            read.append(Path(name).name)
        return original(name, folder, where)

    monkeypatch.setattr(load, 'find_file', find_file)
    config, run = trained
    assert run_tool('test', config, run / 'best.pth', '--out', tmp_path / 'out.json')[0] == 0
    assert run_tool('predict', config, run / 'best.pth', tmp_path / 'no.png')[0] == 2
    folder = shutil.copytree(run, tmp_path / 'run')
    assert run_tool('train', config, '--resume', folder, '--cfg-options',
                    'train_cfg.max_epochs=4')[0] == 0
    assert read == ['three.py', 'three.py', 'three.py']  # config.py is read as data
