"""How well the map of tools/probe.py predicted trainings of its places.

python tools/train.py configs/resnet50_frozen3.py --data data/flower_dataset   # and others
python benchmarks/probe_map.py work_dirs/probe/resnet50_baseline/probe.json work_dirs/*/2*

Each run is matched with a place of the map by its config and its `frozen_stages`; runs of one
place, of other seeds say, are averaged. With several configs in the map, a run whose config has
another name than the one that was probed is given as NAME=FOLDER. Printed are accuracies to expect
beside those of trainings, on the part on which the map was judged (of the validation part that of
the best epoch), and seconds; Spearman's rank correlation of the accuracies, over the places that
were trained; and the regret, which is what the best training has more than that of the place that
the map chose.
"""

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scipy.stats import spearmanr

from amlnn.errors import AmlnnError
from amlnn.records import RunRecord, read_run, read_test
from amlnn.results.measured import TOP1, best_epoch_value


@dataclass
class Place:
    """A cell of the map, and what its trainings came to."""

    name: str
    frozen_stages: int | str
    expected: float
    """Percent."""
    seconds: float | None
    chosen: bool
    judged_on: str
    trained: list[float] = field(default_factory=list)
    """Percent, of each run."""
    measured: list[float] = field(default_factory=list)
    """Seconds of each run."""

    @property
    def accuracy(self) -> float:
        """Of its trainings."""
        return statistics.fmean(self.trained)


def read_map(path: Path) -> list[Place]:
    """The places of a probe.json."""
    return [Place(probed['name'], cell['frozen_stages'], 100 * cell['accuracy']['value'],
                  cell['seconds'], cell.get('chosen', False), probed['judged_on'])
            for probed in json.loads(path.read_text(encoding='utf-8')) for cell in probed['cells']]


def accuracy_of(folder: Path, record: RunRecord, part: str) -> float:
    """Top-1 in percent of a run on the part that judged the map."""
    value = best_epoch_value(record, TOP1) if part == 'val' else \
        read_test(folder / f'test_{part}.json').metrics.get(TOP1)
    if value is None:
        raise SystemExit(f'{folder}: no {TOP1} on `{part}`')
    return value


def add_run(places: Sequence[Place], word: str) -> None:
    """Put a run, FOLDER or NAME=FOLDER, to its place."""
    name, _, folder = word.rpartition('=')
    record = read_run(Path(folder))
    names = {place.name for place in places}
    name = name or (record.config_name if record.config_name in names or len(names) > 1
                    else next(iter(names)))
    frozen = -1 if record.frozen_stages is None else record.frozen_stages
    found = [place for place in places if (place.name, place.frozen_stages) == (name, frozen)]
    if not found:
        raise SystemExit(f'{folder}: the map has no `{name}` with frozen_stages={frozen!r}, but '
                         f'{", ".join(sorted(names))}: give NAME={folder}')
    found[0].trained.append(accuracy_of(Path(folder), record, found[0].judged_on))
    found[0].measured.append(record.total_seconds)


def rank_correlation(places: Sequence[Place]) -> float | None:
    """Spearman's, of accuracies to expect and of trainings; None of fewer than two, or of equal."""
    expected = [place.expected for place in places]
    trained = [place.accuracy for place in places]
    if len(set(expected)) < 2 or len(set(trained)) < 2:
        return None
    return float(spearmanr(expected, trained).statistic)


def regret(places: Sequence[Place]) -> float | None:
    """Percent that the best training has more than the chosen place's; None where it has none."""
    chosen = [place for place in places if place.chosen]
    return max(place.accuracy for place in places) - chosen[0].accuracy if chosen else None


def report(places: Sequence[Place]) -> list[str]:
    """The lines to be printed, of the places that were trained."""
    lines = [f'{"config":24} {"frozen":>6} {"expected":>9} {"trained":>9} {"runs":>4} '
             f'{"expected s":>11} {"measured s":>11} {"ratio":>6}']
    for place in places:
        seconds = statistics.fmean(place.measured)
        expected = f'{place.seconds:11.0f} {seconds:11.0f} {seconds / place.seconds:6.2f}' \
            if place.seconds else f'{"":11} {seconds:11.0f} {"":6}'
        lines.append(f'{place.name[:24]:24} {place.frozen_stages!s:>6} {place.expected:8.2f}% '
                     f'{place.accuracy:8.2f}% {len(place.trained):4} {expected}'
                     + ('  chosen' if place.chosen else ''))
    correlation, lost = rank_correlation(places), regret(places)
    lines.append('rank correlation (Spearman): ' + (
        'none: fewer than two different places' if correlation is None else f'{correlation:.3f}')
        + f', over {len(places)} places')
    lines.append('regret: ' + (
        'not known: the chosen place was not trained' if lost is None else f'{lost:.2f} points'))
    return lines


def main() -> None:
    """Print the map beside the runs."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('map', type=Path, help='probe.json of a probe')
    parser.add_argument('runs', nargs='+', metavar='RUN', help='run folders, or NAME=FOLDER')
    args = parser.parse_args()
    places = read_map(args.map)
    try:
        for word in args.runs:
            add_run(places, word)
    except AmlnnError as error:
        raise SystemExit(str(error)) from error
    print('\n'.join(report([place for place in places if place.trained])))


if __name__ == '__main__':
    main()
