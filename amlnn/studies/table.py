"""The five studies, each a list of parts."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from amlnn.studies.generated import write_cifar100, write_data_set, write_tiny_imagenet
from amlnn.studies.parts import Part, SeriesPart, SweepPart, VotePart, ZeroShotPart

__all__ = ['STUDIES', 'Study', 'part_of']


@dataclass(frozen=True)
class Study:
    """A report, and what reproduces it."""

    title: str
    parts: tuple[Part, ...]
    write_images: Callable[[Path], Path]
    """Writes generated images in the layout of the real ones."""
    smoke: tuple[str, ...] = ()
    """`--cfg-options`, of images alone, without which so few of them would not do."""


_HELD_OUT = tuple(f'{part}_dataloader.dataset.holdout=2' for part in ('train', 'val', 'test'))


def _flowers(folder: Path) -> Path:
    return write_data_set(folder, sizes={'train': 4, 'val': 2, 'test': 2}, side=64)


def _tiny_imagenet(folder: Path) -> Path:
    return write_tiny_imagenet(folder, train=4, val=2)


def _cifar100(folder: Path) -> Path:
    return write_cifar100(folder, train=6, test=2)


STUDIES: dict[str, Study] = {
    'a': Study('Study A: flowers, fine-tuning', (
        SweepPart('frozen', 'Table 1: frozen stages', 'frozen.py'),
        SweepPart('lr', 'Table 2: learning rate', 'lr.py'),
        SweepPart('backbones', 'Table 3: backbones', 'backbones.py'),
        SweepPart('exercise2', 'Exercise 2: five augmentations', 'exercise2.py'),
        SweepPart('lite0', 'EfficientNet-Lite0: frozen stages, and from scratch', 'lite0.py'),
    ), _flowers),
    'b': Study('Study B: Tiny-ImageNet transfer, and the length of a series', (
        SweepPart('images', 'Frozen bases with a new head', 'study_b.py'),
        ZeroShotPart('zero-shot', 'Without fine-tuning: classes mapped by wnid', (
            'tiny_imagenet/study_b_inceptionv4.py',
            'tiny_imagenet/study_d_efficientnet_lite0_1000.py')),
        SeriesPart('rnn', 'Recurrent networks', 'b'),
    ), _tiny_imagenet),
    'c': Study('Study C: early stopping, and a series of 1,000 and 3,000 points', (
        SweepPart('images', 'Early stopping, and the remedies', 'study_c.py'),
        SeriesPart('series', 'Recurrent networks', 'c'),
    ), _tiny_imagenet, _HELD_OUT),
    'd': Study('Study D: ResNet50 in three ways, and a vote', (
        ZeroShotPart('zero-shot', 'D1: the 1000 classes as they are', (
            'tiny_imagenet/study_d_resnet50_1000.py',
            'tiny_imagenet/study_d_resnet50_1000_resized.py',
            'tiny_imagenet/study_d_efficientnet_lite0_1000.py')),
        SweepPart('fine-tuning', 'D2: all but the last 3 and 6 layers frozen', 'study_d2.py'),
        SweepPart('scratch', 'D3: a deep CNN from scratch', 'study_d3.py'),
        VotePart('vote', 'D4: the vote', (
            'study_d_resnet50_last3', 'study_d_resnet50_last6', 'study_d_deep_cnn')),
    ), _tiny_imagenet, ('train_dataloader.dataset.subset=None', )),
    'e': Study('Study E: CIFAR-100', (
        SweepPart('images', 'Four networks', 'study_e.py'),
    ), _cifar100, _HELD_OUT),
}
"""By the letter that the command line takes."""


def part_of(study: str, name: str) -> Part | None:
    """A part of a study by its name; None where it has none of that name."""
    return next((part for part in STUDIES[study].parts if part.name == name), None)
