"""Two processes train, evaluate and end as one."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from generated import write_data_set, write_series, write_series_config
from tiny_runs import write_tiny_config
from two_processes import together

from amlnn.engine.evaluate import TestOptions
from amlnn.engine.evaluate import test as evaluate
from amlnn.engine.processes import Processes, joined, processes
from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.run.runner import FolderRunner
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import DataError, RunFailed, Terminated, UsageError
from amlnn.records import process_count, read_run

LOGGED = 'default_hooks=dict(logger=dict(interval=1))'
GROUPS = "backbone=dict(norm_cfg=dict(type='GN', num_groups=2))"
PLAIN = "execution=dict(trunk_cache=False, precision='fp32')"

# A step of two processes has 20 samples; 45 leave 5 for the last one, 3 and 2.
KINDS = {
    'everything frozen': f"model=dict(frozen_stages='all')\n{PLAIN}",
    'nothing frozen': f'model=dict({GROUPS}, frozen_stages=-1)\n{PLAIN}',
    'three stages frozen': f'model=dict({GROUPS}, frozen_stages=3)\n{PLAIN}',
    'the fast path': "model=dict(frozen_stages='all')\nexecution=dict(trunk_cache=True, "
                     "precision='fp32', fold_batch_norm=False, views=2)",
    'three stages on the fast path':
        f"model=dict({GROUPS}, frozen_stages=3)\n"
        "execution=dict(trunk_cache=True, precision='fp32', views=2)",
    'weighted and averaged on the fast path':
        "model=dict(frozen_stages='all')\nexecution=dict(trunk_cache=True, precision='fp32', "
        "fold_batch_norm=False, views=2)\ncustom_hooks=[dict(type='EMAHook')]\n"
        "train_dataloader=dict(sampler=dict(_delete_=True, type='WeightedSampler', "
        "class_weights=[4, 1, 1, 1, 1]))",
    'accumulated and clipped': f'model=dict({GROUPS}, frozen_stages=-1)\n{PLAIN}\n'
        'optim_wrapper=dict(accumulative_counts=2, clip_grad=dict(max_norm=0.05))',
    'a rate scaled by the batch': f'model=dict({GROUPS}, frozen_stages=-1)\n{PLAIN}\n'
        'auto_scale_lr=dict(enable=True, base_batch_size=5)',
    'averaged weights and workers': f'model=dict({GROUPS}, frozen_stages=-1)\n{PLAIN}\n'
        "custom_hooks=[dict(type='EMAHook')]\ntrain_dataloader=dict(num_workers=1)",
}
FAST = ('everything frozen', 'three stages on the fast path')


@pytest.fixture(autouse=True)
def own_caches(tmp_path, monkeypatch):
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'features'))


@pytest.fixture(scope='module')
def odd_data(tmp_path_factory):
    """45 training, 25 validation and 15 test images of 8 pixels."""
    return write_data_set(tmp_path_factory.mktemp('data') / 'odd', side=8,
                          sizes={'train': 9, 'val': 5, 'test': 3})


def batches_of(size):
    return f'train_dataloader.batch_size={size}'


def trained(rank, config, work_dir, size, weights=None, **options):
    """Train as one of several processes; the folder, and the sum of the weights at the end."""
    kept = []
    after = FolderRunner.end_epoch

    def end_epoch(runner, metrics):
        after(runner, metrics)
        kept[:] = [float(sum(value.double().sum() for value in runner.model.state_dict().values()))]

    FolderRunner.end_epoch = end_epoch
    try:
        folder = train(TrainOptions(config, work_dir=work_dir, device='cpu',
                                    cfg_options=[batches_of(size)], launcher='pytorch', **options))
    finally:
        FolderRunner.end_epoch = after
    return folder, kept[0]


def losses(folder):
    return [json.loads(line)['loss'] for line in
            (folder / 'scalars.jsonl').read_text().splitlines()]


def compared(one, two):
    """The two runs are one experiment, and agree in everything that was measured."""
    left, right = read_run(one), read_run(two)
    assert len(losses(one)) == len(losses(two)) == 9
    assert losses(two) == pytest.approx(losses(one), abs=2e-6)
    for first, second in zip(left.epochs, right.epochs, strict=True):
        assert second.train_loss == pytest.approx(first.train_loss, abs=2e-6)
        assert second.val_loss == pytest.approx(first.val_loss, abs=2e-6)
        assert second.metrics == pytest.approx(first.metrics)
    assert left.experiment == right.experiment and left.samples == right.samples
    assert left.total_samples == right.total_samples
    assert (process_count(left.device), process_count(right.device)) == (1, 2)


@pytest.mark.parametrize('kind', [
    kind if kind in FAST else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS])
def test_two_processes_have_the_losses_of_one_with_twice_the_batch(tmp_path, odd_data, kind):
    config = write_tiny_config(tmp_path / 'tiny.py', odd_data, f'{KINDS[kind]}\n{LOGGED}', epochs=3)
    one = train(TrainOptions(config, work_dir=tmp_path / 'one', device='cpu',
                             cfg_options=[batches_of(20)]))
    (two, here), (also, there) = together(trained, config, tmp_path / 'two', 10)
    assert two == also and here == there
    compared(one, two)
    assert len(list((tmp_path / 'two').glob('2*'))) == 1
    stored = [np.load(folder / 'predictions_val.npz') for folder in (one, two)]
    assert stored[0]['id'].tolist() == stored[1]['id'].tolist()
    assert len(set(stored[1]['id'])) == len(stored[1]['id']) == 25
    assert stored[0]['prob'] == pytest.approx(stored[1]['prob'], abs=2e-6)


@pytest.mark.slow
def test_a_last_step_of_fewer_images_than_processes_is_that_of_one(tmp_path, odd_data):
    text = f'{KINDS["nothing frozen"]}\n{LOGGED}'
    config = write_tiny_config(tmp_path / 'tiny.py', odd_data, text, epochs=3)
    one = train(TrainOptions(config, work_dir=tmp_path / 'one', device='cpu',
                             cfg_options=[batches_of(44)]))  # and one image
    ended = together(trained, config, tmp_path / 'four', 11, count=4)
    assert len({total for _, total in ended}) == 1
    four, _ = ended[0]
    assert losses(four) == pytest.approx(losses(one), abs=2e-6) and len(losses(one)) == 6
    assert read_run(four).total_samples == read_run(one).total_samples == 3 * 45


MISSING = {False: 'error', True: 'mask'}


@pytest.mark.slow
@pytest.mark.parametrize('gaps', MISSING)
def test_two_processes_forecast_like_one(tmp_path, gaps):
    series = write_series(tmp_path / 'series.csv')
    if gaps:
        lines = series.read_text().splitlines()
        lines[5::7] = [line.rpartition(',')[0] + ',' for line in lines[5::7]]
        series.write_text('\n'.join(lines) + '\n')
    config = write_series_config(
        tmp_path / 'small.py', series, 'model=dict(encoder=dict(dropout=0.0))\n'
        f'train_dataloader=dict(dataset=dict(stride=3, source=dict(missing={MISSING[gaps]!r})))\n'
        "default_hooks=dict(logger=dict(_delete_=True, type='LoggerHook', interval=1))", epochs=2)
    one = train(TrainOptions(config, work_dir=tmp_path / 'one', device='cpu',
                             cfg_options=[batches_of(16)]))
    (two, here), (_, there) = together(trained, config, tmp_path / 'two', 8)
    assert here == there
    assert losses(two) == pytest.approx(losses(one), abs=2e-6) and len(losses(one)) > 4
    for first, second in zip(read_run(one).epochs, read_run(two).epochs, strict=True):
        assert second.metrics == pytest.approx(first.metrics, abs=2e-6)
    stored = [np.load(folder / 'predictions_val.npz') for folder in (one, two)]
    assert stored[0]['id'].tolist() == stored[1]['id'].tolist()
    assert stored[0]['forecast'] == pytest.approx(stored[1]['forecast'], abs=1e-5)


def evaluated(rank, config, checkpoint):
    return evaluate(TestOptions(config, checkpoint=checkpoint, device='cpu', launcher='pytorch'))


@pytest.mark.slow
@pytest.mark.parametrize('engine', ['torch', 'openvino'])
def test_two_processes_test_every_image_once(tmp_path, odd_data, stand_in, engine):
    config = write_tiny_config(
        tmp_path / 'tiny.py', odd_data, f"model=dict({GROUPS}, frozen_stages=-1)\n"
        f"execution=dict(precision='fp32', trunk_engine='{engine}')", epochs=1)
    run = train(TrainOptions(config, work_dir=tmp_path / 'one', device='cpu'))
    alone = evaluate(TestOptions(config, checkpoint=run / 'best.pth', device='cpu'))
    stored = dict(np.load(run / 'predictions_test.npz'))
    (run / 'predictions_test.npz').unlink()
    for record in together(evaluated, config, run / 'best.pth'):
        assert (record.metrics, record.loss, record.samples) == (alone.metrics, alone.loss, 15)
        assert record.engine == alone.engine == engine
    again = np.load(run / 'predictions_test.npz')
    assert all((stored[name] == again[name]).all() for name in stored)


@pytest.mark.slow
def test_batch_norm_is_averaged_and_said(tmp_path, odd_data, capfd):
    config = write_tiny_config(tmp_path / 'tiny.py', odd_data, PLAIN, epochs=2)
    (folder, here), (_, there) = together(trained, config, tmp_path / 'two', 10)
    assert here == there and len(read_run(folder).epochs) == 2
    said = capfd.readouterr().out
    assert said.count('batch norm: each process') == said.count('2 x 10 = 20 samples') == 1


def failing(rank, config, work_dir, where, error):
    original = getattr(EpochHook, where)

    def fail(hook, runner, *arguments, **options):
        if runner.rank == 1 and runner.epoch == 1:
            if isinstance(error, int):
                os.kill(os.getpid(), error)
            else:
                raise error
        return original(hook, runner, *arguments, **options)

    setattr(EpochHook, where, fail)
    trained(rank, config, work_dir, 10)


ENDS = {
    'an error of the data': (DataError('`a.png` cannot be read', hint='look'), DataError, 'failed'),
    'an error of the code': (ZeroDivisionError('nothing'), ZeroDivisionError, 'failed'),
    'Ctrl-C': (signal.SIGINT, KeyboardInterrupt, 'interrupted'),
    'SIGTERM': (signal.SIGTERM, Terminated, 'interrupted'),
    'kill -9': (signal.SIGKILL, RunFailed, 'failed'),
}


@pytest.mark.parametrize('end', [
    end if end == 'an error of the data' else pytest.param(end, marks=pytest.mark.slow)
    for end in ENDS])
def test_how_one_process_ends_is_how_all_end(tmp_path, odd_data, end):
    error, raised, status = ENDS[end]
    config = write_tiny_config(tmp_path / 'tiny.py', odd_data, KINDS['everything frozen'], epochs=3)
    first, second = together(failing, config, tmp_path / 'two', 'after_train_iter', error)
    assert type(first) is raised and (end == 'kill -9' or type(second) is raised)
    folder, = (tmp_path / 'two').glob('2*')
    record = read_run(folder)
    assert record.status == status and len(record.epochs) == 1
    assert status == 'interrupted' or raised.__name__ in record.error


@pytest.mark.slow
def test_what_is_wrong_for_one_is_said_by_the_first_and_leaves_no_folder(tmp_path, odd_data):
    def one_sees_no_data(rank):
        data = odd_data if rank == 0 else tmp_path / 'nowhere'
        config = write_tiny_config(tmp_path / f'tiny{rank}.py', data, epochs=1)
        train(TrainOptions(config, work_dir=tmp_path / 'two', device='cpu', launcher='pytorch'))

    for error in together(one_sees_no_data):
        assert isinstance(error, DataError) and 'nowhere' in error.message
    assert list(tmp_path.glob('two/2*')) == []


@pytest.mark.slow
def test_a_first_step_that_fails_in_the_first_process_fails_in_all(tmp_path, odd_data):
    config = write_tiny_config(tmp_path / 'tiny.py', odd_data, epochs=1,
                               text="optim_wrapper=dict(optimizer=dict(_delete_=True, "
                                    "type='LBFGS', lr=0.1))")
    first, second = together(trained, config, tmp_path / 'two', 10)
    assert type(first) is type(second) and str(first) == str(second) and 'closure' in first.hint
    assert list(tmp_path.glob('two/2*')) == []


@pytest.mark.slow
def test_another_number_of_processes_goes_on_where_the_batch_of_a_step_stays(tmp_path, odd_data):
    config = write_tiny_config(tmp_path / 'tiny.py', odd_data,
                               f'{KINDS["everything frozen"]}\n{LOGGED}', epochs=3)
    whole = train(TrainOptions(config, work_dir=tmp_path / 'one', device='cpu',
                               cfg_options=[batches_of(20)]))
    together(failing, config, tmp_path / 'two', 'after_train_iter', signal.SIGINT)
    cut, = (tmp_path / 'two').glob('2*')
    with pytest.raises(UsageError, match='2 x 10 samples a step there, 1 x 10 here') as caught:
        train(TrainOptions(config, resume=str(cut), device='cpu', cfg_options=[batches_of(10)]))
    assert 'processes' in caught.value.hint
    train(TrainOptions(config, resume=str(cut), device='cpu', cfg_options=[batches_of(20)]))
    assert losses(cut) == pytest.approx(losses(whole), abs=2e-6)
    assert read_run(cut).status == 'done' and process_count(read_run(cut).device) == 1


def averaged(rank):
    with joined('pytorch', 'cpu'):
        all_ = processes()
        model = torch.nn.BatchNorm1d(2)
        model.running_mean.fill_(float(rank))
        model.running_var.fill_(1 / 3)
        all_.mean_buffers(model)
        weights = [torch.nn.Parameter(torch.zeros(2)) for _ in range(3)]
        weights[0].grad = torch.tensor([1.0, rank])
        weights[1].grad = torch.ones(2) if rank else None
        all_.sum_gradients(weights)
        return (model.running_mean.tolist(), bool((model.running_var == 1 / 3).all()),
                [None if each.grad is None else each.grad.tolist() for each in weights],
                all_.gather(rank), all_.totals([1, rank]), all_.on_first(lambda: processes().count))


def test_what_processes_tell_each_other():
    first, second = together(averaged)
    alike = ([0.5, 0.5], True, [[2.0, 1.0], [1.0, 1.0], None])
    assert first[:3] == second[:3] == alike
    assert (first[3], second[3]) == ([0, 1], [])
    assert first[4:] == second[4:] == ([2.0, 1.0], 1)


def test_one_process_asks_nobody():
    alone = Processes()
    assert alone.gather('a') == ['a'] and alone.from_first('b') == 'b'
    assert alone.totals([1, 2]) == [1, 2] and alone.on_first(lambda: 'c') == 'c'
