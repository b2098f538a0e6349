"""Cells of a text file without a value: where they are refused, and what may be to come.

T rows.
"""

import numpy as np

from amlnn.data.series.csv_panel import Members
from amlnn.data.series.csv_table import CSVTable
from amlnn.data.series.series import MASK_HINT
from amlnn.errors import DataError

__all__ = ['check_missing', 'check_missing_cells']


def check_missing(missing: str) -> None:
    """Refuse a value of `missing` that means nothing."""
    if missing not in ('error', 'mask'):
        raise DataError(f"missing={missing!r}", hint="missing is 'error' or 'mask'")


def check_missing_cells(table: CSVTable, members: Members | None,
                        numbers: dict[str, np.ndarray]) -> DataError | None:
    """Refuse missing cells; of the last rows alone, what is wrong unless they are to come.

    Args:
        table: The cells.
        members: Which row is of which series; None of one series.
        numbers: [T] float64 by column, NaN where missing.

    Raises:
        DataError: names the first cell, and counts them.
    """
    doubt = None
    ends = members.bounds[1:] if members else np.array([len(table.lines)])
    for name, values in numbers.items():
        rows = np.flatnonzero(np.isnan(values))
        if not len(rows):
            continue
        cells = table.column(name)
        more = f', the first of {len(rows)} cells' if len(rows) > 1 else ''
        hint = MASK_HINT
        last = _are_last(rows, ends)
        if len(rows) > 1 and last:
            cut = f', or rows=(0, {rows[0]})' if not members else ''
            hint = f'are these {len(rows)} rows still to come? take them out{cut}, or name ' \
                   f'what is known of them: known=[...] of the data set; else {hint}'
        error = DataError(f'{table.where(rows[0])}: column `{name}` is missing '
                          f'(`{cells[rows[0]]}`){more}', hint=hint)
        if not last:
            raise error
        doubt = doubt or error
    return doubt


def _are_last(rows: np.ndarray, ends: np.ndarray) -> bool:
    """Whether these rows are, in every series that has some, its last ones."""
    place = np.searchsorted(ends, rows, side='right')
    counts = np.bincount(place, minlength=len(ends))
    return bool((rows >= (ends - counts)[place]).all())
