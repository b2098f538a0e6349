"""Fine-tuning ResNet50: amlnn beside MMPretrain's own tools/train.py, as ratios of seconds.

python benchmarks/finetune.py data/flower_dataset --weights weights/resnet50.pth

All sides train on the same images with the same recipe, one after the other on this machine: 224
pixels, batch 32, SGD, validation and a checkpoint after every epoch. MMPretrain gets the best of 0,
1 and 2 workers. Each side is timed on a part of the images, by default 8 batches, and its seconds
for the whole training are extrapolated: start-up + epochs x images x seconds per image. With fewer
views than epochs, amlnn's epochs that compute and epochs that read are timed apart. The sweep is
three trainings in one process, which share their features. The resolved recipes and all logs stay
in the output folder. Nothing else should run on the machine meanwhile.

--peers adds torch by hand (benchmarks/torch_by_hand.py) and, given --timm-train, timm's own
train.py, both in bfloat16 where the processor has it, with channels last and their best number of
workers. timm's train.py is not in its wheel: FILE is that of a clone of timm's repository of the
installed version. It freezes nothing, so it stands beside 'nothing frozen' alone.
"""

import argparse
import json
import re
import statistics
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from finetune_peers import BATCH, time_by_hand, time_peer, time_timm, total_peer
from machine import (
    ROOT,
    described,
    emptied,
    has_bfloat16,
    measure,
    percent,
    share,
    sizes_of,
    spread,
    tables,
    timed,
)

INT8 = 'everything frozen, V = epochs, trunk in int8'  # where NNCF is installed
CASES = {  # name: (amlnn's config, MMPretrain's frozen_stages, amlnn's views)
    'everything frozen, V = epochs': ('resnet50_frozenall', 4, None),
    INT8: ('resnet50_frozenall', 4, None),
    'everything frozen, V = 4': ('resnet50_frozenall', 4, 4),
    'three stages frozen, V = epochs': ('resnet50_frozen3', 3, None),
    'three stages frozen, V = 4': ('resnet50_frozen3', 3, 4),
    'nothing frozen': ('resnet50_frozen0', -1, None),
}
RATES = (0.01, 0.001, 0.0001)


def arguments_of_ours(args, sizes, views: int | None, epochs: int) -> list[str]:
    """`--cfg-options` that give amlnn the data and the length that MMPretrain has."""
    options = [f'train_cfg.max_epochs={epochs}']
    for part in ('train', 'val'):
        indices = ','.join(map(str, spread(sizes[part], args.images)))
        options += [f'{part}_dataloader.dataset.indices=[{indices}]',
                    f'{part}_dataloader.dataset.data_root={args.data.resolve()}']
    options.append(f'execution.trunk_engine={args.trunk_engine}')
    return [*options, f'execution.views={views}'] if views else options


def seconds_of(run: Path, wall: float, views: int | None) -> dict[str, float]:
    """amlnn: seconds of start-up, and per image of training and of validation, from a run folder.

    What the first epoch takes longer than the next, such as choosing kernels, is start-up.

    Args:
        run: The run folder.
        wall: Seconds of the whole training.
        views: How many of its epochs computed features that later ones read; None: no epoch read.

    Returns:
        Beside them `engine`: what computed the frozen stages; 'none' where none are.
    """
    record = json.loads((run / 'run.json').read_text())
    epochs = record['epochs']
    train_images, val_images = record['samples']['train'], record['samples']['val']
    steady = epochs[1:] if views is None else epochs[1:views]  # computing, and warm
    reading = epochs[max(views, 1):] if views is not None else steady

    def per_image(part, key, images):
        return statistics.median(epoch[key] for epoch in part) / images

    train = per_image(steady or reading, 'train_seconds', train_images)
    warming = epochs[0]['train_seconds'] - train * train_images
    return {'fixed': wall - sum(epoch['seconds'] for epoch in epochs) + warming,
            'train': train, 'read': per_image(reading, 'train_seconds', train_images),
            'first_val': epochs[0]['val_seconds'] / val_images,
            'val': per_image(epochs[1:], 'val_seconds', val_images),
            'top1': epochs[0]['metrics']['accuracy/top1'], 'trunk': record['trunk'],
            'engine': record['trunk_engine'] or 'none'}


