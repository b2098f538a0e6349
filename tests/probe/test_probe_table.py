"""The rows are what scikit-learn makes of the features; choices are made where it is said."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from generated import ROOT
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from amlnn.errors import DataError
from amlnn.formulas.standardised import standardise
from amlnn.probe.table import CS, KS, STRENGTHS, Part, ProbeTable, check_parts

CLASSES = ['a', 'b', 'c', 'd']


def part(name: str, images: int, seed: int, stages: dict[str, int] | None = None,
         noise: float = 1.5) -> Part:
    """Features whose class tells on them, the more the later the stage."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 4, images)
    middles = np.random.default_rng(9).normal(size=(4, 64))
    return Part(name, labels, {
        stage: ((place + 1) * middles[labels][:, :width]
                + 2 * noise * random.normal(size=(images, width))).astype(np.float32)
        for place, (stage, width) in enumerate((stages or {'one': 12, 'two': 20}).items())})


@pytest.fixture(scope='module')
def table() -> ProbeTable:
    return ProbeTable(CLASSES, part('train', 160, 0), part('val', 80, 1), part('test', 90, 2))


@pytest.fixture(scope='module')
def scaled(table):
    scaler = StandardScaler().fit(table.train.last)
    return [scaler.transform(each.last) for each in (table.train, table.val, table.test)]


def test_knn_is_scikit_learns_with_the_k_that_is_best_on_validation(table, scaled):
    train, val, test = scaled
    models = {k: KNeighborsClassifier(k, metric='cosine', algorithm='brute').fit(
        train, table.train.labels) for k in KS}
    on_val = {k: model.score(val, table.val.labels) for k, model in models.items()}
    best = max(on_val, key=on_val.get)
    row = next(table.rows())
    assert row.choice == f'k = {best}, by cosine' and row.chosen_on == 'val'
    assert row.on_val.value == pytest.approx(on_val[best], abs=1 / 79)
    assert row.accuracy.value == pytest.approx(
        models[best].score(test, table.test.labels), abs=1 / 89)
    assert row.accuracy.images == 90


def test_logistic_regression_is_scikit_learns_with_the_c_that_is_best_on_validation(table, scaled):
    train, val, test = scaled
    models = {c: LogisticRegression(C=c, max_iter=5000, tol=1e-8).fit(train, table.train.labels)
              for c in CS}
    on_val = {c: model.score(val, table.val.labels) for c, model in models.items()}
    row = list(table.rows())[1]
    chosen = float(row.choice.removeprefix('C = '))
    assert on_val[chosen] == pytest.approx(max(on_val.values()), abs=1 / 79)
    assert row.accuracy.value == pytest.approx(
        models[chosen].score(test, table.test.labels), abs=1 / 89)


def test_the_strength_of_ridge_is_that_which_tells_most_left_out_images(table, scaled):
    train, _, test = scaled
    targets = np.where(np.arange(4) == table.train.labels[:, None], 1.0, -1.0)

    def left_out(strength) -> float:
        right = 0
        for row in range(len(train)):
            rest = np.arange(len(train)) != row
            said = SklearnRidge(alpha=strength).fit(train[rest], targets[rest]).predict(
                train[[row]])
            right += int(said.argmax() == table.train.labels[row])
        return right / len(train)

    row = list(table.rows())[2]
    assert table.alike == 0 and row.chosen_on == 'leave-one-out'
    by_strength = {strength: left_out(strength) for strength in STRENGTHS[::3]}
    assert row.left_out.value >= max(by_strength.values()) - 1 / 159
    strength = next(each for each in STRENGTHS if row.choice == f'strength = {each:.3g}')
    assert row.left_out.value == pytest.approx(left_out(strength), abs=1 / 159)
    said = SklearnRidge(alpha=strength).fit(train, targets).predict(test).argmax(1)
    assert row.accuracy.value == pytest.approx((said == table.test.labels).mean(), abs=1 / 89)


def test_without_a_test_part_validation_judges(table):
    rows = list(ProbeTable(CLASSES, table.train, table.val).rows())
    assert all(row.accuracy.images == 80 and row.on_val is None for row in rows)


