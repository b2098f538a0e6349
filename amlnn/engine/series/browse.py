"""What a forecaster is given: some windows of the training part."""

import torch
from torch import nn

from amlnn.browsed import Given, ShownWindow
from amlnn.data.series.window_loader import WindowLoader

__all__ = ['given_windows']

_COLUMNS = 4  # of a window, at most


def given_windows(model: nn.Module, loader: WindowLoader, count: int) -> Given:
    """Windows as a network is given them, evenly spaced over the training part.

    Args:
        model: The forecaster, which may change windows as it trains.
        loader: Of the training part.
        count: How many windows.
    """
    dataset = loader.dataset
    count = min(count, len(dataset))
    places = [place * len(dataset) // count for place in range(count)]
    batch = dataset.__getitems__(places)
    columns = list(dataset.columns[:_COLUMNS])
    past, future = batch['inputs'], batch['targets']
    change = getattr(model, '_for_training', None)
    with torch.no_grad():
        tilted = change(past, future) if change else (past, future)
    changed = not torch.equal(tilted[0], past)
    rows = dataset.window_start_rows(places) + dataset.look_back
    names, width = dataset.time_names(rows), len(columns)

    def shown(values, row: int):
        return values[row, :, :width].numpy().copy()

    windows = [ShownWindow(str(names[row]), columns, shown(past, row), shown(future, row),
                           (shown(tilted[0], row), shown(tilted[1], row)) if changed else None)
               for row in range(count)]
    left = len(dataset.columns) - width
    notes = [f'{left} more columns are not shown'] if left > 0 else []
    return Given(windows=windows, batch_size=loader.batch_size, notes=notes)