def time_ours(args, sizes, case: str, out: Path) -> dict[str, float]:
    """amlnn: the same, with epochs that read features apart from those that compute them."""
    config, _, views = CASES[case]
    folder = emptied(out / f'amlnn_{config}_views{views or "epochs"}{"_int8" * (case == INT8)}')
    measured = views and 2  # two epochs compute, two read
    options = arguments_of_ours(args, sizes, measured, 4 if views else 2)
    if case == INT8:
        options += ['execution.trunk_engine=openvino', 'execution.trunk_precision=int8']
    wall = timed([sys.executable, str(ROOT / 'tools/train.py'), str(ROOT / f'configs/{config}.py'),
                  '--pretrained', str(args.weights.resolve()), '--work-dir', str(folder / 'runs'),
                  '--cfg-options', *options],
                 folder / 'log.txt', ROOT, AMLNN_CACHE=str(folder / 'cache'))
    return seconds_of(folder / 'runs/latest', wall, measured)


def time_sweep(args, sizes, out: Path) -> list[dict[str, float]]:
    """amlnn: each trial of a sweep over learning rates, all in one process."""
    folder = emptied(out / 'amlnn_sweep')
    trials = [{'config': str(ROOT / 'configs/resnet50_frozenall.py'),
               'pretrained': str(args.weights.resolve()), 'work_dir': str(folder / str(rate)),
               'cfg_options': [*arguments_of_ours(args, sizes, 2, 4),
                               f'optim_wrapper.optimizer.lr={rate}']} for rate in RATES]
    (folder / 'trials.json').write_text(json.dumps(trials))
    wall = timed([sys.executable, __file__, '--trials', str(folder / 'trials.json')],
                 folder / 'log.txt', ROOT, AMLNN_CACHE=str(folder / 'cache'))
    walls = json.loads((folder / 'walls.json').read_text())
    times = [seconds_of(folder / str(rate) / 'latest', wall, 2 if rate == RATES[0] else 0)
             for rate, wall in zip(RATES, walls, strict=True)]
    times[0]['fixed'] += wall - sum(walls)  # the interpreter's start
    return times


def run_trials(path: Path) -> None:
    """In a process of its own: train one config after another, and note the seconds of each."""
    from amlnn.engine.train import TrainOptions, train
    walls = []
    for trial in json.loads(path.read_text()):
        begin = time.perf_counter()
        train(TrainOptions(config=Path(trial['config']), pretrained=trial['pretrained'],
                           work_dir=Path(trial['work_dir']), cfg_options=trial['cfg_options']))
        walls.append(time.perf_counter() - begin)
    (path.parent / 'walls.json').write_text(json.dumps(walls))


def total_ours(times: dict, sizes: dict, epochs: int, views: int | None) -> float:
    """Seconds of the whole training; `views` 0 when an earlier one left its features."""
    views = min(epochs if views is None else views, epochs)
    training = sizes['train'] * (views * times['train'] + (epochs - views) * times['read'])
    validation = sizes['val'] * (times['first_val'] + (epochs - 1) * times['val'])
    return times['fixed'] + training + validation


def best_of(args, sizes, time_one) -> dict:
    """The times of a peer with its best number of workers."""
    tried = [time_one(workers) for workers in args.workers]
    return min(tried, key=lambda each: total_peer(each, sizes, args.epochs))


def time_peers(args, sizes, frozen: int) -> dict[str, dict]:
    """Every peer's times of a training with so many stages frozen, printed as they come."""
    runs = {'MMPretrain': lambda workers: time_peer(args, sizes, frozen, workers, args.out)}
    if args.peers:
        runs['torch by hand'] = lambda workers: time_by_hand(args, sizes, frozen, workers, args.out)
        if frozen == -1 and args.timm_train:
            runs['timm'] = lambda workers: time_timm(args, sizes, workers, args.out)
    found = {}
    for name, run in runs.items():
        found[name] = times = best_of(args, sizes, run)
        print(f'{name}, frozen_stages {frozen}: {1 / times["train"]:.1f} img/s training, '
              f'{1 / times["val"]:.1f} validating, best with {times["workers"]} workers; '
              f'top-1 {times["top1"]:.1f} after {args.images} images', flush=True)
    return found


