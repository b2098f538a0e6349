"""Forecasting: amlnn's LSTM and segmented GRU beside an LSTM in Keras and in neuralforecast.

python benchmarks/forecasting.py data/ETTh1.csv

Without a file, a series of that shape is generated: hourly rows, 7 columns, of which rows 0 to 8639
are for training and 11520 to 14399 for the test. One after the other on this machine, every side
trains on all windows of the same scaled values with Adam, and then evaluates all test windows (mean
squared and absolute error): float32, the same look-back, horizon, hidden size, layers, windows of a
batch and threads, no normalisation of a window. Times are of one epoch, and of one evaluation:
medians, the first epoch and the first evaluation apart.

Several columns are series of their own, which share one network, on every side: a batch of 32
windows of 7 columns is 224 sequences. neuralforecast draws windows at random; an epoch is as many
steps as the others take, each of as many windows. Its evaluation is `cross_validation`, which makes
a data frame; its network's `predict` alone is shown beside. Its LSTM reads each step's forecast off
a state of its own, of the last ones, the others read all steps off the last state.

amlnn is `tools/train.py` with a config of configs/series; its epochs keep what every run keeps
(scalars, a check of the loss, records). Neither checkpoints nor validation are in any epoch's time.
The first time, the others are installed into environments of their own in the output folder, which
takes a few minutes where torch has to be fetched.
"""

import argparse
import csv
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
BORDERS = (8640, 11520, 14400)
PEERS = {'neuralforecast': ('neuralforecast==3.3.0', 'torch==2.15.0', 'numpy==2.4.6'),
         'keras': ('keras==3.15.1', 'torch==2.15.0', 'numpy==2.4.6')}
LONG = 720
"""Look-back at which the segmented GRU meets the plain one."""
LONG_STRIDE = 8
"""There, every so-manieth window is taken: the plain GRU needs a minute for all."""


def generate(path: Path) -> Path:
    """Write a series of ETTh1's shape: a day's and a week's cycle, a slow walk, noise."""
    rng = np.random.default_rng(0)
    hours = np.arange(BORDERS[-1])[:, None]
    phase, size = rng.uniform(0, 6.28, (2, 1, 7)), rng.uniform(0.5, 2.0, (3, 1, 7))
    values = size[0] * np.sin(hours * 2 * np.pi / 24 + phase[0]) \
        + size[1] * np.sin(hours * 2 * np.pi / 168 + phase[1]) \
        + np.cumsum(rng.normal(0, 0.05, (len(hours), 7)), 0) + rng.normal(0, size[2] / 3)
    times = np.datetime64('2016-07-01T00:00:00') + np.arange(len(hours)) * np.timedelta64(1, 'h')
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(['date', *(f'column{place}' for place in range(7))])
        writer.writerows([str(when).replace('T', ' '), *row.tolist()]
                         for when, row in zip(times, values, strict=True))
    return path


def environment(name: str, out: Path) -> Path:
    """The Python of an environment that holds a peer; installed where it is not there yet."""
    folder = out / f'{name}-env'
    python = folder / 'bin/python'
    stamp = folder / 'installed.txt'
    wanted = '\n'.join(PEERS[name])
    if not stamp.is_file() or stamp.read_text() != wanted:
        begin = time.perf_counter()
        print(f'installing {", ".join(PEERS[name])} into {folder}', flush=True)
        beside = Path(sys.executable).parent
        uv = shutil.which('uv', path=f'{beside}{os.pathsep}{os.environ["PATH"]}') or 'uv'
        log = out / f'{name}-env.txt'
        timed([uv, 'venv', '--clear', '--python', sys.executable, str(folder)], log)
        timed([uv, 'pip', 'install', '--python', str(python), *PEERS[name]], log)
        stamp.write_text(wanted)
        print(f'installed in {time.perf_counter() - begin:.0f} s', flush=True)
    return python


def timed(command: list[str], log: Path) -> float:
    """Run a command, keep its output, and give its seconds."""
    begin = time.perf_counter()
    with open(log, 'w') as file:
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, cwd=ROOT).returncode
    if status:
        sys.exit(f'error: `{" ".join(command[:3])}` failed\nhint: see {log}')
    return time.perf_counter() - begin


