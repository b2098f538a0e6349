import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from amlnn.data.cache.cache_folder import cache_root, default_limit
from amlnn.data.cache.feature_store import FeatureStore

IDS = [f'class/{number}.jpg' for number in range(10)]
KEY = {'trunk': 'ab12', 'pipeline': "[dict(type='Resize')]", 'seed': 0, 'size': 224}
DTYPES = [torch.bfloat16, torch.float16, torch.float32, torch.uint8]


def opened(root, shape=(3,), dtype=torch.float32, key=KEY, ids=IDS, views=3, **options):
    options = {'limit_bytes': 10**9, 'warn': lambda text: pytest.fail(text)} | options
    return FeatureStore.open(root, key, shape, dtype, ids=ids, views=views, **options)


def rows(count, shape=(3,), dtype=torch.float32, seed=0):
    random = torch.Generator().manual_seed(seed)
    return (100 * torch.rand((count, *shape), generator=random)).to(dtype)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('shape', [(), (2048,), (7, 5), (6, 3, 4), (2, 3, 2, 2)], ids=str)
def test_rows_come_back_as_they_were_in_the_same_and_in_the_next_process(tmp_path, shape, dtype):
    written = rows(10, shape, dtype)
    with opened(tmp_path, shape, dtype) as store:
        assert store.write(1, range(10), written) == 10
        first, missing = store.read(1, range(10))
        assert not len(missing)
    with opened(tmp_path, shape, dtype) as store:
        again, missing = store.read(1, [4, 9, 0, 4])
        assert not len(missing)
    assert first.dtype == again.dtype == dtype
    assert torch.equal(first, written)
    assert torch.equal(again, written[[4, 9, 0, 4]])


def test_nan_infinity_and_negative_zero_come_back_bit_for_bit(tmp_path):
    values = torch.tensor([[float('nan'), float('inf'), -0.0]])
    with opened(tmp_path) as store:
        store.write(0, [0], values)
        assert torch.equal(store.read(0, [0])[0].view(torch.int32), values.view(torch.int32))


def test_what_was_not_written_is_missing_and_cannot_be_taken_for_a_feature(tmp_path):
    with opened(tmp_path) as store:
        store.write(0, [2, 7], rows(2))
        features, missing = store.read(0, torch.tensor([7, 5, 2, 3]))
        assert missing.tolist() == [1, 3]
        assert torch.equal(features[[2, 0]], rows(2))
        assert features[[1, 3]].isnan().all()
        assert store.missing(0).tolist() == [0, 1, 3, 4, 5, 6, 8, 9]
        assert store.missing(1).tolist() == list(range(10))
        assert store.missing(2).tolist() == list(range(10))


def test_reading_nothing_gives_nothing(tmp_path):
    with opened(tmp_path, shape=(2, 3, 4)) as store:
        store.write(0, [0], rows(1, (2, 3, 4)))
        features, missing = store.read(0, [])
    assert features.shape == (0, 2, 3, 4)
    assert len(missing) == 0


def test_channels_last_features_are_written_and_read_without_moving_an_element(tmp_path):
    features = rows(4, (6, 5, 3)).contiguous(memory_format=torch.channels_last)
    with opened(tmp_path, (6, 5, 3)) as store:
        store.write(0, range(4), features)
        read, _ = store.read(0, range(4))
        path = store.folder.path / 'view_00000.data'
    assert read.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(read, features)
    on_disk = np.fromfile(path, dtype=np.float32, count=4 * 5 * 3 * 6)
    assert np.array_equal(on_disk, features.permute(0, 2, 3, 1).numpy().reshape(-1))


def test_a_part_of_a_larger_tensor_and_a_tensor_with_gradient_can_be_written(tmp_path):
    features = rows(10, (6,)).requires_grad_()[::2, 1:4]
    with opened(tmp_path) as store:
        store.write(0, range(5), features)
        assert torch.equal(store.read(0, range(5))[0], features)


@pytest.mark.parametrize('change', [
    dict(key=KEY | {'trunk': 'ab13'}), dict(key=KEY | {'new': None}), dict(shape=(1, 3)),
    dict(dtype=torch.int32), dict(ids=IDS[::-1]), dict(ids=[*IDS[:-1], 'other.jpg']),
], ids=['a value', 'a new entry', 'shape', 'dtype', 'order of the images', 'another image'])
def test_a_store_is_another_one_where_anything_of_its_key_differs(tmp_path, change):
    with opened(tmp_path) as store:
        store.write(0, range(10), rows(10))
    with opened(tmp_path, **change) as store:
        assert len(store.missing(0)) == 10


def test_a_run_with_fewer_views_finds_those_of_a_run_with_more(tmp_path):
    with opened(tmp_path, views=30) as store:
        store.write(1, range(10), rows(10))
    with opened(tmp_path, views=2, key=dict(reversed(KEY.items()))) as store:
        assert torch.equal(store.read(1, range(10))[0], rows(10))


