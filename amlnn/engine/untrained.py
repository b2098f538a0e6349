"""A run folder for a model that is evaluated without having been trained here."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from amlnn.atomic import write_text
from amlnn.config.experiment import identity
from amlnn.config.resolved import config_hash, resolved_text
from amlnn.engine.adapt import Plan
from amlnn.engine.build import device_name
from amlnn.engine.run.folder import create_run_folder, new_run_name, point_latest, utc_now
from amlnn.engine.run.runner import library_versions
from amlnn.models.images.freezing import count_parameters, stage_table
from amlnn.records import RunRecord, write_record

__all__ = ['untrained_run']


def untrained_run(plan: Plan, model: nn.Module, samples: dict[str, int], weights: str,
                  command: Sequence[str], classes: Sequence[str] = ()) -> Path:
    """Make the run folder, with its config and its record.

    Args:
        plan: Of the config.
        model: What is evaluated.
        samples: How many of each part.
        weights: Where the model's weights come from.
        command: The command line.
        classes: A classifier's, in the order of its labels.

    Returns:
        The folder, to which `latest` points then.
    """
    kind = 'classification' if plan.series is None else 'forecasting'
    digest = config_hash(plan.loaded.config)
    folder = create_run_folder(Path('work_dirs') / plan.loaded.name, new_run_name(digest))
    trainable, total = count_parameters(model)
    write_text(folder / 'config.py', resolved_text(plan.loaded.config))
    write_record(folder / 'run.json', RunRecord(
        kind=kind, config_name=plan.loaded.name, config_path=str(plan.loaded.path),
        command=list(command), config_hash=digest,
        experiment=identity(plan.loaded.config, plan.data_hash()),
        started=utc_now(), finished=utc_now(),
        seed=plan.seed, status='done', data_root=plan.data_root, classes=list(classes),
        data_manifest_hash=plan.data_hash(), samples=samples, versions=library_versions(kind),
        device=device_name(plan.device), threads=torch.get_num_threads(),
        precision=plan.precision, pretrained=weights,
        frozen_stages=plan.model_options.frozen_stages, stages=stage_table(model),
        trainable_parameters=trainable, total_parameters=total, max_epochs=0))
    point_latest(folder)
    return folder
