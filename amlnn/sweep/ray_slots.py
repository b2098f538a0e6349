"""Trials on a Ray cluster: each in a process on a node that has room, results on a shared folder.

Moritz et al., Ray: A Distributed Framework for Emerging AI Applications, OSDI 2018.
"""

import logging
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from amlnn.errors import UsageError
from amlnn.sweep.slots import LocalSlot, Message, threads_each

__all__ = ['RaySlot', 'ray_slots']

_LOST = 'the machine that it ran on was lost'


def ray_slots(jobs: int) -> Callable[[], 'RaySlot']:
    """Connect to the cluster, and return what makes a slot in it.

    RAY_ADDRESS says which cluster; without it, one of this machine is begun.

    Args:
        jobs: How many trials run at once; each asks for that share of a node of this size.

    Raises:
        UsageError: Ray is not installed, or there is no such cluster.
    """
    try:
        import ray
    except ImportError:
        raise UsageError('--engine ray needs the package ray',
                         hint="pip install 'ray>=2.40', or pip install 'amlnn[ray]'") from None
    if not ray.is_initialized():
        try:
            ray.init(log_to_driver=False, include_dashboard=False, logging_level=logging.ERROR)
        except ConnectionError as error:
            raise UsageError(f'no Ray cluster at {os.environ.get("RAY_ADDRESS")}: {error}',
                             hint='ray start --head begins one, RAY_ADDRESS names it') from None
    nodes = [node['Resources'] for node in ray.nodes() if node['Alive']]
    threads = threads_each(jobs)
    cpus = min([threads, *(int(each.get('CPU', 1)) for each in nodes)])
    gpus = 1 if all(each.get('GPU') for each in nodes) else 0
    return lambda: RaySlot(cpus, gpus)


class _Host:
    """Lives on a node, and holds the process that trains there."""

    def __init__(self, folder: str, threads: int):
        with suppress(OSError):  # paths of a sweep are those of where it was called
            os.chdir(folder)
        environment = {} if os.environ.get('OMP_NUM_THREADS') not in (None, '1') \
            else {'OMP_NUM_THREADS': str(threads)}
        self._slot = LocalSlot(environment)

    def start(self, order: Message) -> None:
        self._slot.start(order)

    def tell(self, answer: Message) -> None:
        self._slot.tell(answer)

    def poll(self, seconds: float) -> list[Message]:
        return self._slot.poll(seconds)

    def stop(self, seconds: float) -> None:
        self._slot.stop(seconds)


class RaySlot:
    """A place in a cluster; see `Slot`.

    Args:
        cpus: Processors that a trial asks for.
        gpus: Accelerators that a trial asks for.
    """

    def __init__(self, cpus: int, gpus: int):
        import ray
        self._ray = ray
        self._host: Any = ray.remote(_Host).options(
            num_cpus=cpus, num_gpus=gpus, max_concurrency=1).remote(str(Path.cwd()), cpus)
        self._polled: Any = None
        self._calls: deque[Any] = deque()
        self._over = False

    def start(self, order: Message) -> None:
        """See `Slot`."""
        self._calls.append(self._host.start.remote(order))

    def tell(self, answer: Message) -> None:
        """See `Slot`."""
        self._calls.append(self._host.tell.remote(answer))

    def poll(self, seconds: float) -> list[Message]:
        """See `Slot`; a message `died` with `lost` is of a node that is gone."""
        if self._over:
            return []
        if self._polled is None:
            self._polled = self._host.poll.remote(0.2)
        ready, _ = self._ray.wait([self._polled], timeout=seconds)
        if not ready:
            return []
        try:
            found: list[Message] = self._ray.get(self._polled)
            while self._calls:
                self._ray.get(self._calls.popleft())
        except self._ray.exceptions.RayError:
            self._over = True
            return [{'event': 'died', 'error': _LOST, 'lost': True}]
        self._polled = None
        return found

    def stop(self, seconds: float) -> None:
        """See `Slot`."""
        if self._over:
            return
        self._over = True
        with suppress(self._ray.exceptions.RayError):
            self._ray.get(self._host.stop.remote(seconds), timeout=seconds + 5)
        self._ray.kill(self._host)
