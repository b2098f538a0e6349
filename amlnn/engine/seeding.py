"""Seeds of the process that trains. Those of augmentation are in amlnn.data.images.views."""

import random

import numpy as np
import torch

from amlnn.data.images.views import view_seed

__all__ = ['seed_epoch']


def seed_epoch(seed: int, epoch: int, rank: int = 0) -> None:
    """Seed python, numpy and torch from (seed, epoch, rank), at the beginning of every epoch.

    What draws random numbers beside the model, dropout or mixup, then draws the same ones in a
    resumed run as in one that never stopped, without storing generator states.
    """
    value = view_seed(seed, f'rank {rank}', epoch)
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)
