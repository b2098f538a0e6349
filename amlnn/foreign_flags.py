"""Flags of MMPretrain's tools/train.py and tools/test.py, for who has them in the fingers.

Each does what it does there, or is refused with what does it here. `--help` lists none of them.
"""

import argparse
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from amlnn.errors import UsageError

__all__ = ['add_test_flags', 'add_train_flags', 'flagged', 'resumed_run', 'test_options',
           'train_options', 'write_items']

_SHOWN = 'python tools/report.py RUN --out DIR shows the worst mistakes'
_PREDICTIONS = 'the predictions are in predictions_<split>.npz, in the run folder of the checkpoint'
_ENDINGS = ('.json', '.yaml', '.yml', '.pkl', '.pickle')


class _Refused(argparse.Action):
    """A flag that is refused as soon as it is seen.

    Args:
        instead: What does it here.
        unless: A value that asks for nothing.
    """

    def __init__(self, option_strings: Sequence[str], dest: str, *, instead: str,
                 unless: str | None = None, **kwargs: Any):
        super().__init__(option_strings, dest, help=argparse.SUPPRESS, **kwargs)
        self.instead = instead
        self.unless = unless

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: str | Sequence[Any] | None, option_string: str | None = None) -> None:
        if self.unless is None or values != self.unless:
            raise UsageError(f"{option_string} is MMPretrain's, and does nothing here",
                             hint=self.instead)


def add_train_flags(parser: argparse.ArgumentParser) -> None:
    """Let a parser take what MMPretrain's tools/train.py takes."""
    for flag in ('--amp', '--no-validate', '--auto-scale-lr', '--no-pin-memory',
                 '--no-persistent-workers'):
        parser.add_argument(flag, action='store_true', help=argparse.SUPPRESS)


def add_test_flags(parser: argparse.ArgumentParser) -> None:
    """Let a parser take what MMPretrain's tools/test.py takes."""
    for flag in ('--amp', '--no-pin-memory'):
        parser.add_argument(flag, action='store_true', help=argparse.SUPPRESS)
    parser.add_argument('--out-item', choices=['metrics', 'pred'], help=argparse.SUPPRESS)
    parser.add_argument('--work-dir', action=_Refused, instead='the record is written into the '
                        'run folder of the checkpoint; --out FILE writes it elsewhere too')
    parser.add_argument('--dump', action=_Refused, instead=_PREDICTIONS)
    parser.add_argument('--show-dir', action=_Refused, instead=_SHOWN)
    parser.add_argument('--show', action=_Refused, nargs=0, instead=_SHOWN)
    parser.add_argument('--interval', action=_Refused, instead=_SHOWN)
    parser.add_argument('--wait-time', action=_Refused, instead=_SHOWN)


def train_options(args: argparse.Namespace, config: Mapping[str, Any]) -> list[str]:
    """What the flags of training change in a config, as of --cfg-options.

    Args:
        args: As parsed.
        config: The resolved config, without the flags.

    Raises:
        UsageError: --auto-scale-lr, and the config does not say of which batch size its rate is.
    """
    options = _loader_options(args, config)
    if args.amp:
        options.append('optim_wrapper.type=AmpOptimWrapper')
        if 'loss_scale' not in (config.get('optim_wrapper') or {}):
            options.append('optim_wrapper.loss_scale=dynamic')
    if args.no_validate:
        options += [f'{key}=None' for key in ('val_dataloader', 'val_evaluator', 'val_cfg')]
        hooks = config.get('default_hooks') or {}
        if (hooks.get('checkpoint') or {}).get('save_best'):
            options.append('default_hooks.checkpoint.save_best=None')
        if hooks.get('early_stopping'):
            options.append('default_hooks.early_stopping=None')
    if args.auto_scale_lr:
        if not (config.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise UsageError('--auto-scale-lr, and the config has no auto_scale_lr.base_batch_size',
                             hint='--cfg-options auto_scale_lr.base_batch_size=256, for a learning '
                             'rate that was chosen for batches of 256')
        options.append('auto_scale_lr.enable=True')
    return options


def test_options(args: argparse.Namespace, config: Mapping[str, Any]) -> list[str]:
    """What the flags of testing change in a config, as of --cfg-options.

    Raises:
        UsageError: --out-item without --out, or for what is written anyway.
    """
    if args.out_item and not args.out:
        raise UsageError('--out-item needs --out FILE', hint='--out metrics.json --out-item '
                         'metrics')
    if args.out_item == 'pred':
        raise UsageError('--out-item pred: predictions are not written to --out', hint=_PREDICTIONS)
    if args.out_item and Path(args.out).suffix not in _ENDINGS:
        raise UsageError(f'--out-item metrics: `{args.out}` says no format',
                         hint=f'an ending: {", ".join(_ENDINGS)}')
    options = _loader_options(args, config)
    if args.amp:
        options.append('execution.precision=fp16')
    return options


def _loader_options(args: argparse.Namespace, config: Mapping[str, Any]) -> list[str]:
    """What --no-pin-memory and --no-persistent-workers change in every part that a config has."""
    keys = [key for flag, key in (('no_pin_memory', 'pin_memory'),
                                  ('no_persistent_workers', 'persistent_workers'))
            if getattr(args, flag, False)]
    return [f'{part}_dataloader.{key}=False' for part in ('train', 'val', 'test')
            if config.get(f'{part}_dataloader') for key in keys]


def resumed_run(given: str | None) -> str | None:
    """The run that `--resume` means, where MMPretrain's users name a checkpoint of it.

    Raises:
        UsageError: it is a file, and not the newest checkpoint of a run.
    """
    path = Path(given or '')
    if not given or not path.is_file():
        return given
    folder = path.absolute().parent.parent
    saved = sorted(folder.glob('checkpoints/epoch_*.pth'))
    if (folder / 'run.json').is_file() and saved and saved[-1].name == path.name:
        return str(folder)
    run = folder if (folder / 'run.json').is_file() else path.absolute().parent
    if (run / 'run.json').is_file():
        raise UsageError(f'--resume: `{given}` is not the newest checkpoint of its run',
                         hint=f'--resume {shlex.quote(str(run))} goes on where it stopped; '
                         f'--pretrained {shlex.quote(given)} begins a new run with these weights')
    raise UsageError(f'--resume: `{given}` is not in a run folder',
                     hint=f'--resume RUN names one; --pretrained {shlex.quote(given)} begins with '
                     'its weights')


def flagged(args: argparse.Namespace, load: Callable[[str, list[str]], Any],
            options: Callable[[argparse.Namespace, Mapping[str, Any]], list[str]]) -> list[str]:
    """Overrides that flags stand for; the config is read for them only where there are some."""
    flags = ('amp', 'no_validate', 'auto_scale_lr', 'no_pin_memory', 'no_persistent_workers',
             'out_item')
    if not any(getattr(args, flag, None) for flag in flags):
        return []
    return options(args, load(args.config, args.cfg_options).config)


def write_items(args: argparse.Namespace, metrics: Mapping[str, Any]) -> None:
    """Write --out as MMPretrain does for `--out-item metrics`: the metrics alone."""
    if args.out_item == 'metrics':
        from mmengine.fileio import dump
        dump(dict(metrics), str(args.out))
