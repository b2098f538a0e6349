"""Series: what they are read from, and the windows that are cut from them."""

from amlnn.data.series.array_series import ArraySeries
from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.series import Series, guess_season

__all__ = ['ArraySeries', 'CSVSeries', 'Series', 'guess_season']
