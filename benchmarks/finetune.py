"""Fine-tuning ResNet50: amlnn beside MMPretrain's own tools/train.py, as ratios of seconds.

python benchmarks/finetune.py data/flower_dataset --weights weights/resnet50.pth

Both sides train on the same images with the same recipe, one after the other on this machine: 224
pixels, batch 32, SGD, validation and a checkpoint after every epoch. MMPretrain gets the best of 0,
1 and 2 workers. Each side is timed on a part of the images, by default 8 batches, and its seconds
for the whole training are extrapolated: start-up + epochs x images x seconds per image. With fewer
views than epochs, amlnn's epochs that compute and epochs that read are timed apart. The sweep is
three trainings in one process, which share their features. The resolved recipes and all logs stay
in the output folder. Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import re
import shutil
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
RATES = (0.01, 0.001, 0.0001)

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
    dict(type='LoadImageFromFile'),
    dict(type='RandomResizedCrop', scale={side}, backend='cv2'),
    dict(type='RandomFlip', prob=0.5, direction='horizontal'), dict(type='PackInputs')]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale={edge}, edge='short', backend='cv2'),
    dict(type='CenterCrop', crop_size={side}), dict(type='PackInputs')]
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


def emptied(folder: Path) -> Path:
    """A folder without what an earlier benchmark left in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def timed(command: list[str], log: Path, folder: Path, **environment: str) -> float:
    """Run a command, keep its output, and give its seconds."""
    begin = time.perf_counter()
    with open(log, 'w') as file:
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, cwd=folder,
                                env={**os.environ, **environment}).returncode
    if status:
        sys.exit(f'error: `{" ".join(command[:3])}` failed\nhint: see {log}')
    return time.perf_counter() - begin


