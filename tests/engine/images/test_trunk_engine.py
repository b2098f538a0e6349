"""What computes the frozen stages is chosen by measurement, kept, and the same to a run's end.

OpenVINO's place is taken by a stand-in that rounds otherwise, but where its name is in the test's.
"""

from types import SimpleNamespace

import pytest
import torch
from generated import write_small_config
from stand_in_engine import StandIn
from test_trunk_path import assert_same_run, damage_every_store
from trunk_runs import FREEZE, losses, run

from amlnn.engine.images import trunk_engine
from amlnn.engine.images.int8 import judge
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import ConfigError, UsageError
from amlnn.openvino_library import openvino_version
from amlnn.records import read_run

pytestmark = pytest.mark.usefixtures('own_cache')


@pytest.fixture
def config(tmp_path, data_set):
    return write_small_config(tmp_path / 'small.py', data_set, FREEZE['three stages'], epochs=3)


@pytest.fixture
def measured(tmp_path, monkeypatch, stand_in):
    """Everything is worth a measurement, whose result the test says; how often it was asked."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'user_cache'))
    monkeypatch.setattr(trunk_engine, '_LEAST_WORK', 0)
    measured = SimpleNamespace(torch=10.0, openvino=20.0, asked=0)

    def rates(trunks, images):
        assert images.shape[1:] == (3, 32, 32) and len(images) > 1
        measured.asked += 1
        return {name: getattr(measured, name) for name in trunks}

    monkeypatch.setattr(trunk_engine, 'images_per_second', rates)
    return measured


@pytest.mark.parametrize('faster', ['torch', 'openvino'])
def test_the_faster_one_is_taken_said_and_found_again(tmp_path, config, measured, faster, capsys):
    setattr(measured, faster, 30.0)
    first = run(config, tmp_path / 'one', 'precision=bf16')
    assert read_run(first).trunk_engine == faster
    assert f'by {faster} (images a second here: torch ' in capsys.readouterr().out
    measured.torch = measured.openvino = 1.0
    second = run(config, tmp_path / 'two', 'precision=bf16')
    assert measured.asked == 1 and losses(first) == losses(second)
    assert 'as measured before' in read_run(second).trunk
    run(config, tmp_path / 'three', 'precision=fp32')
    assert measured.asked == 2


def test_little_work_is_torchs_without_a_measurement(tmp_path, config, measured, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'cache'))
    record = read_run(run(config, tmp_path / 'one'))
    assert record.trunk_engine == 'torch' and measured.asked == StandIn.converted == 0


def test_an_engine_whose_features_differ_is_not_taken(tmp_path, config, measured, capsys):
    StandIn.error = 0.05
    for asked in ('auto', 'openvino'):
        folder = run(config, tmp_path / asked, 'precision=bf16', f'trunk_engine={asked}')
        assert read_run(folder).trunk_engine == 'torch' and measured.asked == 0
        assert 'features by OpenVINO differ by 5.0e-02, more than 3e-02' in read_run(folder).trunk


def test_an_engine_that_mixes_images_is_not_taken(tmp_path, config, measured, monkeypatch):
    monkeypatch.setattr(StandIn, 'infer', lambda self, inputs, share_inputs: setattr(
        self, 'result', self.trunk._run_stages(torch.from_numpy(inputs[0])).permute(0, 2, 3, 1)
        * (1 + 1e-5 * len(inputs[0]))))
    record = read_run(run(config, tmp_path / 'one', 'precision=fp32'))
    assert record.trunk_engine == 'torch' and 'depend on the images beside it' in record.trunk


@pytest.mark.parametrize('options', [['fold_batch_norm=False'], ['compile=True']])
def test_what_only_torch_does_is_torchs(tmp_path, config, measured, options, monkeypatch):
    monkeypatch.setattr(torch, 'compile', lambda run: run)
    folder = run(config, tmp_path / 'one', *options)
    assert read_run(folder).trunk_engine == 'torch' and measured.asked == 0
    with pytest.raises(ConfigError, match="engine` is 'openvino', and") as caught:
        run(config, tmp_path / 'two', 'trunk_engine=openvino', *options)
    assert 'auto' in caught.value.hint and not (tmp_path / 'two').exists()


def test_an_engine_that_is_not_installed_is_not_taken(tmp_path, config, measured, monkeypatch):
    monkeypatch.setattr(trunk_engine, 'openvino_version', lambda: None)
    assert read_run(run(config, tmp_path / 'one')).trunk_engine == 'torch'
    with pytest.raises(ConfigError, match='OpenVINO is not installed'):
        run(config, tmp_path / 'two', 'trunk_engine=openvino')


def test_features_of_engines_are_kept_apart(tmp_path, config, stand_in):
    first = run(config, tmp_path / 'one', 'trunk_cache=True', 'trunk_engine=torch')
    second = run(config, tmp_path / 'two', 'trunk_cache=True', 'trunk_engine=openvino')
    assert losses(first) != losses(second)
    stand_in.converted = 0
    third = run(config, tmp_path / 'three', 'trunk_cache=True', 'trunk_engine=openvino')
    assert losses(second) == losses(third)


def stopped(config, work_dir, *options):
    """A run that is stopped after its first epoch."""
    def stop(record, path):
        if record.status == 'running' and len(record.epochs) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TrainOptions(config, work_dir=work_dir, cfg_options=options), draw=stop)


def test_a_resumed_run_goes_on_with_the_engine_it_began_with(
        tmp_path, config, measured, monkeypatch):
    monkeypatch.setattr('amlnn.engine.run.recorder._SECONDS_BETWEEN_DRAWINGS', -1.0)
    options = ['default_hooks.logger.interval=1', 'execution.views=2']
    whole = run(config, tmp_path / 'whole', 'views=2')
    stopped(config, tmp_path / 'cut', *options)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'another_user_cache'))
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'another_cache'))
    measured.torch = 100.0
    cut = train(TrainOptions(config, work_dir=tmp_path / 'cut', resume='', cfg_options=options))
    assert read_run(cut).trunk_engine == 'openvino' and measured.asked == 1
    assert losses(cut) == losses(whole)
    left, right = (torch.load(each / 'checkpoints/epoch_0003.pth', weights_only=True)['state_dict']
                   for each in (cut, whole))
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_a_resumed_run_is_refused_where_its_engine_is_not(tmp_path, config, measured, monkeypatch):
    monkeypatch.setattr('amlnn.engine.run.recorder._SECONDS_BETWEEN_DRAWINGS', -1.0)
    stopped(config, tmp_path / 'cut')
    monkeypatch.setattr(trunk_engine, 'openvino_version', lambda: None)
    with pytest.raises(UsageError, match='began with its frozen stages computed by OpenVINO') as no:
        train(TrainOptions(config, work_dir=tmp_path / 'cut', resume=''))
    assert 'begin a new run' in no.value.hint


def test_in_8_bits_is_said_with_what_it_changes_and_kept_apart(tmp_path, config, with_nncf):
    plain = run(config, tmp_path / 'plain', 'trunk_cache=True', 'trunk_engine=openvino')
    StandIn.error = 1e-2
    folder = run(config, tmp_path / 'int8', 'trunk_cache=True', 'trunk_precision=int8')
    record = read_run(folder)
    assert record.trunk_engine == 'openvino-int8' and losses(folder) != losses(plain)
    assert 'cosine to floating point 1.0000, decisions agree on 100.0%' in record.trunk
    resumed = train(TrainOptions(
        config, work_dir=tmp_path / 'int8', resume=str(folder),
        cfg_options=['train_cfg.max_epochs=4', 'execution.trunk_cache=True',
                     'execution.trunk_precision=int8', 'default_hooks.logger.interval=1']))
    assert 'as it began' in read_run(resumed).trunk


def test_what_8_bits_change_is_found_out_once(tmp_path, config, with_nncf, monkeypatch):
    first = run(config, tmp_path / 'one', 'trunk_precision=int8')
    monkeypatch.setattr(trunk_engine, 'judge', lambda *given: pytest.fail('judged again'))
    again = run(config, tmp_path / 'two', 'trunk_precision=int8')
    assert read_run(again).trunk == read_run(first).trunk
    monkeypatch.setattr(trunk_engine, 'judge', lambda *given: 'other images, another judgement')
    other = run(config, tmp_path / 'three', 'trunk_precision=int8',
                'train_dataloader.dataset.indices=' + repr(list(range(39))).replace(' ', ''))
    assert 'other images, another judgement' in read_run(other).trunk


def test_8_bits_are_refused_where_nothing_could_compute_in_them(
        tmp_path, config, with_nncf, monkeypatch):
    for other in ('trunk_engine=torch', 'trunk_cache=False', 'compile=True',
                  'fold_batch_norm=False'):
        with pytest.raises(ConfigError, match='in which OpenVINO alone computes'):
            run(config, tmp_path / 'one', 'trunk_precision=int8', other)
    monkeypatch.setattr(trunk_engine, 'nncf_version', lambda: None)
    with pytest.raises(ConfigError, match='NNCF is not installed') as caught:
        run(config, tmp_path / 'one', 'trunk_precision=int8')
    assert 'amlnn[int8]' in caught.value.hint and not (tmp_path / 'one').exists()


@pytest.mark.parametrize(('noise', 'refused'), [(0.0, None), (0.05, None), (0.6, 'cosine'),
                                                ('blind', 'agree on')])
def test_8_bits_are_judged_by_images_that_they_were_not_calibrated_on(noise, refused):
    """Two classes on either side of a plane; who is blind to it has nearly the same direction."""
    generator = torch.Generator().manual_seed(3)
    labels = [index % 2 for index in range(80)]
    images = torch.randn(80, 6, 1, 1, generator=generator)
    images[:, 0, 0, 0] = torch.tensor([2.0 * label - 1 for label in labels])

    class Trunk:
        def plain(self, images):
            return images[:, :, 0, 0] + (100 if noise == 'blind' else 0)

        def __call__(self, images):
            if noise == 'blind':
                return self.plain(images[:, [1, 1, 2, 3, 4, 5]])
            return self.plain(images) + noise * torch.randn(len(images), 6, generator=generator)

    if refused:
        with pytest.raises(ConfigError, match=f'8 bits change too much.*{refused}'):
            judge(Trunk(), images[:40], images[40:], labels)
    else:
        said = judge(Trunk(), images[:40], images[40:], labels)
        assert 'on 40 other training images' in said and 'right on 100.0%, 100.0% in' in said


def test_rates_are_those_of_a_second_each(monkeypatch):
    """A clock that only the trunks move: the first takes a tenth of a second, the other a fifth."""
    now = [0.0]
    monkeypatch.setattr(trunk_engine.time, 'perf_counter', lambda: now[0])
    trunks = {name: lambda images, step=step: now.__setitem__(0, now[0] + step)
              for name, step in (('torch', 0.125), ('openvino', 0.25))}
    rates = trunk_engine.images_per_second(trunks, torch.zeros(4, 3, 8, 8))
    assert rates == {'torch': 32.0, 'openvino': 16.0}


@pytest.mark.slow
@pytest.mark.skipif(openvino_version() is None, reason='OpenVINO has no wheel for this Python')
@pytest.mark.parametrize('freeze', FREEZE)
def test_by_openvino_in_float32_every_loss_is_that_of_the_plain_path(tmp_path, data_set, freeze):
    config = write_small_config(tmp_path / 'small.py', data_set, FREEZE[freeze])
    plain = run(config, tmp_path / 'plain', 'trunk_cache=False', 'precision=fp32')
    fast = run(config, tmp_path / 'fast', 'trunk_engine=openvino', 'precision=fp32')
    assert_same_run(plain, fast, 1e-4)
    assert read_run(fast).trunk_engine == 'openvino' and 'OpenVINO' in read_run(fast).trunk


@pytest.mark.slow
@pytest.mark.skipif(openvino_version() is None, reason='OpenVINO has no wheel for this Python')
def test_by_openvino_beside_workers_a_resumed_run_and_a_cached_one_repeat_the_whole(
        tmp_path, config, own_cache, monkeypatch):
    monkeypatch.setattr('amlnn.engine.run.recorder._SECONDS_BETWEEN_DRAWINGS', -1.0)
    options = ['views=2', 'trunk_engine=openvino', 'precision=bf16',
               'train_dataloader.num_workers=1']
    whole = run(config, tmp_path / 'whole', *options)
    cached = run(config, tmp_path / 'cached', *options)
    damage_every_store(own_cache)
    damaged = run(config, tmp_path / 'damaged', *options)
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'another_cache'))
    given = ['default_hooks.logger.interval=1', *(
        each if each.startswith('train') else f'execution.{each}' for each in options)]
    stopped(config, tmp_path / 'cut', *given)
    cut = train(TrainOptions(config, work_dir=tmp_path / 'cut', resume='', cfg_options=given))
    assert losses(whole) == losses(cached) == losses(damaged) == losses(cut)
