"""What the benchmark of the doctor plants and counts."""

from types import SimpleNamespace

import numpy as np
from generated import ROOT, load_script

BENCHMARK = load_script(ROOT / 'benchmarks/doctor.py')


def test_so_many_labels_become_another_class_and_only_among_those_asked_for():
    labels = np.arange(400) % 4
    among = np.arange(100, 300)
    found = BENCHMARK.flip(labels, 4, 0.05, 0, among)
    changed = np.flatnonzero(found != labels)
    assert len(changed) == 10 and set(changed) <= set(among)
    assert set(found) == set(labels)
    assert np.array_equal(found, BENCHMARK.flip(labels, 4, 0.05, 0, among))
    assert not np.array_equal(found, BENCHMARK.flip(labels, 4, 0.05, 1, among))


def test_shares_are_those_of_the_flipped_among_the_most_suspect_and_among_the_named():
    judged = SimpleNamespace(own=np.array([0.1, 0.9, 0.2, 0.6, 0.4]), accuracy=0.6,
                             suspect=np.array([True, False, True, False, True]))
    said = BENCHMARK.shares(judged, np.array([True, False, False, True, False]))
    assert said.startswith('2 flipped: 50.0 % of the 2 most suspect; named 3, recall 50.0 %, '
                           'precision 33.3 %')
