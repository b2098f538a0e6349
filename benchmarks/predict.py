"""Testing and predicting by every engine: images a second, and seconds to the first answer.

python benchmarks/predict.py data/flower_dataset --weights weights/resnet50.pth

For ResNet50 with a new last layer, on validation images at 224 pixels: tools/predict.py and
tools/test.py with each engine and precision that the machine has, MMPretrain's
ImageClassificationInferencer and its own tools/test.py. Every command is started anew, --runs
times in turns; medians are shown. Seconds to the first answer go from the start of the process to
its first line (predicting), or to the end of a test on one batch. Images a second are those after
it: of a test, of what --images take longer than one batch. The ratios are to MMPretrain in float32.
benchmarks/machine.py measures what the machine could compute, and so each engine's share of it.
Nothing else should run on the machine meanwhile.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from finetune_peers import BATCH, PEER, plain_weights
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

PREDICTED = 32  # images of a batch of tools/predict.py, whose lines come together
TESTED = 64  # of the configs' validation loaders

ENGINES = {  # name: options of `execution`
    'torch fp32': ['trunk_engine=torch', 'precision=fp32'],
    'torch bf16': ['trunk_engine=torch', 'precision=bf16'],
    'openvino fp32': ['trunk_engine=openvino', 'precision=fp32'],
    'openvino bf16': ['trunk_engine=openvino', 'precision=bf16'],
    'openvino int8': ['trunk_precision=int8', 'precision={best}'],
}
THEIRS = 'MMPretrain fp32'

INFERENCER = '''\
import sys

from mmpretrain import ImageClassificationInferencer

config, checkpoint, *paths = sys.argv[1:]
inferencer = ImageClassificationInferencer(config, pretrained=checkpoint, device='cpu')
for start in range(0, len(paths), {batch}):
    for path, found in zip(paths[start:], inferencer(paths[start:start + {batch}],
                                                     batch_size={batch})):
        print('predicted', path, found['pred_label'], flush=True)
'''


def timed_lines(command: list[str], log: Path, count: int, **environment: str) -> dict[str, float]:
    """Run a command that prints a line an image: seconds to the first, and images a second then.

    Args:
        command: It.
        log: Its standard error goes there.
        count: How many images it predicts.
        environment: Further variables.
    """
    begin, times = time.perf_counter(), []
    with open(log, 'w') as file, subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=file, text=True, cwd=log.parent,
            env={**os.environ, **environment}) as process:
        for line in process.stdout:
            if 'predicted' in line or '"path"' in line:
                times.append(time.perf_counter() - begin)
    if process.returncode or len(times) != count:
        sys.exit(f'error: `{" ".join(command[:3])}` gave {len(times)} lines for {count} images\n'
                 f'hint: see {log}')
    return {'first': times[0], 'rate': (count - PREDICTED) / (times[-1] - times[0])}


def checkpoint_of(args, sizes) -> Path:
    """A classifier of the data set's classes: the weights, and a last layer that knows nothing."""
    import torch
    plain = torch.load(plain_weights(args, sizes, args.out), weights_only=True)['state_dict']
    weights = {f'head.{name}' if name.startswith('fc.') else f'backbone.{name}': each
               for name, each in plain.items()}
    classes = (args.data / 'classes.txt').read_text().splitlines()
    path = args.out / 'classifier.pth'
    torch.save({'state_dict': weights, 'meta': {'dataset_meta': {'classes': classes}}}, path)
    return path


def our_options(args, sizes, options: list[str], count: int) -> list[str]:
    """`--cfg-options` of a command of amlnn's on so many validation images."""
    best = 'bf16' if args.bfloat16 else 'fp32'
    indices = ','.join(map(str, spread(sizes['val'], count)))
    return ['--cfg-options', *(f'execution.{each.format(best=best)}' for each in options),
            f'val_dataloader.dataset.indices=[{indices}]',
            *(f'{part}_dataloader.dataset.data_root={args.data.resolve()}'
              for part in ('train', 'val', 'test'))]


def predict_once(args, sizes, name: str, paths: list[str]) -> dict[str, float]:
    """One run of tools/predict.py, or of MMPretrain's inferencer."""
    log = args.out / f'predict_{name.replace(" ", "_")}.txt'
    if name == THEIRS:
        command = [sys.executable, str(args.out / 'inferencer.py'),
                   str(args.out / 'recipe_0.py'), str(args.checkpoint), *paths]
    else:
        command = [sys.executable, str(ROOT / 'tools/predict.py'), str(args.config),
                   str(args.checkpoint), *paths, '--json',
                   *our_options(args, sizes, ENGINES[name], args.images)]
    return timed_lines(command, log, len(paths))


def test_once(args, sizes, name: str) -> dict[str, float]:
    """One pair of runs of tools/test.py: on one batch, and on all images."""
    walls = {}
    for count in (TESTED, args.images):
        log = args.out / f'test_{name.replace(" ", "_")}_{count}.txt'
        if name == THEIRS:
            tool = Path(find_spec('mmpretrain').origin).parent / '.mim/tools/test.py'
            tried = [timed([sys.executable, str(tool), str(args.out / f'recipe_{workers}.py'),
                            str(args.checkpoint), '--work-dir', str(args.out / 'theirs'),
                            '--cfg-options', 'test_dataloader.dataset.indices='
                            f'{spread(sizes["val"], count)}'.replace(' ', '')],
                           log, args.out) for workers in args.workers]
            walls[count] = min(tried)
        else:
            walls[count] = timed(
                [sys.executable, str(ROOT / 'tools/test.py'), str(args.config),
                 str(args.checkpoint), '--split', 'val', '--out', str(args.out / 'record.json'),
                 *our_options(args, sizes, ENGINES[name], count)], log, args.out)
    return {'first': walls[TESTED],
            'rate': (args.images - TESTED) / (walls[args.images] - walls[TESTED])}


