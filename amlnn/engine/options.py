"""What a command line asks of training, testing and predicting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amlnn.config.load import LoadedConfig, load_config
from amlnn.records import EpochRecord

__all__ = ['AUTO', 'PredictOptions', 'TestOptions', 'TrainOptions']

AUTO = 'auto'


@dataclass
class ConfigOptions:
    """Which config, and on what."""

    config: Path | LoadedConfig
    """A file, or what was loaded from one with the overrides."""
    cfg_options: Sequence[str] = ()
    """Overrides as of --cfg-options, of a config that is not loaded yet."""
    device: str = 'auto'
    launcher: str = 'none'
    """Who started this as one of several processes (`amlnn.launcher`)."""

    def loaded(self) -> LoadedConfig:
        """The config; read, where it was not yet.

        Raises:
            ConfigError: something in it is wrong.
        """
        return self.config if isinstance(self.config, LoadedConfig) \
            else load_config(self.config, self.cfg_options)


@dataclass(kw_only=True)
class TrainOptions(ConfigOptions):
    """The command line of tools/train.py."""

    work_dir: Path | None = None
    pretrained: str | None = None
    resume: str | None = None
    """None: a new run; '': the newest unfinished run of this config; AUTO: that, or a new one where
    there is none; else a run folder."""
    seed: int | None = None
    dry_run: bool = False
    data_changed: bool = False
    """Go on with a run although its data are others now."""
    exact: bool = False
    """Go on only where the end is the same to the bit: equal threads, device and versions."""
    run_name: str | None = None
    """Of the run folder; one of that name that is not done is gone on with."""
    after_epoch: Callable[[EpochRecord], str | None] | None = None
    """Told every epoch; a word ends the run, which is interrupted by it."""
    keep_features: bool = False
    """Keep what frozen stages give for the next run."""


@dataclass(kw_only=True)
class CheckpointOptions(ConfigOptions):
    """Which weights."""

    checkpoint: Path
    """A file, or `pretrained` for the config's own pretrained weights."""
    trust_checkpoint: bool = False
    data_changed: bool = False
    """Go on although the data are not those that the checkpoint was trained on."""


@dataclass(kw_only=True)
class TestOptions(CheckpointOptions):
    """The command line of tools/test.py."""

    __test__ = False  # not a pytest class

    split: str | None = None
    """None: 'test' where the data set has one, else 'val'."""
    out: Path | None = None
    into: Path | None = None
    """Folder of the record and the predictions, in the place of the checkpoint's run."""
    tta: bool = False
    """Average over augmented views of every image: the config's `tta_pipeline`, else two flips."""
    explain: bool = False
    """Of a classifier: keep where it looked and how its features lie, for the report."""
    baselines: Sequence[str] = ()
    """Of a forecast: slow methods to show beside the others: 'ets', 'theta', 'arima'."""
    baseline_windows: int | None = None
    """On so many evenly spaced windows; 0 for all, None for the usual number."""
    command: Sequence[str] = ()


@dataclass(kw_only=True)
class PredictOptions(CheckpointOptions):
    """The command line of tools/predict.py."""

    inputs: Sequence[str]
    topk: int | None = None
    """Of a classifier: how many classes to name; None for the usual number."""
    reject_below: float | None = None
    """Of a classifier: the least probability of the best class of an image that is answered."""
    json: bool = False
    """Of a classifier: one JSON object a line."""
    out: Path | None = None
    """Of a forecaster: the file to write."""
    future: Path | None = None
    """Of a forecaster: a file with the known columns of the rows to come."""
    on_forecast: Callable[[Any], None] | None = None
    """Of a forecaster: told the forecasts, as `EndForecast`."""
