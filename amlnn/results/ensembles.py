"""Votes of trained classifiers: fitted on one part of the images, judged on another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from amlnn.errors import DataError
from amlnn.formulas.accuracies import topk_accuracies
from amlnn.formulas.agreement import all_wrong, both_wrong, error_correlation
from amlnn.formulas.folds import stratified_folds
from amlnn.formulas.log_loss import log_loss
from amlnn.formulas.proportions import paired_bootstrap
from amlnn.formulas.votes import fitted_weights, greedy_counts, hard_vote, soft_vote
from amlnn.results.ballots import Ballots, Member, command_for, read_ballots, same_images

__all__ = ['SEED', 'VOTINGS', 'Gain', 'Outcome', 'Scores', 'Vote', 'Voting', 'hold_votes']

# M members, N images, K classes

Voting = Literal['soft', 'hard', 'weighted', 'greedy']
VOTINGS: tuple[Voting, ...] = get_args(Voting)
SEED = 0
"""Of the folds and of the bootstrap: the same runs give the same table."""
_FOLDS = 5
_OTHER = {'test': 'val', 'val': 'test'}
_TOP5_ABOVE = 5  # with five classes, everything is among the five most probable


@dataclass(frozen=True)
class Scores:
    """How good probabilities are: accuracies in percent, log loss in nats."""

    top1: float
    top5: float | None
    """None where there are no more than five classes."""
    log_loss: float | None
    """None for a hard vote, which gives no probabilities."""


@dataclass(frozen=True)
class Gain:
    """Top-1 accuracy of a vote less that of the best member, in points, with 95 % limits."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Vote:
    """One way to vote, and what it reached."""

    voting: Voting
    weights: np.ndarray
    """[M] float64, their sum is 1: fitted on the whole of what they are fitted on."""
    counts: np.ndarray | None
    """[M] int: of a greedy selection, how often each member is in it."""
    probs: np.ndarray
    """[N, K] float32, as they were judged."""
    scores: Scores
    gain: Gain


@dataclass(frozen=True)
class Outcome:
    """Members and votes on the same images."""

    members: list[Member]
    ballots: Ballots
    fitted_on: str
    """'val', or the split of the ballots itself where each fold was judged by what the others
    chose."""
    member_scores: list[Scores]
    chosen_by: list[float] | None
    """Each member's top-1 accuracy on `fitted_on`, in percent; None where that was judged."""
    best: int
    """The member that is best on `fitted_on`."""
    votes: list[Vote]
    both_wrong: np.ndarray
    """[M, M] share of the images."""
    error_correlation: np.ndarray
    """[M, M]."""
    all_wrong: int
    """Images on which every member errs."""
    notes: list[str] = field(default_factory=list)
    """What a reader must know to trust the table, one sentence each."""

    @property
    def crossed(self) -> bool:
        """Whether the split that judges is the one that chooses too, fold by fold."""
        return self.fitted_on == self.ballots.split


def hold_votes(members: Sequence[Member], votings: Sequence[Voting] = VOTINGS,
               split: str | None = None, notes: Sequence[str] = ()) -> Outcome:
    """Let members vote.

    Validation chooses weights, selection and the best member, and another split judges. Where there
    is no other, each fifth of the images is judged by what the other four chose.

    Args:
        members: Two at least.
        votings: Which ways.
        split: That judges; by default 'test' if every member has predictions of it, else 'val'.
        notes: To begin those of the outcome with.

    Raises:
        DataError: predictions are missing or damaged, or images, labels or classes differ.

    >>> from amlnn.results.ballots import read_members
    >>> members, _ = read_members([tiny_run('one').folder, tiny_run('two').folder])
    >>> outcome = hold_votes(members, ['soft'])
    >>> outcome.votes[0].scores.top1, outcome.votes[0].gain.value, outcome.all_wrong
    (75.0, 0.0, 1)
    """
    said = list(notes)
    split = split or _common_split(members, said)
    ballots = read_ballots(members, split)
    chooser = _chooser(members, ballots, said)
    parts = [_Part(chooser, ballots, slice(None))] if chooser else _folds(ballots, said)
    fitting = chooser or ballots
    picks = [_best(part.seen) for part in parts]
    rival = _joined(parts, [part.judged.probs[pick]
                            for part, pick in zip(parts, picks, strict=True)])
    votes = [_vote(voting, fitting, parts, ballots, _right(rival, ballots)) for voting in votings]
    correct = ballots.correct
    return Outcome(
        list(members), ballots, fitting.split, [_scores(probs, ballots) for probs in ballots.probs],
        [100 * float(each) for each in chooser.correct.mean(axis=1)] if chooser else None,
        _best(fitting), votes, both_wrong(correct), error_correlation(correct), all_wrong(correct),
        [*said, *_facts(members, ballots, fitting, picks)])


