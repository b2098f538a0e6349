"""Configs that pass for right until something is built of them: a dry run ends, or refuses."""

import pytest
from fuzzing import Tally, fuzz
from generated import write_data_set, write_series, write_series_config
from hostile_values import PRELUDE, values
from hypothesis import strategies as st
from test_hostile_configs import edit, key_paths, overlay
from tiny_runs import write_tiny_config

from amlnn.commands import train
from amlnn.config.load import load_config

pytestmark = pytest.mark.slow

# Values that are plain data, so that they get past the first check more often.
PLAIN = st.one_of(values, st.sampled_from([
    '0', '1', '-1', '2', '1.5', '1e9', "float('nan')", 'None', 'True', "''", "'a'", '[]', '{}',
    '()', '[1]',
    '(1, 2)', '[None]', "dict(type='ResNet')", "dict(type='SGD')", "dict(a=1)", "'cpu'", '10**9',
    '2**40']))


@pytest.fixture(params=['images', 'series'])
def config(request, tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    if request.param == 'images':
        data = write_data_set(tmp_path / 'set', sizes={'train': 4, 'val': 2, 'test': 2}, side=8)
        return write_tiny_config(tmp_path / 'base_config.py', data)
    return write_series_config(tmp_path / 'base_config.py',
                               write_series(tmp_path / 'series.csv', rows=200))


def test_any_value_in_a_dry_run(config, tmp_path):
    tally, child = Tally(), tmp_path / 'child.py'
    every = list(key_paths(load_config(config).config))
    parser = train.parser()

    def look(drawn):
        index, value, in_place = drawn
        keys = every[index % len(every)]
        text = edit(keys, value) if in_place else overlay(keys, value, None)
        child.write_text(f'_base_ = {str(config)!r}\n{PRELUDE}{text}', encoding='utf-8',
                         errors='surrogatepass')
        tally.count(lambda: train.main(parser.parse_args([str(child), '--dry-run', '--device',
                                                          'cpu'])), text)

    cases = fuzz(st.tuples(st.integers(0, 10**6), PLAIN, st.booleans()), 400, look)
    tally.check(cases)
