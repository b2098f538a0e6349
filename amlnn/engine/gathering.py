"""What several processes measured on their batches, put together as one would have measured it."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric, Evaluator

from amlnn.data.shares import in_order
from amlnn.engine.processes import alone, processes
from amlnn.errors import ConfigError

__all__ = ['Gathering']


class Gathering:
    """Collects what each batch of an evaluation gives, and the metrics of all of them.

    The batches of several processes are put back into the order of the data set before anything is
    computed from them, so every sample counts once and the result is that of one process.

    Args:
        evaluator: MMEngine's Evaluator.

    Raises:
        ConfigError: there are several processes, and a metric keeps its results where nobody finds
            them.
    """

    def __init__(self, evaluator: Evaluator):
        self.evaluator = evaluator
        self.processes = processes()
        self._batches: list[Any] = []
        self._counts: list[list[int]] = []
        if self.processes.several:
            for metric in evaluator.metrics:
                if type(metric).evaluate is not BaseMetric.evaluate:
                    raise ConfigError(
                        f'{type(metric).__name__} cannot be measured by several processes',
                        hint='leave --launcher out, or take the metric out')

    def add(self, batch: Any, outputs: Sequence, data_batch: dict) -> None:
        """Add a batch.

        Args:
            batch: What is to be returned in order; it can be pickled.
            outputs: What the evaluator takes.
            data_batch: As the loader gave it.
        """
        self._batches.append(batch)
        self.evaluator.process(data_samples=outputs, data_batch=data_batch)
        if self.processes.several:
            self._counts.append([len(metric.results) for metric in self.evaluator.metrics])

    def batches(self) -> list[Any]:
        """All batches in their order; in a process other than the first, none of it matters."""
        if not self.processes.several:
            return self._batches
        results = [self._by_batch(place, metric.results)
                   for place, metric in enumerate(self.evaluator.metrics)]
        gathered = self.processes.gather((self._batches, results))
        for place, metric in enumerate(self.evaluator.metrics):
            metric.results.clear()
            for batch in in_order([each[1][place] for each in gathered]):
                metric.results += batch
        return in_order([batches for batches, _ in gathered])

    def measured(self, samples: int) -> dict:
        """The metrics; to be asked by the first process, after `batches`."""
        if not self.processes.several:
            return self.evaluator.evaluate(samples)
        with alone():
            return self.evaluator.evaluate(samples)

    def _by_batch(self, place: int, results: list) -> list[list]:
        ends = [counts[place] for counts in self._counts]
        return [_on_cpu(results[begin:end])
                for begin, end in zip([0, *ends], ends, strict=False)]


def _on_cpu(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        items = [_on_cpu(item) for item in value]
        return type(value)(*items) if hasattr(value, '_fields') else type(value)(items)
    return value
