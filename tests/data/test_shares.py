"""Shares of several processes make the batches of one."""

import pytest

from amlnn.data.shares import Share, in_order


def batches(items, size):
    return [items[start:start + size] for start in range(0, len(items), size)]


@pytest.mark.parametrize('total', [1, 2, 3, 7, 12, 13, 24, 25])
@pytest.mark.parametrize('count', [2, 3])
@pytest.mark.parametrize('drop_last', [False, True])
def test_a_step_of_all_is_the_batch_of_one(total, count, drop_last):
    order = [f'image {number}' for number in range(total)]
    shares = [Share(rank, count, 4, drop_last=drop_last) for rank in range(count)]
    taken = [batches(share.of(order), 4) for share in shares]
    assert [share.length(total) for share in shares] == [sum(map(len, each)) for each in taken]
    assert len({len(each) for each in taken}) == 1
    for number, wanted in enumerate(batches(order, 4 * count)[:len(taken[0])]):
        last = number + 1 == len(taken[0])
        step = [item for share, each in zip(shares, taken, strict=True)
                if not (last and share.is_empty_at_end(total)) for item in each[number]]
        assert step == wanted
    steps = total // (4 * count) if drop_last else -(-total // (4 * count))
    assert len(taken[0]) == steps


@pytest.mark.parametrize('total', [0, 1, 4, 5, 8, 13, 25])
@pytest.mark.parametrize('count', [2, 3])
def test_an_evaluation_makes_every_batch_once(total, count):
    order = list(range(total))
    shares = [Share(rank, count, 4, whole=True) for rank in range(count)]
    taken = [batches(share.of(order), 4) for share in shares]
    assert in_order(taken) == batches(order, 4)
    assert [share.length(total) for share in shares] == [sum(map(len, each)) for each in taken]
    assert not any(share.is_empty_at_end(total) for share in shares)