def time_peer(args, sizes, frozen: int, workers: int, out: Path,
              side: int = 224) -> dict[str, float]:
    """MMPretrain: seconds of start-up, and per image of training and of validation."""
    folder = emptied(out / f'mmpretrain_frozen{frozen}_workers{workers}'
                           f'{"" if side == 224 else f"_{side}"}')
    config = folder / 'recipe.py'
    config.write_text(PEER.format(
        frozen=frozen, weights=str(args.weights.resolve()), classes=sizes['classes'], batch=BATCH,
        workers=workers, root=str(args.data.resolve()), epochs=1, side=side,
        edge=round(side * 256 / 224),
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
    top1 = max(line['accuracy/top1'] for line in lines if 'accuracy/top1' in line)
    return {'fixed': fixed, 'train': train / BATCH, 'val': per_val_image, 'workers': workers,
            'top1': top1}


def arguments_of_ours(args, sizes, views: int | None, epochs: int) -> list[str]:
    """`--cfg-options` that give amlnn the data and the length that MMPretrain has."""
    options = [f'train_cfg.max_epochs={epochs}']
    for part in ('train', 'val'):
        indices = ','.join(map(str, spread(sizes[part], args.images)))
        options += [f'{part}_dataloader.dataset.indices=[{indices}]',
                    f'{part}_dataloader.dataset.data_root={args.data.resolve()}']
    options.append(f'execution.trunk_engine={args.trunk_engine}')
    return [*options, f'execution.views={views}'] if views else options


def seconds_of(run: Path, wall: float, views: int | None) -> dict[str, float]:
    """amlnn: seconds of start-up, and per image of training and of validation, from a run folder.

    What the first epoch takes longer than the next, such as choosing kernels, is start-up.

    Args:
        run: The run folder.
        wall: Seconds of the whole training.
        views: How many of its epochs computed features that later ones read; None: no epoch read.
    """
    record = json.loads((run / 'run.json').read_text())
    epochs = record['epochs']
    train_images, val_images = record['samples']['train'], record['samples']['val']
    steady = epochs[1:] if views is None else epochs[1:views]  # computing, and warm
    reading = epochs[max(views, 1):] if views is not None else steady

    def per_image(part, key, images):
        return statistics.median(epoch[key] for epoch in part) / images

    train = per_image(steady or reading, 'train_seconds', train_images)
    warming = epochs[0]['train_seconds'] - train * train_images
    return {'fixed': wall - sum(epoch['seconds'] for epoch in epochs) + warming,
            'train': train, 'read': per_image(reading, 'train_seconds', train_images),
            'first_val': epochs[0]['val_seconds'] / val_images,
            'val': per_image(epochs[1:], 'val_seconds', val_images),
            'top1': epochs[0]['metrics']['accuracy/top1'], 'trunk': record['trunk']}


def time_ours(args, sizes, config: str, views: int | None, out: Path) -> dict[str, float]:
    """amlnn: the same, with epochs that read features apart from those that compute them."""
    folder = emptied(out / f'amlnn_{config}_views{views or "epochs"}')
    measured = views and 2  # two epochs compute, two read
    options = arguments_of_ours(args, sizes, measured, 4 if views else 2)
    wall = timed([sys.executable, str(ROOT / 'tools/train.py'), str(ROOT / f'configs/{config}.py'),
                  '--pretrained', str(args.weights.resolve()), '--work-dir', str(folder / 'runs'),
                  '--cfg-options', *options],
                 folder / 'log.txt', ROOT, AMLNN_CACHE=str(folder / 'cache'))
    return seconds_of(folder / 'runs/latest', wall, measured)


def time_sweep(args, sizes, out: Path) -> list[dict[str, float]]:
    """amlnn: each trial of a sweep over learning rates, all in one process."""
    folder = emptied(out / 'amlnn_sweep')
    trials = [{'config': str(ROOT / 'configs/resnet50_frozenall.py'),
               'pretrained': str(args.weights.resolve()), 'work_dir': str(folder / str(rate)),
               'cfg_options': [*arguments_of_ours(args, sizes, 2, 4),
                               f'optim_wrapper.optimizer.lr={rate}']} for rate in RATES]
    (folder / 'trials.json').write_text(json.dumps(trials))
    wall = timed([sys.executable, __file__, '--trials', str(folder / 'trials.json')],
                 folder / 'log.txt', ROOT, AMLNN_CACHE=str(folder / 'cache'))
    walls = json.loads((folder / 'walls.json').read_text())
    times = [seconds_of(folder / str(rate) / 'latest', wall, 2 if rate == RATES[0] else 0)
             for rate, wall in zip(RATES, walls, strict=True)]
    times[0]['fixed'] += wall - sum(walls)  # the interpreter's start
    return times


def run_trials(path: Path) -> None:
    """In a process of its own: train one config after another, and note the seconds of each."""
    from amlnn.engine.train import TrainOptions, train
    walls = []
    for trial in json.loads(path.read_text()):
        begin = time.perf_counter()
        train(TrainOptions(config=Path(trial['config']), pretrained=trial['pretrained'],
                           work_dir=Path(trial['work_dir']), cfg_options=trial['cfg_options']))
        walls.append(time.perf_counter() - begin)
    (path.parent / 'walls.json').write_text(json.dumps(walls))


def measure_parts(path: Path) -> None:
    """In a process of its own: what the machine could do, and where an image's time goes."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from torchvision.models import resnet50

    from amlnn.config.load import load_config
    from amlnn.engine.device import choose_device, device_name
    from amlnn.engine.task import in_scope, open_task
    from amlnn.models.images.trunk import Trunk
    given = json.loads(path.read_text())

    def best(function, repeats=9) -> float:
        seconds = []
        for _ in range(repeats):
            begin = time.perf_counter()
            function()
            if device == 'cuda':
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - begin)
        return min(seconds)

    device = choose_device('auto')
    side = 8192 if device == 'cuda' else 4096
    left, right = (torch.randn(side, side, device=device).bfloat16() for _ in range(2))
    peak = 2 * side ** 3 / best(lambda: left @ right)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network = resnet50().eval()
        network.fc = torch.nn.Identity()
        network(torch.randn(1, 3, 224, 224))
    loaded = load_config(Path(given['config']), [*given['cfg_options'],
                                                 'train_dataloader.num_workers=0'])
    task = open_task(loaded, device, pretrained='none')
    plan = task.plan
    with in_scope(loaded.config):
        loader = task.loader('train')
        begin = time.perf_counter()
        count = sum(len(batch['data_samples']) for batch in loader)
        decoding = (time.perf_counter() - begin) / count
        model, _ = task.build_model()
        trunk = Trunk(model, precision=plan.precision)
        images = torch.randn(BATCH, 3, 224, 224, device=device)
        computing = best(lambda: trunk(images)) / BATCH
    path.with_name('parts.json').write_text(json.dumps({
        'peak_flops': peak, 'trunk_flops': counter.get_total_flops(), 'decode': decoding,
        'trunk': computing, 'precision': plan.precision, 'threads': torch.get_num_threads(),
        'device': device_name(device)}))


def total_peer(times: dict, sizes: dict, epochs: int) -> float:
    """Seconds of the whole training."""
    return times['fixed'] + epochs * (times['train'] * sizes['train'] + times['val'] * sizes['val'])


def total_ours(times: dict, sizes: dict, epochs: int, views: int | None) -> float:
    """Seconds of the whole training; `views` 0 when an earlier one left its features."""
    views = min(epochs if views is None else views, epochs)
    training = sizes['train'] * (views * times['train'] + (epochs - views) * times['read'])
    validation = sizes['val'] * (times['first_val'] + (epochs - 1) * times['val'])
    return times['fixed'] + training + validation


def compare(args, sizes) -> list[dict]:
    """All rows of the table, printed as they come."""
    peers: dict[int, tuple[float, dict]] = {}
    rows = []

    def add(case, theirs, ours, peer, times):
        rows.append({'case': case, 'ratio': theirs / ours, 'mmpretrain_seconds': theirs,
                     'amlnn_seconds': ours, 'mmpretrain': peer, 'amlnn': times})
        print(f'{case:38} {theirs / ours:6.1f} x   MMPretrain {theirs:8,.0f} s   '
              f'amlnn {ours:7,.0f} s', flush=True)

    for case, (config, frozen, views) in CASES.items():
        if frozen not in peers:
            tried = [time_peer(args, sizes, frozen, workers, args.out) for workers in args.workers]
            peers[frozen] = min(((total_peer(each, sizes, args.epochs), each) for each in tried),
                                key=lambda pair: pair[0])
            best = peers[frozen][1]
            print(f'MMPretrain, frozen_stages {frozen}: {1 / best["train"]:.1f} img/s training, '
                  f'{1 / best["val"]:.1f} validating, best with {best["workers"]} workers; '
                  f'top-1 {best["top1"]:.1f} after {args.images} images', flush=True)
        theirs, peer = peers[frozen]
        times = time_ours(args, sizes, config, views, args.out)
        add(case, theirs, total_ours(times, sizes, args.epochs, views), peer, times)
        reading = f', {1 / times["read"]:,.0f} reading' if views else ''
        print(f'    amlnn: {1 / times["train"]:.1f} img/s computing{reading}, validating '
              f'{1 / times["first_val"]:.1f}, then {1 / times["val"]:,.0f}, start-up '
              f'{times["fixed"]:.1f} s; top-1 {times["top1"]:.1f} after {args.images} images',
              flush=True)
    trials = time_sweep(args, sizes, args.out)
    ours = sum(total_ours(times, sizes, args.epochs, 0 if number else 4)
               for number, times in enumerate(trials))
    theirs, peer = peers[4]
    add(f'{len(RATES)} learning rates, everything frozen, V = 4', len(RATES) * theirs, ours, peer,
        trials)
    return rows


def markdown(args, sizes, rows: list[dict], parts: dict) -> str:
    """The table as a page, with what it was measured on."""
    images = f'{sizes["train"]:,} training and {sizes["val"]} validation images'
    lines = [
        '# Fine-tuning ResNet50: seconds beside MMPretrain', '',
        'Written by `python benchmarks/finetune.py DATA --weights FILE --record '
        'benchmarks/finetune.md`.', '',
        f'Both sides ran one after the other on one machine ({os.cpu_count()} cores, '
        f'{parts["device"]}, {parts["precision"]}, {parts["threads"]} threads), on the same '
        f'{args.images} images at 224 pixels, batch {BATCH}; seconds are those of {args.epochs} '
        f'epochs of {images}, extrapolated from what was run.', '',
        '| case | MMPretrain, s | amlnn, s | ratio |', '| --- | ---: | ---: | ---: |']
    lines += [f'| {row["case"]} | {row["mmpretrain_seconds"]:,.0f} | {row["amlnn_seconds"]:,.0f} '
              f'| {row["ratio"]:.1f} |' for row in rows]
    return '\n'.join([*lines, '', limits(parts, rows)]) + '\n'


def limits(parts: dict, rows: list[dict]) -> str:
    """How far from the machine's limit, and where the rest of an image's time goes."""
    row = next(row['amlnn'] for row in rows if row['case'] == 'everything frozen, V = epochs')
    reached = parts['trunk_flops'] / parts['trunk'] / parts['peak_flops']
    return (
        f'The bf16 matrix product reaches {parts["peak_flops"] / 1e12:.2f} TFLOP/s with '
        f'{parts["threads"]} threads; the trunk alone, in {parts["precision"]}, does '
        f'{1 / parts["trunk"]:.0f} img/s, {100 * reached:.0f} % of that. An image of an epoch with '
        f'everything frozen, V = epochs, takes {1e3 * row["train"]:.1f} ms, of which the trunk '
        f'alone {1e3 * parts["trunk"]:.1f} ms; decoding and augmentation take '
        f'{1e3 * parts["decode"]:.1f} ms of one core.')


def main() -> None:
    """Time both sides and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, nargs='?', help='a data set of data_preprocess.py')
    parser.add_argument('--weights', type=Path,
                        help='a ResNet50 whose keys begin with `backbone.`')
    parser.add_argument('--epochs', type=int, default=30)
    parser.add_argument('--images', type=int, default=8 * BATCH, metavar='N',
                        help='time on so many training and validation images (default 256)')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 2],
                        help="MMPretrain's numbers of workers to choose the best of")
    parser.add_argument('--trunk-engine', choices=['auto', 'torch', 'openvino'], default='auto',
                        help='what computes frozen stages here; of so few images auto takes torch, '
                        'where it would measure both for a whole training')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark_finetune'))
    parser.add_argument('--record', type=Path, metavar='FILE',
                        help='write the table as Markdown: benchmarks/finetune.md')
    parser.add_argument('--trials', type=Path, help=argparse.SUPPRESS)
    parser.add_argument('--parts', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.trials or args.parts:
        return run_trials(args.trials) if args.trials else measure_parts(args.parts)
    if not args.data or not args.weights:
        parser.error('a data set and --weights are needed')
    args.out = args.out.resolve()
    sizes = {part: len((args.data / f'{part}.txt').read_text().splitlines())
             for part in ('train', 'val')}
    sizes['classes'] = len((args.data / 'classes.txt').read_text().splitlines())
    print(f'{sizes["train"]:,} training and {sizes["val"]} validation images, {args.epochs} '
          f'epochs, extrapolated from {args.images} images; {os.cpu_count()} cores', flush=True)
    rows = compare(args, sizes)
    given = args.out / 'parts' / 'given.json'
    given.parent.mkdir(exist_ok=True)
    given.write_text(json.dumps({'config': str(ROOT / 'configs/resnet50_frozenall.py'),
                                 'cfg_options': arguments_of_ours(args, sizes, None, 2)}))
    timed([sys.executable, __file__, '--parts', str(given)], given.with_name('log.txt'), ROOT)
    parts = json.loads(given.with_name('parts.json').read_text())
    print(limits(parts, rows), flush=True)
    (args.out / 'ratios.json').write_text(json.dumps({'rows': rows, 'parts': parts}, indent=1))
    if args.record:
        args.record.write_text(markdown(args, sizes, rows, parts))
    print(f'recipes, logs and all seconds: {args.out}')
    for folder in ('mmpretrain_frozen4_workers0/recipe.py',
                   'amlnn_resnet50_frozenall_viewsepochs/runs/latest/config.py'):
        if (args.out / folder).is_file():
            print(f'\n--- {folder}\n{shortened((args.out / folder).read_text())}')


def shortened(recipe: str) -> str:
    """A recipe without its long lists of indices."""
    return re.sub(r'\[\d+(,\s*\d+){20,},?\s*\]', '[...]', recipe)


if __name__ == '__main__':
    main()
