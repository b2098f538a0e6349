"""What the page says of a run that is a vote."""

from typing import TYPE_CHECKING

from amlnn.report.blocks import Block, Heading, Table, Text
from amlnn.results.ensemble_folder import Ensemble, read_ensemble

if TYPE_CHECKING:
    from amlnn.results.store import StoredRun

__all__ = ['ensemble_blocks', 'ensemble_text']


def ensemble_text(run: 'StoredRun') -> str | None:
    """A vote in one sentence; None for a run that is none."""
    vote = read_ensemble(run)
    if vote is None:
        return None
    fitted = '' if vote.voting in ('soft', 'hard') else ', ' + (
        f'weights fitted on {vote.fitted_on}' if vote.fitted_on != vote.judged_on
        else 'each part of the images judged by weights fitted on the others')
    return (f'{vote.voting.capitalize()} vote of {len(vote.members)} members, judged on '
            f'{vote.judged_on}{fitted}.')


def ensemble_blocks(run: 'StoredRun') -> list[Block]:
    """The members of a vote; empty for a run that is none."""
    vote = read_ensemble(run)
    if vote is None:
        return []
    return [Heading('Members'), *_hard_text(vote), Table(
        ['member', 'run', 'weight'],
        [[each.title, each.run, f'{each.weight:.3f}'] for each in vote.members], text_columns=2)]


def _hard_text(vote: Ensemble) -> list[Block]:
    if vote.voting != 'hard':
        return []
    return [Text('One vote a member; of classes with equally many the one with the largest mean '
                 'probability. The probabilities of this run are (votes + mean probability) / '
                 '(members + 1).', 'quiet')]
