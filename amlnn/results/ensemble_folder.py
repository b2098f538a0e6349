"""A vote as a run folder of its own, which a report shows beside those of its members."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import amlnn
from amlnn.atomic import replacing, write_text
from amlnn.config.experiment import identity
from amlnn.config.resolved import config_hash, resolved_text
from amlnn.records import RunRecord, TestRecord, write_record
from amlnn.results.ballots import Member, ensemble_section, shown_path
from amlnn.results.ensembles import SEED, Outcome, Vote
from amlnn.results.measured import TOP1
from amlnn.results.store import StoredRun
from amlnn.run_folder import begin_run_folder, point_latest, utc_now

__all__ = ['Ensemble', 'EnsembleMember', 'read_ensemble', 'write_ensemble']


@dataclass(frozen=True)
class EnsembleMember:
    """A member, as the config of a vote names it."""

    title: str
    run: str
    """Its run folder."""
    weight: float
    """Of all members 1 in all; of a hard vote, which has none, equal ones."""


@dataclass(frozen=True)
class Ensemble:
    """What the config of a vote says."""

    voting: str
    judged_on: str
    fitted_on: str
    """The split that judges too: each part of it was judged by what was fitted on the others."""
    members: list[EnsembleMember]


def write_ensemble(outcome: Outcome, vote: Vote, parent: Path, command: Sequence[str]) -> Path:
    """Write the run folder of a vote, and return it.

    Args:
        outcome: Of `hold_votes`.
        vote: One of its votes.
        parent: The folder of such run folders.
        command: The command line.

    >>> from amlnn.results.ballots import read_members
    >>> from amlnn.results.ensembles import hold_votes
    >>> members, _ = read_members([tiny_run('one').folder, tiny_run('two').folder])
    >>> outcome = hold_votes(members, ['soft'])
    >>> folder = write_ensemble(outcome, outcome.votes[0], Path('work_dirs/ensemble'), [])
    >>> sorted(path.name for path in folder.iterdir())
    ['config.py', 'predictions_val.npz', 'run.json', 'test_val.json']
    """
    ballots = outcome.ballots
    config: dict[str, Any] = {'ensemble': {
        'voting': vote.voting, 'judged_on': ballots.split, 'fitted_on': outcome.fitted_on,
        'members': [{'title': member.title, 'run': shown_path(member.run.folder),
                     'weight': float(weight)}
                    for member, weight in zip(outcome.members, vote.weights, strict=True)]}}
    folder, lock = begin_run_folder(parent, config_hash(config))
    with lock:
        write_text(folder / 'config.py', resolved_text(config))
        with replacing(folder / f'predictions_{ballots.split}.npz') as temporary:
            np.savez_compressed(temporary, id=ballots.ids, label=ballots.labels, prob=vote.probs,
                                classes=np.array(ballots.classes))
        write_record(folder / f'test_{ballots.split}.json', _test_record(outcome, vote))
        # Last: a folder without it is one whose writer was killed.
        write_record(folder / 'run.json', _run_record(outcome, vote, config, folder, command))
    point_latest(folder)
    return folder


def read_ensemble(run: StoredRun) -> Ensemble | None:
    """What the config of a vote says; None for a run that is no vote, or says it in no such words.

    >>> read_ensemble(tiny_run()) is None
    True
    """
    section = ensemble_section(run)
    try:
        return None if section is None else Ensemble(**{
            **section, 'members': [EnsembleMember(**each) for each in section['members']]})
    except (KeyError, TypeError):
        return None


def _run_record(outcome: Outcome, vote: Vote, config: dict[str, Any], folder: Path,
                command: Sequence[str]) -> RunRecord:
    now, data = utc_now(), _data_hash(outcome.members)
    voting = [member.run.record for member, weight
              in zip(outcome.members, vote.weights, strict=True) if weight > 0]
    sizes = [record.total_parameters for record in voting if record.total_parameters is not None]
    return RunRecord(
        config_name=f'ensemble_{vote.voting}', config_path=shown_path(folder / 'config.py'),
        command=list(command), config_hash=config_hash(config), experiment=identity(config, data),
        started=now, finished=now, seed=SEED, status='done', data_root=_data_root(outcome),
        data_manifest_hash=data, classes=outcome.ballots.classes,
        samples={outcome.ballots.split: len(outcome.ballots.ids)}, versions=_versions(),
        # What predicting an image takes: every member that counts.
        total_parameters=sum(sizes) if len(sizes) == len(voting) else None, max_epochs=0)


def _test_record(outcome: Outcome, vote: Vote) -> TestRecord:
    split, scores = outcome.ballots.split, vote.scores
    metrics = {TOP1: scores.top1}
    if scores.top5 is not None:
        metrics['accuracy/top5'] = scores.top5
    return TestRecord(
        checkpoint=f'{vote.voting} vote of {len(outcome.members)}', checkpoint_epoch=None,
        split=split, samples=len(outcome.ballots.ids),  # type: ignore[arg-type]  # 'val' or 'test'
        loss=scores.log_loss, metrics=metrics, seconds=0.0, samples_per_second=0.0, device='cpu',
        precision='fp32', data_root=_data_root(outcome),
        data_manifest_hash=_data_hash(outcome.members), versions=_versions(), created=utc_now())


def _data_root(outcome: Outcome) -> str | None:
    """Where the images lie: of the first member that knows."""
    for member in outcome.members:
        test = member.run.tests.get(outcome.ballots.split)
        root = (test.data_root if test is not None else None) or member.run.record.data_root
        if root:
            return root
    return None


def _data_hash(members: Sequence[Member]) -> str | None:
    """That of all members; None where they differ."""
    hashes = {member.run.record.data_manifest_hash for member in members}
    return hashes.pop() if len(hashes) == 1 else None


def _versions() -> dict[str, str]:
    return {'amlnn': amlnn.__version__, 'python': platform.python_version(),
            'numpy': np.__version__}
