"""Trained forecasters put together, with weights chosen on the validation part."""

# B windows, L past steps, P future steps, C target columns, M members

from collections.abc import Sequence
from math import isfinite
from typing import ClassVar

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from amlnn.errors import ConfigError, DataError
from amlnn.formulas.combination import MOST_MEMBERS, blend_weights
from amlnn.models.series.fitting import FittingData
from amlnn.models.series.forecast_heads import PointHead
from amlnn.models.series.forecasting_model import ForecastingModel

__all__ = ['Blend']


@MODELS.register_module()
class Blend(ForecastingModel):
    """The weighted mean of what trained forecasters say; nothing of them is trained further.

    One weight a member, from 0 on, of sum 1. Each reads as many of the last rows of a window as it
    was trained with.

    Args:
        members: Forecasters of the same data, whose networks and weights become part of this one:
            paths of run folders or of checkpoints; or configs, which are trained first, each a path
            beside the config or dict(config='etth1_ridge.py', options={dotted key: value}).
        weights: 'validation' for those with the least squared error on the windows of the
            validation part (`blend_weights`), where a member that adds nothing gets 0; 'equal'; or
            numbers from 0 on, as `tools/backtest.py` finds them on several origins.
        look_back: Past steps of a window, L: at least those of every member.
        horizon: Future steps, P: those of every member.
        channels: Target columns, C.

    Raises:
        ConfigError: fewer than two members, or more than are looked at; a size is missing; the
            weights are none, or not one a member.
        DataError: there is no validation part to choose by.
    """

    fitted_at_once: ClassVar = True
    of_members: ClassVar = True
    builds: ClassVar = {'members': {'config': None, 'options': None}}

    def __init__(self, members: Sequence[str | dict], look_back: int | None = None,
                 horizon: int | None = None, channels: int | None = None,
                 weights: Sequence[float] | str = 'validation'):
        super().__init__()
        if look_back is None or horizon is None or channels is None:
            raise ConfigError('Blend got no look_back, horizon or channels',
                              hint='a training run takes them from the data set')
        check_members(members)
        self.look_back, self.horizon, self.channels = look_back, horizon, channels
        self.members = nn.ModuleList(MODELS.build(dict(section)) for section in members)
        self.members.requires_grad_(False)
        self.head = PointHead()
        self.chosen = weights == 'validation'
        self.weights = nn.Parameter(_begin(weights, len(members)), requires_grad=False)

    def fit(self, data: FittingData) -> None:
        """Choose the weights.

        Raises:
            DataError: see the class.
        """
        if not self.chosen:
            return
        self.eval()
        products_MM = torch.zeros(len(self.members), len(self.members), dtype=torch.float64)
        windows = 0
        for batch in data.batches():
            given = {name: value for name, value in batch.items()
                     if name not in ('targets', 'target_observed')}
            error_MBPC = self._points(**given).double() - batch['targets'].double()
            if 'target_observed' in batch:
                error_MBPC = torch.where(batch['target_observed'], error_MBPC, 0.0)
            error_MX = error_MBPC.flatten(1).cpu()
            products_MM += error_MX @ error_MX.T
            windows += len(batch['inputs'])
        if not windows:
            raise DataError('a blend chooses its weights on the validation part, and there is none',
                            hint='give the validation part a share in ratios, and a val_dataloader')
        self.weights.copy_(torch.from_numpy(blend_weights(products_MM.numpy())))

    def _output(self, inputs: Tensor, index: Tensor | None, observed: Tensor | None,
                known: Tensor | None, series: Tensor | None, position: Tensor | None) -> Tensor:
        points_MBPC = self._points(inputs, index, observed, known, series, position)
        weights_M = self.weights.to(points_MBPC.dtype)
        return torch.einsum('m,mbpc->bpc', weights_M, points_MBPC).unsqueeze(-1)

    def _points(self, inputs: Tensor, index: Tensor | None = None, observed: Tensor | None = None,
                known: Tensor | None = None, series: Tensor | None = None,
                position: Tensor | None = None) -> Tensor:
        """[M, B, P, C]: what each member says."""
        self.members.eval()  # also while the blend's own loss is taken on the training part
        return torch.stack([member(
            inputs[:, -member.look_back:], index=index,
            observed=None if observed is None else observed[:, -member.look_back:],
            known=known, series=series, position=position, mode='predict').point
            for member in self.members])


def _begin(weights: Sequence[float] | str, count: int) -> Tensor:
    """[M] float64 of sum 1."""
    if weights in ('validation', 'equal'):
        return torch.full((count,), 1 / count, dtype=torch.float64)
    numbers = not isinstance(weights, str) and isinstance(weights, Sequence) and all(
        isinstance(each, int | float) and isfinite(each) and each >= 0 for each in weights)
    if not numbers or len(weights) != count or not sum(weights):
        raise ConfigError(f'`model.weights` is {weights!r}, and there are {count} members',
                          hint="'validation', 'equal', or a number from 0 on for each member")
    found_M = torch.tensor(weights, dtype=torch.float64)
    return found_M / found_M.sum()


def check_members(members: object) -> None:
    """Refuse what are no members.

    Raises:
        ConfigError: `model.members` is no list of two or more, or of too many.
    """
    if isinstance(members, str) or not isinstance(members, Sequence) or len(members) < 2:
        raise ConfigError(f'`model.members` is {members!r}, and a blend has two members or more',
                          hint="members=['work_dirs/own/latest', 'work_dirs/own_ridge/latest']")
    if len(members) > MOST_MEMBERS:
        raise ConfigError(f'`model.members` has {len(members)} members, more than {MOST_MEMBERS}',
                          hint='the best of them, by their errors on the validation part')
