"""Run folders of classifiers that are to vote, with predictions that a test chooses."""

from pathlib import Path

import numpy as np
from run_folders import FLOWERS, record, write_run


def probabilities_of(labels: np.ndarray, sure: float, seed: int, classes: int = 5) -> np.ndarray:
    """[N, K] float32 of a network that is as often right as `sure` lets it be."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(len(labels), classes))
    scores[np.arange(len(labels)), labels] += sure
    probs = np.exp(scores)
    return (probs / probs.sum(axis=1, keepdims=True)).astype(np.float32)


def labels_of(split: str, images: int = 150) -> np.ndarray:
    """The same at every call."""
    return np.random.default_rng(len(split)).integers(0, 5, images)


def store(folder: Path, split: str, probs: np.ndarray, labels: np.ndarray | None = None,
          **arrays: object) -> None:
    """Write predictions; `arrays` replace what is written by default."""
    labels = labels_of(split) if labels is None else labels
    default = {'id': np.array([f'{split}_set/{n}.jpg' for n in range(len(labels))]),
               'label': labels, 'prob': probs, 'classes': np.array(FLOWERS)}
    np.savez(folder / f'predictions_{split}.npz', **{**default, **arrays})


def write_member(root: Path, name: str, sure: float = 1.5, seed: int = 0,
                 splits: tuple[str, ...] = ('val', 'test'), **values: object) -> Path:
    """A finished run with predictions."""
    folder = write_run(root / 'work_dirs' / name / f'20250301-10000{seed}-aaaa',
                       record(name, seed=seed, **values), f'model = dict(type={name!r})\n')
    for split in splits:
        labels = labels_of(split)
        store(folder, split, probabilities_of(labels, sure, 10 * seed + len(split)), labels)
    return folder
