import subprocess
import sys
from functools import cache

import pytest
from generated import ROOT
from hypothesis import given
from hypothesis import strategies as st

from amlnn.suggest import distance, nearest


@pytest.mark.parametrize(('a', 'b', 'edits'), [
    ('', '', 0), ('a', '', 1), ('ab', 'ba', 1), ('momentum', 'momentun', 1), ('lr', 'rl', 1),
    ('kitten', 'sitting', 3), ('topk', 'top_k', 1), ('abcd', 'badc', 2)])
def test_the_distance_is_that_of_hand_arithmetic(a, b, edits):
    assert distance(a, b) == distance(b, a) == edits
    assert distance(a, b, limit=3) == edits


def test_a_distance_beyond_the_limit_is_beyond_the_limit():
    assert distance('abcdefgh', 'zzzzzzzz', limit=2) > 2


def test_the_nearest_names_come_in_order():
    assert nearest('Adamw', ['Adam', 'AdamW', 'SGD'])[0] == 'AdamW'
    assert nearest('momentun', ['lr', 'weight_decay']) == []


@cache
def fewest_edits(a: str, b: str) -> int:
    """The definition: what the last letters ask for, and the rest."""
    if not a or not b:
        return len(a) + len(b)
    ways = [fewest_edits(a[:-1], b) + 1, fewest_edits(a, b[:-1]) + 1,
            fewest_edits(a[:-1], b[:-1]) + (a[-1] != b[-1])]
    if len(a) > 1 and len(b) > 1 and a[-1] == b[-2] and a[-2] == b[-1]:
        ways.append(fewest_edits(a[:-2], b[:-2]) + 1)
    return min(ways)


words = st.text('abc_', max_size=8)


@given(words, words, st.integers(0, 4))
def test_a_distance_is_the_fewest_edits_and_a_limit_only_cuts_it_off(a, b, limit):
    edits = fewest_edits(a, b)
    assert distance(a, b) == edits
    found = distance(a, b, limit)
    assert found == edits if edits <= limit else found > limit


def test_a_config_without_a_slip_does_not_wait_for_the_library_of_distances():
    code = ('import sys; from amlnn.config.load import load_config; '
            'load_config("configs/resnet50_frozen3.py"); print("rapidfuzz" in sys.modules)')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                          cwd=ROOT)
    assert done.stdout.strip() == 'False'
