"""The command, as a user runs it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from raw_folders import quietly, raw_folder, write_image

ROOT = Path(__file__).parents[2]


def run(*words, cwd=ROOT, **environment):
    return subprocess.run([sys.executable, ROOT / 'data_preprocess.py', *words], cwd=cwd,
                          capture_output=True, env={**os.environ, **environment})


def test_help_is_quick_and_shows_an_example():
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        done = run('--help')
        seconds.append(time.perf_counter() - begin)
    assert done.returncode == 0
    text = done.stdout.decode()
    assert 'python data_preprocess.py data/raw/flowers data/flower_dataset' in text
    for option in ('--train-ratio', '--val-ratio', '--test-ratio', '--seed', '--overwrite',
                   '--on-bad', '--on-duplicate', '--on-loss', '--labels', '--image-column',
                   '--label-column', '--nested leaf', '--group-by', '--download',
                   '--to', 'tiny-', 'etth2', '--check', '--json', '--pixel-limit'):
        assert option in text
    assert min(seconds) < 0.3


def test_a_run_from_another_folder_with_the_documented_options(tmp_path):
    raw_folder(tmp_path / 'raw', cat=5, dog=5)
    done = run('raw', 'out', '--train-ratio', '.6', '--val-ratio', '.2', '--test-ratio', '.2',
               '--seed', '3', '--on-bad', 'skip', '--on-duplicate', 'keep', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b'')
    expected, _ = quietly(tmp_path / 'raw', tmp_path / 'again', train_ratio=0.6, val_ratio=0.2,
                          test_ratio=0.2, seed=3, on_bad='skip', on_duplicate='keep')
    assert expected.hash.encode() in done.stdout
    assert (tmp_path / 'out' / 'manifest.json').read_bytes() == \
        (tmp_path / 'again' / 'manifest.json').read_bytes()


@pytest.mark.parametrize('environment', [
    {'PYTHONHASHSEED': '1'},
    {'PYTHONHASHSEED': '2', 'LC_ALL': 'C', 'PYTHONUTF8': '0', 'PYTHONCOERCECLOCALE': '0'},
    {'LC_ALL': 'C', 'PYTHONIOENCODING': 'ascii'}])
def test_neither_locale_nor_hash_seed_changes_the_data_set(tmp_path, environment):
    for class_name in ('günther 花', 'b'):
        for number in range(6):
            write_image(tmp_path / 'raw é' / class_name / f'img {number} ü.png')
    done = run(tmp_path / 'raw é', tmp_path / 'out é', **environment)
    assert (done.returncode, done.stderr) == (0, b'')
    quietly(tmp_path / 'raw é', tmp_path / 'again')
    for name in ('manifest.json', 'train.txt', 'val.txt', 'classes.txt'):
        assert (tmp_path / 'out é' / name).read_bytes() == (tmp_path / 'again' / name).read_bytes()
    assert 'günther 花/img' in (tmp_path / 'out é' / 'val.txt').read_text('utf-8')


@pytest.mark.parametrize(('words', 'error', 'hint'), [
    ([], 'the following arguments are required: SRC, DST', '--help'),
    (['raw'], 'the following arguments are required: DST', '--help'),
    (['raw', 'out', '--to', 'there'], '--to needs it', '--download NAME'),
    (['raw', 'out', '--download', 'etth1'], '--to and --overwrite alone', '--download NAME'),
    (['--download', 'etth1', '--seed', '3'], '--to and --overwrite alone', '--download NAME'),
    (['--download', 'flower'], 'no data set `flower`', 'did you mean `flowers`'),
    (['raw', 'out', '--train-ratio', 'most'], 'invalid float value', '--help'),
    (['raw', 'out', '--on-bad', 'ignore'], 'ignore', '--help'),
    (['raw', 'out', '--train', '.8'], 'unrecognized arguments', '--help'),
    (['raw', 'out', '--train-ratio', '.7'], 'sum to 0.9',
     '--train-ratio 0.7 --val-ratio 0.3'),
    (['rawx', 'out'], 'no folder `rawx`', 'did you mean'),
    (['raw', 'raw'], 'same folder', 'outside'),
    (['raw', ''], 'empty', '--help'),
    (['--check', ''], 'empty', '--check DIR'),
    (['--check', 'rawx'], 'no folder `rawx`', 'did you mean'),
    (['--check', 'raw', '--overwrite'], 'writes nothing', '--check raw'),
    (['raw', 'out', '--json'], '--json is an option of --check', '--check DIR --json'),
    (['raw', 'out', '--pixel-limit', '0'], '--pixel-limit 0', '100000000'),
    (['', 'out'], 'empty', '--help'),
    (['raw', 'out', '--nested', 'inner'], 'inner', '--help'),
    (['raw', 'out', '--labels', 'none.csv'], 'none.csv', 'header'),
    (['raw', 'out', '--label-column', 'x'], 'columns of a table', '--labels'),
    (['raw', 'file/out'], 'is a file, so', 'name a folder'),
])
def test_a_mistake_is_two_lines_and_status_2(tmp_path, words, error, hint):
    raw_folder(tmp_path / 'raw', cat=3, dog=3)
    (tmp_path / 'file').touch()
    done = run(*words, cwd=tmp_path)
    first, second = done.stderr.decode().splitlines()
    assert done.returncode == 2
    assert first.startswith('error: ') and error in first
    assert second.startswith('hint: ') and hint in second


def test_a_check_ends_with_2_if_preparing_would_stop_and_with_0_for_what_is_only_noted(tmp_path):
    import json
    raw_folder(tmp_path / 'raw', cat=12, dog=12)
    (tmp_path / 'raw' / 'cat' / '000.png').rename(tmp_path / 'raw' / 'cat' / 'called.jpg')
    done = run('--check', 'raw', '--json', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b'')
    assert [json.loads(line) for line in done.stdout.splitlines()] == [dict(
        kind='wrong-ending', path='cat/called.jpg', detail='PNG, called .jpg', action='kept',
        refused=False)]
    (tmp_path / 'raw' / 'dog' / 'empty.png').touch()
    done = run('--check', 'raw', cwd=tmp_path)
    assert done.returncode == 2
    assert b'dog/empty.png' in done.stdout and b'cat/called.jpg' in done.stdout
    assert done.stderr.splitlines()[1].startswith(b'hint: mend them, or leave them out: add --on-')
    assert run('--check', 'raw', '--on-bad', 'skip', cwd=tmp_path).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ['cwd', 'raw']
