"""The record of a run as it begins."""

from collections.abc import Sequence

import torch
from torch import nn

from amlnn.config.experiment import identity, together
from amlnn.config.resolved import config_hash
from amlnn.engine.device import device_name
from amlnn.engine.processes import processes
from amlnn.engine.task import Task
from amlnn.models.parameters import count_parameters
from amlnn.records import RunRecord
from amlnn.run_folder import utc_now

__all__ = ['count_samples', 'new_record']


def new_record(task: Task, config, model: nn.Module, samples: dict[str, int],
               command: Sequence[str]) -> RunRecord:
    """What is known of a run before its first epoch.

    Args:
        task: The task.
        config: As config.py stores it.
        model: With its weights, frozen as it will be.
        samples: How many of each part.
        command: The command line.
    """
    plan, (trainable, total) = task.plan, count_parameters(model)
    return RunRecord(
        kind=task.kind, config_name=plan.loaded.name, config_path=str(plan.loaded.path),
        command=list(command), config_hash=config_hash(config),
        experiment=identity(together(config, processes().count), task.data_hash()),
        started=utc_now(), seed=plan.seed,
        data_root=task.data_root, data_manifest_hash=task.data_hash(),
        classes=list(task.classes or ()), samples=samples, versions=task.versions(),
        device=device_name(plan.device), threads=torch.get_num_threads(),
        precision=plan.precision, pretrained=plan.model_options.pretrained,
        frozen_stages=plan.model_options.frozen_stages, stages=task.stages(model),
        trainable_parameters=trainable, total_parameters=total)


def count_samples(loaders: dict) -> dict[str, int]:
    """How many samples each part has, from the loader of each."""
    return {part: len(loader.dataset) for part, loader in loaders.items()}
