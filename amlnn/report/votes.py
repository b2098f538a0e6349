"""What `tools/ensemble.py` prints: members and votes in one table, and errors made together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from amlnn.report.columns import UNKNOWN, Column
from amlnn.report.tables import fitting_columns, rich_rows

if TYPE_CHECKING:
    from rich.table import Table

    from amlnn.results.ensembles import Gain, Outcome, Scores, Vote

__all__ = ['ceiling_text', 'errors_table', 'votes_table']


@dataclass(frozen=True)
class _Line:
    """A row of the table: a member or a vote."""

    name: str
    scores: 'Scores'
    chosen_by: float | None = None
    gain: 'Gain | None' = None
    weights: dict[str, str] = field(default_factory=dict)
    """Of a member, by the way to vote."""


def votes_table(outcome: 'Outcome', width: int) -> tuple['Table', list[str]]:
    """Members, then votes: accuracies, log loss, and what a vote gains on the best member.

    Args:
        outcome: Of `amlnn.results.ensembles.hold_votes`.
        width: Of the terminal.

    Returns:
        The table, and the titles of columns that do not fit into the width.
    """
    members, votes = _lines(outcome)
    columns, dropped = fitting_columns(_columns(outcome), [*members, *votes], width)
    return rich_rows(columns, [*members, *votes], bold=votes), dropped


def errors_table(outcome: 'Outcome') -> 'Table':
    """Above the diagonal how often two members err together, below how their errors correlate."""
    both, correlation = outcome.both_wrong, outcome.error_correlation
    numbers = range(len(outcome.members))

    def cell(column: int, row: int) -> str:
        return f'{100 * both[row, column]:.1f}' if column >= row \
            else _correlation_text(correlation[row, column])

    columns = [Column('% wrong together,\ncorrelation below',
                      lambda row: f'{row + 1} {outcome.members[row].title}', right=False),
               *(Column(str(place + 1), partial(cell, place)) for place in numbers)]
    return rich_rows(columns, numbers)


def ceiling_text(outcome: 'Outcome') -> str:
    """What no choice among the members' answers can reach."""
    images, wrong = len(outcome.ballots.ids), outcome.all_wrong
    return (f'All members err on {wrong:,} of {images:,} images ({100 * wrong / images:.2f} %): no '
            f'choice among their answers is right more often than '
            f'{100 - 100 * wrong / images:.2f} %.')


def _lines(outcome: 'Outcome') -> tuple[list[_Line], list[_Line]]:
    fitted = [vote for vote in outcome.votes if vote.voting in ('weighted', 'greedy')]
    members = [_Line(
        f'{place + 1} {member.title}{" (best)" if place == outcome.best else ""}', scores,
        outcome.chosen_by[place] if outcome.chosen_by else None,
        weights={vote.voting: _weight_text(vote, place) for vote in fitted})
        for place, (member, scores) in enumerate(
            zip(outcome.members, outcome.member_scores, strict=True))]
    return members, [_Line(f'{vote.voting} vote', vote.scores, gain=vote.gain)
                     for vote in outcome.votes]


def _columns(outcome: 'Outcome') -> Sequence[Column]:
    split, images = outcome.ballots.split, len(outcome.ballots.ids)
    columns = [Column('member or vote', lambda line: line.name, right=False)]
    if outcome.chosen_by is not None:
        columns.append(Column(f'top-1\n({outcome.fitted_on}, chooses)', rank=3, cell=lambda line:
                              '' if line.chosen_by is None else f'{line.chosen_by:.2f}'))
    columns.append(Column(f'top-1\n({split}, n={images:,})',
                          lambda line: f'{line.scores.top1:.2f}'))
    if outcome.member_scores[0].top5 is not None:
        columns.append(Column('top-5', lambda line: f'{line.scores.top5:.2f}', rank=2))
    columns += [
        Column('log loss', rank=1, cell=lambda line: UNKNOWN if line.scores.log_loss is None
               else f'{line.scores.log_loss:.4f}'),
        Column('minus the\nbest member', lambda line: '' if line.gain is None
               else f'{line.gain.value:+.2f}'),
        Column('95 % interval of\nthe difference', lambda line: '' if line.gain is None
               else f'{line.gain.low:+.2f} to {line.gain.high:+.2f}')]
    columns += [Column(f'weight\n({vote.voting})', rank=4 + place, cell=partial(
        lambda voting, line: line.weights.get(voting, ''), vote.voting))
        for place, vote in enumerate(outcome.votes) if vote.voting in ('weighted', 'greedy')]
    return columns


def _weight_text(vote: 'Vote', place: int) -> str:
    if vote.counts is not None:
        return f'{vote.counts[place]}/{vote.counts.sum()}'
    return f'{vote.weights[place]:.3f}'


def _correlation_text(value: float) -> str:
    return UNKNOWN if value != value else f'{value:+.2f}'
