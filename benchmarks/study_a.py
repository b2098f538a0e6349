"""Study A's tables 1 and 2 with all their seeds, beside one training in MMPretrain: seconds.

python benchmarks/study_a.py data/flower_dataset --weights weights/resnet50.pth

The tables are eight trainings a seed: nothing, stem, stem + 1, + 2, + 3 and all of ResNet50 frozen
at a learning rate of 0.01, and nothing frozen at 0.001 and 0.0001. MMPretrain's one training is
that of study A's baseline: nothing frozen, 30 epochs, with the best of 0, 1 and 2 workers. Both are
timed at --side pixels, MMPretrain at the baseline's 224 too; everything as in
benchmarks/finetune.py: a part of the images, one after the other on this machine, extrapolated.
Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from finetune import arguments_of_ours, seconds_of, total_ours
from finetune_peers import BATCH, time_peer, total_peer
from machine import ROOT, emptied, sizes_of, timed

ROWS = {-1: 3, 0: 1, 1: 1, 2: 1, 3: 1, "'all'": 1}
"""Trainings a seed, by what is frozen: nothing is at three learning rates, which cost alike."""


def time_row(args, sizes, frozen) -> dict[str, float]:
    """amlnn: seconds of start-up, and per image, of a row."""
    name = str(frozen).strip("'")
    folder = emptied(args.out / f'amlnn_{args.side}_frozen_{name}')
    edge = round(args.side * 256 / 224)
    options = [*arguments_of_ours(args, sizes, None, 2), f'model.frozen_stages={frozen}',
               f'train_dataloader.dataset.pipeline.1.scale={args.side}',
               *(f'{part}_dataloader.dataset.pipeline.{step}={size}' for part in ('val', 'test')
                 for step, size in (('1.scale', edge), ('2.crop_size', args.side)))]
    wall = timed([sys.executable, str(ROOT / 'tools/train.py'),
                  str(ROOT / 'configs/resnet50_baseline.py'),
                  '--pretrained', str(args.weights.resolve()), '--work-dir', str(folder / 'runs'),
                  '--cfg-options', *options],
                 folder / 'log.txt', ROOT, AMLNN_CACHE=str(folder / 'cache'))
    return seconds_of(folder / 'runs/latest', wall, None)


def main() -> None:
    """Time the rows and MMPretrain, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='a data set of data_preprocess.py')
    parser.add_argument('--weights', type=Path, required=True,
                        help='a ResNet50 whose keys begin with `backbone.`')
    parser.add_argument('--side', type=int, default=128, help='pixels of an image')
    parser.add_argument('--epochs', type=int, default=10, help='of every row of the tables')
    parser.add_argument('--peer-epochs', type=int, default=30, help='of the one training')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--images', type=int, default=8 * BATCH, metavar='N',
                        help='time on so many training and validation images (default 256)')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 2],
                        help="MMPretrain's numbers of workers to choose the best of")
    parser.add_argument('--trunk-engine', choices=['auto', 'torch', 'openvino'], default='auto',
                        help='as of benchmarks/finetune.py')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark_study_a'))
    args = parser.parse_args()
    args.out = args.out.resolve()
    sizes = sizes_of(args.data)
    print(f'{sizes["train"]:,} training and {sizes["val"]} validation images, extrapolated from '
          f'{args.images} images; {os.cpu_count()} cores', flush=True)
    whole, rows, peers = 0.0, {}, {}
    for frozen, trainings in ROWS.items():
        times = time_row(args, sizes, frozen)
        seconds = total_ours(times, sizes, args.epochs, None)
        whole += trainings * args.seeds * seconds
        rows[str(frozen)] = {**times, 'seconds': seconds}
        print(f'frozen_stages {frozen!s:6} {1 / times["train"]:7.1f} img/s training, '
              f'{seconds:8,.0f} s for {args.epochs} epochs, {trainings} a seed', flush=True)
    print(f'tables 1 and 2 at {args.side} pixels, {args.epochs} epochs, {args.seeds} seeds, one '
          f'training after another: {whole:,.0f} s', flush=True)
    for side in dict.fromkeys((args.side, 224)):
        tried = [time_peer(args, sizes, -1, workers, args.out, side) for workers in args.workers]
        best = min(tried, key=lambda each: total_peer(each, sizes, args.peer_epochs))
        seconds = total_peer(best, sizes, args.peer_epochs)
        peers[side] = {**best, 'seconds': seconds}
        print(f'MMPretrain at {side} pixels, nothing frozen: {1 / best["train"]:7.1f} img/s '
              f'training with {best["workers"]} workers, {seconds:,.0f} s for {args.peer_epochs} '
              f'epochs; the tables take {whole / seconds:.2f} of it', flush=True)
    (args.out / 'seconds.json').write_text(json.dumps(
        {'rows': rows, 'tables': whole, 'mmpretrain': peers}, indent=1) + '\n')


if __name__ == '__main__':
    main()