def compare(args, sizes, parts: dict) -> list[dict]:
    """Medians of all runs, and their ratios, printed at the end."""
    names = [THEIRS, *(name for name in ENGINES if name in parts['engines'])]
    lines = (args.data / 'val.txt').read_text().splitlines()
    paths = [str((args.data / 'val_set' / lines[index].rsplit(maxsplit=1)[0]).resolve())
             for index in spread(sizes['val'], args.images)]
    found: dict[tuple[str, str], list] = {}
    for run in range(args.runs):
        for name in names:
            for tool in ('predict', 'test'):
                times = predict_once(args, sizes, name, paths) if tool == 'predict' else \
                    test_once(args, sizes, name)
                found.setdefault((tool, name), []).append(times)
                print(f'run {run + 1}, {tool}, {name}: first answer after {times["first"]:.1f} s, '
                      f'then {times["rate"]:.1f} img/s', flush=True)
    medians = {key: {each: statistics.median(times[each] for times in runs)
                     for each in ('first', 'rate')} for key, runs in found.items()}
    rows = []
    for (tool, name), times in medians.items():
        theirs = medians[tool, THEIRS]
        rows.append({'tool': tool, 'engine': name, **times, 'runs': found[tool, name],
                     'share': share(parts, name.split()[-1], times['rate']),
                     'rate_ratio': times['rate'] / theirs['rate'],
                     'first_ratio': theirs['first'] / times['first']})
    return sorted(rows, key=lambda row: row['tool'])


def table(rows: list[dict]) -> str:
    """All rows in Markdown."""
    lines = ['| command | by | images a second | ratio | share of the peak | first answer, s '
             '| ratio |', '| --- | --- | ---: | ---: | ---: | ---: | ---: |']
    lines += [f'| {row["tool"]} | {row["engine"]} | {row["rate"]:.1f} | {row["rate_ratio"]:.1f} | '
              f'{percent(row["share"])} | {row["first"]:.1f} | {row["first_ratio"]:.1f} |'
              for row in rows]
    return '\n'.join(lines)


def markdown(args, sizes, rows: list[dict], parts: dict) -> str:
    """The page."""
    return '\n'.join([
        '# Testing and predicting with ResNet50, by engine', '',
        'Written by `python benchmarks/predict.py DATA --weights FILE --record '
        'benchmarks/predict.md`.', '', f'{described(parts)}.', '',
        f'{args.images} of {sizes["val"]:,} validation images at 224 pixels, '
        f'`{args.config.name}`; medians of {args.runs} runs of every command, in turns. The ratios '
        'are to MMPretrain: its `ImageClassificationInferencer`, and its `tools/test.py` with the '
        f'best of {", ".join(map(str, args.workers))} workers. In the first answer are the start '
        'of the process and what an engine needs before it: of OpenVINO the conversion, and in 8 '
        'bits calibration and judgement on training images.', '', table(rows), '',
        tables(parts)]) + '\n'


def main() -> None:
    """Run everything, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='a data set of data_preprocess.py')
    parser.add_argument('--weights', type=Path, required=True,
                        help='a ResNet50 whose keys begin with `backbone.`')
    parser.add_argument('--config', type=Path, default=ROOT / 'configs/resnet50_frozenall.py',
                        help='of a ResNet50 with one dense layer (default resnet50_frozenall)')
    parser.add_argument('--images', type=int, default=4 * TESTED, metavar='N',
                        help='validation images to test and predict (default 256)')
    parser.add_argument('--runs', type=int, default=3)
    parser.add_argument('--workers', type=int, nargs='+', default=[0, 2],
                        help="numbers of workers of MMPretrain's tools/test.py to choose from")
    parser.add_argument('--out', type=Path, default=Path('work_dirs/benchmark_predict'))
    parser.add_argument('--record', type=Path, metavar='FILE',
                        help='write the table as Markdown: benchmarks/predict.md')
    args = parser.parse_args()
    sizes = sizes_of(args.data)
    args.images = min(args.images, sizes['val'])
    if args.images <= TESTED:
        parser.error(f'more than {TESTED} validation images are needed')
    args.out, args.config = emptied(args.out.resolve()), args.config.resolve()
    args.bfloat16 = has_bfloat16()
    args.checkpoint = checkpoint_of(args, sizes)
    (args.out / 'inferencer.py').write_text(INFERENCER.format(batch=PREDICTED))
    for workers in {0, *args.workers}:
        (args.out / f'recipe_{workers}.py').write_text(PEER.format(
            frozen=-1, weights=str(args.weights.resolve()), classes=sizes['classes'], batch=BATCH,
            workers=workers, root=str(args.data.resolve()), epochs=1, side=224, edge=256,
            train=[0], val=spread(sizes['val'], args.images))
            + 'test_dataloader, test_evaluator, test_cfg = val_dataloader, val_evaluator, dict()\n')
    shown = ','.join(map(str, spread(sizes['train'], TESTED)))  # what decoding is timed on
    parts = measure(args.config, [*our_options(args, sizes, [], args.images)[1:],
                                  f'train_dataloader.dataset.indices=[{shown}]'],
                    args.out / 'parts', PREDICTED)
    print(f'{described(parts)}\n\n{tables(parts)}\n', flush=True)
    rows = compare(args, sizes, parts)
    print(table(rows), flush=True)
    (args.out / 'rows.json').write_text(json.dumps({'rows': rows, 'parts': parts}, indent=1))
    if args.record:
        args.record.write_text(markdown(args, sizes, rows, parts))
    print(f'logs and all seconds: {args.out}')


if __name__ == '__main__':
    main()
