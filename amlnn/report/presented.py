"""What the page asks of a kind of run."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING

from amlnn.report.blocks import Block, Picture
from amlnn.report.columns import Column

if TYPE_CHECKING:
    from amlnn.results.store import StoredRun
    from amlnn.results.summary import Summary

__all__ = ['Presented']


class Presented(ABC):
    """A kind of run, as the page shows it. Kinds are found through `amlnn.report.kinds`."""

    @abstractmethod
    def columns(self, summary: 'Summary') -> list[Column]:
        """The columns in which a table of this kind has something to say."""

    @abstractmethod
    def heading(self, summary: 'Summary', tables: int) -> str:
        """What stands above the table, one of so many; empty for nothing."""

    @abstractmethod
    def finding(self, summary: 'Summary') -> str:
        """The table in one or two sentences, as far as it bears any."""

    @abstractmethod
    def details(self, run: 'StoredRun', title: str, split: str, stem: Path) -> list[Block]:
        """What a run's section shows beside its curves and facts.

        Args:
            run: At any status.
            title: What the table calls it.
            split: The split to look into; where the run has no predictions on it, another.
            stem: The path of each picture begins with it.
        """

    def cost_options(self, summary: 'Summary') -> dict:
        """Arguments of `amlnn.report.figures.draw_cost`."""
        return {}

    def pictures(self, summary: 'Summary', folder: Path, ending: str) -> list[Picture]:
        """Figures about all runs of the table, drawn into a folder; names end in `ending`."""
        return []