def time_peer(name: str, python: Path, args, columns: int) -> dict:
    """A peer's seconds of an epoch and of an evaluation."""
    folder = args.out / f'{name}_{columns}'
    folder.mkdir(parents=True, exist_ok=True)
    values, _ = read(args.data)
    values = values[:, -columns:]
    training = values[:BORDERS[0]]
    np.save(folder / 'values.npy',
            ((values - training.mean(0)) / training.std(0)).astype(np.float32))
    given, result = folder / 'given.json', folder / 'result.json'
    given.write_text(json.dumps(dict(
        values=str(folder / 'values.npy'), borders=BORDERS, look_back=args.look_back,
        horizon=args.horizon, hidden_size=args.hidden, layers=args.layers, batch=args.batch,
        evaluation_batch=args.evaluation_batch, epochs=args.epochs, threads=args.threads)))
    timed([str(python), str(ROOT / 'benchmarks/forecasting_peers.py'), name, str(given),
           str(result)], folder / 'log.txt')
    return json.loads(result.read_text())


def read(path: Path) -> tuple[np.ndarray, list[str]]:
    """[rows, columns] float64 and the columns' names; the first column of the file is the date."""
    with open(path, newline='') as file:
        header, *lines = csv.reader(file)
    return np.array([line[1:] for line in lines[:BORDERS[-1]]], dtype=np.float64), header[1:]


def time_ours(name: str, config: str, args, columns: list[str], options: list[str]) -> dict:
    """The same of amlnn, with the parts of an epoch."""
    folder = args.out / f'amlnn_{name}_{len(columns)}'
    folder.mkdir(parents=True, exist_ok=True)
    options = [
        f'train_dataloader.batch_size={args.batch}',
        f'train_dataloader.dataset.source.path={args.data.resolve()}',
        f'train_dataloader.dataset.targets={json.dumps(columns, separators=(",", ":"))}',
        f'train_dataloader.dataset.look_back={args.look_back}',
        f'train_dataloader.dataset.horizon={args.horizon}',
        # The validation after every epoch reads the test windows, so that it is timed as often.
        f'val_dataloader.batch_size={args.evaluation_batch}', 'val_dataloader.dataset.split=test',
        'val_evaluator.items=[mse,mae]', f'model.encoder.hidden_size={args.hidden}',
        f'model.encoder.num_layers={args.layers}', 'model.normalization=none', 'custom_hooks=[]',
        f'train_cfg.max_epochs={args.epochs}', *options]
    timed([sys.executable, str(ROOT / 'tools/train.py'), str(ROOT / f'configs/series/{config}.py'),
           '--work-dir', str(folder / 'runs'), '--device', 'cpu', '--cfg-options', *options],
          folder / 'log.txt')
    run = folder / 'runs/latest'
    record = json.loads((run / 'run.json').read_text())
    epochs = record['epochs']
    result = dict(first=epochs[0]['train_seconds'],
                  train=statistics.median(each['train_seconds'] for each in epochs[1:]),
                  epochs=[each['train_seconds'] for each in epochs],
                  evaluate=statistics.median(each['val_seconds'] for each in epochs[1:]),
                  evaluations=[each['val_seconds'] for each in epochs],
                  test_mse=epochs[-1]['metrics']['forecast/mse'],
                  test_windows=record['samples']['val'],
                  parameters=record['total_parameters'])
    timed([sys.executable, __file__, '--parts', str(run / 'config.py'), '--out', str(folder)],
          folder / 'parts.txt')
    parts = json.loads((folder / 'parts.json').read_text())
    parts['loop and hooks'] = result['train'] - sum(parts.values())
    return {**result, 'parts': parts}


def time_parts(config: Path) -> dict[str, float]:
    """Seconds of an epoch's parts, in a bare loop over what a run's config describes."""
    import torch

    from amlnn.config.load import load_config
    from amlnn.engine.kinds import in_scope, open_task
    loaded = load_config(config)
    task = open_task(loaded, 'cpu')
    with in_scope(loaded.config):
        model, _ = task.build_model()
        loader = task.loader('train')
    section = dict(loaded.config.optim_wrapper.optimizer)
    optimizer = getattr(torch.optim, section.pop('type'))(model.parameters(), **section)
    seconds = dict.fromkeys(('data', 'forward', 'backward', 'optimiser'), 0.0)
    for epoch in range(2):  # the first is for warming up
        seconds = dict.fromkeys(seconds, 0.0)
        loader.set_epoch(epoch)
        batches = iter(loader)
        while True:
            marks = [time.perf_counter()]
            batch = next(batches, None)
            if batch is None:
                break
            marks.append(time.perf_counter())
            loss = model(**batch, mode='loss')['loss']
            marks.append(time.perf_counter())
            loss.backward()
            marks.append(time.perf_counter())
            optimizer.step()
            optimizer.zero_grad()
            marks.append(time.perf_counter())
            for part, begin, end in zip(seconds, marks[:-1], marks[1:], strict=True):
                seconds[part] += end - begin
    return seconds


