"""A small network on images of 8 pixels, whose epochs take a tenth of a second."""

import textwrap
from pathlib import Path

from generated import ROOT


def write_tiny_config(path: Path, data: Path, text: str = '', epochs: int = 4,
                      runtime: str = 'runtime.py', val_data: Path | None = None) -> Path:
    """A config on the named runtime base that trains and validates the tiny network."""
    roots = {'train': data, 'val': val_data or data, 'test': val_data or data}
    loaders = ''.join(textwrap.dedent(f'''\
        {part}_dataloader = dict(
            batch_size=10, num_workers=0, persistent_workers=False,
            sampler=dict(type='DefaultSampler', shuffle={part == 'train'}),
            dataset=dict(
                type='ImageNetFolder', data_root={str(root)!r}, split={part!r},
                pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')]))
        ''') for part, root in roots.items())
    base = path.with_name(f'base_of_{path.name}')
    base.write_text(textwrap.dedent(f'''\
        _base_ = [{str(ROOT / 'configs/_base_/schedules/sgd_30e.py')!r},
                  {str(ROOT / 'configs/_base_' / runtime)!r}]
        model = dict(
            type='ImageClassifier',
            backbone=dict(type='ResNet_CIFAR', depth=18, stem_channels=4, base_channels=4),
            neck=dict(type='GlobalAveragePooling'),
            head=dict(type='LinearClsHead', in_channels=32))
        data_preprocessor = dict(mean=[127, 127, 127], std=[50, 50, 50], to_rgb=True)
        val_evaluator = dict(type='Accuracy', topk=(1, ))
        test_evaluator = dict(type='Accuracy', topk=(1, ))
        ''') + loaders)
    path.write_text(textwrap.dedent(f'''\
        _base_ = {base.name!r}
        train_cfg = dict(max_epochs={epochs})
        execution = dict(precision='fp32')
        ''') + textwrap.dedent(text))
    return path
