"""Whether a file goes on in the steps that a checkpoint was trained on."""

from dataclasses import replace

import numpy as np

from amlnn.data.series.csv_columns import AUTO
from amlnn.data.series.gaps import is_regular, lay_on_grid
from amlnn.data.series.series import Series
from amlnn.data.series.time_grid import TimeGrid, infer_grid
from amlnn.errors import CheckpointError, DataError

__all__ = ['check_step', 'lay_on_trained_grid', 'trained_columns', 'trained_grid']


def check_step(info: dict, trained: dict, checkpoint: object) -> None:
    """Refuse windows whose rows are further apart, or closer, than in training.

    Args:
        info: Metainfo of the windows.
        trained: That of a checkpoint; older ones say their `step_seconds` alone.
        checkpoint: Its path, for messages.

    Raises:
        CheckpointError: names both steps.
    """
    if not info.get('step') or _suits(TimeGrid.parse(info['step']), info['step_seconds'], trained):
        return
    _refuse('the data', info['step'], trained, checkpoint)


def lay_on_trained_grid(series: Series, trained: dict, checkpoint: object,
                        gaps: str = 'error', grid: TimeGrid | None = None) -> Series:
    """The rows of a file on the time grid that a model was trained on.

    Rows that are missing before the last look-back are of no account, and inserted.

    Args:
        series: The file's rows as they are.
        trained: Metainfo of the checkpoint.
        checkpoint: Its path, for messages.
        gaps: 'error', or 'mask' to insert missing rows in the last look-back too.
        grid: The file's, where the source says it; None to infer it.

    Raises:
        CheckpointError: the file has another step.
        DataError: rows are missing where the model looks back, or lie beside the grid.
    """
    if series.times is None or len(series.times) < 2:
        return series
    return _lay_panel(series, trained, checkpoint, gaps, grid) if series.ids \
        else _lay(series, trained, checkpoint, gaps, grid)


def _lay_panel(series: Series, trained: dict, checkpoint: object, gaps: str,
               grid: TimeGrid | None) -> Series:
    step = grid or trained_grid(trained)
    irregular = set(np.flatnonzero(~is_regular(series, step)).tolist()) if step \
        else range(len(series.ids))
    laid = []
    for place, name in enumerate(series.ids):
        member = series.member(place)
        if place in irregular:
            try:
                member = _lay(member, trained, checkpoint, gaps, grid)
            except (DataError, CheckpointError) as error:
                raise type(error)(f'series `{name}`: {error.message}', hint=error.hint) from None
        laid.append(member)
    return replace(series.joined(laid) if irregular else series, grid=step)


def _lay(series: Series, trained: dict, checkpoint: object, gaps: str,
         grid: TimeGrid | None) -> Series:
    if len(series.times) < 2:
        return series
    own = grid or infer_grid(series.times, series.clock)
    if not grid and _lies_in(trained_grid(trained), own, series):
        own = grid = trained_grid(trained)
    if not _suits(own, series.step_seconds, trained):
        # A few rows may lie on two grids: Monday to Friday, they could be of every day.
        step = trained.get('step') and TimeGrid.parse(trained['step'])
        positions = step and step.positions(series.times, series.clock)
        if step is None or grid or (np.diff(positions) != 1).any() or (positions < 0).any():
            _refuse(f'`{series.path}`', own.name, trained, checkpoint)
        return replace(series, grid=step)
    whole = lay_on_grid(series, 'mask', grid)
    last = slice(-trained['look_back'], None)
    if gaps == 'error' and whole.lines is not None and not whole.lines[last].all():
        inserted = np.flatnonzero(whole.lines[last] == 0)
        row = len(whole.values) - min(trained['look_back'], len(whole.values)) + int(inserted[0])
        several = f'{len(inserted):,} rows of {own.name} are' if len(inserted) > 1 \
            else f'a row of {own.name} is'
        raise DataError(
            f'`{series.path}`: {several} missing in the last {trained["look_back"]:,}, the first '
            f'at `{whole.shown(row)}`', hint='fill them in; a model that was trained with '
            "gaps='mask' of the source forecasts without them")
    return whole


def _lies_in(step: TimeGrid | None, own: TimeGrid, series: Series) -> bool:
    """Whether a file whose rows leave out other hours of the day lies on the trained grid too."""
    if step is None or not step.only_hours_differ(own) or step.same_step(own):
        return False
    positions = step.positions(series.times, series.clock)
    return bool((positions >= 0).all() and (np.diff(positions) > 0).all())


def trained_grid(trained: dict) -> TimeGrid | None:
    """The time grid of a checkpoint's metainfo, None where it knows none."""
    if trained.get('step'):
        return TimeGrid.parse(trained['step'])
    seconds = trained.get('step_seconds')
    return TimeGrid.parse(f'{round(seconds)} seconds') if seconds else None


def _suits(grid: TimeGrid, step_seconds: float, trained: dict) -> bool:
    if trained.get('step'):
        return grid.same_step(trained_grid(trained))
    was = trained.get('step_seconds')
    # Months, and days where clocks change, differ by a few per cent.
    return not was or abs(step_seconds - was) <= (0.1 * was if was >= 86400 else 0)


def _refuse(what: str, step: str, trained: dict, checkpoint: object) -> None:
    was = trained_grid(trained).name
    raise CheckpointError(f'`{checkpoint}` was trained on rows of {was}, and {what} has rows of '
                          f'{step}', hint=f'bring the data to {was} first, or train on such data')


def trained_columns(source: dict, info: dict) -> dict:
    """What need not be found out again: a file of few series, or of few rows, may not show it.

    Args:
        source: Of a config.
        info: Metainfo of a checkpoint.

    Returns:
        What the source has in the place of its own.
    """
    if source.get('id_column') != AUTO or not info.get('id_columns'):
        return {}
    known = info.get('known') or {}
    found = dict(id_column=info['id_columns'], static=list(known.get('static') or ()))
    if not source.get('columns'):
        found['columns'] = [*info['columns'], *info['extra_columns'], *known.get('columns', ())]
    return found
