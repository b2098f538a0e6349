"""The range test of the learning rate: what it trains on, and that nothing of it stays."""

import json
import random

import numpy as np
import pytest
import torch
from generated import ROOT, write_series, write_series_config
from rich.console import Console
from trunk_runs import losses, run

from amlnn.config.load import load_config
from amlnn.engine.kinds import in_scope, open_task
from amlnn.engine.lr_finder import Ramp, find_rate
from amlnn.engine.seeding import seed_epoch
from amlnn.errors import ConfigError, RunFailed, UsageError
from amlnn.formulas.rate_range import rising_rates

QUIET = Console(quiet=True)


@pytest.fixture(autouse=True)
def cache(own_cache):
    return own_cache


def find(config, ramp=None, options=(), **arguments):
    ramp = ramp or Ramp(1e-4, 1.0, 12)
    return find_rate(load_config(config, list(options)), 'cpu', ramp, QUIET, **arguments)


def rates_of_groups(monkeypatch):
    """The rates of all parameter groups in every step of SGD."""
    seen, own = [], torch.optim.SGD.step

    def step(optimizer, *arguments):
        seen.append([group['lr'] for group in optimizer.param_groups])
        return own(optimizer, *arguments)

    monkeypatch.setattr(torch.optim.SGD, 'step', step)
    return seen


def test_the_losses_are_those_of_a_plain_loop_with_rising_rates(tiny):
    loaded = load_config(tiny())
    found = find(loaded.path)
    task = open_task(loaded, 'cpu')
    with in_scope(loaded.config):
        seed_epoch(task.plan.seed, -1)
        model, _ = task.build_model()
        loader = task.loader('train')
        optimizer = torch.optim.SGD(model.parameters(), **{
            key: value for key, value in loaded.config['optim_wrapper']['optimizer'].items()
            if key != 'type'})
        expected, epoch = [], 0
        rates = rising_rates(1e-4, 1.0, 12).tolist()
        while len(expected) < 12:
            loader.sampler.set_epoch(epoch)
            model.train()
            for batch in loader:
                images = model.data_preprocessor(batch, True)
                loss = model(**images, mode='loss')['loss']
                optimizer.param_groups[0]['lr'] = rates[len(expected)]
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                expected.append(float(loss.detach()))
            epoch += 1
    assert found.curve.losses == pytest.approx(expected, rel=1e-5)
    assert found.curve.rates == pytest.approx(rates)


def test_groups_keep_their_ratios_to_the_rate_that_is_tried(tiny, monkeypatch):
    seen = rates_of_groups(monkeypatch)
    config = tiny("optim_wrapper = dict(paramwise_cfg=dict(custom_keys={"
                  "'backbone.layer1': dict(lr_mult=0.1), 'head': dict(lr_mult=2.0)}))")
    find(config)
    rates = rising_rates(1e-4, 1.0, 12)
    assert len(seen) == 12
    for rate, groups in zip(rates, seen, strict=True):
        assert sorted({round(each / rate, 6) for each in groups}) == [0.1, 1.0, 2.0]


@pytest.mark.parametrize('scaled', [False, True])
def test_the_rate_is_that_of_the_config_which_auto_scale_lr_multiplies(tiny, monkeypatch, scaled):
    seen = rates_of_groups(monkeypatch)
    find(tiny(f'auto_scale_lr = dict(base_batch_size=40, enable={scaled})'))
    assert [groups[0] for groups in seen] == pytest.approx(
        (rising_rates(1e-4, 1.0, 12) * (0.25 if scaled else 1)).tolist())


def test_a_step_is_of_as_many_batches_as_are_accumulated(tiny, monkeypatch):
    seen = rates_of_groups(monkeypatch)
    found = find(tiny('optim_wrapper = dict(accumulative_counts=2)'))
    assert len(seen) == len(found.curve.losses) == 12


def test_steps_fit_the_data_where_they_are_not_given():
    assert [Ramp().steps_for(batches) for batches in (4, 200, 9999)] == [100, 200, 300]
    assert Ramp(steps=50).steps_for(9999) == 50


@pytest.mark.parametrize('ramp', [dict(least=0), dict(least=2, most=1), dict(steps=9),
                                  dict(least=float('nan'))])
def test_what_is_no_ramp_is_refused(ramp):
    with pytest.raises(UsageError) as wrong:
        Ramp(**ramp)
    assert wrong.value.hint.startswith('--')


