"""Run folders whose files were torn, edited or never amlnn's: who reads them ends, or refuses."""

import argparse
import io
import json
import shutil

import numpy as np
import pytest
from forecast_folders import arrays as forecast_arrays
from forecast_folders import write_forecaster
from fuzzing import Tally, fuzz
from hostile_values import ODD_TEXT
from hypothesis import strategies as st
from rich.console import Console
from run_folders import record, test_record, write_predictions, write_run

from amlnn.commands import report
from amlnn.config.load import read_stored_config
from amlnn.config.resolved import config_hash
from amlnn.engine.run.recorder import Recorder
from amlnn.engine.run.resume import RunPlace, find_run
from amlnn.records import write_record
from amlnn.report.tables import rich_table, terminal_columns
from amlnn.results.store import find_runs
from amlnn.results.summary import compare

pytestmark = pytest.mark.slow

KEYS = ['accuracy/top1', 'epoch', 'status', 'metrics', 'schema_version', 'forecast/mse', 'a',
        'train', 'val']
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ODD_TEXT,
              st.sampled_from([10**400, -10**30, 1e308, 'done', 'running', 'failed', '0 x cpu',
                               '99999999999 x cpu',
                               '2025-03-01T10:00:00Z', 'cat', 0, 1, -1, 2, [], {}])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.one_of(ODD_TEXT, st.sampled_from(KEYS)), inner, max_size=3)), max_leaves=6)
TORN = st.one_of(st.binary(max_size=10), st.sampled_from([
    b'', b'[' * 100_000, b'{"a":' * 100_000, b'\0', b'\xff\xfe', b'\xef\xbb\xbf{}', b'NaN',
    b'9' * 5000, b'[]', b'{}',
    b'{"schema_version": 4}', b'null', b'{"schema_version": 1, "schema_version": 4}']))


def paths_of(value, at=()):
    """The path of every key and element of JSON."""
    items = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from paths_of(item, (*at, key))


def changed(content, edits):
    """The JSON of a file with other values in some places; None takes the key away."""
    values = json.loads(content)
    for place, new in edits:
        every = list(paths_of(values))
        if not every:
            break
        *outer, last = every[place % len(every)]
        inner = values
        for key in outer:
            inner = inner[key]
        if new is KeyError:
            del inner[last]
        else:
            inner[last] = new
    return json.dumps(values).encode()


EDITS = st.lists(st.tuples(st.integers(0, 5000), st.one_of(JSON, JSON, JSON, st.just(KeyError))),
                 min_size=1,
                 max_size=3)
FILE = st.one_of(EDITS, EDITS, EDITS, EDITS, TORN,
                 JSON.map(lambda value: json.dumps(value).encode()))


def write(path, good, drawn):
    path.write_bytes(drawn if isinstance(drawn, bytes) else changed(good, drawn))


@pytest.fixture
def classifier(tmp_path):
    folder = write_run(tmp_path / 'work/net/20250301T100000Z-00c0ffee', record('net',
                                                                               status='running'),
                       'randomness = dict(seed=1)\n')
    write_predictions(folder, n=20)
    write_predictions(folder, 'test', n=20)
    write_record(folder / 'test_test.json', test_record())
    write_run(tmp_path / 'work/other/20250301T100000Z-00c0ffee', record('other'))
    return folder


@pytest.fixture
def forecaster(tmp_path):
    return write_forecaster(tmp_path / 'work/gru/20250301T100000Z-00c0ffee')


@pytest.mark.parametrize('kind', ['classifier', 'forecaster'])
def test_any_records_in_a_comparison(request, tmp_path, kind):
    folder, tally = request.getfixturevalue(kind), Tally()
    good = {name: (folder / name).read_bytes() for name in ('run.json', 'test_test.json')}

    def look(drawn):
        name, content = drawn
        for each in good:
            (folder / each).write_bytes(good[each])
        write(folder / name, good[name], content)

        def tables():
            runs = find_runs([tmp_path / 'work', folder])
            for split in (None, 'val', 'test'):
                for summary in compare(runs, split, None):
                    columns = terminal_columns(summary, 300)[0]
                    Console(file=io.StringIO(), width=300).print(rich_table(summary, columns))

        def one():
            compare(find_runs([folder / 'run.json']), None, None)

        shown = (folder / name).read_bytes()[:1500] if isinstance(content, bytes) else content
        tally.count(tables, f'{name}: {shown!r}')
        tally.count(one, f'one, {name}: {shown!r}')

    cases = fuzz(st.tuples(st.sampled_from(['run.json', 'run.json', 'test_test.json']), FILE), 300,
                 look)
    tally.check(2 * cases)


