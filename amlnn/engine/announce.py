"""What a training says before it begins."""

from rich.console import Console
from rich.table import Table

from amlnn.console import say
from amlnn.engine.run.resume import RunPlace
from amlnn.engine.task import Task
from amlnn.records import RunRecord

__all__ = ['announce']


def announce(task: Task, record: RunRecord, weights: str | None, place: RunPlace, path,
             console: Console) -> None:
    """Say what will be trained, and what of it is frozen."""
    for note in task.plan.notes:
        say(console, note, 'note')
    for note in path.notes if path else ():
        say(console, note)
    if weights:
        say(console, weights)
    table = Table('stage', 'frozen', 'trainable', 'total', box=None, pad_edge=False)
    for column in table.columns[2:]:
        column.justify = 'right'
    for stage in record.stages:
        table.add_row(stage.name, 'frozen' if stage.frozen else '',
                      f'{stage.trainable_parameters:,}', f'{stage.total_parameters:,}')
    table.add_row('all', '', f'{record.trainable_parameters:,}', f'{record.total_parameters:,}')
    console.print(table)
    say(console, f'{record.config_name}: {task.describe(record.samples)}, {record.device}, '
                 f'{record.precision}, seed {record.seed}')
    for warning in task.warnings():
        say(console, warning, 'warning')
    for fault in place.faults:
        say(console, fault, 'warning')
    if place.resumed:
        say(console, f'resumed after {place.progress}')
    say(console, f'run folder: {place.folder}')


