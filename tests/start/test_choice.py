"""What is picked from maps made by hand, against every training tried out by plain loops."""

import math

import pytest

from amlnn.formulas.training_pace import TrainingPace
from amlnn.results.probed import Cell, Probed, Share
from amlnn.start import choice
from amlnn.start.choice import explained, options, removed, seconds_of, shortest

TRAIN = choice.MEASURED_ON  # so that an epoch is one of the table's


def cell(frozen_stages, frozen: int, accuracy: float, pace: TrainingPace | None) -> Cell:
    return Cell(frozen_stages, frozen, Share(accuracy, accuracy - 0.03, accuracy + 0.03, 500),
                None, pace=pace)


def probed(*cells: Cell, name: str = 'net', train: int = TRAIN) -> Probed:
    return Probed(f'{name}.py', name, 'Net', ['a', 'b'], {'train': train, 'val': 500}, 'val', 1.0,
                  10, [], cells=list(cells))


def flowers(slower: float = 1.0) -> Probed:
    """Eight stages; seconds as they are about on two cores."""
    return probed(
        cell(-1, 0, 0.765, TrainingPace(slower * 3, slower, slower * 90, False)),
        cell(3, 4, 0.768, TrainingPace(slower * 15, slower * 4, slower * 40, True)),
        cell('all', 8, 0.750, TrainingPace(slower * 25, slower * 6, slower * 0.5, True)))


@pytest.fixture(autouse=True)
def plain_seconds(monkeypatch):
    """Nothing is added to what the paces say."""
    monkeypatch.setattr(choice, 'SLACK', 1.0)
    monkeypatch.setattr(choice, 'EPOCH_SECONDS', 0.0)


@pytest.mark.parametrize('seconds', [60, 130, 200, 400, 700, 2000, 100_000])
@pytest.mark.parametrize('slower', [1.0, 3.0])
def test_every_option_is_the_longest_training_that_fits_and_the_first_promises_most(
        seconds, slower):
    one = flowers(slower)
    found = {each.cell.frozen_stages: each for each in options([one], seconds)}
    for each in one.cells:
        tried = []
        for epochs in range(3, 31):
            for views in range(1, epochs + 1):
                few = 2 * views >= epochs if each.frozen_stages == 'all' else views == epochs
                passes = views if each.pace.once else epochs
                needed = passes * each.pace.view + epochs * each.pace.epoch \
                    + (1 if each.pace.once else epochs) * each.pace.held
                if few and needed <= seconds:
                    tried.append((epochs, views))
        if not tried:
            assert each.frozen_stages not in found
            continue
        option = found[each.frozen_stages]
        assert (option.epochs, option.views) == max(tried)
        assert option.seconds <= seconds
    ranked = options([one], seconds)
    assert [each.expected for each in ranked] == sorted(
        (each.expected for each in ranked), reverse=True)


def test_what_training_brings_is_what_was_measured_on_the_flowers():
    # The map, and the mean of three seeds after 10 epochs and by the third.
    for share, mapped, after_three, after_ten in (
            (0.0, 75.04, 73.1, 75.13), (0.5, 76.78, 76.5, 79.0), (1.0, 76.49, 71.5, 77.55)):
        for epochs, trained in ((3, after_three), (10, after_ten)):
            assert 100 - (100 - mapped) * (1 - removed(share, epochs)) == pytest.approx(
                trained, abs=0.05)
    assert removed(0.25, 10) == pytest.approx((removed(0.0, 10) + removed(0.5, 10)) / 2)
    # Of fewer errors there is less to remove.
    for mapped, errors in ((0.9, 0.1), (1.0, 0.0)):
        one = probed(cell(3, 4, mapped, TrainingPace(1, 1, 1, True)), flowers().cells[2])
        best = options([one], 1000)[0]
        assert best.expected == pytest.approx(1 - errors * (1 - removed(0.5, 30)))


def test_more_time_opens_stages_and_hardly_any_freezes_all():
    picked = [options([flowers()], seconds)[0].cell.frozen_stages for seconds in (120, 450, 3000)]
    assert picked == ['all', 3, 3]


def test_an_epoch_of_few_images_counts_for_as_much_less():
    whole, third = (options([probed(*flowers().cells[1:], train=train)], 3000)[0]
                    for train in (TRAIN, TRAIN // 3))
    assert whole.cell.frozen_stages == third.cell.frozen_stages == 3
    assert (whole.epochs, third.epochs) == (30, 30)
    assert whole.expected == pytest.approx(1 - 0.232 * (1 - removed(0.5, 30)))
    assert third.expected == pytest.approx(1 - 0.232 * (1 - removed(0.5, 10)))


def test_few_images_have_more_epochs_and_many_have_not():
    def epochs(train: int) -> int:
        return options([probed(flowers().cells[2], train=train)], 1e9)[0].epochs

    assert [epochs(train) for train in (100, 690, 920, 100_000)] == [100, 40, 30, 30]


def test_a_backbone_that_promises_more_wins_if_it_fits():
    better = probed(cell(3, 4, 0.82, TrainingPace(30, 8, 80, True)),
                    cell('all', 8, 0.80, TrainingPace(50, 12, 1, True)), name='better')
    both = [flowers(), better]
    assert options(both, 2000)[0].probed.name == 'better'
    assert options(both, 110)[0].probed.name == 'net'
    assert options(both, 10) == []


def test_equals_are_told_apart_by_their_seconds():
    slow, fast = (probed(cell('all', 8, 0.75, TrainingPace(1, 1, seconds, True)), name=name)
                  for seconds, name in ((2, 'slow'), (1, 'fast')))
    assert [each.probed.name for each in options([slow, fast], 1000)] == ['fast', 'slow']
    assert 'no better, and takes longer' in explained(options([slow, fast], 1000), 1000)[1]


def test_what_could_not_be_timed_is_not_picked():
    found = probed(cell(3, 4, 0.9, None), *flowers().cells[2:])
    assert [each.cell.frozen_stages for each in options([found], 1000)] == ['all']
    assert seconds_of(found.cells[0], 3, 3) == math.inf
    assert shortest([found]) == 2 * 25 + 6 + 3 * 0.5


def test_slack_and_epochs_themselves_take_time(monkeypatch):
    before = options([flowers()], 450)[0]
    monkeypatch.setattr(choice, 'SLACK', 1.5)
    monkeypatch.setattr(choice, 'EPOCH_SECONDS', 2.0)
    one = flowers().cells[1]
    assert seconds_of(one, 4, 4) == 1.5 * (4 * 15 + 4 + 4 * 40 + 4 * 2)
    assert options([flowers()], 450)[0].epochs < before.epochs


def test_the_words_name_the_pick_the_runner_up_and_why():
    found = options([flowers()], 450)
    first, second = explained(found, 450)
    assert first.startswith('picked: net, frozen: stem + 3, 8 epochs, about 7:24 of 7:30: ')
    assert '(76.8 by the probe, ' in first
    assert second.startswith('runner-up: net, frozen: all, ') and 'points less' in second
    alone = options([probed(flowers().cells[2])], 450)
    assert explained(alone, 450)[1] == 'nothing else fits in 3 epochs'