@dataclass(frozen=True)
class _Part:
    """Some of the images that judge, and those by which it may be chosen."""

    seen: Ballots
    judged: Ballots
    where: np.ndarray | slice
    """Its place among all images that judge."""


def _folds(ballots: Ballots, notes: list[str]) -> list[_Part]:
    """Each fold is judged by what the others choose: every image once, none by itself."""
    images = len(ballots.ids)
    if images < 2:
        raise DataError(f'{ballots.split} has one image, which cannot both choose and judge',
                        hint='store predictions of another split too: python tools/test.py CONFIG '
                             f'CHECKPOINT --split {_OTHER[ballots.split]}')
    number = min(_FOLDS, images)
    notes.append(
        f'Only {ballots.split} is there to choose and to judge. Its {images:,} images are dealt '
        f'into {number} parts (stratified, seed {SEED}): weights, selection and the best member '
        'of each are fitted on the others. Weights that are shown are those of all images.')
    folds = stratified_folds(ballots.labels, number, SEED)
    return [_Part(_some(ballots, folds != fold), _some(ballots, folds == fold), folds == fold)
            for fold in range(number)]


def _some(ballots: Ballots, where: np.ndarray) -> Ballots:
    return Ballots(ballots.split, ballots.ids[where], ballots.labels[where],
                   ballots.probs[:, where], ballots.classes)


def _joined(parts: Sequence[_Part], probs: Sequence[np.ndarray]) -> np.ndarray:
    """[N, K] float32, as they are stored, of what each part has."""
    images = sum(len(each) for each in probs)
    joined = np.empty((images, probs[0].shape[1]), np.float32)
    for part, each in zip(parts, probs, strict=True):
        joined[part.where] = each
    return joined


def _right(probs: np.ndarray, ballots: Ballots) -> np.ndarray:
    return np.asarray(probs.argmax(axis=1) == ballots.labels)


def _vote(voting: Voting, fitting: Ballots, parts: Sequence[_Part], ballots: Ballots,
          rival: np.ndarray) -> Vote:
    """Fit, vote and judge; `rival` is [N] bool, where the best member is right."""
    fitted = [_shares(voting, part.seen) for part in parts]
    probs = _joined(parts, [
        hard_vote(part.judged.probs) if voting == 'hard' else soft_vote(part.judged.probs, shares)
        for part, shares in zip(parts, fitted, strict=True)])
    shares = fitted[0] if len(parts) == 1 else _shares(voting, fitting)
    right = _right(probs, ballots)
    low, high = paired_bootstrap(right[None], rival[None], seed=SEED)
    gain = Gain(100 * float(right.mean() - rival.mean()), 100 * low, 100 * high)
    counts = shares.astype(np.int64) if voting == 'greedy' else None
    return Vote(voting, shares / shares.sum(), counts, probs,
                _scores(probs, ballots, sure=voting != 'hard'), gain)


