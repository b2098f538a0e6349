"""Forecasts of ETTh1 beside published figures: search by validation, three seeds, one look at test.

python benchmarks/etth1.py data/ETTh1.csv --docs docs/etth1.md

Any file of the same shape will do (data/ETTh2.csv). The steps, which `--until` cuts short:

protocol   errors of simple methods on the test windows, whose published values are known
search     one training for every recipe of SEARCH; its validation error goes to trials.jsonl
test       for each horizon the recipe of the least validation error, with further seeds; only
           these are tested, once
recurrent  every recurrent network without and with the subtraction of a window's last value

What trials.jsonl in the output folder already holds is not trained again, so a search that was
stopped goes on, and one that was enlarged trains what is new.
"""

import argparse
import inspect
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from amlnn.config.experiment import identity
from amlnn.config.load import load_config
from amlnn.engine.evaluate import TestOptions, test
from amlnn.engine.kinds import in_scope, open_task
from amlnn.engine.series.baseline_rows import baseline_errors
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import AmlnnError
from amlnn.markers import between_markers
from amlnn.records import read_run

ROOT = Path(__file__).resolve().parent.parent
HORIZONS = (96, 192, 336, 720)
STEPS = ('protocol', 'search', 'test', 'recurrent')
RIDGE_LOOK_BACK = 336
USES_LOOK_BACK = ('window mean', 'same-hour mean', 'ridge')

# Multivariate ETTh1, all columns, mean squared error in units of the training deviation.
PUBLISHED = {
    'SegRNN, look-back 96': (0.368, 0.408, 0.444, 0.446),
    'SegRNN, look-back 720': (0.351, 0.392, 0.423, 0.466),
    'NLinear, look-back 336': (0.374, 0.408, 0.429, 0.440),
    'DLinear, look-back 336': (0.375, 0.405, 0.439, 0.472),
    'FITS': (0.372, 0.404, 0.427, 0.424),
}
PROTOCOL = {
    'repeat last': (1.294, 1.325, 1.330, 1.335),
    'ridge': (0.372, 0.406, 0.429, 0.429),
}

RECURRENT = {
    'LSTM': 'etth1_lstm_96', 'GRU': 'etth1_gru_96', 'bidirectional': 'etth1_bidirectional_96',
    'deep RNN': 'etth1_deep_96',
}


class Trial(NamedTuple):
    """One training."""

    config: str
    """Name of a file in configs/series."""
    options: tuple[str, ...]
    """As of --cfg-options."""
    seed: int = 0


def recipe(horizon: int, hidden: int = 256, segment: int = 48, dropout: float = 0.5,
           loss: str = 'mae', look_back: int = 720, batch: int = 128, rate: float = 1e-3,
           decay: float = 0.8, epochs: int = 8, patience: int = 2, precision: str = 'bf16',
           normalization: str = 'last', stride: int = 1) -> Trial:
    """Everything that the search varies, written out, so that a trial means the same for ever.

    Args:
        horizon: Rows to forecast.
        hidden: Units of the GRU.
        segment: Rows of a segment.
        dropout: Of what is read out.
        loss: Of the head.
        look_back: Rows of input.
        batch: Windows of a batch.
        rate: Learning rate of the first epoch.
        decay: Its factor from one epoch to the next.
        epochs: At most.
        patience: Epochs without a better validation error that end the training.
        precision: Of matrix products.
        normalization: Of each window.
        stride: Every so-manieth training window is read; epochs are then shorter.
    """
    options = (
        f'train_dataloader.dataset.horizon={horizon}',
        f'train_dataloader.dataset.look_back={look_back}', f'train_dataloader.batch_size={batch}',
        f'model.encoder.hidden_size={hidden}', f'model.encoder.segment_length={segment}',
        f'model.encoder.dropout={dropout}', f'model.head.loss={loss}',
        f'model.normalization={normalization}', f'optim_wrapper.optimizer.lr={rate}',
        f'param_scheduler.gamma={decay}', f'train_cfg.max_epochs={epochs}',
        f'custom_hooks.0.patience={patience}', f'execution.precision={precision}')
    if stride > 1:
        options += (f'train_dataloader.dataset.stride={stride}', )
    return Trial('etth1_seggru_96', options)


