"""From a config to the windows of its parts, and to what the model has to know of them.

A series is read once, whatever the number of its parts. What a model has to know of it (columns,
look-back, horizon, scaler) is its metainfo: a training takes it from the data, everything later
from the checkpoint.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from mmengine.registry import DATASETS, MODELS
from torch import nn

from amlnn.config.kind import PARTS
from amlnn.data.series.continuation import check_step, trained_columns
from amlnn.data.series.csv_columns import AUTO
from amlnn.data.series.series import Series
from amlnn.data.series.window_loader import WindowLoader
from amlnn.data.series.windows import SeriesWindows
from amlnn.data.shares import Share
from amlnn.engine.processes import processes
from amlnn.engine.run.checkpoint import load_weights, read_checkpoint
from amlnn.engine.series.naive_error import naive_error
from amlnn.engine.series.sections import (
    COLUMNS,
    SIZES,
    SeriesSections,
    checkpoint_metainfo,
    cycle_of,
    fill_sizes,
    shown,
)
from amlnn.errors import CheckpointError, ConfigError, WeightsError
from amlnn.models.weights_path import find_path

__all__ = ['FirstBatch', 'SeriesParts']


_SHOWN = 5  # columns to forecast that are named before a training


@dataclass
class SeriesParts(SeriesSections):
    """The windows of one config."""

    seed: int = 0
    _datasets: dict[str, SeriesWindows] = field(default_factory=dict)
    _read: dict[str, Series] = field(default_factory=dict)

    @property
    def metainfo(self) -> dict:
        """Of the checkpoint, else of the data."""
        if self.trained:
            return self.trained
        part = next(part for part in PARTS if self.config.get(f'{part}_dataloader'))
        return self.dataset(part).metainfo

    def dataset(self, part: str) -> SeriesWindows:
        """The windows of 'train', 'val' or 'test'.

        Raises:
            DataError: the series cannot be read, or no window fits into a part.
            ConfigError: the parts are not of one series.
            CheckpointError: the checkpoint is of other columns, look-back, horizon or step.
        """
        if part not in self._datasets:
            section = self.complete_section(part)
            dataset = DATASETS.build(section)
            if self.trained:
                self.check_fits(dataset.metainfo)
                check_step(dataset.metainfo, self.trained, self.checkpoint)
                self.check_models(dataset.ids)
            for other, known in self._datasets.items():
                self._check_same(part, dataset.metainfo, other, known.metainfo)
            self._datasets[part] = dataset
        return self._datasets[part]

    def complete_section(self, part: str) -> dict:
        """What builds the windows of a part: its section, with what the checkpoint knows.

        Raises:
            ConfigError: source or sizes are not there.
            CheckpointError: the checkpoint is of other columns, look-back or horizon.
        """
        section = self.section(part)
        for name in ('source', *SIZES):
            if section.get(name) is None:
                raise ConfigError(
                    f'`{self.loaded.path}` has no `{part}_dataloader.dataset.{name}`, nor one '
                    'in the training part', hint=f'set train_dataloader.dataset.{name}')
        if self.trained:
            section |= {name: self.trained[name] for name in SIZES if section[name] == AUTO}
            if section.get('known') == AUTO:
                section['known'] = (self.trained.get('known') or {}).get('columns', [])
            self.check_fits({**_names_and_sizes(section),
                             'known_columns': self.trained.get('known_columns', [])})
            section['scaler'] = self.trained['scaler']
            if 'known' in self.trained:
                section['known_scales'] = self.trained['known']
        cycle = self.trained.get('cycle') if self.trained else cycle_of(self.config['model'])
        if cycle is not None:
            section['cycle'] = cycle
        return section

    def loader(self, part: str) -> WindowLoader:
        """The batches of a part.

        Raises:
            ConfigError: windows of the validation or test part would be dropped.
        """
        section = dict(self.config[f'{part}_dataloader'])
        place = self.loaded.origins.get(f'{part}_dataloader', self.loaded.path)
        if section.get('drop_last') and part != 'train':
            raise ConfigError(f'{place}: `{part}_dataloader.drop_last` is True',
                              hint='every window counts in an evaluation; take it out')
        if section.get('batch_size') is None:
            raise ConfigError(f'{place}: `{part}_dataloader` has no `batch_size`',
                              hint=f'{part}_dataloader.batch_size=32')
        size, drop_last = section['batch_size'], section.get('drop_last', False)
        all_ = processes()
        share = Share(all_.rank, all_.count, size, part != 'train', drop_last) \
            if all_.several else None
        return WindowLoader(self.dataset(part), size, section.get('shuffle', part == 'train'),
                            self.seed, drop_last, share)

    def evaluation_meta(self, part: str) -> dict:
        """What metrics need to know: the metainfo, and `naive_error` (see the function)."""
        dataset = self.dataset(part)
        meta = {**self.metainfo, 'naive_error': naive_error(dataset)}
        if dataset.ids:  # of other series than the checkpoint's too
            meta['scaler'] = dict(mean=dataset.scaler.mean, deviation=dataset.scaler.deviation)
        return meta

    def fill_model(self, section: dict) -> None:
        """Give the model section what is derived from the data.

        Raises:
            ConfigError: it is typed too, and otherwise.
        """
        kind = MODELS.get(str(section.get('type')))
        if kind is None:
            return
        fill_sizes(section, kind, self.metainfo, self._contradicts)

    def _contradicts(self, name: str, typed: object, derived: object) -> None:
        place = self.loaded.origins.get(f'model.{name}', self.loaded.path)
        source = 'the checkpoint' if self.trained else 'the data set'
        raise ConfigError(f'{place}: `model.{name}` is {typed}, and {source} has {derived}',
                          hint=f'leave model.{name} out: it is derived')

    def load_pretrained(self, model: nn.Module, path: str) -> str:
        """Begin with the weights of another run; what was done, in words.

        Args:
            model: The forecaster.
            path: Of a checkpoint, or of a run folder, whose best.pth it is.

        Raises:
            WeightsError: there is no such file, or it is a library's, which has no forecasters.
            CheckpointError: it is of other columns, look-back or horizon, or of another model.
        """
        if '://' in path:
            raise WeightsError(f'`{path}` names weights of a library, and this is a forecaster',
                               hint='--pretrained work_dirs/<config name>/latest: those of a run')
        file = find_path(path)
        checkpoint = read_checkpoint(file)
        self.check_source(checkpoint_metainfo(checkpoint, file), file)
        load_weights(model, checkpoint, file)
        return f'begins with all weights of `{path}`'

    def check_source(self, trained: dict, checkpoint: Path) -> None:
        """Refuse to train on with weights that were made for other columns, sizes or series.

        Args:
            trained: Metainfo of their checkpoint.
            checkpoint: Its path, for messages.

        Raises:
            CheckpointError: names the first thing that differs.
        """
        self.check_fits(self.metainfo, trained, checkpoint)
        ids, now = (list(each.get('ids', [])) for each in (trained, self.metainfo))
        if self.config['model'].get('per_series') and ids != now:
            other = sorted(set(ids) ^ set(now))
            what = f'the series are others, as `{other[0]}`' if other else 'their order is another'
            raise CheckpointError(
                f'`{checkpoint}` has a model for each of its {len(ids):,} series in their order, '
                f'and {what}', hint='give it the same series, or train anew')

    def _check_same(self, part: str, info: dict, other: str, known: dict) -> None:
        for name in (*COLUMNS, *SIZES, 'scaler'):
            if info.get(name, []) != known.get(name, []):
                place = self.loaded.origins.get(f'{part}_dataloader.dataset', self.loaded.path)
                what = 'source or borders' if name == 'scaler' else name
                raise ConfigError(
                    f'{place}: the {part} windows have another {what} than the {other} windows'
                    + ('' if name == 'scaler' else f': {shown(info.get(name, []))}, not '
                       f'{shown(known.get(name, []))}'),
                    hint=f'set it alike in {other}_dataloader.dataset and {part}_dataloader.dataset'
                    '; only split and stride may differ')

    def section(self, part: str) -> dict:
        """See `SeriesSections`; its source is read once, whatever the number of parts."""
        section = super().section(part)
        source = section.get('source')
        if source:
            if self.trained:
                source = {**source, **trained_columns(source, self.trained)}
            section['source'] = _ReadOnce(source, self._read)
        return section

    @property
    def path(self) -> str | None:
        """The file that the series is read from, None where it is generated."""
        for part in PARTS:
            section = self.config.get(f'{part}_dataloader')
            path = section and (section['dataset'].get('source') or {}).get('path')
            if path:
                return str(Path(path).absolute())
        return None

    def describe(self) -> str:
        """Columns and sizes, in words."""
        info = self.metainfo
        count = len(info['columns'])
        named = f' ({", ".join(info["columns"])})' if count <= _SHOWN else ''
        more = [f'{len(info[name])} {word}' for name, word in (
            ('extra_columns', 'extra'), ('known_columns', 'known')) if info.get(name)]
        extra = ''.join(f' and {each}' for each in more)
        many = f' of {len(info["ids"]):,} series' if info.get('ids') else ''
        return (f'{count} column{"s" * (count != 1)}{named}{extra}{many}, '
                f'{info["look_back"]} rows back, {info["horizon"]} ahead')

    def warnings(self) -> list[str]:
        """What makes an error of this data look better than it is."""
        if not self._datasets:
            return []
        found = next(iter(self._datasets.values())).copies_in_words()
        return [found] if found else []

    def data_hash(self) -> str:
        """SHA-256 of the numbers that were read, their columns and the parts' borders."""
        digest = hashlib.sha256()
        for dataset in list(self._datasets.values())[:1]:
            digest.update(f'{dataset.columns} {dataset.extra_columns} '
                          f'{tuple(dataset.borders)}'.encode())
            if dataset.ids:
                digest.update(repr(dataset.ids).encode() + dataset.division.ends.tobytes())
        for series in self._read.values():
            digest.update(np.ascontiguousarray(series.values).tobytes())
        return digest.hexdigest()