def test_images_that_come_twice_are_left_out_together(table):
    twice = Part('train', np.tile(table.train.labels, 2),
                 {name: np.tile(each, (2, 1)) for name, each in table.train.stages.items()})
    both = ProbeTable(CLASSES, twice, table.val)
    assert both.alike == len(twice.labels)
    alone, together = list(table.rows())[2], list(both.rows())[2]
    assert together.left_out.value == pytest.approx(alone.left_out.value, abs=0.05)


def test_more_images_of_each_class_say_more_and_the_last_point_is_the_ridge_row(table):
    shots = table.shots()
    assert [shot.per_class for shot in shots] == [1, 2, 5, 10, 20, None]
    assert shots[0].mean < shots[2].mean < shots[4].mean
    assert shots[-1].accuracies == [list(table.rows())[2].accuracy.value]
    assert shots[0].deviation > shots[4].deviation > 0 and shots[-1].deviation is None


def test_what_more_would_bring_is_said_of_all_classes_and_of_each(table):
    gains = table.gains()
    counts = np.bincount(table.train.labels)
    assert [gain.name for gain in gains] == ['all classes', *CLASSES]
    assert [gain.images for gain in gains] == [40, *counts]
    for gain, count in zip(gains, [40, *counts], strict=True):
        assert gain.twice.images == 2 * count
        assert gain.twice.low <= gain.twice.value <= gain.twice.high
    assert gains[0].twice.value >= gains[0].now - 0.05
    wide = [gain.twice.high - gain.twice.low for gain in gains]
    assert max(wide[1:]) > wide[0]  # a class has fewer images that judge
    right = table._ridge.scores(table._last[2], table._strength[0]).argmax(1)
    of_a = table.test.labels == 0
    assert gains[1].now == pytest.approx((right[of_a] == 0).mean())


def test_a_later_stage_that_tells_more_has_more_accuracy_and_evidence(table):
    one, two = table.stages()
    assert (one.stage, one.numbers, two.stage, two.numbers) == ('one', 12, 'two', 20)
    assert one.accuracy.value < two.accuracy.value and one.logme < two.logme


def test_stages_together_are_a_fit_on_all_of_them_each_with_the_same_weight(monkeypatch):
    stages, strengths = {'one': 12, 'two': 20, 'three': 16}, [0.5, 2.0]
    table = ProbeTable(CLASSES, part('train', 160, 0, stages), part('val', 80, 1, stages))
    monkeypatch.setattr(ProbeTable, '_strengths_together', lambda self, trains: iter(strengths))
    scaler = {name: StandardScaler().fit(each) for name, each in table.train.stages.items()}

    def features(of: Part, names) -> np.ndarray:
        return np.hstack([scaler[name].transform(of.stages[name])
                          / np.sqrt(of.stages[name].shape[1]) for name in names])

    targets = np.where(np.arange(4) == table.train.labels[:, None], 1.0, -1.0)
    alone, *more = table.together()
    assert alone.mean() == list(table.rows())[2].accuracy.value
    for names, strength, right in zip([['two', 'three'], list(stages)], strengths, more,
                                      strict=True):
        said = SklearnRidge(alpha=strength).fit(features(table.train, names), targets).predict(
            features(table.val, names)).argmax(1)
        assert np.mean((said == table.val.labels) == right) > 0.98


def test_the_strength_of_stages_together_is_that_which_tells_most_of_some_images(table):
    stages = [standardise(each) for each in reversed(table.train.stages.values())]
    both = np.hstack([StandardScaler().fit_transform(each) / np.sqrt(each.shape[1])
                      for each in table.train.stages.values()])
    targets = np.where(np.arange(4) == table.train.labels[:, None], 1.0, -1.0)
    (chosen,) = table._strengths_together(stages)

    def left_out(strength) -> float:
        return np.mean([SklearnRidge(alpha=strength).fit(
            np.delete(both, row, 0), np.delete(targets, row, 0)).predict(
                both[[row]]).argmax() == label
            for row, label in enumerate(table.train.labels)])

    assert left_out(chosen) >= max(map(left_out, (1e-3, 1.0, 1e3))) - 0.02


