"""What benchmarks/finetune.py runs beside amlnn: MMPretrain, timm's train.py, and torch by hand.

All train on the same images with the same recipe, each with its best number of workers: 224 pixels,
batch 32, SGD, validation and a checkpoint after every epoch.
"""

import json
import re
import statistics
import sys
from importlib.util import find_spec
from pathlib import Path

from machine import emptied, spread, timed

BATCH = 32

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


def linked(args, sizes, out: Path) -> Path:
    """The benchmark's images as folders of classes, of links: what timm reads."""
    folder = emptied(out / 'timm_data')
    classes = (args.data / 'classes.txt').read_text().splitlines()
    for part, named in (('train', 'train'), ('val', 'validation')):
        lines = (args.data / f'{part}.txt').read_text().splitlines()
        for name in classes:  # every class is there, or their numbers would be others
            (folder / named / name).mkdir(parents=True)
        for index in spread(sizes[part], args.images):
            path, label = lines[index].rsplit(maxsplit=1)
            place = folder / named / classes[int(label)] / f'{index}{Path(path).suffix}'
            place.symlink_to((args.data / {'train': 'training_set', 'val': 'val_set'}[part]
                              / path).resolve())
    return folder


def plain_weights(args, sizes, out: Path) -> Path:
    """The backbone's weights under the names of torchvision and timm, and a new last layer."""
    import torch
    content = torch.load(args.weights, map_location='cpu', weights_only=True)
    weights = {name.removeprefix('backbone.'): each
               for name, each in content.get('state_dict', content).items()
               if name.startswith('backbone.')}
    layer = torch.nn.Linear(2048, sizes['classes'])
    weights.update({f'fc.{name}': each.detach() for name, each in layer.named_parameters()})
    path = out / 'plain_weights.pth'
    torch.save({'state_dict': weights}, path)
    return path


def time_timm(args, sizes, workers: int, out: Path) -> dict[str, float]:
    """timm's train.py in bfloat16 and channels last: seconds as of `time_peer`.

    It freezes nothing, and has no option to.
    """
    folder = emptied(out / f'timm_workers{workers}')
    wall = timed(
        [sys.executable, str(args.timm_train.resolve()), str(linked(args, sizes, folder)),
         '--model', 'resnet50', '--num-classes', str(sizes['classes']),
         '--initial-checkpoint', str(plain_weights(args, sizes, folder)),
         '--input-size', '3', '224', '224', '--crop-pct', '0.875', '--batch-size', str(BATCH),
         '--validation-batch-size', '64', '--opt', 'sgd', '--lr', '0.01', '--momentum', '0.9',
         '--weight-decay', '0.0001', '--sched', 'step', '--warmup-epochs', '0', '--epochs', '1',
         '--smoothing', '0', '--color-jitter', '0', '--interpolation', 'bilinear',
         '--train-interpolation', 'bilinear', '--workers', str(workers), '--device', 'cpu',
         '--channels-last', *(['--amp', '--amp-dtype', 'bfloat16'] if args.bfloat16 else []),
         '--log-interval', '1', '--output', str(folder), '--experiment', 'run'],
        folder / 'log.txt', folder)
    return timm_seconds((folder / 'log.txt').read_text(), wall,
                        len(spread(sizes['val'], args.images))) | {'workers': workers}


def timm_seconds(log: str, wall: float, val_images: int) -> dict[str, float]:
    """Seconds of start-up, and per image of training and of validation, from what timm printed.

    Args:
        log: With a line a step.
        wall: Seconds of the whole command.
        val_images: How many it validated on.
    """
    steps = [float(each) for each in re.findall(r'Train: .*?Time: ([\d.]+)s', log)]
    checks = re.findall(r'Test[^:]*: .*?Time: [\d.]+ \(([\d.]+)\)', log)
    validated = re.findall(r'Test[^:]*: \[ *(\d+)/', log)
    top1 = re.findall(r'Acc@1: +[\d.]+ \( *([\d.]+)\)', log)
    train = statistics.mean(steps[1:] or steps)  # the first one chooses kernels
    val = float(checks[-1]) * (int(validated[-1]) + 1)
    return {'fixed': wall - train * len(steps) - val, 'train': train / BATCH,
            'val': val / val_images, 'top1': float(top1[-1])}


def time_by_hand(args, sizes, frozen: int, workers: int, out: Path) -> dict[str, float]:
    """benchmarks/torch_by_hand.py: seconds as of `time_peer`."""
    folder = emptied(out / f'by_hand_frozen{frozen}_workers{workers}')
    lines = {}
    for part, root in (('train', 'training_set'), ('val', 'val_set')):
        known = (args.data / f'{part}.txt').read_text().splitlines()
        lines[part] = [[str((args.data / root / path).resolve()), int(label)] for path, label in (
            known[index].rsplit(maxsplit=1) for index in spread(sizes[part], args.images))]
    (folder / 'given.json').write_text(json.dumps({
        'images': lines, 'classes': sizes['classes'], 'frozen': frozen, 'workers': workers,
        'batch': BATCH, 'bfloat16': args.bfloat16, 'epochs': 2,
        'weights': str(plain_weights(args, sizes, folder))}))
    wall = timed([sys.executable, str(Path(__file__).with_name('torch_by_hand.py')),
                  str(folder / 'given.json'), str(folder / 'result.json')],
                 folder / 'log.txt', folder)
    result = json.loads((folder / 'result.json').read_text())
    train, val = (statistics.median(result[part][1:]) for part in ('train', 'val'))
    counted = sum(result['train']) + sum(result['val'])
    warming = result['train'][0] - train + result['val'][0] - val
    return {'fixed': wall - counted + warming, 'train': train / len(lines['train']),
            'val': val / len(lines['val']), 'top1': result['top1'], 'workers': workers}


def total_peer(times: dict, sizes: dict, epochs: int) -> float:
    """Seconds of the whole training."""
    return times['fixed'] + epochs * (times['train'] * sizes['train'] + times['val'] * sizes['val'])
