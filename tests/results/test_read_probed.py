"""A probe's file is read as it was written, or refused in two lines."""

import numpy as np
import pytest

from amlnn.errors import DataError
from amlnn.formulas.training_pace import TrainingPace
from amlnn.results.probed import (
    Cell,
    CurvePoint,
    Gain,
    Probed,
    ProbeRow,
    Shots,
    StageRow,
    read_probed,
    share_right,
)


def probed() -> Probed:
    share = share_right(np.arange(10) < 7)
    return Probed(
        'a.py', 'a', 'ResNet', ['x', 'y'], {'train': 40, 'val': 10}, 'val', 1.5, 50,
        [ProbeRow('ridge', 'strength = 1', 'leave-one-out', share, 0.1, left_out=share)],
        shots=[Shots(1, [0.5, 0.6]), Shots(None, [0.7])],
        gains=[Gain('all classes', 20.0, 0.7, [CurvePoint(40.0, 0.8, 0.7, 0.9)])],
        stages=[StageRow('stem', 64, share, -0.5)], epochs=3, notes=['a note'],
        cells=[Cell(-1, 0, share, None), Cell('all', 5, share, 4.0, pace=TrainingPace(
            1.0, 0.5, 0.5, True))])


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / 'probe.json'
    path.write_text(f'[{probed().as_json()}, {probed().as_json()}]')
    assert read_probed(path) == [probed(), probed()]


@pytest.mark.parametrize('text', ['', 'null', '[1]', '{}', '[{}]', '[{"rows": 1}]',
                                  '[{"rows": [], "shots": [], "gains": [], "stages": []}]'])
def test_another_file_is_refused(tmp_path, text):
    path = tmp_path / 'probe.json'
    path.write_text(text)
    with pytest.raises(DataError, match='no result of a probe') as raised:
        read_probed(path)
    assert 'tools/probe.py' in raised.value.hint


def test_no_file_is_refused(tmp_path):
    with pytest.raises(DataError, match='cannot be read'):
        read_probed(tmp_path / 'probe.json')
