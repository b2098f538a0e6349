"""Signals that come where Python ignores exceptions, or in a worker, still end a process."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from amlnn.signals import WorkerStart, worker_context

# What runs a function in a place where an exception is printed and nothing else happens.
PLACES = {
    'at a fork': '''
        os.register_at_fork(after_in_parent=come)
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        ''',
    'before a fork': '''
        os.register_at_fork(before=come)
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        ''',
    'in a __del__': '''
        Dying = type('Dying', (), {'__del__': lambda self: come()})
        Dying()
        ''',
    "in a weak reference's callback": '''
        something = type('Something', (), {})()
        watched = weakref.ref(something, lambda _: come())
        del something
        ''',
}

PROGRAM = '''
import os, signal, time, weakref
from amlnn.errors import Terminated
from amlnn.signals import raise_on_sigterm
signal.signal(signal.SIGINT, signal.default_int_handler)
raise_on_sigterm()
come_times = []
def come():
    come_times.append(1)
    if len(come_times) == 1:
        os.kill(os.getpid(), signal.{number})
        time.sleep(0.01)
try:
{place}
    print('it goes on', flush=True)
    time.sleep(30)
except Terminated:
    print('terminated')
except KeyboardInterrupt:
    print('interrupted')
'''


@pytest.mark.parametrize(('number', 'said'), [('SIGTERM', 'terminated'), ('SIGINT', 'interrupted')])
@pytest.mark.parametrize('place', PLACES)
def test_a_signal_is_not_lost_where_exceptions_are_ignored(place, number, said):
    lines = textwrap.indent(textwrap.dedent(PLACES[place]), '    ')
    done = subprocess.run([sys.executable, '-c', PROGRAM.format(place=lines, number=number)],
                          capture_output=True, text=True, timeout=20)
    assert done.stdout.split('\n')[:2] == ['it goes on', said]
    assert done.stderr == '' and done.returncode == 0


@pytest.mark.parametrize(('number', 'said'), [('SIGTERM', 'terminated'), ('SIGINT', 'interrupted')])
def test_a_signal_waits_for_an_import_and_not_for_one_that_hangs(number, said, tmp_path):
    (tmp_path / 'slow.py').write_text('come()\ntime.sleep(0.3)\nprint("imported")\n')
    (tmp_path / 'hanging.py').write_text('come()\nwhile True:\n    time.sleep(0.1)\n')
    for name, shown in (('slow', ['imported', said]), ('hanging', [said])):
        place = f"""
    import builtins, sys
    import amlnn.signals
    amlnn.signals._GRACE = 1
    builtins.come, builtins.time = come, time
    sys.path.insert(0, {str(tmp_path)!r})
    import {name}
    time.sleep(5)"""
        done = subprocess.run([sys.executable, '-c', PROGRAM.format(place=place, number=number)],
                              capture_output=True, text=True, timeout=20)
        assert done.stdout.split() == shown and done.stderr == ''


def test_other_exceptions_that_are_ignored_are_printed_as_ever():
    program = '''
from amlnn.signals import raise_on_sigterm
raise_on_sigterm()
Dying = type('Dying', (), {'__del__': lambda self: 1 / 0})
Dying()
'''
    done = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True,
                          timeout=20)
    assert done.returncode == 0 and 'ZeroDivisionError' in done.stderr


def _told(number: int) -> None:
    """What a worker does before its `WorkerStart`, where SIGTERM to the group meets it."""
    os.kill(os.getpid(), signal.SIGTERM)
    WorkerStart()(number)


@pytest.mark.parametrize('method', [None, 'fork'])
def test_a_worker_that_is_told_to_end_before_it_has_begun_leaves_its_end_to_its_parent(method):
    from torch.utils.data import DataLoader
    context = worker_context(method and multiprocessing.get_context(method))
    loader = DataLoader(range(40), num_workers=2, worker_init_fn=_told,
                        multiprocessing_context=context)
    assert [int(value) for value in loader] == list(range(40))


def test_processes_that_are_not_forked_keep_their_context():
    context = multiprocessing.get_context('spawn')
    assert worker_context(context) is context