def compare(args, sizes) -> list[dict]:
    """All rows of the table, printed as they come."""
    peers: dict[int, dict[str, dict]] = {}
    rows = []

    def add(case, theirs, ours, trainings, times):
        seconds = {name: trainings * total_peer(each, sizes, args.epochs)
                   for name, each in theirs.items()}
        engine = (times if isinstance(times, dict) else times[0])['engine']
        rows.append({'case': case, 'amlnn_seconds': ours, 'seconds': seconds, 'engine': engine,
                     'ratios': {name: each / ours for name, each in seconds.items()},
                     'peers': theirs, 'amlnn': times})
        print(f'{case:38} amlnn {ours:7,.0f} s (engine: {engine})   ' + '   '.join(
            f'{name} {each:8,.0f} s, {each / ours:6.1f} x' for name, each in seconds.items()),
            flush=True)

    for case, (_, frozen, views) in CASES.items():
        if (case == INT8 and find_spec('nncf') is None) or (args.only and case not in args.only):
            continue
        if frozen not in peers:
            peers[frozen] = time_peers(args, sizes, frozen)
        times = time_ours(args, sizes, case, args.out)
        add(case, peers[frozen], total_ours(times, sizes, args.epochs, views), 1, times)
        reading = f', {1 / times["read"]:,.0f} reading' if views else ''
        print(f'    amlnn: {1 / times["train"]:.1f} img/s computing{reading}, validating '
              f'{1 / times["first_val"]:.1f}, then {1 / times["val"]:,.0f}, start-up '
              f'{times["fixed"]:.1f} s; top-1 {times["top1"]:.1f} after {args.images} images',
              flush=True)
    if args.only:
        return rows
    trials = time_sweep(args, sizes, args.out)
    ours = sum(total_ours(times, sizes, args.epochs, 0 if number else 4)
               for number, times in enumerate(trials))
    add(f'{len(RATES)} learning rates, everything frozen, V = 4', peers[4], ours, len(RATES),
        trials)
    return rows


def markdown(args, sizes, rows: list[dict], parts: dict) -> str:
    """The table as a page, with what it was measured on."""
    images = f'{sizes["train"]:,} training and {sizes["val"]} validation images'
    names = list(dict.fromkeys(name for row in rows for name in row['seconds']))
    lines = [
        '# Fine-tuning ResNet50: seconds beside others', '',
        'Written by `python benchmarks/finetune.py DATA --weights FILE --peers --timm-train FILE '
        '--record FILE`.', '', f'{described(parts)}.', '',
        'All sides ran one after the other on this machine, amlnn in '
        f'{parts["precision"]}, on the same {args.images} images at 224 pixels, batch {BATCH}; '
        f'seconds are those of {args.epochs} epochs of {images}, extrapolated from what was run.',
        '', '| case | ' + ' | '.join(f'{name}, s' for name in names)
        + ' | amlnn, s | engine | ' + ' | '.join(f'ratio to {name}' for name in names) + ' |',
        '| --- |' + ' ---: |' * (len(names) + 1) + ' --- |' + ' ---: |' * len(names)]
    for row in rows:
        theirs, ratios = ([f'{row[key][name]:{form}}' if name in row[key] else '-'
                           for name in names] for key, form in (('seconds', ',.0f'),
                                                                ('ratios', '.1f')))
        lines.append(f'| {row["case"]} | {" | ".join(theirs)} | {row["amlnn_seconds"]:,.0f} | '
                     f'{row["engine"]} | {" | ".join(ratios)} |')
    if 'timm' in names:
        lines += ['', "timm's train.py has no option to freeze stages: it stands beside 'nothing "
                  "frozen' alone."]
    return '\n'.join([*lines, '', tables(parts), '', limits(parts, rows)]) + '\n'


