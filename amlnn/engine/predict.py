"""Predicts for inputs that need no data set: classes of images, or what follows a series."""

from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from amlnn.console import say
from amlnn.engine.evaluate import data_change, open_weights
from amlnn.engine.kinds import in_scope
from amlnn.engine.options import PredictOptions

__all__ = ['PredictOptions', 'predict']


def predict(options: PredictOptions, on_bad: Callable[[str, str], None]) -> Iterator[str]:
    """Lines of text, as soon as each is known.

    Args:
        options: What to predict, and with what.
        on_bad: Told the path and the reason of an input that cannot be read; the rest goes on.

    Raises:
        AmlnnError: nothing to predict, or config and checkpoint do not fit.
    """
    task, weights = open_weights(options)
    task.check_predict(options)
    console = Console(stderr=True)
    # No data set is needed; one that is there and changed may hold the inputs in another part.
    if not task.data_grow and task.data_root and Path(task.data_root).exists() \
            and (changed := data_change(task, weights, options)):
        say(console, f'the inputs may be {task.samples} that it was trained on: {changed}',
            'warning')
    with in_scope(task.plan.config):
        model = task.restore(weights, console)
        yield from task.predict(model, weights, options, on_bad)