def test_the_seed_chooses_weights_and_order(tiny):
    config = tiny()
    one, same, other = (find(config, seed=seed).curve.losses for seed in (1, 1, 2))
    assert one == same != other


def test_a_diverging_loss_ends_the_ramp(tiny):
    found = find(tiny(), Ramp(1e-3, 1e6, 60))
    assert found.curve.diverged and len(found.curve.rates) < 60


def test_a_loss_that_leaves_all_bounds_at_once_is_said(tiny):
    with pytest.raises(RunFailed, match='leaves all bounds') as failed:
        find(tiny(), Ramp(1e8, 1e30, 60))
    assert '--min-lr' in failed.value.hint


def test_frozen_stages_come_from_the_cache_and_give_the_same_losses(tiny):
    text = "model = dict(frozen_stages='all')\nexecution = dict(fold_batch_norm=False)"
    fast = find(tiny(text))
    plain = find(tiny(text), options=['execution.trunk_cache=False'])
    assert fast.notes[0].startswith('trunk: the whole backbone') and not plain.notes
    assert fast.curve.losses == pytest.approx(plain.curve.losses, rel=1e-4)


@pytest.mark.parametrize('frozen', ['-1', "'all'"])
def test_nothing_of_it_stays(tiny, tmp_path, frozen):
    config = tiny(f'model = dict(frozen_stages={frozen})', epochs=2)
    before = run(config, tmp_path / 'before')
    random.seed(3), np.random.seed(3), torch.manual_seed(3)
    states = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()
    find(config)
    assert (random.getstate(), np.random.get_state()[1].tolist(),
            torch.get_rng_state().tolist()) == states
    folders = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert folders <= {'before', 'cache', 'cwd'} and not list((tmp_path / 'cwd').iterdir())
    after = run(config, tmp_path / 'after')
    assert losses(after) == losses(before)
    weights = [torch.load(folder / 'best.pth', weights_only=True)['state_dict']
               for folder in (before, after)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_forecaster_that_is_trained_step_by_step_has_a_curve(tmp_path):
    config = write_series_config(tmp_path / 'gru.py', write_series(tmp_path / 'series.csv'))
    assert len(find(config).curve.losses) == 12


def test_a_model_in_closed_form_is_refused_in_two_lines(tmp_path):
    series = write_series(tmp_path / 'series.csv', rows=400)
    config = tmp_path / 'ridge.py'
    config.write_text(f"_base_ = {str(ROOT / 'configs/series/own_ridge.py')!r}\n"
                      f'data = {str(series)!r}\n')
    with pytest.raises(ConfigError, match='closed form') as refused:
        find(config)
    assert refused.value.hint


def test_the_command_leaves_a_curve_a_table_and_a_line_to_copy(tiny, run_tool, tmp_path):
    status, said, errors = run_tool('lr_finder', tiny(), '--min-lr', '1e-4', '--max-lr', '1',
                                    '--steps', '30', '--device', 'cpu')
    assert status == 0, errors
    folder = tmp_path / 'cwd/work_dirs/lr_finder/tiny'
    assert {path.name for path in folder.iterdir()} == {
        'lr_finder.json', 'lr_finder.md', 'lr_finder.png'}
    found = json.loads((folder / 'lr_finder.json').read_text())
    assert len(found['rates']) == len(found['losses']) == len(found['smoothed'])
    assert f"--cfg-options optim_wrapper.optimizer.lr={found['suggested']:.2g}" in said
    rules = [found[name] for name in ('steepest', 'tenth_of_least') if found[name] is not None]
    assert found['suggested'] == pytest.approx(min(rules), rel=0.06)
    assert '| step |' in (folder / 'lr_finder.md').read_text()
    assert (folder / 'lr_finder.png').read_bytes().startswith(b'\x89PNG')


def test_the_folder_can_be_named(tiny, run_tool, tmp_path):
    status, _, errors = run_tool('lr_finder', tiny(), '--steps', '10', '--max-lr', '0.01', '--out',
                                 tmp_path / 'mine', '--device', 'cpu')
    assert status == 0, errors
    assert (tmp_path / 'mine/lr_finder.json').is_file()


def test_a_slip_on_the_command_line_is_two_lines(tiny, run_tool):
    status, _, errors = run_tool('lr_finder', tiny(), '--min-lr', '2', '--max-lr', '1')
    assert status == 2 and len(errors.splitlines()) == 2
