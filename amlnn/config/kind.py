"""What kind of experiment a config describes."""

from typing import Literal

__all__ = ['is_series_loader', 'run_kind']

_SERIES = 'SeriesWindows'


def run_kind(config: dict) -> Literal['classification', 'forecasting']:
    """'forecasting' where a part's data are windows of a series.

    >>> run_kind({'test_dataloader': {'dataset': {'type': 'SeriesWindows'}}})
    'forecasting'
    """
    parts = (config.get(f'{part}_dataloader') for part in ('train', 'val', 'test'))
    return 'forecasting' if any(map(is_series_loader, parts)) else 'classification'


def is_series_loader(section: object) -> bool:
    """Whether a `*_dataloader` section loads windows of a series."""
    dataset = section.get('dataset') if isinstance(section, dict) else None
    kind = dataset.get('type') if isinstance(dataset, dict) else None
    return isinstance(kind, str) and kind.rpartition('.')[2] == _SERIES
