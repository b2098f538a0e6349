"""What computes the frozen stages: torch, or OpenVINO where that is the faster one and as right.

Which one is faster depends on processor, network and image size, so it is measured, on images of
the data set, once: the choice is kept in the user's cache, and in the run that is trained with it.
"""

import hashlib
import json
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from mmengine.dataset import default_collate
from torch import Tensor, nn

import amlnn
from amlnn.data.images.views import View
from amlnn.engine.device import finish_queued
from amlnn.engine.images.int8 import calibration_images, judge
from amlnn.engine.images.own_code import own_code
from amlnn.engine.plan import Plan
from amlnn.engine.processes import processes
from amlnn.engine.rehearsal import kept_generators
from amlnn.errors import ConfigError, UsageError
from amlnn.models.images.calls import in_eval_mode
from amlnn.models.images.int8_trunk import Int8Trunk, KeptModel
from amlnn.models.images.openvino_trunk import OpenVINOTrunk, Unfit
from amlnn.models.images.stages import list_stages, run_stages
from amlnn.models.images.stages_trunk import Int8StagesTrunk, OpenVINOStagesTrunk, StagesTrunk
from amlnn.models.images.trunk import Trunk
from amlnn.models.images.trunk_key import trunk_key
from amlnn.models.multiplications import multiplications
from amlnn.openvino_library import nncf_version, openvino_version
from amlnn.user_cache import (
    read_cached,
    read_cached_bytes,
    write_cached,
    write_cached_bytes,
)

__all__ = ['TrainingImages', 'TrunkChoice', 'images_per_second', 'is_much', 'trunk_words']

_LEAST_WORK = 1e13
"""Multiplications below which nothing is measured: half a minute of a processor's fastest, where
converting and measuring take ten seconds."""

_IMAGES = 8  # that engines are checked and measured on
_SECONDS = 0.5  # of each engine's turn; each has two
_CACHE = 'trunk_engines'
_INT8, _MODELS = 'int8_models', 4  # so many are kept: of ResNet50's 25 MB each

_MARGIN = 1.05
"""So many times as fast as torch another engine has to be: converting takes seconds at a start."""


class Images(Protocol):
    """What a trunk will compute, as far as an engine is chosen by it."""

    @property
    def first(self) -> dict[str, Tensor]:
        """The first few of each part, preprocessed; engines are measured on those of the first."""

    @property
    def count(self) -> int:
        """Of all of them, a view for one."""

    @property
    def calibration(self) -> tuple[Tensor, Tensor, list[int] | None]:
        """As of `calibration_images`."""


@dataclass
class TrainingImages:
    """Those of one training.

    Args:
        model: Whose data preprocessor they go through.
        loaders: Of images, by part, the training's first.
        views: Of each training image that will be computed.
    """

    model: nn.Module
    loaders: dict
    views: int

    @cached_property
    def first(self) -> dict[str, Tensor]:
        """See `Images`."""
        found = {}
        with kept_generators():
            for part, loader in self.loaders.items():
                count = min(_IMAGES, len(loader.dataset))
                batch = default_collate([loader.dataset[View(index, 0)] for index in range(count)])
                found[part] = self.model.data_preprocessor(batch, False)['inputs']
        return found

    @property
    def count(self) -> int:
        """See `Images`."""
        return sum(len(loader.dataset) * (self.views if part == 'train' else 1)
                   for part, loader in self.loaders.items())

    @cached_property
    def calibration(self) -> tuple[Tensor, Tensor, list[int] | None]:
        """See `Images`."""
        return calibration_images(self.model, self.loaders['train'].dataset)