DEFAULTS = {name: each.default for name, each in inspect.signature(recipe).parameters.items()
            if name != 'horizon'}
SEARCH = {
    96: [
        dict(),
        dict(hidden=128, epochs=1, decay=0.9, patience=3, precision='fp32'),
        dict(epochs=1, decay=0.9, patience=3),
        dict(epochs=1, decay=0.9, patience=3, precision='fp32'),
        dict(normalization='season', rate=2e-4, patience=1),
        dict(normalization='season', rate=2e-4, patience=1, look_back=336),
    ],
    192: [
        dict(),
        dict(rate=5e-4, dropout=0.7),
        dict(normalization='revin', rate=5e-4, patience=1),
        dict(normalization='season', rate=2e-4, patience=1),
        dict(normalization='season', rate=2e-4, patience=1, look_back=336),
    ],
    336: [
        dict(),
        dict(normalization='revin', rate=5e-4, patience=1),
        dict(hidden=128, rate=5e-4, patience=1),
        dict(normalization='revin', hidden=128, rate=5e-4, patience=1, look_back=336),
        dict(normalization='season', rate=2e-4, patience=1),
        dict(normalization='season', rate=2e-4, patience=1, look_back=336),
        dict(normalization='season', rate=1e-4, patience=1),
    ],
    720: [
        dict(),
        dict(normalization='revin', rate=5e-4, patience=1),
        dict(look_back=336),
        dict(hidden=128, rate=5e-4, patience=1),
        dict(normalization='revin', hidden=128, rate=5e-4, patience=1, look_back=336),
        dict(normalization='season', rate=2e-4, patience=1),
        dict(normalization='season', rate=2e-4, patience=1, look_back=336),
        dict(normalization='season', rate=1e-4, patience=1),
    ],
}


class TimeOver(Exception):
    """No training may begin any more."""


class Ledger:
    """Finished trainings and tests, one JSON object a line.

    Args:
        folder: Where trials.jsonl and the run folders are.
        data: The CSV file.
        minutes: After these no training is begun.

    Raises:
        TimeOver: a training would have to be begun.
    """

    def __init__(self, folder: Path, data: Path, minutes: float | None = None):
        self.folder, self.data = folder, data
        self.end = None if minutes is None else time.monotonic() + 60 * minutes
        self.path = folder / 'trials.jsonl'
        folder.mkdir(parents=True, exist_ok=True)
        lines = self.path.read_text().splitlines() if self.path.is_file() else []
        self.entries = {entry['key']: entry for entry in map(json.loads, lines)}

    def trained(self, trial: Trial) -> dict:
        """The entry of a trial, which is trained unless it was before."""
        options = (*trial.options, f'train_dataloader.dataset.source.path={self.data}')
        path = ROOT / f'configs/series/{trial.config}.py'
        config = load_config(path, options).config
        key = f'{identity(config)[:16]}-{trial.seed}'
        if key not in self.entries:
            if self.end is not None and time.monotonic() > self.end:
                raise TimeOver
            begin = time.perf_counter()
            run = train(TrainOptions(path, work_dir=self.folder / 'runs' / key,
                                     cfg_options=options, seed=trial.seed), console=_quiet())
            record = read_run(run)
            best = record.epochs[record.best_epoch - 1]
            self._add(dict(
                key=key, config=trial.config, options=list(trial.options), seed=trial.seed,
                look_back=config['train_dataloader']['dataset']['look_back'],
                horizon=config['train_dataloader']['dataset']['horizon'],
                val_mse=best.metrics['forecast/mse'], val_mae=best.metrics['forecast/mae'],
                best_epoch=best.epoch, epochs=len(record.epochs),
                parameters=record.total_parameters, precision=record.precision,
                device=record.device, threads=record.threads,
                seconds=round(time.perf_counter() - begin, 1), run=str(run)))
        return self.entries[key]

    def tested(self, trial: Trial) -> dict:
        """The entry with `test_mse`, `test_mae` and `windows`; a test is never read twice."""
        entry = self.trained(trial)
        if 'test_mse' not in entry:
            run = Path(entry['run'])
            if not (run / 'best.pth').is_file():
                sys.exit(f'error: `{run}` is gone\nhint: take its line out of {self.path}')
            record = test(TestOptions(run / 'config.py', checkpoint=run / 'best.pth',
                                      split='test'), _quiet())
            self._add(entry | dict(
                test_mse=record.metrics['forecast/mse'], test_mae=record.metrics['forecast/mae'],
                windows=record.samples, repeated_windows=record.repeated_windows))
        return self.entries[entry['key']]

    def _add(self, entry: dict) -> None:
        # A later line of the same key replaces the earlier one.
        self.entries[entry['key']] = entry
        with open(self.path, 'a', encoding='utf-8') as file:
            file.write(json.dumps(entry) + '\n')


