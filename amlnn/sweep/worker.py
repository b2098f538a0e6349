"""The process that trains: one trial after another, as it is told on its standard input.

A line of JSON asks for a trial (`Trial.message`), one a line answers: `ready` once it listens,
`epoch` after every epoch, and `end` with what became of the trial. Where the trial may be pruned,
an epoch waits for a line that says whether to go on. The end of the standard input is the end of
whoever started it: then it takes itself and its children away, in the middle of whatever.
"""

import gc
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from amlnn.errors import AmlnnError, Terminated, UsageError
from amlnn.signals import raise_on_sigterm

if TYPE_CHECKING:
    from amlnn.records import RunRecord

__all__ = ['main', 'run_trial']


def main() -> int:
    """Serve until the standard input ends."""
    answers = os.fdopen(os.dup(1), 'w', buffering=1)
    os.dup2(2, 1)  # whatever a library prints is no answer
    raise_on_sigterm()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal; who started it tells it
    orders: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_listen, args=(orders,), daemon=True).start()
    try:
        _answer(answers, event='ready')
        while True:
            order = orders.get()
            if 'name' not in order:  # an answer to an epoch of a trial that is over
                continue
            _answer(answers, **run_trial(order, answers, orders))
            gc.collect()
    except Terminated:
        return 143


def _listen(orders: 'queue.Queue[dict[str, Any]]') -> None:
    rest = b''
    # Not sys.stdin: a thread that waits in it holds its lock, and with it every forked data-loading
    # worker, which closes it first of all, would wait for ever.
    while chunk := os.read(0, 1 << 16):
        *lines, rest = (rest + chunk).split(b'\n')
        for line in lines:
            orders.put(json.loads(line))
    os.killpg(0, signal.SIGKILL)


def _answer(answers: IO[str], **values: Any) -> None:
    answers.write(json.dumps(values) + '\n')


def run_trial(order: dict[str, Any], answers: IO[str],
              orders: 'queue.Queue[dict[str, Any]]') -> dict[str, Any]:
    """Train and test, as far as that is not done; what to answer.

    Raises:
        Terminated: the process is to end.
    """
    from amlnn.sweep.trials import why
    began = time.perf_counter()
    end: dict[str, Any] = {'event': 'end', 'name': order['name'], 'error': None, 'busy': False}
    sys.argv = ['tools/train.py', order['config'], '--seed', str(order['seed']),
                *(['--pretrained', order['pretrained']] if order['pretrained'] else []),
                '--work-dir', order['work_dir'],
                *(['--cfg-options', *order['options']] if order['options'] else [])]
    try:
        _load_libraries(order)
        began = time.perf_counter()
        _train_and_test(order, answers, orders)
    except Terminated:
        raise
    except UsageError as error:
        end['busy'] = 'another process is writing' in error.message
        end['error'] = why(error)
    except (AmlnnError, Exception) as error:
        end['error'] = why(error)
    end['seconds'] = round(time.perf_counter() - began, 3)
    return end


def _load_libraries(order: dict[str, Any]) -> None:
    """Those of the trial's kind, once for all its trials; a forecaster waits for none of images."""
    from amlnn.config.load import load_config
    from amlnn.engine.kinds import in_scope
    with in_scope(load_config(order['config'], order['options']).config):
        pass


def _draw(record: 'RunRecord', path: Path) -> None:
    from amlnn.report.figures import draw_curves
    draw_curves(record, path)


def _train_and_test(order: dict[str, Any], answers: IO[str],
                    orders: 'queue.Queue[dict[str, Any]]') -> None:
    from rich.console import Console

    from amlnn.config.load import load_config
    from amlnn.engine.evaluate import TestOptions, test
    from amlnn.engine.train import TrainOptions, train
    from amlnn.records import EpochRecord, is_done, read_run

    loaded = load_config(order['config'], order['options'])
    folder = Path(order['work_dir']) / order['name']
    quiet = Console(quiet=True)

    def told(epoch: EpochRecord) -> str | None:
        _answer(answers, event='epoch', name=order['name'], epoch=epoch.epoch,
                values={**epoch.metrics, 'val_loss': epoch.val_loss})
        if not order.get('may_stop'):
            return None
        answer = orders.get()
        while 'go_on' not in answer:
            answer = orders.get()
        return None if answer['go_on'] else str(answer['word'])

    if not is_done(folder):
        train(TrainOptions(
            loaded, work_dir=Path(order['work_dir']), run_name=order['name'], seed=order['seed'],
            pretrained=order['pretrained'], device=order['device'],
            after_epoch=told,  # type: ignore[arg-type]  # engine is checked less, None is any type
            keep_features=order['keep_features']), _draw, quiet)
    if read_run(folder).status != 'done':
        return  # pruned
    best = folder / 'best.pth'
    newest = max((folder / 'checkpoints').glob('epoch_*.pth'), default=None)
    checkpoint = best if best.is_file() or newest is None else newest
    test(TestOptions(loaded, checkpoint=checkpoint, split=order['test'], device=order['device']),
         quiet)


if __name__ == '__main__':
    sys.exit(main())
