"""Runs a sweep: hands trials to slots, keeps what became of them, and loses nothing.

What is done is what the run folders say, so that a sweep that was killed goes on where it was, and
several on one folder divide the work: each holds a lease on the trials that it trains.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from amlnn.errors import UsageError
from amlnn.records import is_known
from amlnn.registry import VALIDATION_LOSS, gain, usual_rule
from amlnn.sweep.search import ListSearch, Search, make_search
from amlnn.sweep.slots import Message, Slot
from amlnn.sweep.space import Point, Sweep
from amlnn.sweep.trials import (
    PRUNED,
    Candidate,
    Lease,
    State,
    SweepOptions,
    Trial,
    forget_failure,
    make_candidate,
    said_of,
    state_of,
    write_failure,
)

__all__ = ['Driver', 'Running']

_STOPPING = 60.0  # seconds that a trial has to leave its epoch when the sweep is stopped
_TRIES = 3  # of a trial whose machine was lost
_LOOKS_AT_OTHERS = 1.0  # seconds between looks at trials that another process trains

MakeSlot = Callable[[], Slot]


@dataclass
class Running:
    """A trial in a slot."""

    trial: Trial
    candidate: Candidate
    lease: Lease
    began: float
    epoch: int = 0
    best: float | None = None


@dataclass
class _Place:
    slot: Slot | None = None
    running: Running | None = None
    group: str | None = None


@dataclass
class Driver:
    """One sweep.

    Args:
        sweep: What to try.
        options: The command line.
        make_slot: Makes a place for trials.
        on_change: Called whenever there is something new to show.
        say: Told one line for each trial that ends.
    """

    sweep: Sweep
    options: SweepOptions
    make_slot: MakeSlot
    on_change: Callable[['Driver'], None] = lambda driver: None
    say: Callable[[str], None] = lambda line: None
    candidates: list[Candidate] = field(default_factory=list)
    states: dict[str, State] = field(default_factory=dict)
    """By the name of the trial."""
    seconds: list[float] = field(default_factory=list)
    """What trials took here."""
    engine_seconds: float = 0.0
    """What this process did beside waiting."""

    def __post_init__(self) -> None:
        self._places: list[_Place] = []
        self._waiting: list[tuple[Candidate, Trial]] = []
        self._elsewhere: list[tuple[Candidate, Trial]] = []
        self._tries: dict[str, int] = {}
        self._looked = 0.0
        self.search: Search | None = None

    @property
    def folder(self) -> Path:
        """Where the run folders are."""
        return self.options.work_dir

    @property
    def trials(self) -> list[Trial]:
        """All that are known."""
        return [trial for candidate in self.candidates for trial in candidate.trials]

    @property
    def running(self) -> list[Running]:
        """What is being trained here."""
        return [place.running for place in self._places if place.running]

    @property
    def queue(self) -> list[tuple[Candidate, Trial]]:
        """What is to be trained, in order."""
        return list(self._waiting)

    @property
    def total(self) -> int:
        """How many trials there will be."""
        each = len(self.sweep.seeds) * (self.sweep.folds or 1)
        if isinstance(self.search, ListSearch):
            return each * len(self.search.points)
        return each * (self.sweep.trials or 1)

    @property
    def seconds_left(self) -> float | None:
        """A guess from what trials took so far; None before one has ended."""
        if not self.seconds:
            return None
        done = sum(state.settled for state in self.states.values())
        return (self.total - done) * sum(self.seconds) / len(self.seconds) / self.options.jobs

    def plan(self) -> None:
        """Check every point that is known from the start, and look at what is done of it.

        Raises:
            AmlnnError: something is wrong with the sweep, its configs or their data.
        """
        first = make_candidate(self.sweep, _any_point(self.sweep), self.options)
        trial = first.trials[0]
        self.metric, self.rule = trial.monitor, usual_rule(trial.monitor or 'accuracy')
        self.search = make_search(self.sweep, self.rule, self.folder / '.sweep')
        if isinstance(self.search, ListSearch):
            while self._ask():
                pass
            order = {name: place for place, name in enumerate(dict.fromkeys(
                trial.group or trial.name for _, trial in self._waiting))}
            self._waiting.sort(key=lambda item: order[item[1].group or item[1].name])
            self._refuse_twins()

    def _refuse_twins(self) -> None:
        seen: dict[str, Candidate] = {}
        for candidate in self.candidates:
            for trial in candidate.trials:
                other = seen.setdefault(trial.name, candidate)
                if other is not candidate:
                    raise UsageError(
                        f'{self.sweep.path}: `{candidate.label}` and `{other.label}` are one '
                        'experiment', hint='an axis changes nothing there: take a value out')

    def _ask(self) -> bool:
        """Take one point from the search; whether there was one."""
        assert self.search is not None
        found = self.search.ask()
        if found is None:
            return False
        number, point = found
        candidate = make_candidate(self.sweep, point, self.options)
        candidate.number = number
        self.candidates.append(candidate)
        for trial in candidate.trials:
            if self.options.retry:
                forget_failure(self.folder, trial)
            state = self._look(trial)
            if state.settled and not (self.options.retry and state.progress == 'failed'):
                continue
            self.states[trial.name] = State('waiting', state.record)
            self._waiting.append((candidate, trial))
        self._conclude(candidate)
        return True

    def _look(self, trial: Trial) -> State:
        state = self.states[trial.name] = state_of(trial, self.folder, self.sweep.test)
        return state

    def run(self) -> None:
        """Train and test what is not done yet.

        Raises:
            KeyboardInterrupt: it was stopped; what was running can be gone on with.
        """
        if self.search is None:
            self.plan()
        self._places = [_Place() for _ in range(self.options.jobs)]
        try:
            while self._step():
                self.on_change(self)
        finally:
            for place in self._places:
                if place.slot is not None:
                    place.slot.stop(_STOPPING if place.running else 0.0)
                if place.running:
                    place.running.lease.release()
                    self._look(place.running.trial)
                place.slot = place.running = None
        self.on_change(self)

    def _step(self) -> bool:
        began = time.perf_counter()
        waited = 0.0
        for place in self._places:
            if place.running is None:
                self._fill(place)
        if not self.running:
            if not self._elsewhere and not self._waiting:
                return False
            time.sleep(0.05)
            waited += 0.05
        for place in self._places:
            if place.running is not None:
                assert place.slot is not None
                before = time.perf_counter()
                messages = place.slot.poll(0.2 / len(self.running))
                waited += time.perf_counter() - before
                for message in messages:
                    self._hear(place, message)
        self._look_at_others()
        self.engine_seconds += time.perf_counter() - began - waited
        return True

    def _fill(self, place: _Place) -> None:
        """Begin the next trial in a place, if there is one."""
        while True:
            while not self._waiting:
                if not self._ask():
                    if place.slot is not None:  # others may need its processors and its memory
                        place.slot.stop(0.0)
                        place.slot = None
                    return
            candidate, trial = self._waiting.pop(self._next(place))
            try:
                lease = Lease(self.folder, trial)
            except BlockingIOError:
                self.states[trial.name].progress = 'running'
                self._elsewhere.append((candidate, trial))
                continue
            state = self._look(trial)  # somebody may have done it since
            if state.settled and not (self.options.retry and state.progress == 'failed'):
                lease.release()
                self._conclude(candidate)
                continue
            if place.slot is None:
                place.slot = self.make_slot()
            assert self.search is not None
            order = trial.message(self.options, self.sweep.test, self._is_shared(trial))
            order['may_stop'] = self.search.may_stop and trial is candidate.trials[0]
            place.running = Running(trial, candidate, lease, time.monotonic())
            place.group = trial.group
            self.states[trial.name] = State('running', state.record)
            place.slot.start(order)
            return

    def _next(self, place: _Place) -> int:
        """The place of the trial to begin: one that shares features with the last, else one whose
        features nobody computes at the moment.
        """
        busy = {running.trial.group for running in self.running}
        groups = [trial.group for _, trial in self._waiting]
        if place.group is not None and place.group in groups:
            return groups.index(place.group)
        return next((at for at, group in enumerate(groups) if group is None or group not in busy),
                    0)

    def _is_shared(self, trial: Trial) -> bool:
        if trial.group is None:
            return False
        return not isinstance(self.search, ListSearch) or \
            sum(other.group == trial.group for other in self.trials) > 1

    def _hear(self, place: _Place, message: Message) -> None:
        running = place.running
        event = message['event']
        if event == 'died':
            place.slot = None
            if running is not None:
                lost = message.get('lost', False)
                self._end(place, message['error'], again=lost and self._try_again(running.trial))
        elif running is None or event == 'ready':
            return
        elif event == 'epoch':
            self._epoch(place, running, message)
        elif event == 'end' and message['name'] == running.trial.name:
            self._end(place, message['error'], again=message.get('busy', False))

    def _try_again(self, trial: Trial) -> bool:
        self._tries[trial.name] = self._tries.get(trial.name, 0) + 1
        return self._tries[trial.name] < _TRIES

    def _epoch(self, place: _Place, running: Running, message: Message) -> None:
        running.epoch = message['epoch']
        value = self._value(message['values'])
        if value is not None and (running.best is None or gain(value, running.best,
                                                               self.rule) > 0):
            running.best = value
        assert self.search is not None and place.slot is not None
        if not (self.search.may_stop and running.trial is running.candidate.trials[0]):
            return
        assert running.candidate.number is not None
        goes_on = value is None or self.search.goes_on(running.candidate.number, running.epoch,
                                                       value)
        place.slot.tell({'go_on': goes_on, 'word': f'{PRUNED} after epoch {running.epoch}: others '
                         'were better by then'})

    def _value(self, values: dict[str, float | None]) -> float | None:
        name = self.metric or next((name for name in values if name != VALIDATION_LOSS), None)
        value = values.get(name) if name else None
        return value if value is not None and math.isfinite(value) else None

    def _end(self, place: _Place, error: str | None, again: bool = False) -> None:
        running = place.running
        assert running is not None
        trial = running.trial
        place.running = None
        took = time.monotonic() - running.began
        running.lease.release()
        if again:
            self._waiting.append((running.candidate, trial))
            self.states[trial.name].progress = 'waiting'
            return
        state = state_of(trial, self.folder, self.sweep.test)
        if error is not None and state.progress != 'failed':
            write_failure(self.folder, trial, error)
            state = state_of(trial, self.folder, self.sweep.test)
        if state.progress == 'untested':
            write_failure(self.folder, trial, 'it was trained, and not tested')
            state = state_of(trial, self.folder, self.sweep.test)
        self.states[trial.name] = state
        self.seconds.append(took)
        self.say(self._line(trial, state, took))
        self._conclude(running.candidate)

    def _line(self, trial: Trial, state: State, took: float) -> str:
        done = sum(each.settled for each in self.states.values())
        fold = '' if trial.fold is None else f', fold {trial.fold}'
        return (f'{done}/{self.total}  {trial.label}, seed {trial.seed}{fold}: '
                f'{said_of(state)}, {took:.1f} s')

    def _conclude(self, candidate: Candidate) -> None:
        """Tell the search what a point reached, once all of its trials have ended."""
        states = [self.states[trial.name] for trial in candidate.trials]
        pruned = any(state.progress == 'pruned' for state in states)
        if pruned:  # its other seeds are not worth their time either
            names = {trial.name for trial in candidate.trials}
            self._waiting = [item for item in self._waiting if item[1].name not in names]
            for trial in candidate.trials:
                if not self.states[trial.name].settled:
                    self.states[trial.name] = State('pruned', None, f'{PRUNED} with its first seed')
        elif not all(state.settled for state in states):
            return
        assert self.search is not None and candidate.number is not None
        values = [state.record.best_value for state in states
                  if state.record is not None and state.progress == 'done'
                  and is_known(state.record.best_value)]
        whole = len(values) == len(states)
        self.search.tell(candidate.number, sum(values) / len(values) if whole else None, pruned)

    def _look_at_others(self) -> None:
        """Take back what another process has let go of, or count what it has finished."""
        if not self._elsewhere or time.monotonic() - self._looked < _LOOKS_AT_OTHERS:
            return
        self._looked = time.monotonic()
        remaining = []
        for candidate, trial in self._elsewhere:
            state = self._look(trial)
            if state.settled:
                self.say(self._line(trial, state, 0.0) + ', by another process')
                self._conclude(candidate)
                continue
            try:
                Lease(self.folder, trial).release()
            except BlockingIOError:
                self.states[trial.name].progress = 'running'
                remaining.append((candidate, trial))
                continue
            self._waiting.append((candidate, trial))
        self._elsewhere = remaining


def _any_point(sweep: Sweep) -> Point:
    """A point of the sweep, to see whether the axes are keys."""
    return {key: axis[0] if isinstance(axis, list) else axis.at(0.0)
            for key, axis in sweep.dimensions.items()}

