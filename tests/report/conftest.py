"""Lets the tests here make run folders with tests/results/run_folders.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / 'results'))


@pytest.fixture(scope='session')
def work_dirs(tmp_path_factory) -> Path:
    """Two finished configurations, one of them with two seeds, an interrupted and a failed one.

    Made once: tests read it and write elsewhere.
    """
    from PIL import Image
    from run_folders import record, write_predictions, write_run
    root = tmp_path_factory.mktemp('runs')
    work_dirs, data = root / 'work_dirs', root / 'data'
    for name, seed, accuracy in (('baseline', 0, 0.8), ('frozen3', 0, 0.9), ('frozen3', 1, 0.92)):
        folder = work_dirs / name / f'20250301-10000{seed}-aaaa'
        write_run(folder, record(name, seed=seed, data_root=str(data), total_seconds=100.0 + seed),
                  f'model = {name!r}\nrandomness = dict(seed={seed})\n')
        arrays = write_predictions(folder, n=200, accuracy=accuracy, seed=seed)
    for name in arrays['id'][::2]:  # every second image is there
        file = data / name
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (40, 30), (200, 60, 60)).save(file)
    write_run(work_dirs / 'stopped' / 'run', record('stopped', 2, status='interrupted',
                                                    max_epochs=30, finished=None))
    write_run(work_dirs / 'crashed' / 'run', record('crashed', 0, status='failed', max_epochs=30,
                                                    error='RunFailed: no <memory> & no luck'))
    return work_dirs
