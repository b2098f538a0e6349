"""What features are worth: every probe of one config, from its features on."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from amlnn.data.cache.room import room
from amlnn.errors import DataError
from amlnn.formulas.close_images import close_pairs, coordinates, linked
from amlnn.formulas.folds import few_of_each, stratified_sample
from amlnn.formulas.learning_curve import fit_curve
from amlnn.formulas.logistic import logistic_path
from amlnn.formulas.logme import logme
from amlnn.formulas.neighbours import nearest_votes
from amlnn.formulas.nested_ridge import nested_scores, stages_together
from amlnn.formulas.ridge import Ridge, indicators, ridge_scores
from amlnn.formulas.standardised import Standardised, blocks, standardise, unit_rows
from amlnn.results.probed import CurvePoint, Gain, ProbeRow, Share, Shots, StageRow, share_right

__all__ = ['MOST', 'Part', 'ProbeTable', 'check_parts']

# N training images, Q images of another part, C features, K classes, D draws, P points

KS = (1, 5, 10, 20, 50)
CS = (0.0001, 0.001, 0.01, 0.1, 1.0)
STRENGTHS = tuple(float(each) for each in 10.0 ** np.arange(0, 6.1, 0.5))
PER_CLASS = (1, 2, 5, 10, 20)
DRAWS = 10
LEFT_OUT = 'leave-one-out'
MOST = 25_000
"""Images of a part that a probe looks at, of each class the same share: so 2 GiB of memory are
enough, and more would change an accuracy by less than its interval."""

_FEW = 500  # training images on which the strength of stages together is chosen
_ALIKE = 0.95  # cosine from which on two images are nearly the same


@dataclass
class Part:
    """Images of one part."""

    name: str
    labels: np.ndarray
    """int64 [N]."""
    stages: dict[str, np.ndarray]
    """Of each stage, [N, C] float32."""

    def few(self, most: int = MOST) -> 'Part':
        """Of many images some, chosen once for all; no more in memory than before."""
        if len(self.labels) <= most:
            return self
        rows = stratified_sample(self.labels, most)
        return Part(self.name, self.labels[rows],
                    {name: _taken(each, rows) for name, each in self.stages.items()})

    @property
    def last(self) -> np.ndarray:
        """What the head takes."""
        return self.stages[next(reversed(self.stages))]


def _taken(features_NC: np.ndarray, rows: np.ndarray) -> np.ndarray:
    taken = room(len(rows), features_NC.shape[1], held=not isinstance(features_NC, np.memmap))
    for part in blocks(len(rows)):
        taken[part] = features_NC[rows[part]]
    return taken


def check_parts(classes: Sequence[str], train: Part, *others: Part) -> None:
    """Refuse labels that nothing can be learned from, or judged by.

    Raises:
        DataError: names the class and its images.
    """
    counts = np.bincount(train.labels, minlength=len(classes))
    if len(classes) < 2:
        raise DataError(f'the data set has one class, `{"".join(classes)}`, and there is nothing '
                        'to tell apart', hint='at least two class folders: python '
                        'data_preprocess.py <folder of class folders> <new folder>')
    few = int(np.argmin(counts))
    if counts[few] < 2:
        images = 'image' if counts[few] == 1 else 'images'
        raise DataError(f'the class `{classes[few]}` has {counts[few]} training {images}, and a '
                        'probe needs 2 of each: one to learn from and one to leave out',
                        hint='add images of it, or leave the class out, and prepare the data again')
    for part in others:
        if not len(part.labels):
            raise DataError(f'the {part.name} part has no images',
                            hint='python data_preprocess.py --val-ratio 0.2 makes one')


@dataclass
class ProbeTable:
    """All that is said of one config's features.

    Numbers of neighbours and C are chosen on the validation part, and where there is a test part,
    that judges; strengths of ridge regression are chosen by what it says of training images
    without them. Features are standardised by the training part.

    Args:
        classes: Their names.
        train: The training part.
        val: The validation part.
        test: The test part; without it the validation part judges too.
    """

    classes: Sequence[str]
    train: Part
    val: Part
    test: Part | None = None

    @property
    def judge(self) -> Part:
        """The part whose accuracies are shown."""
        return self.test or self.val

    @cached_property
    def _measured(self) -> dict[str, Standardised]:
        """The training images' stages."""
        return {name: standardise(each) for name, each in self.train.stages.items()}

    @cached_property
    def _last(self) -> list[np.ndarray]:
        """What the head takes of the images that are learned from, that choose and that judge."""
        *_, scale = self._measured.values()
        val = scale.of(self.val.last)
        return [scale.of(self.train.last), val,
                val if self.test is None else scale.of(self.test.last)]

    @cached_property
    def _targets(self) -> np.ndarray:
        return indicators(self.train.labels, len(self.classes), np.float32)

    @cached_property
    def _ridge(self) -> Ridge:
        return Ridge(self._last[0], self._targets)

    @cached_property
    def groups(self) -> np.ndarray:
        """Int [N]: training images that are nearly the same have one number."""
        *_, last = self._measured.values()
        return linked(len(last), close_pairs(last, coordinates(last), _ALIKE)[0])

    @property
    def alike(self) -> int:
        """Training images that are nearly the same as another."""
        _, counts = np.unique(self.groups, return_counts=True)
        return int(counts[counts > 1].sum())

    def rows(self) -> Iterator[ProbeRow]:
        """A row a method."""
        yield self._nearest()
        yield self._logistic()
        yield self._ridge_row()

    def _nearest(self) -> ProbeRow:
        begin = time.perf_counter()
        train, val, judge = map(unit_rows, self._last)
        ks = [k for k in KS if k <= len(train)]
        count = len(self.classes)
        on_val = nearest_votes(train, self.train.labels, val, count, ks).argmax(2)
        rights = [each == self.val.labels for each in on_val]
        best = _first_best(rights)
        right = rights[best] if self.test is None else nearest_votes(
            train, self.train.labels, judge, count, [ks[best]])[0].argmax(1) == self.judge.labels
        return self._row('kNN', f'k = {ks[best]}, by cosine', rights[best], right, begin)

    def _logistic(self) -> ProbeRow:
        begin = time.perf_counter()
        fits = list(logistic_path(self._ridge, self.train.labels, CS))
        rights = [fit.scores(self._last[1]).argmax(1) == self.val.labels for fit in fits]
        best = _first_best(rights)
        right = fits[best].scores(self._last[2]).argmax(1) == self.judge.labels
        return self._row('logistic regression', f'C = {fits[best].c:g}', rights[best], right, begin)

    def _row(self, method: str, choice: str, on_val: np.ndarray, right: np.ndarray,
             begin: float) -> ProbeRow:
        return ProbeRow(method, choice, 'val', share_right(right), time.perf_counter() - begin,
                        on_val=None if self.test is None else share_right(on_val))

    def _ridge_row(self) -> ProbeRow:
        begin = time.perf_counter()
        strength, left_out = self._strength
        right = self._ridge.scores(self._last[2], strength).argmax(1) == self.judge.labels
        on_val = self._ridge.scores(self._last[1], strength).argmax(1) == self.val.labels
        return ProbeRow('ridge', f'strength = {strength:.3g}', LEFT_OUT, share_right(right),
                        time.perf_counter() - begin, left_out=left_out,
                        on_val=None if self.test is None else share_right(on_val))

    @cached_property
    def _strength(self) -> tuple[float, Share]:
        return chosen_strength(self._ridge, self.train.labels, self.groups)

    @cached_property
    def _shot_rights(self) -> list[tuple[int | None, list[np.ndarray]]]:
        """By images a class, None for all: of every draw, bool [Q]."""
        train, _, judge = self._last
        strength, labels = self._strength[0], self.train.labels
        most = int(np.bincount(labels).max())
        found: list[tuple[int | None, list[np.ndarray]]] = [
            (count, [ridge_scores(train[rows], self._targets[rows], judge, strength).argmax(1)
                     == self.judge.labels
                     for rows in (few_of_each(labels, count, [0, draw]) for draw in range(DRAWS))])
            for count in PER_CLASS if count < most]
        whole = self._ridge.scores(judge, strength).argmax(1) == self.judge.labels
        return [*found, (None, [whole])]

    def shots(self) -> list[Shots]:
        """Ridge with few images of each class, and with all."""
        return [Shots(count, [float(right.mean()) for right in rights])
                for count, rights in self._shot_rights]

    def gains(self) -> list[Gain]:
        """What twice the images would bring, over all classes and to each."""
        if len(self._shot_rights) < 3:
            return []
        counts = np.bincount(self.train.labels, minlength=len(self.classes))
        found = [self._gain('all classes', float(counts.mean()), np.ones(len(self.judge.labels),
                                                                         bool))]
        return found + [self._gain(name, float(count), self.judge.labels == number)
                        for number, (name, count) in enumerate(zip(self.classes, counts,
                                                                   strict=True))
                        if (self.judge.labels == number).any()]

    def _gain(self, name: str, images: float, judged: np.ndarray) -> Gain:
        # In a draw with fewer a class than there are, every class has as many.
        known = [(min(count or images, images), rights) for count, rights in self._shot_rights]
        sizes = np.array([size for size, _ in known])
        accuracies_PD = np.full((len(known), DRAWS), np.nan)
        for place, (_, rights) in enumerate(known):
            accuracies_PD[place, :len(rights)] = [right[judged].mean() for right in rights]
        curve = fit_curve(sizes, accuracies_PD, int(judged.sum()), samples=100)
        asked = np.unique([*np.geomspace(sizes[0], images, 8), 1.5 * images, 2 * images])
        points = [CurvePoint(*map(float, point))
                  for point in zip(asked, *curve.at(asked), strict=True)]
        return Gain(name, images, float(accuracies_PD[-1, 0]), points)

    def stages(self) -> Iterator[StageRow]:
        """A ridge probe and LogME at the end of every stage."""
        names = list(self.train.stages)
        for name in names:
            if name == names[-1]:
                ridge, judge = self._ridge, self._last[2]
                strength = self._strength[0]
            else:
                scale = self._measured[name]
                judge = scale.of(self.judge.stages[name])
                ridge = Ridge(scale.of(self.train.stages[name]), self._targets)
                strength = chosen_strength(ridge, self.train.labels, self.groups)[0]
            right = ridge.scores(judge, strength).argmax(1) == self.judge.labels
            yield StageRow(name, judge.shape[1], share_right(right), self._logme(ridge))

    def _logme(self, ridge: Ridge) -> float:
        centred_NK = (self._targets - self._targets.mean(0)) / 2  # of labels 0 and 1
        return logme(ridge.eigenvalues, ridge.products / 2, (centred_NK ** 2).sum(0),
                     len(centred_NK) - 1)

    def together(self) -> list[np.ndarray]:
        """Of a ridge probe on the last stage, on the last two together, and so on: bool [Q] each.

        Every stage counts as much as another, however many numbers it has.
        """
        alone = self._shot_rights[-1][1][0]  # the ridge row
        names = [*reversed(self.train.stages)]
        stages = [self._measured[name] for name in names]
        if len(stages) == 1:
            return [alone]
        scores = nested_scores(stages, [self.judge.stages[name] for name in names], self._targets,
                               list(self._strengths_together(stages)), first=2)
        return [alone, *(each.argmax(1) == self.judge.labels for each in scores)]

    def _strengths_together(self, stages: Sequence[Standardised]) -> Iterator[float]:
        """By leave-one-out on some of the images: a strength is not a matter of their number."""
        labels, per_class = self.train.labels, max(2, _FEW // len(self.classes))
        rows = few_of_each(labels, per_class, [0, 0])
        # Eigenvalues are smaller by the number of features than those of a stage alone.
        strengths = [each / 1000 for each in STRENGTHS]
        for count in range(2, len(stages) + 1):
            ridge = Ridge(stages_together(stages[:count], rows), self._targets[rows])
            yield chosen_strength(ridge, labels[rows], self.groups[rows], strengths)[0]


def chosen_strength(ridge: Ridge, labels: np.ndarray, groups: np.ndarray,
                    strengths: Sequence[float] = STRENGTHS) -> tuple[float, Share]:
    """The strength that says most of left-out training images rightly, and how many.

    Of equal ones the greatest: it is the smoothest.
    """
    rights = [told.argmax(1) == labels for told in ridge.left_out(strengths, groups)]
    best = len(rights) - 1 - int(np.argmax([right.mean() for right in reversed(rights)]))
    return strengths[best], share_right(rights[best])


def _first_best(rights: Sequence[np.ndarray]) -> int:
    return int(np.argmax([right.mean() for right in rights]))
