"""The whole examination of a folder: files, features, labels, shortcuts."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.doctor.features import CONFIG, compute_features
from amlnn.doctor.files import Files, look_at_files
from amlnn.doctor.findings import Finding, find_all
from amlnn.doctor.labels import LabelJudgement, judge_labels
from amlnn.doctor.shortcuts import Shortcut, find_shortcuts, image_facts

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ['CONFIG', 'Examination', 'examine']


@dataclass(frozen=True)
class Examination:
    """What was looked at, and what was found."""

    files: Files
    config: str
    judged: LabelJudgement
    shortcuts: list[Shortcut]
    findings: list[Finding]
    seconds: dict[str, float] = field(default_factory=dict)
    """By step: files, features, labels."""
    computed: int = 0
    """Images whose features were not in the cache."""
    notes: list[str] = field(default_factory=list)


def examine(root: Path, console: 'Console', config: Path | str = CONFIG,
            device: str = 'auto') -> Examination:
    """Look at files, labels and facts of a folder of class folders, or of a prepared data set.

    Args:
        root: The folder.
        console: Where progress is shown.
        config: Whose backbone looks at the images.
        device: 'auto', 'cpu' or 'cuda'.

    Raises:
        AmlnnError: the folder, the config or its features cannot be used.
    """
    began = time.perf_counter()
    files = look_at_files(root, console)
    looked = time.perf_counter()
    with _progress(console, len(files.images)) as on_batch:
        features = compute_features(files, config, device, on_batch)
    computed = time.perf_counter()
    judged = judge_labels(features.values, files.labels, len(files.classes),
                          [*files.copies, *files.near_copies])
    shortcuts = find_shortcuts(image_facts(files.images), files.labels, judged.group)
    findings = find_all(files, judged)
    done = time.perf_counter()
    return Examination(files, str(config), judged, shortcuts, findings,
                       {'files': looked - began, 'features': computed - looked,
                        'labels': done - computed}, features.computed, features.notes)


@contextmanager
def _progress(console: 'Console', total: int) -> Iterator[Callable[[int, int], None]]:
    """A progress bar of features, on a terminal."""
    from rich.progress import Progress
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task('features', total=total)
        yield lambda done, total: bar.update(task, completed=done, total=total)
