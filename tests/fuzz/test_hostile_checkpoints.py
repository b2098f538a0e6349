"""Checkpoints that hold other things than amlnn wrote: testing and predicting end, or refuse."""

import copy
import shutil
from collections import OrderedDict

import numpy as np
import pytest
import torch
from fuzzing import Tally, fuzz
from generated import ROOT, write_data_set, write_series, write_series_config
from hostile_values import ODD_TEXT
from hypothesis import strategies as st
from tiny_runs import write_tiny_config

from amlnn.commands import predict, test, train
from amlnn.sealed import seal

pytestmark = pytest.mark.slow

GONE = object()


class Otherwise(str):
    """What is done to a tensor."""


TENSORS = [torch.zeros(0), torch.tensor(1.0), torch.tensor(float('nan')), torch.ones(3, 3),
           torch.ones(2, dtype=torch.int64), torch.ones(2, dtype=torch.bool),
           torch.ones(2, dtype=torch.complex64), torch.ones(2, dtype=torch.bfloat16),
           torch.full((32, 32), 1e38), torch.ones(1, 1, 1, 1, 1), torch.eye(3).to_sparse(),
           torch.nn.Parameter(torch.ones(2))]
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ODD_TEXT, st.binary(max_size=4),
              st.sampled_from([10**400, -10**30, 'series', 'cat', 0, 1, -1, 2, (), [], {}])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(
        st.one_of(ODD_TEXT, st.integers()), inner, max_size=3), st.tuples(inner)), max_leaves=5)
VALUES = st.one_of(PLAIN, PLAIN, st.sampled_from(TENSORS), st.just(GONE), st.sampled_from(
    ['nan', 'transposed', 'cut', 'half', 'whole numbers', 'as a list', 'as an array',
     'huge']).map(Otherwise))


def places_of(value, at=()):
    """The path of every key and element of nested dicts and lists."""
    items = value.items() if isinstance(value, dict) else \
        enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*at, key)
        yield from places_of(item, (*at, key))


def reshaped(old, how):
    """A tensor, or whatever stands there, otherwise."""
    if not isinstance(old, torch.Tensor):
        return str(how)
    return {'nan': lambda: old * float('nan'), 'transposed': lambda: old.transpose(0, -1)
            if old.dim() else old, 'cut': lambda: old[:-1] if old.dim() else old,
            'half': old.half, 'whole numbers': old.long, 'as a list': old.tolist,
            'as an array': old.numpy, 'huge': lambda: old * 1e30}[how]()


def changed(content, edits):
    """A checkpoint with other values in some places."""
    content = copy.deepcopy(content)
    for place, new in edits:
        every = list(places_of(content))
        if not every:
            break
        *outer, last = every[place % len(every)]
        inner = content
        for key in outer:
            inner = inner[key]
        if new is GONE:
            del inner[last]
        else:
            inner[last] = reshaped(inner[last], new) if isinstance(new, Otherwise) else new
    return content


@pytest.fixture(params=['images', 'series', 'ridge'])
def trained(request, tmp_path, monkeypatch):
    """A config, its best checkpoint, and what to predict."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    if request.param == 'images':
        data = write_data_set(tmp_path / 'set', sizes={'train': 4, 'val': 2, 'test': 2}, side=8)
        config = write_tiny_config(tmp_path / 'net.py', data, epochs=1)
        inputs = next(each for each in (data / 'val_set').rglob('*.*'))
    else:
        inputs = write_series(tmp_path / 'series.csv', rows=200)
        config = write_series_config(tmp_path / 'net.py', inputs, epochs=1)
    if request.param == 'ridge':
        config.write_text(
            f'_base_ = {str(ROOT / "configs/series/own_ridge.py")!r}\n'
            f'train_dataloader = dict(dataset=dict(source=dict(path={str(inputs)!r}), '
            'look_back=24, horizon=6))\n')
    assert not train.main(train.parser().parse_args(
        [str(config), '--work-dir', str(tmp_path / 'run'), '--device', 'cpu']))
    return config, tmp_path / 'run/latest/best.pth', inputs


def test_any_checkpoint_in_a_test_and_a_prediction(trained, tmp_path):
    config, good, inputs = trained
    content = torch.load(good, weights_only=True)
    assert isinstance(content, (dict, OrderedDict))
    file, tally = tmp_path / 'other/odd.pth', Tally()
    file.parent.mkdir()
    tests, predictions, trainings = test.parser(), predict.parser(), train.parser()

    def look(drawn):
        edits, sealed = drawn
        torch.save(changed(content, edits), file)
        if sealed:
            seal(file)
        for name, act in (
                ('test', lambda: test.main(tests.parse_args(
                    [str(config), str(file), '--device', 'cpu', '--split', 'val']))),
                ('predict', lambda: predict.main(predictions.parse_args(
                    [str(config), str(file), str(inputs), '--device', 'cpu']))),
                ('pretrained', lambda: train.main(trainings.parse_args(
                    [str(config), '--pretrained', str(file), '--dry-run', '--device', 'cpu'])))):
            tally.count(act, f'{name}: {edits!r:.300}')

    cases = fuzz(st.tuples(st.lists(st.tuples(st.integers(0, 10**6), VALUES), min_size=1,
                                    max_size=2), st.booleans()), 120, look)
    tally.check(3 * cases)


@pytest.mark.parametrize('trained', ['images', 'series'], indirect=True)
def test_any_checkpoint_that_a_run_goes_on_with(trained, tmp_path):
    config, good, _ = trained
    run = good.parent.resolve()
    content = torch.load(run / 'checkpoints/epoch_0001.pth', weights_only=True)
    whole, tally, parser = tmp_path / 'whole', Tally(), train.parser()
    shutil.copytree(run, whole)

    def look(drawn):
        edits, listed = drawn
        shutil.rmtree(run)
        shutil.copytree(whole, run)
        (run / 'best.pth').unlink()
        file = run / 'checkpoints/epoch_0001.pth'
        torch.save(changed(content, edits), file)
        seal(file)
        if not listed:
            (run / 'checkpoints/manifest.json').unlink()
        tally.count(lambda: train.main(parser.parse_args(
            [str(config), '--work-dir', str(run.parent), '--resume', str(run), '--device', 'cpu',
             '--cfg-options', 'train_cfg.max_epochs=2'])), f'{listed}: {edits!r:.300}')

    cases = fuzz(st.tuples(st.lists(st.tuples(st.integers(0, 10**6), VALUES), min_size=1,
                                    max_size=2), st.booleans()), 80, look)
    tally.check(cases)


def test_edits_change_a_checkpoint():
    content = {'meta': {'names': ['a', 'b']}, 'state_dict': {'w': torch.ones(2, 3)}}
    assert list(places_of(content)) == [
        ('meta', ), ('meta', 'names'), ('meta', 'names', 0), ('meta', 'names', 1),
        ('state_dict', ), ('state_dict', 'w')]
    assert changed(content, [(3, GONE)])['meta']['names'] == ['a']
    assert changed(content, [(5, Otherwise('transposed'))])['state_dict']['w'].shape == (3, 2)
    other = changed(content, [(5, Otherwise('as an array'))])['state_dict']['w']
    assert isinstance(other, np.ndarray)
    assert content['state_dict']['w'].shape == (2, 3)