@dataclass
class TrunkChoice:
    """Chooses and builds the trunk of one training.

    Args:
        plan: The plan.
        model: Built and frozen.
        split: Stages of the trunk.
        images: That it will compute; without, torch does.
        every_stage: Build trunks that give the pooled output of every stage; `split` is all stages.
    """

    plan: Plan
    model: nn.Module
    split: int
    images: Images | None
    every_stage: bool = False
    _built: dict[str, Trunk] = field(default_factory=dict)

    def trunk(self) -> tuple[Trunk, str]:
        """The trunk, and in words what computes it and why; '' where nothing was to be chosen.

        Raises:
            ConfigError: `execution.trunk_engine='openvino'` cannot be.
            UsageError: a run cannot go on with the engine that it began with.
        """
        engine, said = processes().on_first(self._decide)
        trunk = self._trunk(engine)
        self._built.clear()
        return trunk, said

    def _decide(self) -> tuple[str, str]:
        began, asked = self.plan.begun_engine, self.plan.policy.trunk_engine
        why_torch = self._why_torch()
        if self.plan.policy.trunk_precision and self.images:
            return self._in_int8(why_torch, self.images)
        if began == 'openvino' and why_torch:
            raise UsageError(f'the run began with its frozen stages computed by OpenVINO: '
                             f'{why_torch} here', hint='go on where it began, or begin a new run')
        if began:
            return began, f'by {began}, as it began'
        if asked == 'openvino' and why_torch:
            if self.plan.device == 'cpu':
                raise ConfigError(f"`execution.trunk_engine` is 'openvino', and {why_torch}",
                                  hint="set execution.trunk_engine='auto'")
            return 'torch', f'by torch: {why_torch}'
        if asked == 'torch' or not self.images:
            return 'torch', ''
        return self._checked(self.images) if asked == 'openvino' else \
            self._measured(self.images, self._possible(why_torch))

    def _in_int8(self, why_torch: str, images: Images) -> tuple[str, str]:
        why = why_torch or ('' if nncf_version() else 'NNCF is not installed')
        if why:
            raise ConfigError(f"`execution.trunk_precision` is 'int8', and {why}",
                              hint="pip install 'amlnn[int8]', on a CPU; or leave it out")
        name, kept_as = Int8Trunk.engine, self._int8_name(images)
        trunk = self._trunk(name)
        trunk.kept = KeptModel(
            lambda: read_cached_bytes(_INT8, f'{kept_as}.model'),
            lambda content: write_cached_bytes(_INT8, f'{kept_as}.model', content, _MODELS))
        if self.plan.begun_engine:  # judged before it began
            return name, 'by openvino in int8, as it began'
        self._convert(name, images)
        verdict = read_cached(_CACHE, kept_as)
        if verdict is None:
            verdict = judge(trunk, *images.calibration)
            write_cached(_CACHE, kept_as, verdict)
        return name, f'by openvino in int8 ({verdict})'

    def _int8_name(self, images: Images) -> str:
        """Of what calibrating and judging give, by all that they depend on."""
        calibration, others, labels = images.calibration
        pixels = [hashlib.sha256(each.contiguous().numpy()).hexdigest()
                  for each in (calibration, others)]
        facts = [amlnn.__version__, torch.__version__, openvino_version(), nncf_version(), pixels,
                 labels, self.split, self.every_stage, self.plan.precision, _processor(),
                 trunk_key(self.model, self.split, self.plan.precision, True),
                 own_code(self.plan.config, self.model)]
        return hashlib.sha256(repr(facts).encode()).hexdigest()

    def _why_torch(self) -> str:
        """Why nothing but torch can compute here, in words, or ''."""
        policy = self.plan.policy
        if self.plan.device != 'cpu':
            return 'OpenVINO computes on CPUs'
        if not policy.fold_batch_norm:
            return 'OpenVINO folds batch norm, which execution.fold_batch_norm=False forbids'
        if policy.compile:
            return 'execution.compile=True asks for torch.compile'
        return '' if openvino_version() else 'OpenVINO is not installed'

    def _possible(self, why_torch: str) -> list[str]:
        """Engines to choose from, torch first."""
        return ['torch'] if why_torch else ['torch', 'openvino']

    def _trunk(self, engine: str) -> Trunk:
        if engine not in self._built:
            self._built[engine] = _BUILDERS[engine](self)
        return self._built[engine]

    def _convert(self, engine: str, images: Images) -> None:
        sizes = {tuple(each.shape[1:]): each for each in images.first.values()}
        for each in sizes.values():
            self._trunk(engine).convert(each)

    def _checked(self, images: Images) -> tuple[str, str]:
        """OpenVINO, if what it computes is right."""
        try:
            self._convert('openvino', images)
        except Unfit as unfit:
            return 'torch', f'by torch: {unfit.message}'
        return 'openvino', f'by OpenVINO {openvino_version()}'

    def _measured(self, images: Images, engines: list[str]) -> tuple[str, str]:
        """The fastest one of those that compute rightly, where that is worth a measurement."""
        first = next(iter(images.first.values()))
        if len(engines) == 1 or not is_much(self._work(first) * images.count):
            return engines[0], ''
        name = self._name(engines, first)
        if kept := _kept(name, engines):
            return kept
        right, wrong = engines[:1], []
        for engine in engines[1:]:
            try:
                self._convert(engine, images)
                right.append(engine)
            except Unfit as unfit:
                wrong.append(unfit.message)
        if len(right) > 1:
            rates = images_per_second({each: self._trunk(each) for each in right}, first)
            engine = max(rates, key=lambda each: rates[each] * (_MARGIN if each == right[0] else 1))
            shown = ', '.join(f'{each} {rate:.1f}' for each, rate in rates.items())
            said = f'by {engine} ({"; ".join([f"images a second here: {shown}", *wrong])})'
        else:
            engine, said = right[0], f'by {right[0]}: {"; ".join(wrong)}'
        write_cached(_CACHE, name, json.dumps({'engine': engine, 'said': said}))
        return engine, said

    def _work(self, images_BCHW: Tensor) -> int:
        """Of one image."""
        backbone = self.model.backbone
        with in_eval_mode(backbone):
            return sum(multiplications(backbone, lambda: run_stages(
                backbone, list_stages(backbone)[:self.split], images_BCHW[:1])).values())

    def _name(self, engines: list[str], images_BCHW: Tensor) -> str:
        """Of the choice for this trunk and image size, with this machine and these versions."""
        facts = [_processor(), torch.get_num_threads(), amlnn.__version__, torch.__version__,
                 openvino_version(), engines, tuple(images_BCHW.shape),
                 trunk_key(self.model, self.split, self.plan.precision, True),
                 *(['every stage'] if self.every_stage else []),
                 own_code(self.plan.config, self.model)]
        return hashlib.sha256(repr(facts).encode()).hexdigest()