def _shares(voting: Voting, seen: Ballots) -> np.ndarray:
    """[M] float64: how much each member counts, by what may be looked at."""
    if voting == 'weighted':
        return fitted_weights(seen.probs[:, np.arange(len(seen.labels)), seen.labels])
    if voting == 'greedy':
        return greedy_counts(seen.probs, seen.labels).astype(np.float64)
    return np.ones(len(seen.probs))


def _best(seen: Ballots) -> int:
    """The member with the highest accuracy; of equals the one with the lower log loss."""
    quality = [(float(right.mean()), -log_loss(probs, seen.labels))
               for right, probs in zip(seen.correct, seen.probs, strict=True)]
    return max(range(len(quality)), key=quality.__getitem__)


def _scores(probs: np.ndarray, ballots: Ballots, sure: bool = True) -> Scores:
    top1, top5 = (100 * each for each in topk_accuracies(probs, ballots.labels, (1, 5)))
    return Scores(top1, top5 if len(ballots.classes) > _TOP5_ABOVE else None,
                  log_loss(probs, ballots.labels) if sure else None)


def _common_split(members: Sequence[Member], notes: list[str]) -> str:
    """'test' if all have predictions of it, else 'val'; else the error of the first without."""
    lacking = [member for member in members if not member.run.has_predictions('test')]
    if not lacking:
        return 'test'
    if all(member.run.has_predictions('val') for member in members):
        notes.append(f'Judged on val, as {lacking[0].title} has no predictions of test: '
                     f'{command_for(lacking[0].run, "test")}')
        return 'val'
    first = lacking[0].run
    raise DataError(f'`{first.name}` has no stored predictions of `test`',
                    hint=command_for(first, 'test'))


def _chooser(members: Sequence[Member], ballots: Ballots, notes: list[str]) -> Ballots | None:
    """The validation predictions where another split judges and all have the same images there."""
    if ballots.split == 'val':
        trained = any(member.run.record.epochs for member in members)
        if trained:
            notes.append('Each member shows its best epoch, chosen on the same validation images: '
                         'this flatters every row a little.')
        return None
    lacking = [member for member in members if not member.run.has_predictions('val')]
    if lacking:
        notes.append(f'{lacking[0].title} has no predictions of val, which would choose: '
                     f'{command_for(lacking[0].run, "val")}')
        return None
    if not same_images(members, 'val'):
        notes.append('The members have not the same validation images, which therefore choose '
                     'nothing.')
        return None
    notes.append(f'val chooses weights, selection and the best member, {ballots.split} judges.')
    return read_ballots(members, 'val')


def _facts(members: Sequence[Member], ballots: Ballots, fitting: Ballots,
           picks: Sequence[int]) -> list[str]:
    """What is particular about these members."""
    notes = []
    if len(set(picks)) > 1:
        shown = ', '.join(f'{members[place].title} ({times})'
                          for place, times in Counter(picks).most_common())
        notes.append(f'The best member differs from part to part: {shown}.')
    for place, probs in enumerate(ballots.probs):
        twin = next((other for other in range(place)
                     if np.array_equal(ballots.probs[other], probs)), None)
        if twin is not None:
            notes.append(f'{members[place].title} predicts what {members[twin].title} does, to '
                         'the bit.')
    for member in members:
        classes = len(member.run.predictions(ballots.split).classes)
        if classes > len(ballots.classes):
            notes.append(f'{member.title} knows {classes:,} classes: what counts are its '
                         f'probabilities among the {len(ballots.classes):,} that all know.')
        views = [split for split in dict.fromkeys((ballots.split, fitting.split))
                 if (test := member.run.tests.get(split)) is not None and test.tta]
        if views and len(views) < len({ballots.split, fitting.split}):
            notes.append(f'{member.title} averages over views (--tta) on {views[0]} alone.')
    if len({member.run.record.data_manifest_hash for member in members} - {None}) > 1:
        notes.append('The members were trained on data with different hashes; the images that '
                     'judge have the same ids and labels.')
    return notes