def limits(parts: dict, rows: list[dict]) -> str:
    """How far from the machine's limit, and where the rest of an image's time goes."""
    row = next((row for row in rows if row['case'] == 'everything frozen, V = epochs'), None)
    if row is None:
        return ''
    engine, precision = row['engine'], parts['precision']
    if engine == 'openvino-int8':
        engine, precision = 'openvino', 'int8'
    elif engine == 'torch':
        engine = 'torch-folded'  # as trunks are, where that is as right
    seconds, rate = row['amlnn']['train'], parts['engines'][f'{engine} {precision}']
    return (
        f'An image of an epoch with everything frozen, V = epochs, takes {1e3 * seconds:.1f} ms, '
        f'{percent(share(parts, precision, 1 / seconds))} of the peak in {precision}; the trunk '
        f'alone, by {engine}, takes {1e3 / rate:.1f} ms, '
        f'{percent(share(parts, precision, rate))}. Decoding and augmentation take '
        f'{1e3 * parts["decode"]:.1f} ms of one core.')


def main() -> None:
    """Time both sides and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, nargs='?', help='a data set of data_preprocess.py')
    parser.add_argument('--weights', type=Path,
                        help='a ResNet50 whose keys begin with `backbone.`')
    parser.add_argument('--epochs', type=int, default=30)
    parser.add_argument('--images', type=int, default=8 * BATCH, metavar='N',
                        help='time on so many training and validation images (default 256)')
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 1, 2],
                        help="MMPretrain's numbers of workers to choose the best of")
    parser.add_argument('--trunk-engine', choices=['auto', 'torch', 'openvino'], default='auto',
                        help='what computes frozen stages here; of so few images auto takes torch, '
                        'where it would measure both for a whole training')
    parser.add_argument('--peers', action='store_true',
                        help='torch by hand too, and timm where its train.py is given')
    parser.add_argument('--timm-train', type=Path, metavar='FILE',
                        help="with --peers: train.py of a clone of timm's repository")
    parser.add_argument('--only', nargs='+', choices=list(CASES), metavar='CASE',
                        help=f'these rows of the table alone: {", ".join(CASES)}')
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark_finetune'))
    parser.add_argument('--record', type=Path, metavar='FILE',
                        help='write the table as Markdown: benchmarks/finetune.md')
    parser.add_argument('--trials', type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.trials:
        return run_trials(args.trials)
    if not args.data or not args.weights:
        parser.error('a data set and --weights are needed')
    if args.timm_train and not (args.peers and args.timm_train.is_file()):
        parser.error('--timm-train is a file, and goes with --peers')
    args.out = args.out.resolve()
    args.bfloat16 = has_bfloat16()
    sizes = sizes_of(args.data)
    print(f'{sizes["train"]:,} training and {sizes["val"]} validation images, {args.epochs} '
          f'epochs, extrapolated from {args.images} images', flush=True)
    parts = measure(ROOT / 'configs/resnet50_frozenall.py',
                    arguments_of_ours(args, sizes, None, 2), args.out / 'parts', BATCH)
    print(f'{described(parts)}\n\n{tables(parts)}\n', flush=True)
    rows = compare(args, sizes)
    print(limits(parts, rows), flush=True)
    (args.out / 'ratios.json').write_text(json.dumps({'rows': rows, 'parts': parts}, indent=1))
    if args.record:
        args.record.write_text(markdown(args, sizes, rows, parts))
    print(f'recipes, logs and all seconds: {args.out}')
    for folder in ('mmpretrain_frozen4_workers0/recipe.py',
                   'amlnn_resnet50_frozenall_viewsepochs/runs/latest/config.py'):
        if (args.out / folder).is_file():
            print(f'\n--- {folder}\n{shortened((args.out / folder).read_text())}')


def shortened(recipe: str) -> str:
    """A recipe without its long lists of indices."""
    return re.sub(r'\[\d+(,\s*\d+){20,},?\s*\]', '[...]', recipe)


if __name__ == '__main__':
    main()
