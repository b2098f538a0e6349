"""Short trainings of a narrow ResNet18 with a cache of their own."""

import json
from pathlib import Path

from amlnn.engine.train import TrainOptions, train

FREEZE = {'three stages': 'model = dict(frozen_stages=3)',
          'everything': "model = dict(frozen_stages='all')"}


def run(config: Path, work_dir: Path, *options: str) -> Path:
    """Train with options of `execution`, or of the places they name, logging every iteration."""
    options = [f'execution.{option}' if not option.startswith(('train', 'model')) else option
               for option in options]
    return train(TrainOptions(config, work_dir=work_dir,
                              cfg_options=['default_hooks.logger.interval=1', *options]))


def losses(folder: Path) -> list[float]:
    """The loss of every iteration."""
    lines = (folder / 'scalars.jsonl').read_text().splitlines()
    return [json.loads(line)['loss'] for line in lines]
