"""Fine-tuning ResNet50: amlnn beside MMPretrain's own tools/train.py, as ratios of seconds.

python benchmarks/finetune.py data/flower_dataset --weights weights/resnet50.pth

Both sides train on the same images with the same recipe, one after the other on this machine: 224
pixels, batch 32, SGD, validation and a checkpoint after every epoch. MMPretrain gets the best of 0,
1 and 2 workers. Each side is timed on a part of the images, by default 10 batches, and its seconds
for the whole training are extrapolated: start-up + epochs x images x seconds per image. With fewer
views than epochs, amlnn's epochs that compute and epochs that read are timed apart. The resolved
recipes and all logs stay in the output folder.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BATCH = 32

CASES = {  # name: (amlnn's config, MMPretrain's frozen_stages, amlnn's views)
    'everything frozen, V = epochs': ('resnet50_frozenall', 4, None),
    'everything frozen, V = 4': ('resnet50_frozenall', 4, 4),
    'three stages frozen, V = epochs': ('resnet50_frozen3', 3, None),
    'three stages frozen, V = 4': ('resnet50_frozen3', 3, 4),
    'nothing frozen': ('resnet50_frozen0', -1, None),
}

PEER = '''\
default_scope = 'mmpretrain'
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=50, num_stages=4, out_indices=(3, ), style='pytorch',
                  frozen_stages={frozen},
                  init_cfg=dict(type='Pretrained', checkpoint={weights!r}, prefix='backbone.')),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes={classes}, in_channels=2048,
              loss=dict(type='CrossEntropyLoss', loss_weight=1.0), topk=(1, )))
data_preprocessor = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True,
                         num_classes={classes})
train_pipeline = [
    dict(type='LoadImageFromFile'), dict(type='RandomResizedCrop', scale=224, backend='cv2'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'), dict(type='PackInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=256, edge='short', backend='cv2'),
    dict(type='CenterCrop', crop_size=224), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size={batch}, num_workers={workers}, persistent_workers={workers} > 0,
    dataset=dict(type='CustomDataset', data_root={root!r}, data_prefix='training_set',
                 indices={train}, pipeline=train_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=True))
val_dataloader = dict(
    batch_size=64, num_workers={workers}, persistent_workers={workers} > 0,
    dataset=dict(type='CustomDataset', data_root={root!r}, data_prefix='val_set',
                 indices={val}, pipeline=test_pipeline),
    sampler=dict(type='DefaultSampler', shuffle=False))
val_evaluator = dict(type='Accuracy', topk=(1, ))
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=0.0001))
param_scheduler = dict(type='ConstantLR', factor=1.0, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs={epochs}, val_interval=1)
val_cfg = dict()
default_hooks = dict(
    timer=dict(type='IterTimerHook'), logger=dict(type='LoggerHook', interval=1),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='CheckpointHook', interval=1),
    sampler_seed=dict(type='DistSamplerSeedHook'))
env_cfg = dict(cudnn_benchmark=False, mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1),
               dist_cfg=dict(backend='nccl'))
randomness = dict(seed=0)
log_level = 'INFO'
'''


def spread(count: int, wanted: int) -> list[int]:
    """`wanted` of `count` indices, evenly spaced, so that every class is met."""
    wanted = min(count, wanted)
    return [index * count // wanted for index in range(wanted)]


def timed(command: list[str], log: Path, folder: Path) -> float:
    """Run a command, keep its output, and give its seconds."""
    begin = time.perf_counter()
    with open(log, 'w') as file:
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT,
                                cwd=folder).returncode
    if status:
        sys.exit(f'error: `{" ".join(command[:3])}` failed\nhint: see {log}')
    return time.perf_counter() - begin


def time_peer(args, sizes, frozen: int, workers: int, out: Path) -> dict[str, float]:
    """MMPretrain: seconds of start-up, and per image of training and of validation."""
    folder = out / f'mmpretrain_frozen{frozen}_workers{workers}'
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / 'recipe.py'
    config.write_text(PEER.format(
        frozen=frozen, weights=str(args.weights.resolve()), classes=sizes['classes'], batch=BATCH,
        workers=workers, root=str(args.data.resolve()), epochs=1,
        train=spread(sizes['train'], args.images), val=spread(sizes['val'], args.images)))
    tool = Path(find_spec('mmpretrain').origin).parent / '.mim/tools/train.py'
    wall = timed([sys.executable, str(tool), str(config), '--work-dir', str(folder)],
                 folder / 'log.txt', folder)
    lines = [json.loads(line) for path in folder.glob('*/vis_data/scalars.json')
             for line in path.read_text().splitlines()]
    steps = [line['time'] for line in lines if 'loss' in line]
    # LoggerHook shows means over ten iterations; the first, slow one is taken out of them.
    train = steps[-1] if not 1 < len(steps) <= 10 else \
        (steps[-1] * len(steps) - steps[0]) / (len(steps) - 1)
    val_batches = -(-len(spread(sizes['val'], args.images)) // 64)
    val = next(line['time'] for line in lines if 'loss' not in line and 'time' in line)
    per_val_image = val * val_batches / len(spread(sizes['val'], args.images))
    fixed = wall - train * len(steps) - val * val_batches
    return {'fixed': fixed, 'train': train / BATCH, 'val': per_val_image, 'workers': workers}


def time_ours(args, sizes, config: str, views: int | None, out: Path) -> dict[str, float]:
    """amlnn: the same, with epochs that read features apart from those that compute them."""
    folder = out / f'amlnn_{config}_views{views or "epochs"}'
    folder.mkdir(parents=True, exist_ok=True)
    epochs = 2 if views is None else 4
    options = [f'train_cfg.max_epochs={epochs}',
               f'train_dataloader.dataset.indices={spread(sizes["train"], args.images)}',
               f'val_dataloader.dataset.indices={spread(sizes["val"], args.images)}']
    options += [f'{part}_dataloader.dataset.data_root={args.data.resolve()}'
                for part in ('train', 'val')]
    if views:
        options.append('execution.views=2')  # two epochs compute, two read
    os.environ['AMLNN_CACHE'] = str(folder / 'cache')
    wall = timed([sys.executable, str(ROOT / 'tools/train.py'), str(ROOT / f'configs/{config}.py'),
                  '--pretrained', str(args.weights.resolve()), '--work-dir', str(folder / 'runs'),
                  '--cfg-options', *[option.replace(' ', '') for option in options]],
                 folder / 'log.txt', ROOT)
    record = json.loads((folder / 'runs/latest/run.json').read_text())
    seconds = record['epochs']
    train_images, val_images = record['samples']['train'], record['samples']['val']
    computing = seconds[1:2] if views is None else seconds[:2]
    reading = seconds[2:] if views else computing
    fixed = wall - sum(epoch['seconds'] for epoch in seconds)
    return {'fixed': fixed,
            'train': statistics.median(e['train_seconds'] for e in computing) / train_images,
            'read': statistics.median(e['train_seconds'] for e in reading) / train_images,
            'first_val': seconds[0]['val_seconds'] / val_images,
            'val': statistics.median(e['val_seconds'] for e in seconds[1:]) / val_images}


def total_peer(times: dict, sizes: dict, epochs: int) -> float:
    """Seconds of the whole training."""
    return times['fixed'] + epochs * (times['train'] * sizes['train'] + times['val'] * sizes['val'])


def total_ours(times: dict, sizes: dict, epochs: int, views: int | None) -> float:
    """Seconds of the whole training."""
    views = min(views or epochs, epochs)
    training = sizes['train'] * (views * times['train'] + (epochs - views) * times['read'])
    validation = sizes['val'] * (times['first_val'] + (epochs - 1) * times['val'])
    return times['fixed'] + training + validation


def main() -> None:
    """Time both sides and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='a data set of data_preprocess.py')
    parser.add_argument('--weights', type=Path, required=True,
                        help='a ResNet50 whose keys begin with `backbone.`')
    parser.add_argument('--epochs', type=int, default=30)
    parser.add_argument('--images', type=int, default=10 * BATCH, metavar='N',
                        help='time on so many training and validation images (default 320)')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 2],
                        help="MMPretrain's numbers of workers to choose the best of")
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark_finetune'))
    args = parser.parse_args()
    sizes = {part: len((args.data / f'{part}.txt').read_text().splitlines())
             for part in ('train', 'val')}
    sizes['classes'] = len((args.data / 'classes.txt').read_text().splitlines())
    print(f'{sizes["train"]} training and {sizes["val"]} validation images, {args.epochs} epochs, '
          f'extrapolated from {args.images} images; {os.cpu_count()} cores', flush=True)
    peers: dict[int, tuple[float, dict]] = {}
    rows = []
    for case, (config, frozen, views) in CASES.items():
        if frozen not in peers:
            tried = [time_peer(args, sizes, frozen, workers, args.out) for workers in args.workers]
            peers[frozen] = min(((total_peer(each, sizes, args.epochs), each) for each in tried),
                                key=lambda pair: pair[0])
        theirs, peer = peers[frozen]
        times = time_ours(args, sizes, config, views, args.out)
        ours = total_ours(times, sizes, args.epochs, views)
        rows.append({'case': case, 'ratio': theirs / ours, 'mmpretrain_seconds': theirs,
                     'amlnn_seconds': ours, 'mmpretrain': peer, 'amlnn': times})
        print(f'{case:33} {theirs / ours:6.1f} x   MMPretrain {theirs:8.0f} s '
              f'({1 / peer["train"]:.1f} img/s, {peer["workers"]} workers)   amlnn {ours:7.0f} s '
              f'({1 / times["train"]:.1f} img/s computing, {1 / times["read"]:.0f} reading)',
              flush=True)
    (args.out / 'ratios.json').write_text(json.dumps(rows, indent=1) + '\n')


if __name__ == '__main__':
    main()
