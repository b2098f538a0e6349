"""Early stopping by the validation loss, with the best weights kept by it."""

import dataclasses
from pathlib import Path

import pytest
import torch
from generated import write_data_set
from tiny_runs import write_tiny_config

from amlnn.config.load import load_config
from amlnn.engine.kinds import open_task
from amlnn.engine.train import TrainOptions, train
from amlnn.records import read_run, read_test

pytestmark = pytest.mark.usefixtures('own_cache')


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp('early') / 'data', side=8)


@pytest.fixture(scope='module')
def other_data(tmp_path_factory):
    """The same classes in other colours: what is learned on `data` is soon wrong here."""
    return write_data_set(tmp_path_factory.mktemp('other') / 'data', side=8, seed=5)


@pytest.fixture
def write(tmp_path, data):
    def write(text='', epochs=40, **options):
        return write_tiny_config(tmp_path / 'small.py', data, text, epochs,
                                 runtime='runtime_early_stopping.py', **options)
    return write


def best_epoch(losses):
    """Counted from 1: the first with the least loss."""
    return losses.index(min(losses)) + 1


@pytest.mark.parametrize('frozen', [-1, 'all'], ids=['plain', 'fast path'])
def test_training_stops_after_patience_epochs_and_keeps_the_epoch_of_the_least_loss(
        write, other_data, run_tool, frozen):
    config = write(f'''
        model = dict(frozen_stages={frozen!r})
        default_hooks = dict(early_stopping=dict(patience=4))
        ''', val_data=other_data)
    status, shown, errors = run_tool('train', config)
    assert status == 0, errors
    run = Path('work_dirs/small/latest')
    record = read_run(run)
    assert (record.trunk is None) == (frozen == -1)
    losses = [epoch.val_loss for epoch in record.epochs]
    best = best_epoch(losses)
    assert len(losses) == best + 4 < 40
    assert record.stopped_early and 'stopped early' in shown and record.status == 'done'
    assert (record.monitor, record.best_epoch, record.best_value) == (
        'val_loss', best, min(losses))
    assert torch.load(run / 'best.pth', weights_only=True)['meta']['epoch'] == best
    status, _, errors = run_tool('test', config, run / 'best.pth', '--split', 'val')
    assert status == 0, errors
    tested = read_test(run / 'test_val.json')
    assert tested.checkpoint_epoch == best
    assert tested.loss == pytest.approx(losses[best - 1], rel=1e-5)
    assert tested.metrics == pytest.approx(record.epochs[best - 1].metrics)


@pytest.fixture
def script(monkeypatch, no_rehearsal):
    """Lets validation report these losses, one an epoch, the last again and again."""
    def script(losses):
        from amlnn.engine.images import task
        original, left = task.evaluate, list(losses)

        def evaluate(*arguments, **options):
            result = original(*arguments, **options)
            return dataclasses.replace(result, loss=left.pop(0) if len(left) > 1 else left[0])
        monkeypatch.setattr(task, 'evaluate', evaluate)
    return script


def run_of(config, work_dir):
    return read_run(train(TrainOptions(config, work_dir=work_dir)))


def test_the_base_waits_for_25_epochs(write, script, tmp_path):
    script([1.0, 0.5, 0.6])
    record = run_of(write(), tmp_path / 'work')
    assert record.stopped_early and len(record.epochs) == 2 + 25
    assert record.best_epoch == 2 and record.best_value == 0.5


def test_any_lower_loss_starts_the_waiting_anew(write, script, tmp_path):
    script([1.0, 1.1, 1.2, 0.999999, 1.1, 1.2, 1.0, 0.9])
    record = run_of(write('default_hooks = dict(early_stopping=dict(patience=3))'),
                    tmp_path / 'work')
    assert [epoch.val_loss for epoch in record.epochs][-1] == 1.0
    assert len(record.epochs) == 7 and record.best_epoch == 4


def test_a_plateau_is_no_improvement(write, script, tmp_path):
    script([0.5])
    record = run_of(write('default_hooks = dict(early_stopping=dict(patience=3))'),
                    tmp_path / 'work')
    assert len(record.epochs) == 4 and record.best_epoch == 1


def test_with_min_delta_small_gains_do_not_prolong_the_training_but_are_kept(
        write, script, tmp_path):
    script([1.0, 0.95, 0.92, 0.91, 0.5])
    text = 'default_hooks = dict(early_stopping=dict(patience=3, min_delta={}))'
    record = run_of(write(text.format(0.1)), tmp_path / 'some')
    assert len(record.epochs) == 4 and record.stopped_early
    assert record.best_epoch == 4 and record.best_value == 0.91
    script([1.0, 0.95, 0.92, 0.91, 0.5])
    record = run_of(write(text.format(0.02)), tmp_path / 'less')
    assert record.best_epoch == 5 and len(record.epochs) == 5 + 3


def test_without_early_stopping_all_epochs_are_trained(write, script, tmp_path):
    script([0.5, 0.6])
    record = run_of(write('default_hooks = dict(early_stopping=None)', epochs=30),
                    tmp_path / 'work')
    assert len(record.epochs) == 30 and not record.stopped_early


STOP = "default_hooks = dict(early_stopping=dict(type='RunEarlyStoppingHook'{}){})"


@pytest.mark.parametrize(('text', 'said'), [
    (STOP.format('', ''), 'goes by val_loss, and the best epoch is that by accuracy/top1'),
    (STOP.format('', ", checkpoint=dict(save_best='auto')"), 'is that by the first metric'),
    (STOP.format('', ', checkpoint=dict(save_best=None)'), 'no best epoch is kept'),
    (STOP.format(", monitor='accuracy/top1'", ''), None),
    (STOP.format('', ", checkpoint=dict(save_best='val_loss', rule='less')"), None),
    ('', None)])
def test_stopping_by_one_metric_and_keeping_by_another_is_said(write_config, text, said):
    loaded = load_config(write_config(text))
    notes = [note for note in open_task(loaded, 'cpu').plan.notes if 'early stopping' in note]
    assert len(notes) == (said is not None)
    assert said is None or said in notes[0]


def test_the_base_for_it_stops_and_keeps_by_one_metric(write):
    task = open_task(load_config(write()), 'cpu')
    assert not any('early stopping' in note for note in task.plan.notes)
