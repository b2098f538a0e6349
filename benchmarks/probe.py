"""What tools/probe.py and tools/doctor.py take beside one pass over the images.

AMLNN_CACHE=$(mktemp -d) python benchmarks/probe.py configs/resnet50_baseline.py \\
    --data data/flower_dataset

Printed are the seconds of the features, as computed now; the trunk's own speed on images that are
read already, and that of the pass in its shares; then the seconds of the table, part by part, of
the map and of the doctor's files, labels and shortcuts, each as a share of the pass. Features that
the cache has are read: then the pass's seconds are reckoned from what reading and the trunk take
for a few images, and said to be. Nothing else should run on the machine meanwhile.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.dataset import default_collate
from rich.console import Console

from amlnn.config.data_place import data_option
from amlnn.config.kind import part_data_sets
from amlnn.config.load import load_config
from amlnn.data.images.views import View
from amlnn.doctor.examine import examine
from amlnn.engine.device import choose_device
from amlnn.engine.images.feature_pass import FeaturePass, PartFeatures
from amlnn.engine.images.loaders import build_loader
from amlnn.engine.images.split_pace import Splits
from amlnn.engine.kinds import in_scope, open_task
from amlnn.engine.task import Task
from amlnn.probe.table import Part, ProbeTable

_IMAGES = 64  # that are read and computed to reckon a pass
_SECONDS = 3.0  # for which the trunk is asked again and again


@dataclass
class Pace:
    """Seconds of one image."""

    reading: float
    """Divided by the cores, on which workers read side by side."""
    trunk: float

    @property
    def images_a_second(self) -> float:
        """Of the trunk alone."""
        return 1 / self.trunk

    def of_pass(self, images: int) -> float:
        """Of as many images, computed and read on the same cores."""
        return images * (self.reading + self.trunk)


def pace_of(task: Task, one: FeaturePass) -> Pace:
    """What reading and the trunk take, of a few validation images."""
    with in_scope(task.plan.config):
        loader = build_loader(task.plan, 'val', task.classes)
        count = min(_IMAGES, len(loader.dataset))
        begin = time.perf_counter()
        images = [loader.dataset[View(place, 0)] for place in range(count)]
        reading = (time.perf_counter() - begin) / count
        cores = min(os.cpu_count() or 1, torch.get_num_threads()) if loader.num_workers else 1
        size = min(loader.batch_size or 1, count)
        batch = one.model.data_preprocessor(default_collate(images[:size]), False)['inputs']
        one.trunk(batch)
        begin, done = time.perf_counter(), 0
        while time.perf_counter() - begin < _SECONDS:
            one.trunk(batch)
            done += size
        return Pace(reading / cores, (time.perf_counter() - begin) / done)


def steps_of(table: ProbeTable) -> Iterator[tuple[str, float]]:
    """The parts of a table and their seconds, in the order in which a probe asks for them."""
    def timed(name: str, run: Callable[[], object]) -> tuple[str, float]:
        begin = time.perf_counter()
        run()
        return name, time.perf_counter() - begin

    rows = table.rows()
    for name in ('nearest neighbours', 'logistic regression', 'ridge'):
        yield timed(f'  {name}', lambda: next(rows))
    yield timed('  few images', table.shots)
    yield timed('  what more would bring', table.gains)
    yield timed('  stage by stage', lambda: list(table.stages()))
    yield timed('  stages together', table.together)


def features_of(task: Task, one: FeaturePass) -> dict[str, PartFeatures]:
    """Of every part that the config has."""
    return {part: one.of(part) for part in ('train', 'val', 'test')
            if part_data_sets(task.plan.config, part)
            and (part != 'test' or task.default_split() == 'test')}


def line(name: str, seconds: float, whole: float, more: str = '') -> str:
    """A row."""
    return f'{name:26} {seconds:9.2f} {100 * seconds / whole:8.1f} %{more}'


def report(config: str, data: Path | None, device: str) -> Iterator[str]:
    """The lines to be printed, as they are known."""
    task = open_task(load_config(config, data_option(data)), choose_device(device))
    one = FeaturePass(task)
    found = features_of(task, one)
    count, pace = sum(len(each.ids) for each in found.values()), pace_of(task, one)
    computed = sum(each.computed for each in found.values())
    whole = sum(each.seconds for each in found.values()) if computed == count \
        else pace.of_pass(count)
    yield f'{Path(config).name}: {count:,} images of {len(task.classes or [])} classes, ' \
        f'{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}'
    how = 'as it went' if computed == count else \
        f'as reckoned of both: {count - computed:,} were read from the cache'
    yield f'the trunk alone {pace.images_a_second:.1f} img/s, reading {1 / pace.reading:.1f} ' \
        f'img/s on these cores, the pass {count / whole:.1f} img/s {how}'
    yield f'{"step":26} {"seconds":>9} {"of the pass":>10}'
    yield line('features', whole, whole, f'   (the trunk alone: {count * pace.trunk:.2f} s)')
    begin = time.perf_counter()
    parts = {part: Part(part, each.labels, each.stages).few() for part, each in found.items()}
    table = ProbeTable(task.classes or [], parts['train'], parts['val'], parts.get('test'))
    lines = [line(name, seconds, whole) for name, seconds in steps_of(table)]
    yield line('table', time.perf_counter() - begin, whole)
    yield from lines
    begin = time.perf_counter()
    Splits(one).paces()
    yield line('map', time.perf_counter() - begin, whole)
    if data is not None:
        examined = examine(data, Console(quiet=True), config, device)
        for name, seconds in examined.seconds.items():
            kept = name == 'features' and not examined.computed
            yield line(f'doctor: {name}', seconds, whole, '   (read from the cache)' * kept)


def main() -> None:
    """Print seconds and shares."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='whose backbone looks')
    parser.add_argument('--data', type=Path, help="the data set's folder, instead of the config's; "
                        'the doctor looks at it too')
    parser.add_argument('--device', default='auto')
    args = parser.parse_args()
    for each in report(args.config, args.data, args.device):
        print(each, flush=True)


if __name__ == '__main__':
    main()
