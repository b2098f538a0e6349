"""Training steps that several processes take together, each on its part of the batch.

The mean of a batch is the mean of its parts, weighted by their size. So each process scales its
loss by its share of the samples, and before an optimizer steps, gradients are summed up: whatever
made them, the model's own forward or the fast path's, over one iteration or several, and before
they are clipped. The model is not wrapped.
"""

from types import MethodType

import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from amlnn.engine.processes import Processes

__all__ = ['SharedSteps', 'several_notes']


class SharedSteps:
    """What the processes of a training have in common in every step.

    Args:
        processes: All of them.
    """

    def __init__(self, processes: Processes):
        self.processes = processes
        self.weight = 1.0
        """Of this process's loss: its share of the samples of a step."""

    def share(self, wrapper: OptimWrapper | OptimWrapperDict) -> None:
        """Let an optimizer wrapper step with the gradients of all processes."""
        if not self.processes.several:
            return
        if isinstance(wrapper, OptimWrapperDict):
            for each in wrapper.values():
                self.share(each)
            return
        scale_loss, step = wrapper.scale_loss, wrapper.step

        def scaled(wrapper: OptimWrapper, loss: torch.Tensor) -> torch.Tensor:
            return scale_loss(loss) * self.weight

        def shared_step(wrapper: OptimWrapper, **options) -> None:
            self.processes.sum_gradients(
                each for group in wrapper.param_groups for each in group['params'])
            step(**options)

        wrapper.scale_loss = MethodType(scaled, wrapper)
        wrapper.step = MethodType(shared_step, wrapper)

    def begin(self, data_batch: dict, is_repeat: bool = False) -> int:
        """Weigh a batch against those of the other processes.

        Args:
            data_batch: Of this process.
            is_repeat: It holds nothing but a sample that another process has.

        Returns:
            Samples of all together.
        """
        count = len(data_batch['inputs'])
        if not self.processes.several:
            return count
        observed = data_batch.get('target_observed')
        # A forecast's loss is a mean over the values that are not missing.
        values = count if observed is None else int(observed.sum())
        if is_repeat:
            count = values = 0
        all_samples, all_values = self.processes.totals([count, values])
        self.weight = values / all_values if all_values else count / all_samples
        return int(all_samples)

    def end(self, outputs: dict) -> dict:
        """What a step gave, over the samples of all processes: loss, accuracy and the like."""
        if not self.processes.several:
            return outputs
        names = [name for name, value in outputs.items()
                 if isinstance(value, torch.Tensor) and value.numel() == 1]
        # Of no samples, a value may not be a number.
        totals = self.processes.totals(
            float(outputs[name].detach()) * self.weight if self.weight else 0.0 for name in names)
        return {**outputs, **{name: torch.tensor(total) for name, total
                              in zip(names, totals, strict=True)}}


def several_notes(batch_size: int, model: nn.Module, processes: Processes) -> list[str]:
    """What a training in several processes has to know, a line each."""
    if not processes.several:
        return []
    count = processes.count
    notes = [f'{count} processes: a step takes {count} x {batch_size} = {count * batch_size} '
             'samples']
    norms = _trained_norms(model)
    if any(isinstance(each, nn.SyncBatchNorm) for each in norms):
        notes.append('batch norm: statistics are those of all processes (SyncBN)')
    elif norms:
        notes.append("batch norm: each process normalises by its own samples' statistics; running "
                     'ones are averaged after every epoch')
    return notes


def _trained_norms(model: nn.Module) -> list[nn.Module]:
    """The batch norms that take the statistics of a training batch."""
    was_training = model.training
    model.train()
    if hasattr(model, 'backbone'):
        from amlnn.models.images.freezing import hold_in_eval  # of images alone
        hold_in_eval(model.backbone)
    found = [each for each in model.modules() if isinstance(each, _BatchNorm) and each.training
             and each.track_running_stats]
    model.train(was_training)
    return found
