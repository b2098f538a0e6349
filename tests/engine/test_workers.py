"""Worker processes of a data loader: when they start, and what they then load."""

import pytest
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader, Dataset

from amlnn.data.images.views import ViewSampler
from amlnn.engine.run.partial import skip_batches
from amlnn.engine.workers import end_workers, start_workers


class Echo(Dataset):
    """Whose items are what was asked for."""

    def __len__(self):
        return 20

    def __getitem__(self, view):
        return tuple(view)


def loader_of(workers: int) -> DataLoader:
    dataset = Echo()
    sampler = ViewSampler(dataset, dict(type='DefaultSampler', shuffle=True), seed=3)
    return DataLoader(dataset, batch_size=3, sampler=sampler, num_workers=workers,
                      persistent_workers=workers > 0, collate_fn=pseudo_collate)


def epochs_of(loader: DataLoader) -> list:
    found = []
    for epoch in range(3):
        loader.sampler.set_epoch(epoch)
        found.append(list(loader))
    return found


@pytest.mark.parametrize('workers', [1, 2])
def test_workers_that_start_before_the_first_epoch_load_every_epoch_as_without_workers(workers):
    loader = loader_of(workers)
    start_workers(loader)
    started = [worker.pid for worker in loader._iterator._workers]
    assert len(started) == workers
    epochs = epochs_of(loader)
    assert epochs == epochs_of(loader_of(0))
    assert [worker.pid for worker in loader._iterator._workers] == started
    processes = loader._iterator._workers
    end_workers(loader)
    assert not any(worker.is_alive() for worker in processes)


def test_workers_that_have_started_begin_an_epoch_in_its_middle_and_the_next_one_whole():
    loader = loader_of(2)
    start_workers(loader)
    skip_batches(loader, 3)
    first, *later = epochs_of(loader)
    expected = epochs_of(loader_of(0))
    assert [first, *later] == [expected[0][3:], *expected[1:]]
    end_workers(loader)


def test_a_loader_without_workers_of_its_own_is_left_as_it_is():
    for loader in (loader_of(0), DataLoader(Echo(), num_workers=1), object()):
        start_workers(loader)
        assert getattr(loader, '_iterator', None) is None
        end_workers(loader)