def simple_rows(data: Path, horizons: tuple[int, ...]) -> dict[int, dict]:
    """Errors of the simple methods on the test windows, by horizon."""
    found = {}
    for horizon in horizons:
        loaded = load_config(ROOT / 'configs/series/etth1_seggru_96.py', (
            f'train_dataloader.dataset.source.path={data}',
            f'train_dataloader.dataset.horizon={horizon}',
            f'train_dataloader.dataset.look_back={RIDGE_LOOK_BACK}'))
        with in_scope(loaded.config):
            found[horizon] = baseline_errors(open_task(loaded, 'cpu').parts, 'test')[0]
    return found


class Result(NamedTuple):
    """A trial that was trained."""

    changes: dict
    """What its recipe changes."""
    trial: Trial
    entry: dict

    def line(self) -> str:
        """One line of the search."""
        entry = self.entry
        return (f'validation MSE {entry["val_mse"]:.4f} MAE {entry["val_mae"]:.4f}  epoch '
                f'{entry["best_epoch"]:2} of {entry["epochs"]:2}  {entry["seconds"]:6.1f} s  '
                f'{describe(self.changes)}')


def search(ledger: Ledger, horizons: tuple[int, ...]) -> dict[int, list[Result]]:
    """Train what SEARCH lists: the results of each horizon, best validation error first."""
    found = {each: [] for each in horizons}
    listed = [(place, horizon, changes) for horizon in horizons
              for place, changes in enumerate(SEARCH[horizon])]
    # The first recipe of every horizon, then the second: a search may be cut short.
    for _, horizon, changes in sorted(listed, key=lambda each: each[0]):
        trial = recipe(horizon, **changes)
        found[horizon].append(Result(changes, trial, ledger.trained(trial)))
        print(f'{horizon:4}  {found[horizon][-1].line()}', flush=True)
    return {horizon: sorted(results, key=lambda each: each.entry['val_mse'])
            for horizon, results in found.items()}


def describe(changes: dict) -> str:
    """A recipe in words: what differs from the defaults."""
    return ', '.join(f'{name} {value}' for name, value in changes.items()) or 'defaults'


def test_chosen(ledger: Ledger, searched: dict[int, list[Result]],
                seeds: int) -> dict[int, list[dict]]:
    """Train the best recipe of each horizon with further seeds, and test it: the search is over."""
    found = {horizon: [] for horizon in searched}
    for seed in range(seeds):
        for horizon, results in searched.items():
            entry = ledger.tested(results[0].trial._replace(seed=seed))
            found[horizon].append(entry)
            print(f'{horizon:4}  seed {seed}: validation MSE {entry["val_mse"]:.4f}, test MSE '
                  f'{entry["test_mse"]:.4f} MAE {entry["test_mae"]:.4f} on {entry["windows"]} '
                  f'windows, {entry["seconds"]:.1f} s', flush=True)
    return found