def test_key_json_says_what_a_store_is_for(tmp_path):
    with opened(tmp_path, dtype=torch.bfloat16) as store:
        found = json.loads((store.folder.path / 'key.json').read_text(encoding='utf-8'))
    assert found['key'] == KEY
    assert (found['dtype'], found['shape'], found['rows']) == ('torch.bfloat16', [3], 10)


def test_a_view_takes_its_disk_space_when_it_is_first_written(tmp_path):
    with opened(tmp_path, shape=(1000,)) as store:
        store.write(2, [9], rows(1, (1000,)))
        sizes = {path.name: path.stat().st_size for path in store.folder.path.iterdir()}
        assert store.view_bytes == 40_080
    del sizes['key.json']
    assert sizes == {'view_00002.data': 40_000, 'view_00002.sums': 80}


@pytest.mark.parametrize(('call', 'error'), [
    (lambda store: store.write(0, [0], rows(2)), ValueError),
    (lambda store: store.write(0, [0], rows(1).double()), ValueError),
    (lambda store: store.write(0, [0], rows(1, (4,))), ValueError),
    (lambda store: store.write(0, [10], rows(1)), IndexError),
    (lambda store: store.read(0, [-1]), IndexError),
    (lambda store: store.read(3, [0]), IndexError),
    (lambda store: store.write(-1, [0], rows(1)), IndexError),
])
def test_a_call_that_makes_no_sense_is_an_error(tmp_path, call, error):
    with opened(tmp_path) as store, pytest.raises(error):
        call(store)


@pytest.mark.parametrize('change', [dict(ids=[]), dict(views=0), dict(shape=(3, 0))])
def test_a_store_of_nothing_is_an_error(tmp_path, change):
    with pytest.raises(ValueError, match='views of'):
        opened(tmp_path, **change)


def test_the_cache_lies_where_the_environment_says(monkeypatch, tmp_path):
    for name in ('AMLNN_CACHE', 'XDG_CACHE_HOME'):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv('HOME', str(tmp_path))
    assert cache_root() == tmp_path / '.cache/amlnn/features'
    monkeypatch.setenv('XDG_CACHE_HOME', '/elsewhere')
    assert cache_root() == Path('/elsewhere/amlnn/features')
    monkeypatch.setenv('AMLNN_CACHE', '~/here')
    assert cache_root() == tmp_path / 'here'


def test_the_default_limit_is_a_quarter_of_the_disk_that_is_free_or_the_caches_own(
        tmp_path, monkeypatch):
    with opened(tmp_path / 'root') as store:
        store.write(0, [0], rows(1))
        own = sum(path.stat().st_size for path in store.folder.path.iterdir())
    monkeypatch.setattr('shutil.disk_usage', lambda path: type('Usage', (), {'free': 4000})())
    assert default_limit(tmp_path / 'root') == (4000 + own) // 4
    assert default_limit(tmp_path / 'not' / 'there') == 1000


STEPS = st.lists(st.tuples(
    st.sampled_from(['write', 'write', 'read', 'missing', 'reopen']), st.integers(0, 2),
    st.lists(st.integers(0, 9), max_size=12), st.integers(0, 2**16)), max_size=25)


@given(steps=STEPS, dtype=st.sampled_from(DTYPES), shape=st.sampled_from([(3,), (2, 2, 3)]))
@settings(max_examples=50, deadline=None)
def test_a_store_is_a_dict_from_view_and_index_to_row(steps, dtype, shape):
    with tempfile.TemporaryDirectory() as root:
        store, expected = opened(root, shape, dtype), {}
        for what, view, indices, seed in steps:
            if what == 'write':
                written = rows(len(indices), shape, dtype, seed)
                assert store.write(view, indices, written) == len(indices)
                expected |= {(view, index): row for index, row in zip(indices, written,
                                                                      strict=True)}
            elif what == 'read':
                features, missing = store.read(view, indices)
                assert missing.tolist() == [place for place, index in enumerate(indices)
                                            if (view, index) not in expected]
                for place in set(range(len(indices))) - set(missing.tolist()):
                    assert torch.equal(features[place], expected[view, indices[place]])
            elif what == 'missing':
                assert store.missing(view).tolist() == [index for index in range(10)
                                                        if (view, index) not in expected]
            else:
                store.close()
                store = opened(root, shape, dtype)
        store.close()


@pytest.mark.parametrize('system', ['without advice', 'that refuses it'])
def test_rows_at_many_places_come_back_on_a_system(tmp_path, monkeypatch, system):
    if system == 'without advice':
        monkeypatch.delattr('os.posix_fadvise', raising=False)
    else:
        def refuse(*arguments):
            raise OSError(22, 'Invalid argument')
        monkeypatch.setattr('os.posix_fadvise', refuse, raising=False)
    with opened(tmp_path) as store:
        store.write(0, range(10), rows(10))
        features, missing = store.read(0, [8, 1, 5])
    assert not len(missing)
    assert torch.equal(features, rows(10)[[8, 1, 5]])
