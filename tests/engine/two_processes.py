"""Runs a function in two processes that train together, as torchrun would, and ends both."""

import multiprocessing
import os
import socket
import sys
import traceback

import torch

_SECONDS = 120
_FORK = multiprocessing.get_context('fork')  # what is imported is imported already


def free_port() -> int:
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        return found.getsockname()[1]


def together(do, *arguments, count: int = 2) -> list:
    """What `do(rank, *arguments)` returned or raised in each of the processes, by rank."""
    port = free_port()
    pipes = [_FORK.Pipe(duplex=False) for _ in range(count)]
    started = [_FORK.Process(target=_child, args=(pipes[rank][1], rank, count, port, do, arguments))
               for rank in range(count)]
    try:
        for process, (_, end) in zip(started, pipes, strict=True):
            process.start()
            end.close()
        return [_received(reader) for reader, _ in pipes]
    finally:
        for process in started:
            process.join(5)
            process.kill()
            process.join()


def _received(reader):
    if not reader.poll(_SECONDS):
        return TimeoutError(f'no answer in {_SECONDS} seconds')
    try:
        return reader.recv()
    except EOFError:
        return EOFError('the process ended without an answer')


def _child(answer, rank, count, port, do, arguments) -> None:
    torch.set_num_threads(1)  # the threads of the first process are not in this one
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count),
                      LOCAL_WORLD_SIZE=str(count), MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    try:
        result = do(rank, *arguments)
    except BaseException as error:
        traceback.print_exc()
        result = error
    answer.send(result)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