def recurrent(ledger: Ledger, horizons: tuple[int, ...],
              epochs: int) -> Iterator[tuple[str, int, dict[str, dict]]]:
    """Every network without and with last-value subtraction: name, horizon, entry by switch."""
    for horizon in horizons:
        for name in (*RECURRENT, 'segmented GRU'):
            entries = {}
            for switch in ('none', 'last'):
                entry = ledger.tested(recurrent_trial(name, horizon, epochs, switch))
                print(f'{horizon:4}  {name}, {switch}: validation MSE {entry["val_mse"]:.4f}, test '
                      f'MSE {entry["test_mse"]:.4f}, {entry["seconds"]:.1f} s', flush=True)
                entries[switch] = entry
            yield name, horizon, entries


def recurrent_trial(name: str, horizon: int, epochs: int, switch: str) -> Trial:
    """A short training of a network, its normalisation given."""
    if name not in RECURRENT:
        return recipe(horizon, hidden=128, epochs=epochs, normalization=switch)
    return Trial(RECURRENT[name], (
        f'train_dataloader.dataset.horizon={horizon}', 'train_dataloader.batch_size=128',
        f'train_cfg.max_epochs={epochs}', f'model.normalization={switch}'))


def spread(entries: list[dict], name: str) -> str:
    """Mean and sample deviation over seeds."""
    values = [entry[name] for entry in entries]
    deviation = f' ± {statistics.stdev(values):.4f}' if len(values) > 1 else ''
    return f'{statistics.fmean(values):.4f}{deviation}'


def markdown(head: tuple[str, ...], rows: list[tuple]) -> str:
    """A table; all columns but the first are aligned to the right."""
    lines = [head, ('---', *['---:'] * (len(head) - 1)), *rows]
    return '\n'.join('| ' + ' | '.join(map(str, line)) + ' |' for line in lines)


def main_table(simple: dict, tested: dict[int, list[dict]], is_etth1: bool) -> str:
    """Test errors by horizon: ours, the simple methods, what others published."""
    horizons = list(simple)

    def row(name, values, seeds=''):
        known = [value for value in values if value is not None]
        mean = f'{statistics.fmean(known):.3f}' if len(known) == len(horizons) else ''
        return (name, *('' if value is None else f'{value:.3f}' for value in values), mean, seeds)

    rows = []
    if tested:
        backs = sorted({entry['look_back'] for entries in tested.values() for entry in entries})
        seeds = len(next(iter(tested.values())))
        means = [statistics.fmean(entry['test_mse'] for entry in tested[horizon])
                 for horizon in horizons]
        by_seed = [statistics.fmean(tested[horizon][seed]['test_mse'] for horizon in horizons)
                   for seed in range(seeds)]
        deviation = f' ± {statistics.stdev(by_seed):.4f}' if seeds > 1 else ''
        rows.append((f'**segmented GRU**, look-back {", ".join(map(str, backs))}',
                     *(f'**{spread(tested[horizon], "test_mse")}**' for horizon in horizons),
                     f'**{statistics.fmean(means):.4f}{deviation}**', seeds))
    for name in next(iter(simple.values())):
        back = f', look-back {RIDGE_LOOK_BACK}' if name in USES_LOOK_BACK else ''
        rows.append(row(name + back, [(simple[horizon].get(name) or {}).get('forecast/mse')
                                      for horizon in horizons]))
    if is_etth1:
        for name, values in PUBLISHED.items():
            known = dict(zip(HORIZONS, values, strict=True))
            rows.append(row(f'{name} (published)', [known.get(each) for each in horizons]))
    rows.append(('test windows', *(f'{next(iter(simple[horizon].values()))["windows"]:,}'
                                   for horizon in horizons), '', ''))
    return markdown(('test MSE', *map(str, horizons), 'mean', 'seeds'), rows)


