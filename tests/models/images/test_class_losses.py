"""Losses for classes of which there are few images, against torch and plain sums."""

import math

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from sklearn.utils.class_weight import compute_class_weight

from amlnn.errors import ConfigError
from amlnn.models.images.heads import DenseHead
from amlnn.models.images.losses import BalancedLoss, LogitAdjustedLoss

COUNTS = [50, 5, 20]


@pytest.fixture
def batch():
    torch.manual_seed(0)
    return torch.randn(8, 3, requires_grad=True), torch.tensor([0, 1, 2, 0, 0, 1, 2, 2])


def test_the_weights_are_those_that_scikit_learn_calls_balanced():
    labels = np.repeat(np.arange(3), COUNTS)
    expected = compute_class_weight('balanced', classes=np.arange(3), y=labels)
    loss = BalancedLoss(class_counts=COUNTS)
    assert loss.weights.tolist() == pytest.approx(expected.tolist())
    assert loss.class_facts()['weight in the loss'] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize('power', [0.5, 1.0, 2.0])
def test_weights_go_by_a_power_of_the_counts_with_a_mean_of_1_over_images(power):
    weights = BalancedLoss(power, class_counts=COUNTS).weights
    assert sum(n * float(w) for n, w in zip(COUNTS, weights, strict=True)) == pytest.approx(75)
    assert float(weights[1] / weights[0]) == pytest.approx(10 ** power)


def test_a_batch_has_torchs_weighted_cross_entropy_over_its_images(batch):
    scores, labels = batch
    loss = BalancedLoss(class_counts=COUNTS)
    expected = torch.nn.CrossEntropyLoss(weight=loss.weights, reduction='sum')(scores, labels) / 8
    assert float((loss(scores, labels) - expected).detach()) == pytest.approx(0, abs=1e-6)


def test_mixed_labels_are_weighted_class_by_class(batch):
    scores, labels = batch
    shares = 0.7 * torch.eye(3)[labels] + 0.3 * torch.eye(3)[labels.flip(0)]
    loss = BalancedLoss(class_counts=COUNTS)
    logs = scores.detach().log_softmax(1)
    expected = -sum(float(shares[i, k] * loss.weights[k] * logs[i, k])
                    for i in range(8) for k in range(3)) / 8
    assert float(loss(scores, shares).detach()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('tau', [0.5, 1.0])
def test_scores_are_adjusted_by_the_logarithms_of_the_shares(batch, tau):
    scores, labels = batch
    expected = 0.0
    for row, label in zip(scores.tolist(), labels.tolist(), strict=True):
        shifted = [math.exp(score + tau * math.log(n / 75))
                   for score, n in zip(row, COUNTS, strict=True)]
        expected -= math.log(shifted[label] / sum(shifted)) / 8
    loss = LogitAdjustedLoss(tau, class_counts=COUNTS)
    assert float(loss(scores, labels).detach()) == pytest.approx(expected, rel=1e-5)


def test_a_network_that_learns_nothing_but_shares_predicts_all_classes_alike():
    # Without features the best scores are constant: those whose adjusted softmax is the shares.
    bias = torch.zeros(3, requires_grad=True)
    labels = torch.repeat_interleave(torch.arange(3), torch.tensor(COUNTS))
    loss = LogitAdjustedLoss(class_counts=COUNTS)
    optimizer = torch.optim.LBFGS([bias], max_iter=50)

    def closure():
        optimizer.zero_grad()
        value = loss(bias.expand(75, 3), labels)
        value.backward()
        return value

    optimizer.step(closure)
    assert bias.detach().softmax(0).tolist() == pytest.approx([1 / 3] * 3, abs=1e-3)


@pytest.mark.parametrize('kind', [BalancedLoss, LogitAdjustedLoss])
def test_arguments_of_a_loss_of_mmpretrain_mean_the_same(kind, batch):
    scores, labels = batch
    each = kind(class_counts=COUNTS)(scores, labels, reduction_override='none').detach()
    loss = kind(class_counts=COUNTS, loss_weight=2.0)
    weights = torch.arange(8.0)

    def value(**options):
        return float(loss(scores, labels, **options).detach())

    assert value() == pytest.approx(2 * float(each.mean()))
    assert value(avg_factor=4) == pytest.approx(2 * float(each.sum()) / 4)
    assert value(reduction_override='sum') == pytest.approx(2 * float(each.sum()))
    assert value(weight=weights) == pytest.approx(2 * float((weights * each).mean()))


@pytest.mark.parametrize('kind', [BalancedLoss, LogitAdjustedLoss])
def test_equal_counts_are_plain_cross_entropy_and_a_class_without_images_counts_one(kind, batch):
    scores, labels = batch
    plain = float(torch.nn.functional.cross_entropy(scores, labels).detach())
    assert float(kind(class_counts=[7, 7, 7])(scores, labels).detach()) == pytest.approx(plain)
    assert float(kind()(scores, labels).detach()) == pytest.approx(plain)
    assert kind(class_counts=[9, 0, 9]).class_counts.tolist() == [9, 1, 9]


def test_a_head_predicts_by_its_plain_scores():
    head = DenseHead(3, 4, loss=dict(type='LogitAdjustedLoss', class_counts=COUNTS))
    features = (torch.randn(5, 4),)
    predicted = head.predict(features, [DataSample() for _ in range(5)])
    assert torch.allclose(torch.stack([each.pred_score for each in predicted]),
                          head(features).softmax(1))


@pytest.mark.parametrize('build', [lambda: BalancedLoss(0), lambda: LogitAdjustedLoss(-1),
                                   lambda: LogitAdjustedLoss(float('inf'))])
def test_what_is_out_of_range_is_refused(build):
    with pytest.raises(ConfigError) as refused:
        build()
    assert refused.value.hint
