"""The beginning and the end of a data loader's worker processes."""

__all__ = ['end_workers', 'start_workers']


def start_workers(loader) -> None:
    """Start the processes that a loader keeps from epoch to epoch, while there is little in memory.

    Forked after an epoch of training, they share its memory, of which it then copies each page that
    it writes to: validation, and the next epoch with nothing frozen, take seconds longer.

    Args:
        loader: Of views; any other one is left as it is.
    """
    idle = getattr(getattr(loader, 'sampler', None), 'idle', None)
    if idle and getattr(loader, 'persistent_workers', False) and loader._iterator is None:
        with idle():
            iter(loader)


def end_workers(loader) -> None:
    """End the processes that a loader keeps for its next epoch, and wait for them.

    Left to Python's collector, which may take the queues apart before they are told, each worker is
    waited for five seconds, in the middle of whatever the process does then.

    Args:
        loader: One of PyTorch's, or of features; what keeps no workers is left as it is.

    >>> import torch
    >>> loader = torch.utils.data.DataLoader(range(4), num_workers=1, persistent_workers=True)
    >>> [batch.tolist() for batch in loader]
    [[0], [1], [2], [3]]
    >>> worker, = loader._iterator._workers
    >>> end_workers(loader)
    >>> worker.is_alive()
    False
    >>> len(list(loader))  # with new ones
    4
    """
    if hasattr(loader, 'end_workers'):
        loader.end_workers()
    elif getattr(loader, '_iterator', None) is not None:
        iterator, loader._iterator = loader._iterator, None
        iterator._shutdown_workers()
