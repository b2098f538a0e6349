"""Selective accuracy is what a plain loop over thresholds counts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from amlnn.formulas.selective import selective, threshold_for

ANSWERS = st.lists(st.tuples(st.sampled_from([0.2, 0.5, 0.51, 0.7, 0.99, 1.0]), st.booleans()),
                   min_size=1, max_size=40)


def arrays(answers):
    confidence, correct = zip(*answers, strict=True)
    return np.array(confidence), np.array(correct)


@settings(max_examples=100, deadline=None)
@given(ANSWERS)
def test_every_threshold_counts_the_images_that_are_at_least_as_sure(answers):
    found = selective(*arrays(answers))
    assert found.threshold.tolist() == sorted({each for each, _ in answers}, reverse=True)
    for threshold, share, accuracy in zip(*found, strict=True):
        taken = [right for sure, right in answers if sure >= threshold]
        assert share == pytest.approx(len(taken) / len(answers))
        assert accuracy == pytest.approx(sum(taken) / len(taken))


@settings(max_examples=100, deadline=None)
@given(ANSWERS, st.sampled_from([0.3, 0.5, 0.75, 0.9, 1.0]))
def test_no_other_threshold_answers_more_with_the_wanted_accuracy(answers, wanted):
    chosen = threshold_for(selective(*arrays(answers)), wanted)
    shares = {}
    for threshold in {each for each, _ in answers}:
        taken = [right for sure, right in answers if sure >= threshold]
        if sum(taken) / len(taken) >= wanted:
            shares[threshold] = len(taken) / len(answers)
    if chosen is None:
        assert not shares
    else:
        assert chosen.share == pytest.approx(max(shares.values()))
        assert shares[chosen.threshold] == pytest.approx(chosen.share)


def test_the_risk_is_the_mean_over_the_shares():
    random = np.random.default_rng(0)
    confidence, correct = random.random(50), random.random(50) < 0.7
    order = np.argsort(-confidence)
    wrong = np.cumsum(~correct[order]) / np.arange(1, 51)
    assert selective(confidence, correct).risk == pytest.approx(wrong.mean())
