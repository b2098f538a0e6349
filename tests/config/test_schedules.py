"""A cosine that ends before the training does."""

import math
from itertools import pairwise

import pytest

from amlnn.config.schedules import rising_again


def rates(period: float, begin: int, end: int, steps: int) -> list[float]:
    """The paper's formula (Loshchilov and Hutter 2017, equation 5, without restarts), by step."""
    rate, found = 1.0, []
    for step in range(steps):
        if begin <= step < end:
            rate = (1 + math.cos(math.pi * (step - begin) / period)) / 2
        found.append(rate)
    return found


def config(epochs: int, *schedulers: dict) -> dict:
    return dict(train_cfg=dict(max_epochs=epochs), param_scheduler=list(schedulers))


@pytest.mark.parametrize(('period', 'begin', 'end'), [
    (30, 0, 30), (20, 0, 30), (20, 0, 20), (29, 0, 30), (25, 5, 30), (20, 5, 30), (25, 5, 100),
    (24, 5, 100), (15, 5, 20), (14, 5, 20)])
def test_it_is_said_exactly_where_the_rate_turns_round(period, begin, end):
    followed = rates(period, begin, end, 30)[begin:]
    turns = any(after > before + 1e-12 for before, after in pairwise(followed))
    said = rising_again(config(30, dict(type='CosineAnnealingLR', T_max=period, begin=begin,
                                        end=end)), 7)
    assert bool(said) == turns
    if said:
        assert f'T_max={min(end, 30) - begin} ends' in said[0]


def test_iterations_are_counted_where_the_schedule_counts_them():
    section = dict(type='CosineAnnealingLR', T_max=60, by_epoch=False)
    assert rising_again(config(10, section), 6) == []
    assert 'in the last 9 of 70' in rising_again(config(10, section), 7)[0]


@pytest.mark.parametrize('scheduler', [
    None, [], dict(type='StepLR', step_size=3), dict(a=[dict(type='ExponentialLR', gamma=0.9)])])
def test_other_schedules_are_let_be(scheduler):
    assert rising_again(dict(train_cfg=dict(max_epochs=3), param_scheduler=scheduler), 5) == []


def test_schedules_of_several_optimizers_are_looked_at():
    several = dict(generator=[dict(type='CosineAnnealingLR', T_max=2)])
    assert len(rising_again(dict(train_cfg=dict(max_epochs=4), param_scheduler=several), 5)) == 1
