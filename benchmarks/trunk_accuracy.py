"""What the fast path for frozen stages costs in accuracy: paired trainings, ResNet50, 128 pixels.

python benchmarks/trunk_accuracy.py data/flower_dataset --weights weights/resnet50.pth

For each seed, with three stages and with everything frozen: the plain path in float32, the fast
path with a view an epoch, and the fast path with four views for all epochs. Printed is the top-1 on
the validation part after the last epoch (nothing is selected by it), and for both fast paths the
paired difference to the plain one with its 95 % interval over the seeds (Student's t).
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from scipy.stats import t as student

ROOT = Path(__file__).resolve().parent.parent

PATHS = {  # name: options of `execution`
    'plain, fp32': ['precision=fp32', 'trunk_cache=False'],
    'fast, V = epochs': [],
    'fast, V = 4': ['views=4'],
}
AT_128_PIXELS = [
    'train_dataloader.dataset.pipeline.1.scale=128', 'val_dataloader.dataset.pipeline.1.scale=146',
    'val_dataloader.dataset.pipeline.2.crop_size=128']


def interval(differences: list[float]) -> tuple[float, float]:
    """Mean of paired differences, and half its 95 % interval."""
    spread = statistics.stdev(differences) / len(differences) ** 0.5
    return statistics.mean(differences), float(student.ppf(0.975, len(differences) - 1)) * spread


def train_once(args, frozen: str, options: list[str], seed: int, images: int) -> float:
    """Top-1 in percent after the last epoch."""
    from amlnn.engine.train import TrainOptions, train
    from amlnn.records import read_run
    indices = [number * images // args.images for number in range(args.images)]
    given = [f'train_cfg.max_epochs={args.epochs}', f'train_cfg.val_interval={args.epochs}',
             f'train_dataloader.dataset.indices={json.dumps(indices, separators=(",", ":"))}',
             *AT_128_PIXELS, *(f'execution.{option}' for option in options)]
    given += [f'{part}_dataloader.dataset.data_root={args.data.resolve()}'
              for part in ('train', 'val')]
    given += [f'{part}_dataloader.num_workers={args.workers}' for part in ('train', 'val')]
    folder = train(TrainOptions(
        config=ROOT / f'configs/resnet50_frozen{frozen}.py', work_dir=args.out / frozen,
        pretrained=str(args.weights.resolve()), cfg_options=given, seed=seed))
    return read_run(folder).epochs[-1].metrics['accuracy/top1']


def main() -> None:
    """Train all of them and print the table."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='a data set of data_preprocess.py')
    parser.add_argument('--weights', type=Path, required=True,
                        help='a ResNet50 whose keys begin with `backbone.`')
    parser.add_argument('--epochs', type=int, default=8)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--images', type=int, help='train on so many images, evenly chosen')
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--out', type=Path, default=Path('work_dirs/trunk_accuracy'))
    args = parser.parse_args()
    count, validation = (len((args.data / f'{part}.txt').read_text().splitlines())
                         for part in ('train', 'val'))
    args.images = min(args.images or count, count)
    print(f'{args.images:,} training and {validation} validation images, {args.epochs} epochs, '
          f'seeds {args.seeds}', flush=True)
    lines = []
    for frozen in ('3', 'all'):
        found: dict[str, list[float]] = {}
        for name, options in PATHS.items():
            for seed in args.seeds:
                begin = time.perf_counter()
                with tempfile.TemporaryDirectory() as cache:  # no run reads another's features
                    os.environ['AMLNN_CACHE'] = cache
                    top1 = train_once(args, frozen, options, seed, count)
                found.setdefault(name, []).append(top1)
                print(f'frozen {frozen}, {name}, seed {seed}: top-1 {top1:.2f} %, '
                      f'{time.perf_counter() - begin:.0f} s', flush=True)
        plain = found['plain, fp32']
        for name, values in found.items():
            text = f'frozen {frozen:3}  {name:17} top-1 {statistics.mean(values):6.2f} %'
            if name != 'plain, fp32':
                mean, half = interval([value - other for value, other
                                       in zip(values, plain, strict=True)])
                text += f'   difference {mean:+.2f}, 95 % interval {mean - half:+.2f} to ' \
                        f'{mean + half:+.2f}'
            lines.append(text)
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