def chosen_table(searched: dict, tested: dict) -> str:
    """What validation chose, and what it then gave."""
    rows = []
    for horizon, entries in tested.items():
        entry = entries[0]
        validated, tests = (', '.join(f'{each[name]:.4f}' for each in entries)
                            for name in ('val_mse', 'test_mse'))
        rows.append((
            horizon, describe(searched[horizon][0].changes), entry['look_back'],
            f'{entry["parameters"]:,}', validated, tests,
            spread(entries, 'test_mae'), f'{entry["windows"]:,}',
            f'{statistics.fmean(each["seconds"] for each in entries):.0f}'))
    return markdown(
        ('horizon', 'recipe', 'look-back', 'parameters', 'validation MSE of each seed',
         'test MSE of each seed', 'test MAE', 'test windows', 'seconds a training'), rows)


def earlier_table(ledger: Ledger, searched: dict[int, list[Result]]) -> str:
    """Recipes that were tested because a shorter search had chosen them; '' if there is none."""
    rows = []
    for horizon, results in searched.items():
        for result in results[1:]:
            options = list(result.trial.options)
            entries = [entry for entry in ledger.entries.values()
                       if entry['options'] == options and 'test_mse' in entry]
            if entries:
                rows.append((horizon, describe(result.changes), f'{result.entry["val_mse"]:.4f}',
                             ', '.join(f'{entry["test_mse"]:.4f}' for entry in entries)))
    return markdown(('horizon', 'recipe', 'validation MSE', 'test MSE of each seed'),
                    rows) if rows else ''


def recurrent_table(rows: list[tuple[str, int, dict]]) -> str:
    """Every network without and with the subtraction."""
    lines = []
    for name, horizon, entries in rows:
        cells = [f'{entries[switch][key]:.4f}' for switch in ('none', 'last')
                 for key in ('val_mse', 'test_mse')]
        seconds = '+'.join(f'{entries[switch]["seconds"]:.0f}' for switch in ('none', 'last'))
        lines.append((name, horizon, entries['last']['look_back'], *cells,
                      f'{entries["last"]["windows"]:,}', seconds))
    return markdown(('network', 'horizon', 'look-back', 'without: validation', 'without: test',
                     'with: validation', 'with: test', 'test windows', 'seconds'), lines)


def trial_table(searched: dict[int, list[Result]]) -> str:
    """Every trial of the search with its validation error."""
    rows = []
    for horizon, results in searched.items():
        for result in results:
            entry = result.entry
            rows.append((horizon, describe(result.changes), f'{entry["val_mse"]:.4f}',
                         f'{entry["val_mae"]:.4f}', f'{entry["best_epoch"]} of {entry["epochs"]}',
                         f'{entry["seconds"]:.0f}'))
    return markdown(('horizon', 'recipe', 'validation MSE', 'validation MAE', 'best epoch',
                     'seconds'), rows)


def print_protocol(simple: dict, is_etth1: bool) -> None:
    """The simple methods, with what is known of two of them on ETTh1."""
    for horizon, rows in simple.items():
        for name, row in rows.items():
            known = dict(zip(HORIZONS, PROTOCOL.get(name, ()), strict=False)).get(horizon)
            note = f'  (published {known:.3f})' if known and is_etth1 else ''
            print(f'{horizon:4}  {name:16} MSE {row["forecast/mse"]:.4f}  '
                  f'MAE {row["forecast/mae"]:.4f}  {row["windows"]} windows{note}')
            if name == 'repeat last' and note and abs(row['forecast/mse'] - known) > 6e-4:
                sys.exit(f'error: repeat last gives {row["forecast/mse"]:.4f} at horizon '
                         f'{horizon}, not {known}\nhint: another file, other borders or scale')


