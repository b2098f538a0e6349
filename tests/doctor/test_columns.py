"""Which stages of a backbone the doctor looks at."""

import pytest

from amlnn.doctor.features import _columns


@pytest.mark.parametrize(('widths', 'kept'), [
    ({'stem': 64, 'layer1': 256, 'layer2': 512, 'layer3': 1024, 'layer4': 2048}, ['layer4']),
    ({'stem': 32, 'stage6': 192, 'stage7': 1280}, ['stage7', 'stage6', 'stem']),
    ({'a': 100, 'b': 1500, 'c': 512}, ['c', 'b']),
    ({'a': 100, 'b': 4096}, ['b'])])
def test_the_last_stage_and_those_before_it_while_they_are_few(widths, kept):
    found = _columns(widths)
    assert list(found) == kept
    assert [each.stop - each.start for each in found.values()] == [widths[name] for name in kept]
    assert sorted(place for each in found.values() for place in range(each.start, each.stop)) == \
        list(range(sum(widths[name] for name in kept)))
