"""The benchmark of forecasting: the series it makes up where no file is given."""


import numpy as np
import pytest
from generated import ROOT, load_script

from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.windows import SeriesWindows


@pytest.fixture
def benchmark():
    return load_script(ROOT / 'benchmarks/forecasting.py')


def test_the_generated_series_has_as_many_test_windows_as_ETTh1(benchmark, tmp_path):
    path = benchmark.generate(tmp_path / 'series.csv')
    windows = SeriesWindows(CSVSeries(str(path)), 96, 96, 'test', borders=benchmark.BORDERS)
    assert len(windows) == 2785
    assert len(windows.columns) == 7


def test_the_others_get_the_values_that_amlnn_reads(benchmark, tmp_path):
    path = benchmark.generate(tmp_path / 'series.csv')
    values, names = benchmark.read(path)
    training = values[:8640]
    scaled = (values - training.mean(0)) / training.std(0)
    windows = SeriesWindows(CSVSeries(str(path)), 96, 96, 'train', borders=benchmark.BORDERS)
    assert names == windows.columns
    np.testing.assert_allclose(windows[100]['inputs'][0].numpy(), scaled[100:196], atol=1e-5)
