"""What is said of how sure a classifier is was fitted on other images than it is judged on."""

import numpy as np
import pytest
from scipy.special import softmax

from amlnn.formulas.accuracies import calibration as calibration_of
from amlnn.results.classification import answered, tempered
from amlnn.results.store import Predictions

CLASSES = list('abcd')


def drawn(seed, images=2000, sharpness=3.0, part='val'):
    """A classifier that is `sharpness` times surer than its scores say."""
    random = np.random.default_rng(seed)
    scores = 1.5 * random.standard_normal((images, 4))
    true = softmax(scores, axis=1)
    labels = np.array([random.choice(4, p=row) for row in true])
    ids = np.array([f'{part}/{number}.jpg' for number in range(images)])
    return Predictions(ids, labels, softmax(sharpness * scores, axis=1).astype(np.float32), CLASSES)


@pytest.mark.parametrize('other', [None, drawn(1, part='train')], ids=['halves', 'another part'])
def test_a_network_that_is_three_times_too_sure_is_found_out(other):
    found = tempered(drawn(0), other)
    assert found.temperature == pytest.approx(3, rel=0.1)
    assert found.before.ece > 0.15 and found.after.ece < 0.05
    assert found.loss_after < found.loss_before - 0.2
    assert found.before.counts.sum() == found.after.counts.sum() == 2000


def test_the_other_part_alone_decides_the_temperature():
    as_it_is = drawn(2, sharpness=1.0, part='train')
    found = tempered(drawn(0), as_it_is)
    assert found.temperature == pytest.approx(1, rel=0.1)
    assert found.after.ece == pytest.approx(found.before.ece, abs=0.03)


def test_halves_do_not_depend_on_the_order_of_the_images():
    predictions = drawn(3, images=200)
    order = np.random.default_rng(0).permutation(200)
    other = Predictions(predictions.ids[order], predictions.labels[order],
                        predictions.probs[order], CLASSES)
    assert tempered(other).after.ece == pytest.approx(tempered(predictions).after.ece)


def test_one_image_is_judged_as_it_is():
    found = tempered(drawn(4, images=1))
    assert found.after.ece == pytest.approx(found.before.ece)


def test_thresholds_are_chosen_on_the_other_part_and_judged_on_this_one():
    predictions, other = drawn(5, sharpness=1.0), drawn(6, sharpness=1.0, part='train')
    curve, found = answered(predictions, [0.8, 0.9], other)
    assert curve.share[-1] == 1 and curve.accuracy[-1] == pytest.approx(predictions.correct.mean())
    for each in found:
        sure = predictions.probs.max(axis=1) >= each.threshold
        assert (each.images, each.right) == (sure.sum(), predictions.correct[sure].sum())
        of_other = other.probs.max(axis=1) >= each.threshold
        assert other.correct[of_other].mean() == pytest.approx(each.wanted, abs=0.01)
        assert each.right / each.images == pytest.approx(each.wanted, abs=0.05)
    assert found[0].threshold < found[1].threshold and found[0].images > found[1].images


def test_an_accuracy_that_no_threshold_gives_is_left_out():
    wrong = Predictions(np.array(['a', 'b']), np.array([1, 1]),
                        np.array([[0.9, 0.1], [0.6, 0.4]], np.float32), ['x', 'y'])
    curve, found = answered(wrong, [0.5, 0.9])
    assert not found and curve.accuracy.tolist() == [0, 0]


def test_a_threshold_is_cut_so_that_the_least_sure_is_answered():
    sure = Predictions(np.array(['a', 'b']), np.array([0, 1]),
                       np.array([[0.87659, 0.12341], [0.6, 0.4]], np.float32), ['x', 'y'])
    _, (found, ) = answered(sure, [0.9])
    assert (found.threshold, found.images, found.right) == (0.876, 1, 1)
    assert calibration_of(sure.probs.max(axis=1), sure.correct, 5).counts.sum() == 2
