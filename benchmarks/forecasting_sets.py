"""Forecasts of any series beside every simple method, with seeds, and tested against ridge.

python benchmarks/forecasting_sets.py data/ETTh1.csv data/ETTh2.csv --horizons 96 192 336 720

Each file is a CSV with a column of times. What is trained is what RECIPES says, unchanged: nothing
is chosen here, and every test part is read once. Files of the lengths of ETTh and ETTm have the
parts of the literature, others 7 : 1 : 2. What is trained is not trained again: the same command
goes on after a stop.

`--forecasts DIR` adds rows of models that run elsewhere: DIR/<file's stem>-<horizon>-<name>.npz
with `forecast` [windows, steps, columns] in the units of the scaled data, in the order of time.
What such a model was trained on nobody here knows: it may have seen these very rows.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from amlnn.config.load import load_config
from amlnn.engine.evaluate import TestOptions, test
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import AmlnnError
from amlnn.formulas.accuracy_tests import block_interval, diebold_mariano
from amlnn.formulas.forecast_errors import error_by_window, observed_mean
from amlnn.markers import between_markers
from amlnn.records import TestRecord, is_done, read_run, read_test
from amlnn.results.forecasts import Forecasts, read_forecasts

ROOT = Path(__file__).resolve().parent.parent
HORIZONS = (96, 192, 336, 720)
REFERENCE = 'ridge 336'

RECIPES = {
    'ridge 336': ('etth1_ridge', ('train_dataloader.dataset.look_back=336',)),
    'ridge 720': ('etth1_ridge', ('train_dataloader.dataset.look_back=720',)),
    'segmented GRU': ('etth1_seggru_{horizon}', ()),
}
"""By name a config of configs/series, and overrides."""
BLEND = 'equal parts'
"""All of them together: etth1_blend_{horizon}."""

BORDERS = {17420: (8640, 11520, 14400), 69680: (34560, 46080, 57600)}
"""By the number of rows, the parts of the literature."""

SHOWN = {'forecast/mse': 'MSE', 'forecast/mae': 'MAE', 'forecast/mase': 'MASE',
         'interval/coverage_80': 'coverage 80 %', 'interval/width_80': 'width 80 %',
         'interval/winkler_80': 'Winkler 80 %', 'interval/crps': 'CRPS'}
"""Metrics of a test, and how they are called; those that a row does not have stay empty."""


class Row:
    """One method on one file and horizon.

    Args:
        name: Of the method.
        records: Its tests, one a seed.
        losses: [N] mean squared error of each test window, the mean over seeds; None where no
            forecasts are stored.
        seconds: Of a training.
    """

    def __init__(self, name: str, records: Sequence[dict[str, float]],
                 losses: np.ndarray | None = None, seconds: float | None = None):
        self.name, self.records, self.losses, self.seconds = name, records, losses, seconds

    def values(self, metric: str) -> list[float]:
        """One a seed, as far as there are any."""
        return [record[metric] for record in self.records if metric in record]

    def cell(self, metric: str) -> str:
        """Mean and spread over the seeds."""
        values = self.values(metric)
        if not values:
            return ''
        spread = f' ± {statistics.stdev(values):.4f}' if len(set(values)) > 1 else ''
        return f'{statistics.fmean(values):.4f}{spread}'


def data_options(file: Path, horizon: int, more: Sequence[str] = ()) -> list[str]:
    """Overrides that put a config onto a file."""
    with open(file, newline='') as opened:
        rows = sum(1 for _ in opened) - 1
    parts = f'train_dataloader.dataset.borders={BORDERS[rows]}' if rows in BORDERS else \
        'train_dataloader.dataset.borders=None'
    section = 'train_dataloader.dataset'
    return [f'data={str(file.resolve())!r}', f'{section}.horizon={horizon}', parts,
            f'{section}.source.date_column=auto', f'{section}.source.gaps=mask',
            f'{section}.source.missing=mask', *more]


def trained(config: str, options: Sequence[str], folder: Path, name: str, seed: int) -> Path:
    """The run of a config, trained and tested unless it is there."""
    run = folder / f'{name.replace(" ", "_")}-s{seed}'
    loaded = load_config(ROOT / f'configs/series/{config}.py', options)
    quiet = Console(quiet=True)
    if not is_done(run):
        train(TrainOptions(loaded, work_dir=folder, seed=seed, device='cpu', run_name=run.name),
              console=quiet)
    if not (run / 'test_test.json').is_file():
        test(TestOptions(config=loaded, checkpoint=run / 'best.pth', split='test', device='cpu'),
             quiet)
    return run


def row_of(name: str, runs: Sequence[Path]) -> Row:
    """A row of the table from the runs of its seeds."""
    losses = [_losses(read_forecasts(run / 'predictions_test.npz')) for run in runs]
    seconds = [sum(epoch.seconds for epoch in read_run(run).epochs) for run in runs]
    return Row(name, [read_test(run / 'test_test.json').metrics for run in runs],
               np.mean(losses, axis=0), statistics.median(seconds))


def _losses(forecasts: Forecasts) -> np.ndarray:
    return error_by_window(forecasts.targets, forecasts.forecasts.astype(np.float64),
                           forecasts.observed)


def simple_rows(record: TestRecord) -> list[Row]:
    """Rows of simple methods, of which a record has the errors."""
    return [Row(name, [errors]) for name, errors in record.baselines.items()
            if name != 'ridge']  # which is a row of its own


def foreign_rows(folder: Path | None, file: Path, horizon: int, truth: Forecasts) -> list[Row]:
    """Rows of forecasts made elsewhere.

    Raises:
        SystemExit: a file has other windows.
    """
    found = []
    for path in sorted(folder.glob(f'{file.stem}-{horizon}-*.npz')) if folder else ():
        forecast = np.load(path)['forecast']
        if forecast.shape != truth.targets.shape:
            sys.exit(f'error: `{path}` has forecasts of shape {forecast.shape}, and the test part '
                     f'has {truth.targets.shape}\nhint: one a window of the test part, at stride 1')
        error = forecast.astype(np.float64) - truth.targets
        metrics = {'forecast/mse': float(observed_mean(np.square(error), truth.observed)),
                   'forecast/mae': float(observed_mean(np.abs(error), truth.observed))}
        name = path.stem.removeprefix(f'{file.stem}-{horizon}-')
        found.append(Row(f'{name} (trained on what nobody here knows)', [metrics],
                         error_by_window(truth.targets, forecast, truth.observed)))
    return found


def compare(file: Path, horizon: int, args: argparse.Namespace) -> list[Row]:
    """All rows of one file and horizon."""
    folder = args.out / f'{file.stem}-{horizon}'
    given = data_options(file, horizon, args.cfg_options)
    runs: dict[str, list[Path]] = {}
    for seed in range(args.seeds):
        for name, (config, options) in RECIPES.items():
            began = time.perf_counter()
            run = trained(config.format(horizon=horizon), [*given, *options], folder, name, seed)
            runs.setdefault(name, []).append(run)
            print(f'{file.stem} {horizon}: {name}, seed {seed}, '
                  f'{time.perf_counter() - began:.0f} s', flush=True)
        members = [str(runs[name][seed]) for name in RECIPES]
        runs.setdefault(BLEND, []).append(trained(
            f'etth1_blend_{horizon}', [*given, f'model.members={members}'], folder, BLEND, seed))
    rows = [row_of(name, each) for name, each in runs.items()]
    first = runs[REFERENCE][0]
    record = read_test(first / 'test_test.json')
    if args.classical:
        record.baselines |= classical(first, given, args)
    truth = read_forecasts(first / 'predictions_test.npz')
    return [*rows, *foreign_rows(args.forecasts, file, horizon, truth), *simple_rows(record)]


def classical(run: Path, given: Sequence[str], args: argparse.Namespace) -> dict:
    """Errors of methods that are fitted to every window anew, on evenly spaced windows."""
    config, options = RECIPES[REFERENCE]
    record = test(TestOptions(
        config=load_config(ROOT / f'configs/series/{config}.py', [*given, *options]),
        checkpoint=run / 'best.pth', split='test', device='cpu', into=run / 'classical',
        baselines=args.classical, baseline_windows=args.windows), Console(quiet=True))
    return {f'{name}, {row["windows"]} windows': row
            for name, row in record.sampled_baselines.items() if name != 'own'}


def table(rows: Sequence[Row], horizon: int) -> str:
    """Markdown."""
    shown = {metric: title for metric, title in SHOWN.items()
             if any(row.values(metric) for row in rows)}
    reference = next(row for row in rows if row.name == REFERENCE)
    head = ['', *shown.values(), f'less {REFERENCE}', '95 %', 'p', 'seconds']
    lines = [head, ['---', *['---:'] * (len(head) - 1)]]
    for row in rows:
        cells = [row.name, *(row.cell(metric) for metric in shown)]
        if row.losses is not None and row is not reference:
            low, high = block_interval(row.losses, reference.losses, horizon)
            tested = diebold_mariano(row.losses, reference.losses, horizon)
            cells += [f'{tested.difference:+.4f}', f'{low:+.4f} to {high:+.4f}', f'{tested.p:.3f}']
        else:
            cells += ['', '', '']
        lines.append([*cells, '' if row.seconds is None else f'{row.seconds:.0f}'])
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def means(found: dict[int, list[Row]]) -> str:
    """Of all horizons, where a method has them all."""
    names = [row.name for row in next(iter(found.values())) if row.losses is not None]
    lines = [['mean MSE over the horizons', *map(str, found), 'mean'], ['---'] + ['---:'] * (
        len(found) + 1)]
    for name in names:
        rows = [next((row for row in rows if row.name == name), None) for rows in found.values()]
        if None not in rows:
            each = [statistics.fmean(row.values('forecast/mse')) for row in rows]
            lines.append([name, *(f'{value:.4f}' for value in each),
                          f'**{statistics.fmean(each):.4f}**'])
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def write_docs(path: Path, text: str) -> None:
    """Put tables between the markers of a file.

    Raises:
        SystemExit: it has none.
    """
    after = between_markers(path.read_text(encoding='utf-8'), 'sets', text)
    if after is None:
        sys.exit(f'error: `{path}` has no markers\nhint: add lines `<!-- sets: begin -->` and '
                 '`<!-- sets: end -->`')
    path.write_text(after, encoding='utf-8')


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('files', type=Path, nargs='+', help='CSV files with a column of times')
    parser.add_argument('--horizons', type=int, nargs='+', default=list(HORIZONS), choices=HORIZONS)
    parser.add_argument('--seeds', type=int, default=3, metavar='N', help='seeds 0 to N-1')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/forecasting_sets'),
                        metavar='DIR', help='folder of the runs and of tables.md')
    parser.add_argument('--classical', nargs='+', default=[], choices=['ets', 'theta', 'arima'],
                        help='also these, of statsforecast, on evenly spaced windows')
    parser.add_argument('--windows', type=int, default=100, metavar='N',
                        help='how many windows those are (default 100)')
    parser.add_argument('--forecasts', type=Path, metavar='DIR',
                        help='rows of forecasts made elsewhere, see above')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='K=V',
                        help='override keys in every config')
    parser.add_argument('--docs', type=Path, metavar='FILE',
                        help='put the tables between the markers of this file, too')
    args = parser.parse_args()
    parts, numbers = [], {}
    try:
        for file in args.files:
            found = {}
            for horizon in args.horizons:
                found[horizon] = rows = compare(file, horizon, args)
                numbers[f'{file.stem}-{horizon}'] = {
                    row.name: {metric: row.values(metric) for metric in SHOWN} for row in rows}
                parts.append(f'## {file.stem}, {horizon} rows ahead\n\n{table(rows, horizon)}')
                print(f'\n{parts[-1]}\n', flush=True)
            parts.append(f'## {file.stem}\n\n{means(found)}')
            print(f'\n{parts[-1]}\n', flush=True)
    except AmlnnError as error:
        sys.exit(f'error: {error.message}\nhint: {error.hint}')
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / 'tables.md').write_text('\n\n'.join(parts) + '\n', encoding='utf-8')
    if args.docs:
        write_docs(args.docs, '\n\n'.join(parts))
    (args.out / 'numbers.json').write_text(json.dumps(numbers, indent=1), encoding='utf-8')
    print(f'written: {args.out / "tables.md"}')


if __name__ == '__main__':
    main()
