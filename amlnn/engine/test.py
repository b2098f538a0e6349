"""Evaluates a checkpoint on a part of its data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from mmengine.registry import MODELS
from rich.console import Console
from rich.progress import Progress
from torch import nn

from amlnn.config.kind import run_kind
from amlnn.config.load import load_config
from amlnn.console import say
from amlnn.data.images.layout import PARTS, choices_of, layout_of
from amlnn.engine.adapt import Plan, adapt, check_data_roots, part_datasets
from amlnn.engine.build import (
    build_evaluator,
    build_loader,
    build_model,
    choose_device,
    device_name,
    forward_context,
    hide_accelerators,
    in_scope,
)
from amlnn.engine.evaluation import evaluate, write_predictions
from amlnn.engine.pretrained import PRETRAINED, plan_for_pretrained
from amlnn.engine.run.checkpoint import load_weights, read_checkpoint
from amlnn.engine.run.folder import checkpoint_run, name_within, utc_now
from amlnn.engine.run.runner import library_versions
from amlnn.engine.untrained import untrained_run
from amlnn.errors import ConfigError, UsageError
from amlnn.records import TestRecord, write_record

__all__ = ['TestOptions', 'model_of', 'plan_for_checkpoint', 'test']


@dataclass
class TestOptions:
    """The command line of tools/test.py."""

    __test__ = False  # not a pytest class

    config: Path
    checkpoint: Path
    """A file, or `pretrained` for the config's own pretrained weights."""
    split: str | None = None
    """None: 'test' where the data set has one, else 'val'."""
    out: Path | None = None
    tta: bool = False
    """Average over augmented views of every image: the config's `tta_pipeline`, else two flips."""
    baselines: Sequence[str] = ()
    """Of a forecast: slow methods to show beside the others: 'ets', 'theta', 'arima'."""
    baseline_windows: int | None = None
    """On so many evenly spaced windows; 0 for all, None for the usual number."""
    cfg_options: Sequence[str] = ()
    device: str = 'auto'
    trust_checkpoint: bool = False
    command: Sequence[str] = ()


def test(options: TestOptions, console: Console | None = None) -> TestRecord:
    """Evaluate, print, and write the record and the predictions into the checkpoint's run folder.

    Raises:
        AmlnnError: config, checkpoint and data do not fit one another.
    """
    console = console or Console()
    plan, checkpoint = plan_for_checkpoint(
        options.config, options.checkpoint, options.cfg_options, options.device,
        options.trust_checkpoint)
    if plan.series is not None:
        from amlnn.engine.forecast_score import score_forecaster
        return score_forecaster(plan, checkpoint, options, console)
    if options.baselines or options.baseline_windows is not None:
        raise UsageError(f'--baselines are of forecasts, and `{options.config}` classifies images',
                         hint='leave --baselines and --baseline-windows out')
    split = options.split or _default_split(plan.config)
    if not plan.config.get(f'{split}_dataloader'):
        raise ConfigError(f'`{options.config}` has no `{split}_dataloader`',
                          hint='choose another part with --split')
    check_data_roots(plan.config, (split,))
    with in_scope(plan.config):
        if options.tta:
            _augment_pipeline(plan.config, split)
        loader = build_loader(plan, split)
        model = model_of(plan, checkpoint, options.checkpoint, console)
        tester = _averaging(plan.config, model) if options.tta else model
        evaluator = build_evaluator(plan, split, loader)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task(f'testing on {split}', total=len(loader.dataset))
            result = evaluate(tester, loader, evaluator, forward_context(plan),
                              lambda count: bar.advance(task, count))
    classes = list(loader.dataset.metainfo.get('classes') or plan.classes or [])
    trained_in = None if options.checkpoint == PRETRAINED else checkpoint_run(options.checkpoint)
    folder = trained_in or untrained_run(
        plan, model, {split: len(loader.dataset)},
        plan.model_options.pretrained or str(options.checkpoint), options.command, classes)
    record = TestRecord(
        checkpoint=name_within(folder, options.checkpoint),
        checkpoint_epoch=checkpoint.get('meta', {}).get('epoch'), split=split,
        samples=result.samples, loss=result.loss, metrics=result.metrics,
        seconds=round(result.seconds, 3),
        samples_per_second=round(result.samples / result.seconds, 2),
        device=device_name(plan.device), precision=plan.precision, data_root=plan.data_root,
        data_manifest_hash=plan.data_hash(),
        versions=library_versions(), created=utc_now(), tta=options.tta)
    write_predictions(folder / f'predictions_{split}.npz', result, classes)
    write_record(folder / f'test_{split}.json', record)
    if options.out:
        write_record(options.out, record)
    _print(record, folder, console)
    return record


