"""What a training is given, as plain numbers: what `tools/browse.py` finds out and shows."""

from dataclasses import dataclass, field

import numpy as np

__all__ = ['Browsed', 'ClassShare', 'Given', 'MixedImage', 'PartWork', 'RateCourse', 'ShownImage',
           'ShownWindow', 'TrainingTime']

# H, W pixels; L past steps, P future steps, C columns; S moments of a training


@dataclass(frozen=True)
class ShownImage:
    """A training image as it is stored, and some of its views."""

    name: str
    label: str
    original: np.ndarray | None
    """[H, W, 3] uint8 RGB; None where it cannot be read."""
    views: list[np.ndarray]
    """Each [H, W, 3] uint8 RGB: what the network is given, brought back to pixels."""


@dataclass(frozen=True)
class MixedImage:
    """An image of a batch behind its augmentations."""

    pixels: np.ndarray
    """[H, W, 3] uint8 RGB."""
    label: str
    """The classes in it, with their shares: 'rose 70 %, tulip 30 %'."""


@dataclass(frozen=True)
class ClassShare:
    """How many images of a class there are."""

    name: str
    part: int
    """In the training part."""
    epoch: int
    """Drawn in the first epoch; more or fewer than there are where a sampler balances."""
    batch: int
    """In its first batch."""


@dataclass(frozen=True)
class ShownWindow:
    """A training window of a series, in the scaled units that the network is given."""

    name: str
    columns: list[str]
    past: np.ndarray
    """[L, C], the target columns."""
    future: np.ndarray
    """[P, C]."""
    tilted: tuple[np.ndarray, np.ndarray] | None = None
    """Past and future as a training step sees them, where that is not the same."""


@dataclass(frozen=True)
class Given:
    """Samples as the network is given them."""

    images: list[ShownImage] = field(default_factory=list)
    mixed: list[MixedImage] = field(default_factory=list)
    classes: list[ClassShare] = field(default_factory=list)
    batch_size: int = 0
    windows: list[ShownWindow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class PartWork:
    """A part of the model: its parameters, and its multiplications for one sample."""

    name: str
    frozen: bool
    trainable: int
    parameters: int
    multiplications: int


@dataclass(frozen=True)
class RateCourse:
    """The learning rate of parameters that have the same one all the time."""

    name: str
    """Their parts: 'stem, layer1'."""
    parameters: int
    weight_decays: tuple[float, ...]
    epochs: np.ndarray
    """[S]: moments, counted in epochs from 0."""
    rates: np.ndarray
    """[S]."""


@dataclass(frozen=True)
class TrainingTime:
    """Seconds to expect on this machine, measured on a few batches."""

    loading: float
    """Of an epoch's samples, by themselves."""
    workers: int
    """Processes that load beside the one that trains."""
    frozen: float
    """Of what is computed once a view; 0 where every epoch computes everything."""
    rest: float
    validation: float | None
    """Of the first epoch's; None without a validation part."""
    validation_later: float | None
    """Of the others, whose frozen part is read."""
    epochs: int
    views: int
    """In how many epochs what is frozen is computed; 0 on the plain path."""

    @property
    def training(self) -> float:
        """Of an epoch's training, all of it: loading goes on meanwhile where workers do it."""
        steps = self.frozen + self.rest
        return max(self.loading, steps) if self.workers else self.loading + steps

    @property
    def later(self) -> float | None:
        """Of an epoch's training whose frozen part is read; None where there is no such epoch."""
        return self.rest if 0 < self.views < self.epochs else None

    @property
    def whole(self) -> float:
        """Of the whole training."""
        computed = self.epochs if self.later is None else self.views
        training = computed * self.training + (self.epochs - computed) * (self.later or 0.0)
        return training + (self.validation or 0.0) + \
            (self.epochs - 1) * (self.validation_later or 0.0)


@dataclass(frozen=True)
class Browsed:
    """Everything that is shown of a config before it is trained."""

    config: str
    described: str
    """Its data in words."""
    samples: str
    """What is counted: 'images'."""
    given: Given
    parts: list[PartWork]
    rates: list[RateCourse] = field(default_factory=list)
    time: TrainingTime | None = None
    """None for a model that is fitted at once."""
    notes: list[str] = field(default_factory=list)
