"""Checkpoints: whole files that hold tensors and plain values only.

A checkpoint holds `meta` (epoch, iteration, classes under `dataset_meta` where MMPretrain looks for
them, config, seed, versions), `state_dict`, and for resuming `optimizer`, `param_schedulers`,
`hooks` (early stopping's patience, ...) and `record` (the epochs so far). PyTorch's safe loader
reads it: no code runs.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from amlnn.atomic import replacing, write_json
from amlnn.errors import CheckpointError
from amlnn.file_kinds import check_checkpoint_kind

__all__ = ['CheckpointFolder', 'file_sha256', 'load_weights', 'read_checkpoint']


class CheckpointFolder:
    """`checkpoints/` of a run: the newest files and their manifest.

    Args:
        folder: The folder.
        keep: How many of the newest to keep.
    """

    def __init__(self, folder: Path, keep: int = 2):
        self.folder = folder
        self.keep = keep

    def entries(self) -> list[dict]:
        """The manifest: file, sha256, bytes, epoch, iteration, oldest first."""
        try:
            return json.loads((self.folder / 'manifest.json').read_text(encoding='utf-8'))
        except (OSError, json.JSONDecodeError):
            return []

    def write(self, checkpoint: dict, epoch: int, iteration: int) -> Path:
        """Write `epoch_NNNN.pth`, then forget the oldest. A file is never rewritten."""
        path = self.folder / f'epoch_{epoch:04d}.pth'
        entries = [entry for entry in self.entries() if entry['epoch'] < epoch]
        with replacing(path) as temporary:
            torch.save(checkpoint, temporary)
            digest, size = file_sha256(temporary), temporary.stat().st_size
        entries.append({'file': path.name, 'sha256': digest, 'bytes': size, 'epoch': epoch,
                        'iteration': iteration})
        kept = entries[-self.keep:]
        write_json(self.folder / 'manifest.json', kept)
        names = {entry['file'] for entry in kept}
        for old in self.folder.glob('epoch_*.pth'):
            if old.name not in names:
                old.unlink()
        return path

    def newest_whole(self) -> Path | None:
        """The newest checkpoint whose bytes are those that were written."""
        for entry in reversed(self.entries()):
            path = self.folder / entry['file']
            if path.is_file() and file_sha256(path) == entry['sha256']:
                return path
        return None


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def read_checkpoint(path: Path, trust: bool = False) -> dict:
    """Read a checkpoint onto the CPU.

    Args:
        path: A file of this project, of MMEngine, or a bare state dict.
        trust: Let the file run code, as MMEngine's own checkpoints need.

    Raises:
        CheckpointError: no such file, damaged, or it needs `trust`.
    """
    if not path.is_file():
        raise CheckpointError(f'no checkpoint at `{path}`', hint=_nearest(path))
    check_checkpoint_kind(path)
    try:
        content = torch.load(path, map_location='cpu', weights_only=not trust)
    except Exception as error:
        reason = ' '.join(str(error).split())
        if not trust and ('weights_only' in reason or 'Unsupported' in reason):
            raise CheckpointError(
                f'`{path}` holds Python objects beside tensors; loading it can run code',
                hint='add --trust-checkpoint if you know where the file comes from') from None
        raise CheckpointError(f'`{path}` cannot be read: {reason[:150]}',
                              hint='the file is damaged, or is no PyTorch checkpoint') from None
    if isinstance(content, Mapping) and 'state_dict' not in content:
        content = {'state_dict': content, 'meta': {}}
    if not isinstance(content, Mapping) or not isinstance(content['state_dict'], Mapping):
        raise CheckpointError(f'`{path}` holds no weights', hint='expected a `state_dict`')
    return dict(content)


def load_weights(model: nn.Module, checkpoint: Mapping, path: Path) -> None:
    """Load a checkpoint's weights; every name and shape must agree.

    Raises:
        CheckpointError: they do not; names the first that differs.
    """
    state = {name.removeprefix('module.'): value
             for name, value in checkpoint['state_dict'].items()}
    target = model.state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    different = [name for name in target if name in shapes and shapes[name] != target[name].shape]
    missing = [name for name in target if name not in shapes]
    surplus = [name for name in shapes if name not in target]
    if different or missing or surplus:
        if different:
            name = different[0]
            first = f'`{name}` is {shapes[name]} there, {tuple(target[name].shape)} in the config'
        else:
            first = f'`{missing[0]}` is not in it' if missing else f'`{surplus[0]}` is only in it'
        count = len(different) + len(missing) + len(surplus)
        raise CheckpointError(f'`{path}` is of another model: {count} tensors differ; {first}',
                              hint='give the config that the checkpoint was trained with; it is '
                              'config.py in the run folder')
    model.load_state_dict(state)


def _nearest(path: Path) -> str:
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    names = sorted(str(found) for found in folder.glob('**/best.pth'))[-1:] \
        if folder not in (Path(), Path('/')) else []
    return f'did you mean {names[0]}?' if names else 'work_dirs/<config name>/latest/best.pth'