@pytest.mark.parametrize('kind', ['classifier', 'forecaster'])
def test_any_records_and_predictions_in_a_report(request, tmp_path, kind):
    folder, tally = request.getfixturevalue(kind), Tally()
    names = ['run.json', 'test_test.json']
    good = {name: (folder / name).read_bytes() for name in names}
    stored = dict(np.load(folder / 'predictions_test.npz')) if kind == 'classifier' \
        else forecast_arrays()
    odd = st.sampled_from([
        np.array([]), np.array(1), np.array('a'), np.zeros((2, 2)), np.full(3, np.nan),
        np.array([1 + 2j]),
        np.array(['a', '']), np.array([b'a']), np.array([10**30], dtype=float), np.array([-1]),
        np.array([True]),
        np.array(['NaT'], dtype='M8[s]'), np.array([None], dtype=object), np.array([(1, 2)],
                                                                                   dtype='i4,i4')])
    how = st.sampled_from(['replace', 'drop', 'cut', 'nan', 'huge', 'odd type', 'more axes',
                           'negative'])

    def look(drawn):
        name, content, array, what, value = drawn
        for each in good:
            (folder / each).write_bytes(good[each])
        arrays = dict(stored)
        if name in good:
            write(folder / name, good[name], content)
        else:
            key = sorted(arrays)[array % len(arrays)]
            spoil(arrays, key, what, value)
        np.savez(folder / 'predictions_test.npz', **arrays)
        shutil.rmtree(tmp_path / 'out', ignore_errors=True)
        tally.count(lambda: report.main(argparse.Namespace(
            runs=[str(folder)], out=str(tmp_path / 'out'), split=None, baseline=None)),
            f'{name}: {content!r:.300} or {array} {what} {value!r:.100}')

    cases = fuzz(st.tuples(st.sampled_from([*names, 'npz']), EDITS, st.integers(0, 9), how, odd),
                 60, look)
    tally.check(cases)


def spoil(arrays, key, what, value):
    """Make one array of a file of predictions wrong."""
    old = arrays[key]
    if what == 'replace':
        arrays[key] = value
    elif what == 'drop':
        del arrays[key]
    elif what == 'cut':
        arrays[key] = old[:-1]
    elif what == 'more axes':
        arrays[key] = old[..., None]
    elif what == 'odd type':
        arrays[key] = old.astype('S')
    elif old.dtype.kind in 'fiu':
        arrays[key] = {'nan': old * np.nan, 'huge': old * 1e300, 'negative': -old}[what]


def test_any_records_when_a_run_goes_on(classifier, tmp_path):
    tally, folder = Tally(), classifier
    config = read_stored_config(folder / 'config.py').config
    config['train_cfg'] = dict(max_epochs=9)
    good = json.loads((folder / 'run.json').read_bytes())
    good['config_hash'] = config_hash(read_stored_config(folder / 'config.py').config)
    good = json.dumps(good).encode()
    (folder / 'checkpoints').mkdir()
    manifest = json.dumps([dict(file='epoch_0001.pth', sha256='a', bytes=1, epoch=1,
                                iteration=1)]).encode()
    line = json.dumps(dict(epoch=1, iteration=3, loss=0.1)).encode()
    sound = st.just('randomness = dict(seed=1)\n')
    configs = st.one_of(sound, sound, st.text(max_size=30),
                        ODD_TEXT.map(lambda text: f'model = dict(a={text!r})\n'),
                        JSON.map(lambda value: f'model = {value!r}\n'), st.sampled_from([
                            'a = ' + '[' * 5000, 'model = ' + '-' * 100_000 + '1',
                            'model = {[]: 1}', 'model = {1: 2}', "model = float('a')",
                            'model = float([])',
                            'model = "a" "b"', 'amlnn = 1', 'amlnn = dict(keys=1, without=2)',
                            "amlnn = dict(keys={'a.b': 1}, without=['c'])",
                            "amlnn = dict(keys={1: 1}, without=[2])",
                            'model: int = 1', 'model = dict(**{})', 'model = 1j', "model = b''",
                            'model = {1, 2}']))

    def look(drawn):
        run, text, entries, scalars = drawn
        write(folder / 'run.json', good, run)
        (folder / 'config.py').write_text(text, encoding='utf-8', errors='surrogatepass')
        write(folder / 'checkpoints/manifest.json', manifest, entries)
        (folder / 'scalars.jsonl').write_bytes(b'\n'.join(
            [line, scalars if isinstance(scalars, bytes) else changed(line, scalars)]))

        def go_on():
            for named in ('', str(folder)):
                found = find_run(named, folder.parent, config)
                place = RunPlace(found.folder, resumed=True)
                assert place.progress
                Recorder(found.folder, found.record).rewind([], 0.0, 0)

        tally.count(go_on, f'{run!r:.300}, {text!r:.200}, {entries!r:.200}, {scalars!r:.200}')

    # Else hardly a record would be sound, and what is read after it never be reached.
    file = st.one_of(st.just([]), FILE)
    cases = fuzz(st.tuples(file, configs, file, file), 400, look)
    tally.check(cases)