class FirstBatch:
    """A loader of the first windows of a part.

    Args:
        dataset: The windows.
        batch_size: How many, at most.
    """

    def __init__(self, dataset: SeriesWindows, batch_size: int):
        self.dataset = dataset
        self.batch_size = min(batch_size, len(dataset))
        self.sampler = None

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[dict]:
        yield self.dataset.__getitems__(list(range(self.batch_size)))


class _ReadOnce:
    """A source whose series is read by the first part that asks for it."""

    def __init__(self, section: dict, read: dict[str, Series]):
        self._section = section
        self._known = read

    def read(self) -> Series:
        """The series."""
        return self._once('read')

    def read_open(self) -> Series:
        """The series, whose last rows may be the future of known columns."""
        return self._once('read_open')

    def _once(self, way: str) -> Series:
        key = repr(self._section)
        if key not in self._known:
            source = DATASETS.build(self._section)
            self._known[key] = getattr(source, way, source.read)()
        return self._known[key]


def _names_and_sizes(section: dict) -> dict:
    """Those parts of the metainfo that need no window."""
    extra, known = (list(section.get(name) or ()) for name in ('extra', 'known'))
    source = section['source']
    columns = section.get('targets') or [
        name for name in (source.read_open() if known else source.read()).columns
        if name not in (*extra, *known)]
    return {'columns': list(columns), 'extra_columns': extra,
            **{name: section[name] for name in SIZES}}
