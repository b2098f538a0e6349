"""How well tools/doctor.py finds labels that were flipped on purpose, and what that is worth.

python benchmarks/doctor.py data/flower_dataset --train

For each seed 5 % of the labels of a prepared data set are flipped to another class. Printed is the
share of them among as many of the most suspect (recall and precision are then one number), and
recall and precision of those that the doctor names; and how many it names of the labels as they
are. `--train` flips labels of the training part alone, writes the folders, and trains the head on
them as they are, and on what `data_preprocess.py --fixes` makes of them; the validation part keeps
its labels, so that its top-1 says which is better.
"""

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from amlnn.data.prepare.prepare import prepare
from amlnn.doctor.features import CONFIG, compute_features
from amlnn.doctor.files import Files, look_at_files
from amlnn.doctor.findings import Finding, table_text
from amlnn.doctor.labels import LabelJudgement, judge_labels

FIXES = ('relabelled', 'left out')


def flip(labels_N: np.ndarray, classes: int, share: float, seed: int,
         among: np.ndarray) -> np.ndarray:
    """Labels of which a share, `among` some places, is another one."""
    generator = np.random.default_rng(seed)
    places = generator.choice(among, round(share * len(among)), replace=False)
    flipped_N = labels_N.copy()
    flipped_N[places] = (labels_N[places] + generator.integers(1, classes, len(places))) % classes
    return flipped_N


def judge(values_NC: np.ndarray, labels_N: np.ndarray, files: Files,
          places: np.ndarray) -> LabelJudgement:
    """What the doctor says of the labels of some images."""
    number = {int(place): row for row, place in enumerate(places)}
    copies = [[number[place] for place in group if place in number]
              for group in [*files.copies, *files.near_copies]]
    return judge_labels(values_NC[places], labels_N[places], len(files.classes),
                        [group for group in copies if group])


def shares(judged: LabelJudgement, wrong_N: np.ndarray) -> str:
    """Recall and precision in words."""
    count = int(wrong_N.sum())
    first = np.argsort(judged.own, kind='stable')[:count]
    named = judged.suspect
    both = int((named & wrong_N).sum())
    return (f'{count} flipped: {100 * wrong_N[first].mean():.1f} % of the {count} most suspect; '
            f'named {int(named.sum())}, recall {100 * both / count:.1f} %, precision '
            f'{100 * both / max(int(named.sum()), 1):.1f} %; right suggestions of those found '
            f'{{}}; accuracy {100 * judged.accuracy:.1f} %')


def write_source(files: Files, labels_N: np.ndarray, root: Path) -> list[str]:
    """The images as a split source with these labels; their ids."""
    ids = []
    for place, (image, label) in enumerate(zip(files.images, labels_N, strict=True)):
        name = Path(image.path).name
        ids.append(f'{image.part}/{files.classes[label]}/{place:05d}_{name}')
        path = root / ids[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(image.source.absolute())
    return ids


def fixes_of(judged: LabelJudgement, places: np.ndarray, ids: Sequence[str], files: Files,
             labels_N: np.ndarray, way: str) -> str:
    """The table of the suspects alone."""
    return table_text(
        Finding(ids[places[row]], files.classes[labels_N[places[row]]],
                files.classes[judged.suggestion[row]] if way == 'relabelled' else '',
                'mislabelled', 1 - judged.own[row])
        for row in np.flatnonzero(judged.suspect))


def train_once(args: argparse.Namespace, data: Path, seed: int) -> float:
    """Top-1 in percent on the validation part after the last epoch."""
    from amlnn.config.data_place import data_option
    from amlnn.config.load import load_config
    from amlnn.engine.train import TrainOptions, train
    from amlnn.records import read_run
    options = [f'train_cfg.max_epochs={args.epochs}', f'train_cfg.val_interval={args.epochs}',
               f'execution.views={args.views}', *data_option(data)]
    folder = train(TrainOptions(config=load_config(args.config, options), seed=seed,
                                work_dir=data.parent / 'runs'))
    return read_run(folder).epochs[-1].metrics['accuracy/top1']


def compare(args: argparse.Namespace, files: Files, values_NC: np.ndarray, labels_N: np.ndarray,
            seed: int) -> dict[str, float]:
    """Top-1 with flipped training labels as they are, and with each way of fixing them."""
    training = np.flatnonzero([image.part == 'train' for image in files.images])
    flipped_N = flip(labels_N, len(files.classes), args.share, seed, training)
    judged = judge(values_NC, flipped_N, files, training)
    found, silent = {}, Console(file=io.StringIO())
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, labels in (('flipped', flipped_N), ('clean', labels_N)):
            ids = write_source(files, labels, root / name)
            for way in (FIXES if name == 'flipped' else ()) + ('as it is',):
                table = root / 'fixes.csv'
                table.write_text(fixes_of(judged, training, ids, files, labels, way)
                                 if way in FIXES else 'id,label,suggestion\n')
                prepare(root / name, root / f'{name} {way}', val_ratio=0, train_ratio=1,
                        on_duplicate='keep', on_loss='keep', fixes=table, console=silent)
                with contextlib.redirect_stdout(io.StringIO()):
                    found[f'{name}, {way}'] = train_once(args, root / f'{name} {way}', seed)
                print(f'seed {seed}, {name}, {way}: top-1 {found[f"{name}, {way}"]:.2f} %',
                      flush=True)
    return found


def main() -> None:
    """Print what is found, and what it is worth."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('data', type=Path, help='a data set of data_preprocess.py')
    parser.add_argument('--share', type=float, default=0.05, help='of the labels (0.05)')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--config', default=CONFIG, help='whose backbone looks, and whose head is '
                        'trained')
    parser.add_argument('--device', default='auto')
    parser.add_argument('--train', action='store_true', help='train heads, too')
    parser.add_argument('--epochs', type=int, default=30)
    parser.add_argument('--views', type=int, default=1)
    args = parser.parse_args()
    begin = time.perf_counter()
    files = look_at_files(args.data, Console(stderr=True))
    looked = time.perf_counter()
    features = compute_features(files, args.config, args.device, lambda done, total: None)
    print(f'{len(files.images):,} images of {len(files.classes)} classes; seconds: files '
          f'{looked - begin:.1f}, features {time.perf_counter() - looked:.1f} '
          f'({features.computed} computed)')
    labels_N = files.labels
    places = np.arange(len(labels_N))
    begin = time.perf_counter()
    judged = judge(features.values, labels_N, files, places)
    print(f'as they are: {int(judged.suspect.sum())} named ({100 * judged.suspect.mean():.2f} %), '
          f'accuracy {100 * judged.accuracy:.1f} %, {len(judged.near_pairs)} near pairs, '
          f'{int(judged.outlier.sum())} outliers; {time.perf_counter() - begin:.1f} s')
    for seed in args.seeds:
        flipped_N = flip(labels_N, len(files.classes), args.share, seed, places)
        judged = judge(features.values, flipped_N, files, places)
        wrong_N = flipped_N != labels_N
        hit = judged.suspect & wrong_N
        right = f'{100 * (judged.suggestion[hit] == labels_N[hit]).mean():.1f} %' if hit.any() \
            else 'none'
        print(f'seed {seed}: ' + shares(judged, wrong_N).format(right), flush=True)
    if args.train:
        rows = [compare(args, files, features.values, labels_N, seed) for seed in args.seeds]
        for name in rows[0]:
            tops = [row[name] for row in rows]
            print(f'{name:20} top-1 {statistics.mean(tops):.2f} %  ('
                  + ', '.join(f'{top:.2f}' for top in tops) + ')')


if __name__ == '__main__':
    main()
