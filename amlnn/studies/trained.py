"""Which runs of a training there are already."""

from collections.abc import Iterator
from pathlib import Path

from amlnn.engine.run.folder import run_folders
from amlnn.engine.train import TrainOptions, planned_identity
from amlnn.errors import DataError
from amlnn.records import RunRecord, read_run
from amlnn.results.grouping import identity_of
from amlnn.results.store import StoredRun

__all__ = ['runs_of']


def runs_of(options: TrainOptions, folder: Path) -> Iterator[tuple[Path, RunRecord]]:
    """The runs of the same experiment and seed, the one that was begun last first.

    Args:
        options: What would be trained.
        folder: Holds the run folders.

    Raises:
        AmlnnError: the config is wrong, or the data cannot be read.
    """
    folders = run_folders(folder) if folder.is_dir() else []
    if not folders:
        return
    wanted = planned_identity(options)
    seed = options.loaded().seed if options.seed is None else options.seed
    for path in folders:
        try:
            record = read_run(path)
        except (DataError, TypeError, AttributeError, ValueError):
            continue  # damaged: neither done nor to be gone on with
        if record.seed == seed and identity_of(StoredRun(path, record)) == wanted:
            yield path, record

