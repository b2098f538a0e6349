"""What a run has on its disk after an epoch: a checkpoint, and all that follows from it.

A checkpoint appears first, whole; manifest, best.pth, the predictions of the best epoch and
run.json follow from it. Killed in between, the next start derives them from the checkpoint again,
before anything is deleted. So a run that was killed anywhere goes on as if nothing had been.
"""

import os
from pathlib import Path

from amlnn.atomic import copy_whole, fsync_path, left_over
from amlnn.engine.run.checkpoint import CheckpointFolder, place_of, read_checkpoint
from amlnn.engine.run.recorder import Recorder
from amlnn.errors import CheckpointError
from amlnn.sealed import file_sha256

__all__ = ['Publisher']


class Publisher:
    """Keeps the files of one run in step with its newest checkpoint.

    Args:
        folder: The run folder.

    Attributes:
        checkpoints: Its checkpoints.
        predictions: SHA-256 of the predictions of the best epoch; None where they are not written.
        predictions_due: Those on the disk are not the best epoch's, which has to be asked again.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.checkpoints = CheckpointFolder(folder / 'checkpoints')
        self.predictions: str | None = None
        self.predictions_due = False

    def publish(self, runner, improved: bool) -> None:
        """Write the checkpoint of an epoch, and what follows from it."""
        runner.recorder.keep_scalars()
        predictions = self._predictions_of(runner.epoch)
        if improved:
            runner.keep_predictions(predictions)
            self.predictions = file_sha256(predictions) if predictions.is_file() else None
            self.predictions_due = False
        try:
            path = self.checkpoints.write(runner.make_checkpoint())
        except BaseException:
            predictions.unlink(missing_ok=True)
            raise
        if improved:
            copy_whole(path, self.best)
            self._place_predictions(predictions)
        self.checkpoints.tidy()

    @property
    def best(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / 'best.pth'

    def settle(self, recorder: Recorder, checkpoint: dict | None, keeps_best: bool) -> list[str]:
        """Bring everything in step with the checkpoint that is gone on with.

        Args:
            recorder: Gone back to the checkpoint.
            checkpoint: None where the run begins again.
            keeps_best: Whether the run keeps its best weights.

        Returns:
            What was lost, in words.
        """
        for folder in (self.folder, self.checkpoints.folder):
            for path in left_over(folder):
                path.unlink(missing_ok=True)
        self._forget_unusable(checkpoint)
        notes = self._settle_best(recorder) if keeps_best else []
        known = (checkpoint or {}).get('predictions', '')
        self._settle_predictions(recorder.record.best_epoch, None if notes else known)
        if checkpoint is not None:
            self.checkpoints.tidy()
        return notes

    def _forget_unusable(self, checkpoint: dict | None) -> None:
        """Delete checkpoints that are damaged, and those of what is about to be done again."""
        done = (checkpoint['meta']['epoch'], 'part' in checkpoint) if checkpoint else (0, False)
        for path in self.checkpoints.files():
            if place_of(path) > done or _epoch_of(path) is None:
                path.unlink()

    def _settle_best(self, recorder: Recorder) -> list[str]:
        notes = []
        while (epoch := recorder.record.best_epoch) is not None:
            source = next((path for path in (self.best, self.checkpoints.path(epoch))
                           if _is_of(path, epoch)), None)
            if source is not None:
                if source != self.best:
                    copy_whole(source, self.best)
                return notes
            recorder.forget_best(epoch)
            notes.append(f'the weights of epoch {epoch}, the best so far, are damaged or gone: '
                         'best.pth will be that of another epoch')
        self.best.unlink(missing_ok=True)
        return notes

    def _settle_predictions(self, best: int | None, known: str | None) -> None:
        """See that predictions_val.npz is the best epoch's.

        Args:
            best: The best epoch.
            known: SHA-256 of its predictions; None where they were never written, '' where an older
                amlnn did not say.
        """
        self.predictions = known or None
        pending = list(self.checkpoints.folder.glob('val_*.npz'))
        if best is not None and known != '':
            path = self._predictions_of(best)
            if known and path in pending and file_sha256(path) == known:
                self._place_predictions(path)
            placed = self.folder / 'predictions_val.npz'
            self.predictions_due = not known or not placed.is_file() \
                or file_sha256(placed) != known
        for path in pending:
            path.unlink(missing_ok=True)

    def _predictions_of(self, epoch: int) -> Path:
        """Where the predictions of an epoch wait for its checkpoint."""
        return self.checkpoints.folder / f'val_{epoch:04d}.npz'

    def _place_predictions(self, path: Path) -> None:
        if path.is_file():
            os.replace(path, self.folder / 'predictions_val.npz')
            fsync_path(self.folder)


def _is_of(path: Path, epoch: int) -> bool:
    """Whether a file is the whole checkpoint of an epoch."""
    return path.is_file() and _epoch_of(path) == (epoch, False)


def _epoch_of(path: Path) -> tuple[int, bool] | None:
    """How many epochs a checkpoint has behind it, and whether in the middle of one more.

    None for one that cannot be read.
    """
    try:
        checkpoint = read_checkpoint(path)
        return int(checkpoint['meta']['epoch']), 'part' in checkpoint
    except (CheckpointError, KeyError, TypeError, ValueError):
        return None