@pytest.mark.parametrize(('labels', 'classes', 'said'), [
    ([0, 0, 1], ['a', 'b'], '`b` has 1 training image,'), ([0, 0], ['a', 'b'], '`b` has 0'),
    ([0, 0], ['a'], 'one class, `a`')])
def test_labels_that_nothing_can_be_learned_from_are_refused(labels, classes, said):
    train = Part('train', np.array(labels), {'one': np.zeros((len(labels), 2), np.float32)})
    with pytest.raises(DataError, match=said) as raised:
        check_parts(classes, train)
    assert raised.value.hint


def test_of_many_images_some_are_taken_of_each_class_the_same_share():
    whole = part('train', 1000, 0)
    few = whole.few(100)
    shares = np.bincount(few.labels) / np.bincount(whole.labels)
    assert len(few.labels) == 100 and np.ptp(shares) < 0.02
    assert all(len(each) == 100 for each in few.stages.values())
    assert whole.few(1000) is whole


def test_some_of_features_that_lie_in_a_file_lie_in_one_too(tmp_path, monkeypatch):
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path))
    whole = part('train', 300, 0)
    mapped = np.memmap(tmp_path / 'features', np.float32, 'w+', shape=whole.last.shape)
    mapped[:] = whole.last
    few = Part('train', whole.labels, {'two': mapped}).few(100)
    assert isinstance(few.last, np.memmap) and not isinstance(whole.few(100).last, np.memmap)
    assert np.array_equal(few.last, whole.few(100).last)


MANY = '''
import sys, threading, time
import numpy as np
from amlnn.probe.table import Part, ProbeTable

STAGES = {'stem': 64, 'layer1': 256, 'layer2': 512, 'layer3': 1024, 'layer4': 2048}
classes, most, ended = 10, [0], threading.Event()

def held():
    """KiB that no file gives back."""
    for line in open('/proc/self/status'):
        if line.startswith('RssAnon:'):
            return int(line.split()[1])

def watch():
    while not ended.wait(0.02):
        most[0] = max(most[0], held())

random = np.random.default_rng(0)

def part(name, images):
    labels, stages = random.integers(0, classes, images), {}
    for stage, width in STAGES.items():
        middles = np.random.default_rng(width).normal(size=(classes, width)).astype(np.float32)
        stages[stage] = np.memmap(f'{sys.argv[1]}/{name}-{stage}', np.float32, 'w+',
                                  shape=(images, width))
        for begin in range(0, images, 5000):
            some = slice(begin, begin + 5000)
            stages[stage][some] = middles[labels[some]] + 8 * random.standard_normal(
                (len(labels[some]), width), np.float32)
    return Part(name, labels, stages)

train, val = part('train', 75_000), part('val', 25_000)
threading.Thread(target=watch, daemon=True).start()
before, begin = held(), time.process_time()
table = ProbeTable([str(number) for number in range(classes)], train.few(), val.few())
rows = [row.accuracy.value for row in table.rows()]
counted = [len(table.shots()), len(table.gains()), len(list(table.stages())),
           len(table.together())]
ended.set()
print(f'{time.process_time() - begin:.0f}', before, most[0], *counted, *rows)
'''


@pytest.mark.slow
@pytest.mark.skipif(not Path('/proc/self/status').is_file(), reason='Linux says what is held')
def test_100_000_images_of_resnet50s_3904_numbers_take_no_more_than_2_gib(tmp_path):
    shown = subprocess.run(
        [sys.executable, '-c', MANY, str(tmp_path)], cwd=ROOT, capture_output=True, text=True,
        check=True, env={**os.environ, 'AMLNN_CACHE': str(tmp_path)}).stdout
    seconds, _, most, *counted = map(int, shown.split()[:7])
    assert most < 2 * 2 ** 20, shown  # KiB
    assert counted == [6, 11, 5, 5], shown
    assert all(0.2 < float(accuracy) <= 1 for accuracy in shown.split()[7:]), shown
    assert seconds < 600, shown
