"""Data that are no longer those of the training: refused, or gone on with and recorded."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from generated import ROOT, write_series, write_series_config
from PIL import Image
from tiny_runs import write_tiny_config

from amlnn.data.prepare.manifest import manifest_hash
from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.train import TrainOptions, train
from amlnn.records import read_run, read_test

EPOCHS = 3


def prepare(raw: Path, data: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, ROOT / 'data_preprocess.py', raw, data, '--test-ratio',
                           '.2', '--train-ratio', '.6', *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def stopped_in(epoch: int, config: Path, work_dir: Path, patch: pytest.MonkeyPatch) -> Path:
    """A run that was stopped when this epoch was trained and not yet recorded."""
    original = EpochHook.after_epoch_metrics

    def stopping(hook, runner, metrics):
        if runner.epoch == epoch and runner.folder.parent == work_dir:  # not in the rehearsal
            raise KeyboardInterrupt
        return original(hook, runner, metrics)

    with patch.context() as inner, pytest.raises(KeyboardInterrupt):
        inner.setattr(EpochHook, 'after_epoch_metrics', stopping)
        train(TrainOptions(config, work_dir=work_dir, device='cpu'))
    return (work_dir / 'latest').resolve()


class Images:
    """A data set of data_preprocess.py and what makes another of it."""

    kind = 'images'

    def __init__(self, place: Path):
        self.raw, self.data = place / 'raw', place / 'data'
        random = np.random.default_rng(0)
        for name in ('cat', 'dog'):
            (self.raw / name).mkdir(parents=True)
            for number in range(20):
                Image.fromarray(random.integers(0, 256, (8, 8, 3), np.uint8)).save(
                    self.raw / name / f'{number}.png')
        prepare(self.raw, self.data)
        self.config = write_tiny_config(place / 'c.py', self.data, epochs=EPOCHS)
        self.inputs = [self.raw / 'cat']

    def change(self) -> None:
        prepare(self.raw, self.data, '--overwrite', '--seed', '5')

    def repeat(self) -> None:
        prepare(self.raw, self.data, '--overwrite')


class Series:
    """A CSV file and what makes another of it."""

    kind = 'series'

    def __init__(self, place: Path):
        self.data = write_series(place / 's.csv')
        self.config = write_series_config(place / 'c.py', self.data, epochs=EPOCHS)
        self.inputs = [self.data]

    def change(self) -> None:
        write_series(self.data, seed=5)

    def repeat(self) -> None:
        content = self.data.read_bytes()
        self.data.unlink()
        self.data.write_bytes(content)


@pytest.fixture(params=[Images, Series], ids=lambda kind: kind.kind)
def source(request, tmp_path):
    return request.param(tmp_path)


@pytest.fixture(params=[1, 3], ids=['stopped in its first epoch', 'stopped after two epochs'])
def run(request, source, tmp_path, monkeypatch):
    return stopped_in(request.param, source.config, tmp_path / 'w', monkeypatch)


def resume(run_tool, source, *words) -> tuple[int, str, str]:
    return run_tool('train', source.config, '--work-dir', source.config.parent / 'w', '--device',
                    'cpu', '--resume', *words)


def assert_refused(outcome: tuple[int, str, str], *pieces: str) -> None:
    status, _, errors = outcome
    lines = errors.strip().splitlines()
    assert status == 2 and len(lines) == 2, errors
    assert lines[0].startswith('error: ') and lines[1].startswith('hint: ')
    assert '--data-changed' in lines[1]
    assert [piece for piece in pieces if piece not in errors] == []


@pytest.mark.parametrize('named', [False, True], ids=['the newest', 'a named run'])
def test_a_run_whose_data_changed_is_gone_on_with_only_when_asked(source, run, named, run_tool):
    before, content = read_run(run).data_manifest_hash, (run / 'run.json').read_bytes()
    source.change()
    which = [run] if named else []
    refused = resume(run_tool, source, *which)
    assert_refused(refused, str(run), 'have changed', before[:8])
    assert (run / 'run.json').read_bytes() == content
    status, shown, errors = resume(run_tool, source, *which, '--data-changed')
    assert status == 0, errors
    record = read_run(run)
    assert record.status == 'done' and len(record.epochs) == EPOCHS
    now = record.data_manifest_hash
    if source.kind == 'images':
        assert now == manifest_hash(source.data)
    assert now != before and before[:8] in record.data_changed and now[:8] in record.data_changed
    assert record.data_changed in ' '.join(shown.split())


def test_data_written_anew_with_the_same_content_are_the_same_data(source, run, run_tool):
    source.repeat()
    status, _, errors = resume(run_tool, source)
    assert status == 0, errors
    assert read_run(run).status == 'done' and read_run(run).data_changed is None


def test_every_change_of_the_data_stays_in_the_record(source, run, run_tool, monkeypatch):
    hashes = [read_run(run).data_manifest_hash]
    source.change()
    status, _, errors = resume(run_tool, source, '--data-changed')
    assert status == 0, errors
    hashes.append(read_run(run).data_manifest_hash)
    if source.kind == 'images':
        prepare(source.raw, source.data, '--overwrite', '--seed', '6')
    else:
        write_series(source.data, seed=6)
    longer = ['--cfg-options', f'train_cfg.max_epochs={EPOCHS + 1}']
    assert_refused(resume(run_tool, source, run, *longer), hashes[1][:8])
    status, _, errors = resume(run_tool, source, run, '--data-changed', *longer)
    assert status == 0, errors
    hashes.append(read_run(run).data_manifest_hash)
    assert len(set(hashes)) == 3
    assert [each for each in hashes if each[:8] not in read_run(run).data_changed] == []


@pytest.fixture
def trained(tmp_path, run_tool):
    """A finished run on images: what has them, and its folder."""
    source = Images(tmp_path)
    return source, train(TrainOptions(source.config, work_dir=tmp_path / 'w', device='cpu'))


def test_testing_on_changed_images_is_refused_or_recorded(trained, run_tool):
    source, run = trained
    before = read_run(run).data_manifest_hash
    source.change()
    for split in ('val', 'test'):
        command = ('test', source.config, run / 'best.pth', '--split', split, '--device', 'cpu')
        assert_refused(run_tool(*command), str(source.data), before[:8])
        assert not (run / f'test_{split}.json').exists()
        status, shown, errors = run_tool(*command, '--data-changed')
        assert status == 0, errors
        record = read_test(run / f'test_{split}.json')
        assert record.data_manifest_hash == manifest_hash(source.data)
        assert before[:8] in record.data_changed
        assert record.data_changed in ' '.join((shown + errors).split())


def test_predicting_beside_changed_images_is_refused_or_said(trained, run_tool):
    source, run = trained
    before = read_run(run).data_manifest_hash
    source.change()
    command = ('predict', source.config, run / 'best.pth', *source.inputs, '--device', 'cpu')
    assert_refused(run_tool(*command), str(source.data), before[:8])
    status, shown, errors = run_tool(*command, '--data-changed')
    assert status == 0, errors
    assert len(shown.strip().splitlines()) >= 20 and before[:8] in errors
    shutil.rmtree(source.data)  # and without any data set there is nothing to compare
    status, _, errors = run_tool(*command)
    assert (status, errors) == (0, '')


def test_a_data_set_that_lost_its_manifest_is_another(trained, run_tool):
    source, run = trained
    (source.data / 'manifest.json').unlink()
    command = ('test', source.config, run / 'best.pth', '--device', 'cpu')
    assert_refused(run_tool(*command), 'unknown')
    status, _, errors = run_tool(*command, '--data-changed')
    assert status == 0, errors
    assert 'unknown' in read_test(run / 'test_test.json').data_changed


def test_a_test_says_that_the_training_went_on_with_other_data(trained, run_tool):
    source, run = trained
    source.change()
    longer = ['--cfg-options', f'train_cfg.max_epochs={EPOCHS + 1}']
    status, _, errors = resume(run_tool, source, run, '--data-changed', *longer)
    assert status == 0, errors
    # The newest weights saw both data sets, and the test part of now has images of the first one.
    newest = run / f'checkpoints/epoch_{EPOCHS + 1:04}.pth'
    status, shown, errors = run_tool('test', source.config, newest, '--device', 'cpu')
    assert status == 0, errors
    changed = read_run(run).data_changed
    assert changed in read_test(run / 'test_test.json').data_changed
    assert 'other data' in ' '.join((shown + errors).split())


def test_a_forecaster_is_tested_on_newer_rows_and_the_record_says_so(tmp_path, run_tool):
    source = Series(tmp_path)
    run = train(TrainOptions(source.config, work_dir=tmp_path / 'w', device='cpu'))
    command = ('test', source.config, run / 'best.pth', '--device', 'cpu')
    assert run_tool(*command)[0] == 0
    assert read_test(run / 'test_test.json').data_changed is None
    before = read_run(run).data_manifest_hash
    write_series(source.data, rows=450)  # the same 400 rows, and 50 more
    status, shown, errors = run_tool(*command)
    assert status == 0, errors
    record = read_test(run / 'test_test.json')
    assert record.data_manifest_hash != before
    assert before[:8] in record.data_changed
    assert record.data_changed in ' '.join((shown + errors).split())