def plan_for_checkpoint(config: Path, checkpoint_path: Path, cfg_options, device: str,
                        trust: bool) -> tuple[Plan, dict]:
    """A plan whose classes are the checkpoint's, and the checkpoint.

    Raises:
        AmlnnError: config or checkpoint cannot be read, or they disagree on the class count.
    """
    loaded = load_config(config, cfg_options)
    if checkpoint_path == PRETRAINED:
        return plan_for_pretrained(loaded, device), {}
    checkpoint = read_checkpoint(checkpoint_path, trust)
    hide_accelerators(device)
    if run_kind(loaded.config) == 'forecasting':
        from amlnn.engine.series import adapt_series, checkpoint_metainfo
        trained = checkpoint_metainfo(checkpoint, checkpoint_path)
        with in_scope(loaded.config):
            return adapt_series(loaded, choose_device(device), pretrained='none', trained=trained,
                                checkpoint=checkpoint_path), checkpoint
    names = (checkpoint.get('meta') or {}).get('dataset_meta', {}).get('classes')
    with in_scope(loaded.config):
        plan = adapt(loaded, choose_device(device), pretrained='none',
                     classes=list(names) if names else None,
                     class_count=_class_count(checkpoint['state_dict']))
    return plan, checkpoint


def model_of(plan: Plan, checkpoint: dict, path: Path, console: Console) -> nn.Module:
    """The model with a checkpoint's weights, or for `pretrained` with those of the config."""
    if path == PRETRAINED:
        model, loaded = build_model(plan)
        say(console, str(loaded))
        return model
    model, _ = build_model(plan, weights=False)
    load_weights(model, checkpoint, path)
    return model


def _augment_pipeline(config, split: str) -> None:
    """Let the split's data set yield every image in several views."""
    for leaf in part_datasets(config, split):
        pipeline = list(leaf['pipeline'])
        flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
        leaf['pipeline'] = config.get('tta_pipeline') or [
            *pipeline[:-1], dict(type='TestTimeAug', transforms=[flips, [pipeline[-1]]])]


def _averaging(config, model: nn.Module) -> nn.Module:
    wrapper = config.get('tta_model') or dict(type='AverageClsScoreTTA')
    return MODELS.build({**wrapper, 'module': model})


def _class_count(state: dict) -> int | None:
    weight = state.get('head.fc.weight')
    return weight.shape[0] if isinstance(weight, torch.Tensor) else None


def _default_split(config) -> str:
    for leaf in part_datasets(config, 'test'):
        if leaf.get('data_root') and leaf.get('split') in PARTS:
            parts = layout_of(leaf).find_parts(str(leaf['data_root']), **choices_of(leaf))
            if parts is not None and leaf['split'] not in parts:
                return 'val'
    return 'test' if config.get('test_dataloader') else 'val'


def _print(record: TestRecord, folder: Path, console: Console) -> None:
    parts = [f'{name} {value:.4f}' for name, value in record.metrics.items()]
    if record.loss is not None:
        parts.append(f'loss {record.loss:.4f}')
    parts.append(f'{record.samples_per_second:.1f} img/s')
    epoch = f' (epoch {record.checkpoint_epoch})' if record.checkpoint_epoch else ''
    say(console, f'{record.checkpoint}{epoch} on the {record.samples:,} images of '
                 f'`{record.split}`: {", ".join(parts)}')
    say(console, f'written: {folder / f"test_{record.split}.json"}')
