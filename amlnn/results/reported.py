"""Figures that somebody else reported for a configuration, in `reported.json` beside its config."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amlnn.config.files import own_folder, resolve
from amlnn.errors import DataError
from amlnn.foreign_texts import parse_json
from amlnn.records import RunRecord

__all__ = ['Reported', 'find_reported', 'read_reported']


@dataclass(frozen=True)
class Reported:
    """One reported figure: in the metric's own unit, percent for accuracies."""

    metric: str
    value: float
    source: str
    seconds: float | None = None
    """What the training is said to have taken."""


def find_reported(record: RunRecord) -> Reported | None:
    """Look for the run's config in `reported.json` beside the config and above it, up to `configs`.

    The file is an object: {config name: {"metric": str, "value": number, "source": str}}, each
    perhaps with "seconds". A study names variants of a config there too, by names of its own.

    Raises:
        DataError: such a file is not of this form.

    >>> path = write('configs/reported.json', '''
    ...     {"tiny": {"metric": "accuracy/top1", "value": 95.5, "source": "a report"}}''')
    >>> find_reported(tiny_run('tiny').record)
    Reported(metric='accuracy/top1', value=95.5, source='a report', seconds=None)
    """
    candidates = [resolve(record.config_path)]
    own = own_folder()
    if own is not None:  # a run of the project's folder, looked at from elsewhere
        candidates.append(own.parent / record.config_path)
    for path in filter(None, candidates):
        for folder in path.parents:
            file = folder / 'reported.json'
            if file.is_file():
                entry = _read(file).get(record.config_name)
                if entry is not None:
                    return _construct(entry, file, record.config_name)
            # Nothing above the configs is the project's: outside them only the same folder counts.
            if folder.name == 'configs' or 'configs' not in path.parent.parts:
                break
    return None


def read_reported(file: Path) -> dict[str, Reported]:
    """Every entry of a `reported.json` by its name.

    Raises:
        DataError: the file is not of that form.

    >>> path = write('configs/reported.json', '''
    ...     {"tiny": {"metric": "accuracy/top1", "value": 95.5, "source": "a report"}}''')
    >>> {name: entry.value for name, entry in read_reported(path).items()}
    {'tiny': 95.5}
    """
    return {name: _construct(entry, file, name) for name, entry in _read(file).items()}


def _read(file: Path) -> dict[str, Any]:
    try:
        values = parse_json(file.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise DataError(f'`{file}` cannot be read: {error}',
                        hint='it is a JSON object by config name') from None
    if not isinstance(values, dict):
        raise DataError(f'`{file}` is no JSON object', hint='it is a JSON object by config name')
    return values


def _construct(entry: Any, file: Path, name: str) -> Reported:
    try:
        seconds = entry.get('seconds')
        return Reported(str(entry['metric']), float(entry['value']), str(entry.get('source', '')),
                        None if seconds is None else float(seconds))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f'`{file}`, entry `{name}` is not complete: {error!r}',
                        hint='{"metric": "accuracy/top1", "value": 95.95, "source": "..."}'
                        ) from None
