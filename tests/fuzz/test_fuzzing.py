"""The judge of the fuzzing: what it takes for a clean end, and what not."""

import sys
import time

import fuzzing
import pytest
from fuzzing import Tally, ending_of, fuzz
from hypothesis import strategies as st

from amlnn.errors import DataError, RunFailed


def fail(error):
    raise error


@pytest.mark.parametrize('action', [
    lambda: None, lambda: 0, lambda: fail(DataError('no file', 'name one')),
    lambda: fail(RunFailed('the loss is nan', 'lower the rate'))])
def test_a_result_and_two_good_lines_are_clean(action):
    assert ending_of(action).problem == ''


@pytest.mark.parametrize(('action', 'problem'), [
    (lambda: fail(KeyError('a')), 'looks like a bug'),
    (lambda: fail(RecursionError), 'looks like a bug'),
    (lambda: fail(GeneratorExit), 'gets past the error handler'),
    (lambda: fail(SystemExit(0)), 'gets past the error handler'),
    (lambda: 1, 'exit status 1'), (lambda: 3, 'exit status 3'),
    (lambda: fail(DataError('', 'name one')), 'says nothing'),
    (lambda: fail(DataError('no file')), 'says nothing'),
    (lambda: fail(DataError('a' * 10**6 + '\n', 'b')), ''),
    (lambda: print('error: a', file=sys.stderr) or fail(DataError('a', 'b')),
     'is not told in two lines')])
def test_every_other_end_is_a_problem(action, problem, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ending_of(action).problem == problem


def test_what_does_not_end_is_stopped(monkeypatch):
    monkeypatch.setattr(fuzzing, '_SECONDS', 0.1)
    assert ending_of(lambda: time.sleep(30)).problem.startswith('does not end')


def test_every_kind_of_unclean_end_is_shown_with_its_shortest_case():
    tally = Tally()
    for case in ('long case', 'short'):
        tally.count(lambda: fail(KeyError('a')), case)
    tally.count(lambda: None, 'right')
    with pytest.raises(AssertionError, match='2 of 3 cases end uncleanly') as caught:
        tally.check(3)
    assert 'short' in str(caught.value) and 'long case' not in str(caught.value)


def test_a_walk_that_saw_too_little_or_one_side_only_fails():
    tally = Tally()
    tally.count(lambda: None, 'right')
    with pytest.raises(AssertionError):
        tally.check(2)
    with pytest.raises(AssertionError, match='none is refused'):
        tally.check(1)
    tally.count(lambda: fail(DataError('no file', 'name one')), 'wrong')
    tally.check(2)


def test_the_cases_are_the_same_each_time_and_others_from_another_seed(monkeypatch):
    def drawn():
        found = []
        asked = fuzz(st.integers(0, 10**6), 20, found.append)
        assert asked == len(found) == 20
        return found

    first = drawn()
    assert drawn() == first
    monkeypatch.setattr(fuzzing, '_SEED', '7')
    other = drawn()
    assert other != first and drawn() == other