def show(row: str, side: str, times: dict) -> None:
    """Print one line of the table."""
    print(f'{row:24} {side:15} {times["first"]:9.2f} {times["train"]:9.2f} '
          f'{times["evaluate"]:10.3f} {times["test_windows"]:8d} {times["test_mse"]:9.3f} '
          f'{times["parameters"]:10,d}', flush=True)


def show_parts(times: dict) -> None:
    """Print where an epoch of amlnn goes."""
    print('  of an epoch: ' + ', '.join(f'{part} {value / times["train"]:.0%}'
                                        for part, value in times['parts'].items()), flush=True)


def main() -> None:
    """Time all sides and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, nargs='?', help='a CSV of the shape of ETTh1.csv')
    parser.add_argument('--look-back', type=int, default=96)
    parser.add_argument('--horizon', type=int, default=96)
    parser.add_argument('--hidden', type=int, default=64)
    parser.add_argument('--layers', type=int, default=1)
    parser.add_argument('--batch', type=int, default=32, help='windows of a training batch')
    parser.add_argument('--evaluation-batch', type=int, default=256)
    parser.add_argument('--epochs', type=int, default=4, help='the first is apart')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--rows', nargs='+', choices=('one', 'all', 'long'),
                        default=('one', 'all', 'long'),
                        help='one column, all columns, or the look-back of 720 rows')
    parser.add_argument('--out', type=Path, default=ROOT / 'work_dirs/benchmark_forecasting')
    parser.add_argument('--parts', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.out = args.out.resolve()
    if args.parts:
        (args.out / 'parts.json').write_text(json.dumps(time_parts(args.parts)))
        return
    args.out.mkdir(parents=True, exist_ok=True)
    args.data = args.data or generate(args.out / 'generated.csv')
    for name in ('OMP_NUM_THREADS', 'MKL_NUM_THREADS'):
        os.environ[name] = str(args.threads)
    pythons = {} if set(args.rows) == {'long'} else {
        name: environment(name, args.out) for name in PEERS}
    names = read(args.data)[1]
    print(f'{args.data.name}: look-back {args.look_back}, horizon {args.horizon}, hidden size '
          f'{args.hidden}, {args.layers} layers, batch {args.batch}, evaluation batch '
          f'{args.evaluation_batch}, {args.threads} threads of {os.cpu_count()} cores; torch '
          f'{version("torch")} here, {", ".join(PEERS["keras"])}, {PEERS["neuralforecast"][0]}')
    print(f'\n{"":40} {"epoch 1 s":>9} {"epoch s":>9} {"evaluate s":>10} {"windows":>8} '
          f'{"test MSE":>9} {"parameters":>10}', flush=True)
    results, ratios = {}, []
    segmented = ['model.encoder.dropout=0.0', 'model.encoder.segment_length=24']
    for row, columns in (('one', names[-1:]), ('all', names)):
        if row not in args.rows:
            continue
        label = '1 column' if row == 'one' else f'{len(columns)} columns'
        sides = {'amlnn LSTM': time_ours('lstm', 'etth1_lstm_96', args, columns, []),
                 'amlnn segmented GRU': time_ours('segmented', 'etth1_seggru_96', args, columns,
                                                  segmented)}
        for side, times in sides.items():
            show(f'{side}', label, times)
            show_parts(times)
        for peer, python in pythons.items():
            sides[peer] = time_peer(peer, python, args, len(columns))
            show(f'{peer} LSTM', label, sides[peer])
            if 'forward_alone' in sides[peer]:
                print(f'  of an evaluation: {sides[peer]["forward_alone"]:.3f} s without the data '
                      'frame', flush=True)
            ratios += [(f'{label}: {ours} beside {peer}', sides[peer], sides[ours])
                       for ours in list(sides)[:2]]
        results[row] = sides
    if 'long' in args.rows:
        args.look_back = LONG
        stride = [f'train_dataloader.dataset.stride={LONG_STRIDE}']
        sides = {'amlnn GRU': time_ours('gru_long', 'etth1_gru_96', args, names[-1:], stride),
                 'amlnn segmented GRU': time_ours(
                     'segmented_long', 'etth1_seggru_96', args, names[-1:],
                     ['model.encoder.dropout=0.0', 'model.encoder.segment_length=48', *stride])}
        for side, times in sides.items():
            show(side, f'look-back {LONG}', times)
            show_parts(times)
        ratios.append((f'look-back {LONG}, 1 column: segmented GRU beside GRU',
                       *sides.values()))
        results['long'] = sides
    print()
    for what, theirs, ours in ratios:
        print(f'{what:55} epoch {theirs["train"] / ours["train"]:6.1f} x   evaluation '
              f'{theirs["evaluate"] / ours["evaluate"]:6.1f} x')
    (args.out / 'times.json').write_text(json.dumps(results, indent=1) + '\n')


if __name__ == '__main__':
    main()
