"""Checkpoints: whole files that hold tensors and plain values only.

A checkpoint holds `meta` (epoch, iteration, classes under `dataset_meta` where MMPretrain looks for
them, config, seed, versions), `state_dict`, and for resuming `optimizer`, `param_schedulers`,
`hooks` (early stopping's patience, ...) and `record` (the epochs so far). One of a part of an epoch
holds under `part` what the rest of it needs. PyTorch's safe loader reads it: no code runs. The file
carries a digest of itself (`amlnn.sealed`), and whoever reads one asks for it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from amlnn.atomic import replacing, write_json
from amlnn.checkpoint_facts import meta_fault
from amlnn.engine.run.full_disk import Watched
from amlnn.errors import CheckpointError, DataError
from amlnn.file_kinds import check_checkpoint_kind
from amlnn.foreign_texts import parse_json
from amlnn.records import epoch_of, misfit, present_names
from amlnn.sealed import damage, file_sha256, seal

__all__ = ['CheckpointFolder', 'Found', 'load_weights', 'place_of', 'progress_of',
           'read_checkpoint']

_NAME = re.compile(r'epoch_(\d{4,})(\.part)?\.pth')


@dataclass
class _Kept:
    """What a checkpoint keeps of the record; see `Recorder.state`."""

    epochs: list[dict[str, Any]]
    total_seconds: float
    total_samples: int
    stopped_early: bool
    lost_epochs: list[int]
    scalars: dict[str, Any] | None


@dataclass
class Found:
    """The newest checkpoint of a run that is whole."""

    path: Path
    checkpoint: dict


class CheckpointFolder:
    """`checkpoints/` of a run: the newest files and their manifest.

    `epoch_NNNN.pth` is written at the end of an epoch, `epoch_NNNN.part.pth` within it. The files
    are what counts; the manifest is a list of them for others.

    Args:
        folder: The folder.
        keep: How many of the newest to keep.

    Attributes:
        saved: What was written last through this object: epochs, and batches of the next.
    """

    def __init__(self, folder: Path, keep: int = 2):
        self.folder = folder
        self.keep = keep
        self.saved: tuple[int, int] | None = None
        self._written: dict[str, dict] = {}

    def entries(self) -> list[dict]:
        """The manifest: file, sha256, bytes, epoch, iteration, oldest first; [] if it is none."""
        try:
            read = parse_json((self.folder / 'manifest.json').read_text(encoding='utf-8'))
            entries = [{'file': str(entry['file']), 'sha256': str(entry['sha256']),
                        'bytes': int(entry['bytes']), 'epoch': int(entry['epoch']),
                        'iteration': int(entry['iteration'])} for entry in read]
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return []
        return entries

    def files(self) -> list[Path]:
        """The checkpoints that are there, oldest first."""
        return sorted(path for path in self.folder.glob('epoch_*.pth')
                      if _NAME.fullmatch(path.name))

    def path(self, epoch: int, part: bool = False) -> Path:
        """Where the checkpoint of an epoch, counted from 1, or of a part of it is."""
        return self.folder / f'epoch_{epoch:04d}{".part" * part}.pth'

    def write(self, checkpoint: dict) -> Path:
        """Write a checkpoint, whole or not at all, with its digest; nothing else changes.

        Raises:
            OSError: the disk does not take it.
        """
        part = 'part' in checkpoint
        path = self.path(checkpoint['meta']['epoch'] + part, part)
        with replacing(path) as temporary:
            with open(temporary, 'wb') as file, Watched(file) as watched:
                torch.save(checkpoint, watched)
            digest, size = seal(temporary).file, temporary.stat().st_size
        self._written[path.name] = {
            'file': path.name, 'sha256': digest, 'bytes': size,
            'epoch': checkpoint['meta']['epoch'], 'iteration': checkpoint['meta']['iter']}
        self.saved = progress_of(checkpoint)
        return path

    def tidy(self) -> None:
        """List the newest files in the manifest, and delete the others.

        Of one that is not listed yet, the file itself says what it is.
        """
        known = {entry['file']: entry for entry in self.entries()} | self._written
        files = self.files()
        whole = [path for path in files if not place_of(path)[1]][-self.keep:]
        kept = sorted({*whole, *files[-1:]})
        listed = [self._entry(path, known.get(path.name)) for path in kept]
        if listed != self.entries():
            write_json(self.folder / 'manifest.json', listed)
        for path in files:
            if path not in kept:
                path.unlink()

    def _entry(self, path: Path, known: dict | None) -> dict:
        size = path.stat().st_size
        if known and known['bytes'] == size:
            return known
        digest, meta = file_sha256(path), read_checkpoint(path)['meta']
        return {'file': path.name, 'sha256': digest, 'bytes': size, 'epoch': meta['epoch'],
                'iteration': meta['iter']}

    def newest_whole(self) -> Path | None:
        """The newest checkpoint whose bytes are those that were written."""
        found = self.find([])
        return found.path if found else None

    def find(self, faults: list[str]) -> Found | None:
        """The newest checkpoint that can be gone on with, best.pth beside the folder included.

        Args:
            faults: Gets what is wrong with newer ones, in words.
        """
        known = {entry['file']: entry for entry in self.entries()}
        for path in [*reversed(self.files()), self.folder.parent / 'best.pth']:
            if not path.is_file():
                continue
            try:
                checkpoint = read_checkpoint(path)
                _check_resumable(path, checkpoint, known.get(path.name))
            except CheckpointError as error:
                faults.append(error.message)
            else:
                return Found(path, checkpoint)
        return None


def place_of(path: Path) -> tuple[int, bool]:
    """How many epochs a checkpoint has behind it by its name, and whether a part of one more.

    >>> place_of(Path('epoch_0003.pth')), place_of(Path('epoch_0003.part.pth'))
    ((3, False), (2, True))
    """
    found = _NAME.fullmatch(path.name)
    if found is None:
        raise ValueError(f'`{path}` is not named like a checkpoint of a run')
    part = found[2] is not None
    return int(found[1]) - part, part


def progress_of(checkpoint: Mapping) -> tuple[int, int]:
    """Epochs that a checkpoint has behind it, and batches of the next."""
    return checkpoint['meta']['epoch'], checkpoint.get('part', {}).get('batches', 0)


def _check_resumable(path: Path, checkpoint: dict, entry: dict | None) -> None:
    """Refuse what is whole and still no state of a run.

    Raises:
        CheckpointError: it is not one.
    """
    meta, record = checkpoint.get('meta'), checkpoint.get('record')
    if not isinstance(meta, dict) or not isinstance(meta.get('epoch'), int) \
            or not isinstance(meta.get('iter'), int) or not isinstance(record, dict):
        raise CheckpointError(f'`{path}` is no checkpoint of a run that can be gone on with',
                              hint='')
    try:
        wrong = misfit(_Kept, present_names(record)) or '; '.join(
            f'`{name}` is not there' for name in ('epochs', 'total_seconds', 'total_samples')
            if name not in present_names(record))
        if not wrong:
            for epoch in record['epochs']:
                epoch_of(epoch, path)
    except DataError as error:
        wrong = error.message
    if wrong:
        raise CheckpointError(f'`{path}` cannot be gone on with, its record is damaged: {wrong}',
                              hint='')
    if entry and entry['bytes'] != path.stat().st_size:
        raise CheckpointError(f'`{path}` has {path.stat().st_size} bytes, the manifest says '
                              f'{entry["bytes"]}', hint='')


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
    _check_whole(path)
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
    if fault := meta_fault(content):
        raise CheckpointError(f'`{path}` is no checkpoint of a training: {fault}',
                              hint='give one that tools/train.py wrote')
    return dict(content)


def _check_whole(path: Path) -> None:
    """Refuse a file whose bytes are not those that were written.

    Raises:
        CheckpointError: they are not, or it cannot be read.
    """
    try:
        wrong = damage(path)
    except OSError as error:
        wrong = str(error)
    if wrong:
        raise CheckpointError(f'`{path}` is damaged: {wrong}', hint=_instead(path))


def load_weights(model: nn.Module, checkpoint: Mapping, path: Path) -> None:
    """Load a checkpoint's weights; every name and shape must agree.

    Raises:
        CheckpointError: they do not; names the first that differs.
    """
    state = {name.removeprefix('module.') if isinstance(name, str) else name: value
             for name, value in checkpoint['state_dict'].items()}
    for name, value in state.items():
        if not isinstance(name, str) or not _can_be_weights(value):
            raise CheckpointError(f'`{path}` holds no weights: `{str(name)[:80]}` is '
                                  f'{_in_words(value)}', hint='expected dense tensors by name')
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


def _can_be_weights(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.layout is torch.strided \
        and not value.is_complex() and not value.is_quantized


def _in_words(value: object) -> str:
    return f'a {value.dtype} tensor of layout {value.layout}'.replace('torch.', '') \
        if isinstance(value, torch.Tensor) else f'a {type(value).__name__}'


def _instead(path: Path) -> str:
    """What to do without a checkpoint that is damaged."""
    folder = path.absolute().parent
    run = folder.parent if folder.name == 'checkpoints' else folder
    others = [other for other in (*reversed(CheckpointFolder(run / 'checkpoints').files()),
                                  run / 'best.pth')
              if other.is_file() and other != path.absolute() and not damage(other)]
    if others:
        return f'`{others[0]}` of the same run is whole'
    return 'copy the file again from where it is whole, or train again'


def _nearest(path: Path) -> str:
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    names = sorted(str(found) for found in folder.glob('**/best.pth'))[-1:] \
        if folder not in (Path(), Path('/')) else []
    return f'did you mean {names[0]}?' if names else 'work_dirs/<config name>/latest/best.pth'