def is_much(work: float) -> bool:
    """Whether so many multiplications are worth the seconds of choosing an engine."""
    return work >= _LEAST_WORK


def trunk_words(model: nn.Module, trunk: Trunk, split: int, precision: str, said: str) -> str:
    """Which stages are a trunk, and how they are computed."""
    stages = list_stages(model.backbone)
    last = 'the whole backbone' if split == len(stages) else \
        f'the stages to {stages[split - 1].name}'
    folded = f', {trunk.folded} batch norms folded' if trunk.folded else ''
    graphs = ', in CUDA graphs' if trunk.graphed else ''
    return f'trunk: {last} in {precision}{folded}{graphs}{f", {said}" if said else ""}'


def images_per_second(trunks: dict[str, Trunk], images_BCHW: Tensor) -> dict[str, float]:
    """How fast trunks compute, each for a second, in turns."""
    done = dict.fromkeys(trunks, 0)
    spent = dict.fromkeys(trunks, 0.0)
    for trunk in trunks.values():
        trunk(images_BCHW)
    finish_queued()
    for name in [*trunks, *trunks]:
        began = time.perf_counter()
        while (seconds := time.perf_counter() - began) < _SECONDS:
            trunks[name](images_BCHW)
            finish_queued()
            done[name] += len(images_BCHW)
        spent[name] += seconds
    return {name: done[name] / spent[name] for name in trunks}


def _torch_trunk(choice: TrunkChoice) -> Trunk:
    policy = choice.plan.policy
    kind = StagesTrunk if choice.every_stage else Trunk
    return kind(choice.model, choice.split, choice.plan.precision, fold=policy.fold_batch_norm,
                compile=policy.compile)


def _openvino_trunk(choice: TrunkChoice) -> Trunk:
    kind = OpenVINOStagesTrunk if choice.every_stage else OpenVINOTrunk
    return kind(choice.model, choice.split, choice.plan.precision)


def _int8_trunk(choice: TrunkChoice) -> Trunk:
    kind = Int8StagesTrunk if choice.every_stage else Int8Trunk
    return kind(choice.model, choice.images.calibration[0], choice.split, choice.plan.precision)


_BUILDERS: dict[str, Callable[[TrunkChoice], Trunk]] = {
    'torch': _torch_trunk, 'openvino': _openvino_trunk, 'openvino-int8': _int8_trunk}


def _kept(name: str, engines: list[str]) -> tuple[str, str] | None:
    with suppress(ValueError, TypeError, KeyError):
        kept = json.loads(read_cached(_CACHE, name) or '')
        if kept['engine'] in engines:
            return str(kept['engine']), f'{kept["said"]}, as measured before'
    return None


def _processor() -> tuple:
    """The processor's name as far as the system tells it, what it computes in, and its cores."""
    name = platform.processor()
    with suppress(OSError):
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        name = next((line for line in lines if line.startswith('model name')), name)
    return name, torch.backends.cpu.get_cpu_capability(), os.cpu_count()