def write_docs(path: Path, text: str) -> None:
    """Put the text between the markers of a file, which is made where there is none."""
    before = path.read_text(encoding='utf-8') if path.is_file() else \
        f'# {path.stem}\n\n<!-- etth1: begin -->\n<!-- etth1: end -->\n'
    after = between_markers(before, 'etth1', text)
    if after is None:
        sys.exit(f'error: `{path}` has no markers\nhint: add lines `<!-- etth1: begin -->` and '
                 '`<!-- etth1: end -->`')
    path.write_text(after, encoding='utf-8')


def _quiet() -> Console:
    return Console(quiet=True)


def run(args: argparse.Namespace) -> None:
    """Run the steps and print the tables.

    Raises:
        TimeOver: see `--minutes`; what is complete is printed and written before.
    """
    folder = args.out or ROOT / 'work_dirs' / f'benchmark_{args.data.stem}'
    ledger = Ledger(folder, args.data, args.minutes)
    steps = STEPS.index(args.until) + 1
    horizons, is_etth1 = tuple(args.horizons), args.data.stem == 'ETTh1'
    simple = simple_rows(args.data, horizons)
    print_protocol(simple, is_etth1)
    if steps == 1:
        return
    searched = search(ledger, horizons)
    if steps == 2:
        return
    tested = test_chosen(ledger, searched, args.seeds)
    compared, cut = [], None
    try:
        if steps > 3 and args.recurrent_epochs:
            for row in recurrent(ledger, tuple(args.recurrent_horizons), args.recurrent_epochs):
                compared.append(row)
    except TimeOver as error:
        cut = error
    text = page(ledger, simple, searched, tested, compared, is_etth1)
    print(f'\n{text}')
    if args.docs:
        write_docs(args.docs, text)
    if cut:
        raise cut


def page(ledger: Ledger, simple: dict, searched: dict, tested: dict, compared: list,
         is_etth1: bool) -> str:
    """All tables, as Markdown."""
    parts = ['## Test error', main_table(simple, tested, is_etth1), '## What was chosen',
             chosen_table(searched, tested)]
    earlier = earlier_table(ledger, searched)
    if earlier:
        parts += ['A shorter search had chosen these before, so they were tested too:', earlier]
    if compared:
        epochs = max(entry['epochs'] for *_, entries in compared for entry in entries.values())
        parts += ['## Without and with the subtraction of the last value',
                  f'At most {epochs} epochs, seed 0; mean squared errors.',
                  recurrent_table(compared)]
    first = next(iter(searched.values()))[0].entry
    threads = f'{first["threads"]} thread{"s" * (first["threads"] != 1)}'
    return '\n\n'.join([
        *parts, '## Every trial of the search',
        f'Seed 0, best first; {first["device"]}, {threads}. A recipe says what differs from the '
        f'defaults: {describe(DEFAULTS)}.', trial_table(searched)])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='ETTh1.csv, or a file of its shape')
    parser.add_argument('--until', choices=STEPS, default=STEPS[-1], help='the last step')
    parser.add_argument('--horizons', type=int, nargs='+', choices=HORIZONS,
                        default=list(HORIZONS))
    parser.add_argument('--seeds', type=int, default=3, help='trainings of a chosen recipe')
    parser.add_argument('--recurrent-horizons', type=int, nargs='+', default=[96])
    parser.add_argument('--recurrent-epochs', type=int, default=5,
                        help='epochs of the recurrent networks; 0 leaves them out')
    parser.add_argument('--minutes', type=float,
                        help='begin no training later than this; run the command again to go on')
    parser.add_argument('--out', type=Path, help='folder of trials.jsonl and the runs')
    parser.add_argument('--docs', type=Path, help='Markdown file with markers for the tables')
    try:
        run(parser.parse_args())
    except TimeOver:
        sys.exit('the minutes are over; run the command again to go on')
    except AmlnnError as error:
        sys.exit(f'error: {error.message}\nhint: {error.hint}')


if __name__ == '__main__':
    main()
