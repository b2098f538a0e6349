"""Which column of a text file holds the times, where nobody says it."""

import itertools
from pathlib import Path

from amlnn.data.series.csv_dialect import conclude_delimiter, encodings_of, open_rows
from amlnn.data.series.csv_table import absent_file
from amlnn.data.series.number_cells import looks_like_number
from amlnn.data.series.time_cells import looks_like_time

__all__ = ['AUTO', 'conclude_date_column']

AUTO = 'auto'
"""In the place of a column's name: it is found out."""
_SAMPLE = 500  # rows


def conclude_date_column(path: Path, encoding: str | None, delimiter: str | None,
                         skip_lines: int = 0) -> str | None:
    """The column of times: of several, the one that tells most rows apart, the first of equals.

    Args:
        path: The file.
        encoding: What is known of it; None to find it out.
        delimiter: Likewise.
        skip_lines: Lines above that of the names.

    Returns:
        None where no column holds times.

    Raises:
        DataError: there is no such file.
    """
    try:
        for known in encodings_of(path, encoding):
            try:
                used = delimiter or conclude_delimiter(path, known, skip_lines)
                rows = [row for row, _ in itertools.islice(
                    open_rows(path, known, used, skip_lines), _SAMPLE + 1)]
                break
            except UnicodeError:
                continue
        else:
            return None
    except FileNotFoundError:
        raise absent_file(path) from None
    except Exception:  # whatever is wrong is said by who reads it all
        return None
    if len(rows) < 2:
        return None
    found = {}
    for place, name in enumerate(rows[0]):
        cells = [row[place] for row in rows[1:] if len(row) > place and row[place].strip()]
        if cells and all(_is_time(cell, name) for cell in cells):
            found[name.strip()] = len(set(cells))
    return max(found, key=found.get) if found else None


def _is_time(cell: str, name: str) -> bool:
    """A time that is no number; of numbers, a year, where the column says that it is one."""
    if looks_like_number(cell):
        text = cell.strip()
        said = any(word in name.lower() for word in ('year', 'date', 'time', 'jahr'))
        return said and text.isdecimal() and len(text) in (4, 8, 10, 13)
    return looks_like_time(cell)
