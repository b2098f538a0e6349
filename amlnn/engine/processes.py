"""The processes that train or test together, and what they tell each other.

One process is the usual case: nothing here does anything then. Of several, each computes on its
share of the samples; the first one, of rank 0, prints and writes. A process that fails says why
before it goes, so that the first one can record the reason and not that somebody was gone.
"""

import base64
import os
import pickle
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, TypeVar
from unittest import mock

import torch
from rich.console import Console
from torch import distributed, nn

from amlnn.errors import RunFailed, Terminated, UsageError

__all__ = ['Processes', 'alone', 'cause', 'joined', 'processes']

_T = TypeVar('_T')

# Of errors that say no more than that another process is not there any more.
_LOST = ('gloo', 'nccl', 'connection closed', 'connection reset', 'broken pipe', 'socket')
_WORD = 'word'


@dataclass(frozen=True)
class Processes:
    """All processes of a run, as one of them sees them."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the one that prints and writes."""
        return self.rank == 0

    @property
    def several(self) -> bool:
        """Whether there is another one."""
        return self.count > 1

    def console(self, wanted: Console | None = None) -> Console:
        """Where to print: nowhere for all but the first."""
        return (wanted or Console()) if self.first else Console(quiet=True)

    def on_first(self, do: Callable[[], _T]) -> _T:
        """What `do` returns in the first process, in all of them; what it raises too.

        It runs as if there were one process alone.
        """
        if not self.several:
            return do()
        value, error = None, None
        if self.first:
            try:
                with alone():
                    value = do()
            except Exception as raised:
                error = raised
        told = self.from_first((value, None if error is None else _portable(error)))
        if error is not None:
            raise error
        if told[1] is not None:
            raise told[1]
        return told[0]

    def from_first(self, value: _T) -> _T:
        """The first process's value, in all of them."""
        if not self.several:
            return value
        values = [value if self.first else None]
        distributed.broadcast_object_list(values, src=0)
        return value if self.first else values[0]

    def gather(self, value: _T) -> list[_T]:
        """The values of all, by rank; [] in all but the first process."""
        if not self.several:
            return [value]
        values: list[Any] = [None] * self.count
        distributed.gather_object(value, values if self.first else None, dst=0)
        return values if self.first else []

    def wait(self) -> None:
        """Go on when all have come so far; what kept one of them is raised here."""
        self.totals([0])

    def totals(self, values: Iterable[float]) -> list[float]:
        """Sums over all processes, in float64."""
        numbers = torch.tensor(list(values), dtype=torch.float64)
        if self.several:
            distributed.all_reduce(numbers)
        return numbers.tolist()

    def make_alike(self, model: nn.Module) -> None:
        """Give a model the first process's parameters and buffers."""
        if self.several:
            with torch.no_grad():
                for tensors in _by_kind([*model.parameters(), *model.buffers()]):
                    flat = _flat(tensors)
                    distributed.broadcast(flat, src=0)
                    _put(flat, tensors)

    def mean_buffers(self, model: nn.Module) -> None:
        """Give a model's buffers, such as batch norm's statistics, their means over the processes.

        What is equal everywhere stays as it is, to the bit; whole numbers are the first one's.
        """
        if not self.several:
            return
        with torch.no_grad():
            for tensors in _by_kind(list(model.buffers())):
                own = _flat(tensors)
                mean = own.clone()
                distributed.broadcast(mean, src=0)
                if own.is_floating_point():
                    difference = own - mean
                    distributed.all_reduce(difference)
                    mean += difference / self.count
                _put(mean, tensors)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum gradients up over the processes; one that no process has stays None."""
        if not self.several:
            return
        with torch.no_grad():
            for kind in _by_kind([each for each in parameters if each.requires_grad]):
                known = kind[0].new_tensor([each.grad is not None for each in kind])
                flat = torch.cat([_flat([
                    torch.zeros_like(each) if each.grad is None else each.grad for each in kind]),
                    known])
                distributed.all_reduce(flat)
                for each, found in zip(kind, flat[-len(kind):].tolist(), strict=True):
                    if found and each.grad is None:
                        each.grad = torch.zeros_like(each)
                begin = 0
                for each in kind:
                    if each.grad is not None:
                        each.grad.copy_(flat[begin:begin + each.numel()].view(each.shape))
                    begin += each.numel()


ALONE = Processes()


def processes() -> Processes:
    """Those that train or test together at this moment."""
    if distributed.is_available() and distributed.is_initialized():
        return Processes(distributed.get_rank(), distributed.get_world_size())
    return ALONE


@contextmanager
def alone() -> Iterator[None]:
    """Let everybody who asks, MMEngine's and MMPretrain's classes too, see one process.

    Their samplers would divide the samples, their metrics and hooks wait for processes that are not
    there.
    """
    with mock.patch.object(distributed, 'is_initialized', lambda: False):
        yield


@dataclass
class _Group:
    """What this process knows of the others beside the tensors that they exchange."""

    store: Any
    rank: int
    count: int
    pids: list[tuple[str, int]] = field(default_factory=list)
    """Host and number of each process."""
    ending: bool = False
    """Whether the reason to end is known; signals are no news then."""

    def say(self, error: BaseException) -> None:
        """Leave the reason why this process goes, unless another one has left its own."""
        with suppress(Exception):  # whoever kept the words is gone
            words = base64.b64encode(pickle.dumps((self.rank, _portable(error)))).decode()
            self.store.compare_set(_WORD, '', words)

    def word(self) -> BaseException | None:
        """The reason that another process left."""
        with suppress(Exception):
            if self.store.check([_WORD]):
                rank, error = pickle.loads(base64.b64decode(self.store.get(_WORD)))
                return None if rank == self.rank else error
        return None

    def lost(self) -> int | None:
        """The rank of a process of this machine that is not there any more."""
        host = self.pids[self.rank][0] if self.pids else None
        for rank, (other, pid) in enumerate(self.pids):
            if other == host and rank != self.rank and not _is_alive(pid):
                return rank
        return None

    def stop(self, number: int, frame: FrameType | None) -> None:
        """The handler of Ctrl-C and of SIGTERM."""
        if os.getpid() != self.pids[self.rank][1]:  # a data-loading worker
            os._exit(128 + number)
        if not self.ending:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


_group: _Group | None = None


@contextmanager
def joined(launcher: str, device: str) -> Iterator[None]:
    """Be one of the processes that a launcher started, where it started several.

    What one of them raises, all of them raise; the launcher's own SIGTERM does not hide it.

    Args:
        launcher: 'none', or whoever set the environment variables.
        device: 'cpu' or 'cuda'.
    """
    global _group
    if launcher == 'none' or os.environ.get('WORLD_SIZE') == '1':
        yield
        return
    _group = _join(device)
    usual = {number: signal.signal(number, _group.stop)
             for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except BaseException as error:
        reason = cause(error)
        _group.say(reason)
        with suppress(Exception):
            distributed.destroy_process_group()
        if reason is error:
            raise
        raise reason from error
    # After an error the process ends, and signals stay without effect until it has.
    for number, handler in usual.items():
        signal.signal(number, handler)
    distributed.destroy_process_group()
    _group = None


def cause(error: BaseException) -> BaseException:
    """Why this process ends: what was raised in it, or what ended another one before.

    From then on signals are ignored, so that the reason can be recorded.
    """
    group = _group
    if group is None:
        return error
    group.ending = True
    told = group.word()
    if told is not None:
        return told
    lost = group.lost()
    if lost is not None and (isinstance(error, KeyboardInterrupt) or _is_lost(error)):
        return RunFailed(f'process {lost} of {group.count} is gone, and did not say why',
                         hint='killed by hand, or by a machine without memory; '
                         '--resume goes on from the last epoch')
    if _is_lost(error):
        return RunFailed(f'the {group.count} processes lost touch: {_one_line(error)}',
                         hint='--resume goes on from the last epoch')
    return error


def _join(device: str) -> _Group:
    from torch.distributed.rendezvous import rendezvous
    local = int(os.environ.get('LOCAL_WORLD_SIZE', os.environ['WORLD_SIZE']))
    backend = 'gloo'
    if device == 'cuda':
        cards = torch.cuda.device_count()
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']) % cards)
        if local <= cards and distributed.is_nccl_available():  # which takes one process a card
            backend = 'cpu:gloo,cuda:nccl'
    try:
        store, rank, count = next(rendezvous('env://'))
        distributed.init_process_group(backend, store=distributed.PrefixStore('group', store),
                                       rank=rank, world_size=count)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f'the {os.environ["WORLD_SIZE"]} processes do not find each other at '
            f'{os.environ["MASTER_ADDR"]}:{os.environ["MASTER_PORT"]}: {_one_line(error)}',
            hint='another MASTER_PORT, if it is taken; torchrun --standalone chooses one') from None
    group = _Group(distributed.PrefixStore('amlnn', store), rank, count)
    group.pids = [('', 0)] * count
    distributed.all_gather_object(group.pids, (os.uname().nodename, os.getpid()))
    return group


def _portable(error: BaseException) -> BaseException:
    """An error that another process can raise."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RunFailed(f'{type(error).__name__}: {_one_line(error)}')
    return error


def _one_line(error: BaseException) -> str:
    return ' '.join(str(error).split())[:200]


def _is_lost(error: BaseException) -> bool:
    return isinstance(error, distributed.DistError) or (
        isinstance(error, RuntimeError)
        and any(phrase in str(error).lower() for phrase in _LOST))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _by_kind(tensors: list[torch.Tensor]) -> Iterator[list]:
    """Tensors of one dtype and device at a time, in their order."""
    kinds: dict[tuple, list] = {}
    for tensor in tensors:
        kinds.setdefault((tensor.dtype, tensor.device), []).append(tensor)
    yield from kinds.values()


def _flat(tensors: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensor.detach().reshape(-1) for tensor in tensors])


def _put(flat: torch.Tensor, tensors: list[torch.Tensor]) -> None:
    for tensor, values in zip(tensors, flat.split([each.numel() for each in tensors]),
                              strict=True):
        tensor.data.copy_(values.view(tensor.shape))
