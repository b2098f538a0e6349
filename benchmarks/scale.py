"""Training a head on kept features at the size of ImageNet: time, disk and memory an image.

python benchmarks/scale.py --images 1000 10000 100000
python benchmarks/scale.py --images 1281167 --classes 1000 --width 2048 --out /a/disk/with/11GB

For each number of images, in a process of its own: random vectors are written as the features of so
many images, then epochs are read in a random order by the loader of the fast path, and a linear
head takes a step on each batch. Printed are microseconds an image of writing, of the first reading
after the file was dropped from the system's memory, of a later one, and of one with steps; the
disk's own rates, in order and at random; and how much the process grew while it read. Nothing else
should run on the machine meanwhile.
"""

import argparse
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH = 256
_CHUNK = 1 << 20


class Generated:
    """As many images as there are features, none of which is ever opened."""

    def __init__(self, images: int, classes: int):
        self.images, self.classes = images, classes

    def __len__(self) -> int:
        return self.images

    def get_data_info(self, index: int) -> dict:
        return {'gt_label': index % self.classes}

    def key(self, index: int) -> str:
        return f'class{index % self.classes:04}/{index:07}.jpg'

    def __getitem__(self, item):
        raise AssertionError('an image is asked for, whose features are kept')


def dropped(path: Path) -> None:
    """Let the system forget what it keeps of a file in memory."""
    with open(path, 'rb') as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def disk_rates(path: Path, row: int) -> dict[str, float]:
    """Bytes a second of reading a file in order, and of single rows at random places."""
    size = path.stat().st_size
    rates = {}
    with open(path, 'rb', buffering=0) as file:
        dropped(path)
        begin = time.perf_counter()
        while file.read(_CHUNK):
            pass
        rates['in order'] = size / (time.perf_counter() - begin)
        dropped(path)
        places = [random.randrange(size // row) * row for _ in range(min(2000, size // row))]
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        begin = time.perf_counter()
        for place in places:
            os.pread(file.fileno(), row, place)
        rates['at random'] = row * len(places) / (time.perf_counter() - begin)
    return rates


def resident() -> int:
    """Bytes of this process in memory, the most there were so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(images: int, classes: int, width: int, epochs: int, root: Path) -> dict:
    """All that is printed of one number of images."""
    import torch
    from mmpretrain.models.heads import LinearClsHead
    from torch.utils.data import BatchSampler, DataLoader

    from amlnn.data.cache.feature_store import FeatureStore
    from amlnn.data.images.views import View
    from amlnn.engine.images.feature_loader import FeatureLoader
    torch.manual_seed(0)
    dataset = Generated(images, classes)
    begin = time.perf_counter()
    store = FeatureStore.open(root, {'generated': images}, (width, ), torch.float32,
                              [dataset.key(index) for index in range(images)], 1, 1 << 62)
    opened = time.perf_counter() - begin
    begin = time.perf_counter()
    for first in range(0, images, BATCH):
        rows = range(first, min(images, first + BATCH))
        store.write(0, rows, torch.randn(len(rows), width))
    written = time.perf_counter() - begin
    order = torch.utils.data.RandomSampler(range(images))
    loader = FeatureLoader(
        lambda batch: None, lambda sample: None,
        DataLoader(dataset, batch_sampler=BatchSampler(_Views(order, View), BATCH, False),
                   collate_fn=list), store, keep=True)
    head = LinearClsHead(classes, width, topk=(1, ))
    optimizer = torch.optim.SGD(head.parameters(), lr=0.01, momentum=0.9)

    def step(batch: dict) -> None:
        losses = head.loss((batch['inputs'], ), batch['data_samples'])
        optimizer.zero_grad(set_to_none=True)
        losses['loss'].backward()
        optimizer.step()

    def epoch(work) -> float:
        begin, count = time.perf_counter(), 0
        for batch in loader:
            work(batch)
            count += len(batch['inputs'])
        if count != images:
            raise AssertionError(f'{count} of {images} images came')
        return time.perf_counter() - begin

    files = sorted(root.rglob('*.data'))
    dropped(files[0])
    before = resident()
    cold = epoch(lambda batch: None)
    read = statistics.median(epoch(lambda batch: None) for _ in range(epochs))
    trained = statistics.median(epoch(step) for _ in range(epochs))
    grown = resident() - before
    return {'images': images, 'opened': opened / images, 'written': written / images,
            'cold': cold / images, 'read': read / images, 'trained': trained / images,
            'grown': grown, 'before': before, 'bytes': files[0].stat().st_size,
            'disk': disk_rates(files[0], width * 4)}


class _Views:
    """A sampler of indices as one of views."""

    def __init__(self, sampler, view):
        self.sampler, self.view = sampler, view

    def __iter__(self):
        return (self.view(index, 0) for index in self.sampler)

    def __len__(self) -> int:
        return len(self.sampler)


def main() -> None:
    """Measure each number of images and print a row."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--images', type=int, nargs='+', default=[1000, 10_000, 100_000])
    parser.add_argument('--classes', type=int, default=1000)
    parser.add_argument('--width', type=int, default=2048, help="of a vector: ResNet50's")
    parser.add_argument('--epochs', type=int, default=3, help='whose median is taken')
    parser.add_argument('--out', type=Path, help='where the features lie meanwhile; by default '
                        "the system's place for temporary files")
    parser.add_argument('--one', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        folder = Path(tempfile.mkdtemp(prefix='scale_', dir=args.out))
        try:
            print(json.dumps(measure(args.images[0], args.classes, args.width, args.epochs,
                                     folder)))
        finally:
            shutil.rmtree(folder)
        return
    print(f'{platform.processor() or platform.machine()}, {os.cpu_count()} cores; vectors of '
          f'{args.width} numbers in float32, {args.classes} classes, batch {BATCH}; microseconds '
          'an image')
    print(f'{"images":>10} {"opening":>8} {"writing":>8} {"cold":>8} {"reading":>8} {"training":>9}'
          f' {"of file, MB/s":>14} {"disk, MB/s in order / at random":>33} {"grown, MB":>10}')
    for images in args.images:
        command = [sys.executable, __file__, '--one', '--images', str(images), '--classes',
                   str(args.classes), '--width', str(args.width), '--epochs', str(args.epochs)]
        found = json.loads(subprocess.run(
            [*command, *(['--out', str(args.out)] if args.out else [])], check=True,
            capture_output=True, text=True).stdout.splitlines()[-1])
        shown = [1e6 * found[key] for key in ('opened', 'written', 'cold', 'read', 'trained')]
        rate = found['bytes'] / found['images'] / found['cold'] / 1e6
        print(f'{images:10,} ' + ' '.join(f'{value:8.1f}' for value in shown)
              + f' {rate:15.0f} {found["disk"]["in order"] / 1e6:19.0f} / '
              f'{found["disk"]["at random"] / 1e6:.0f} {found["grown"] / 1e6:10.0f}', flush=True)


if __name__ == '__main__':
    main()
