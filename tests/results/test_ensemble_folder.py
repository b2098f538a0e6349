"""A vote is a run folder: what is in it is what was judged, and every reader of runs takes it."""

import json

import numpy as np
import pytest
from vote_folders import write_member

from amlnn.records import read_run, read_test
from amlnn.results.ballots import read_members
from amlnn.results.ensemble_folder import read_ensemble, write_ensemble
from amlnn.results.ensembles import hold_votes
from amlnn.results.store import find_runs
from amlnn.results.summary import compare


@pytest.fixture
def folders(tmp_path):
    return [write_member(tmp_path, name, sure, seed)
            for seed, (name, sure) in enumerate([('one', 1.4), ('two', 1.7), ('three', 1.5)])]


@pytest.fixture
def outcome(folders):
    return hold_votes(read_members(folders)[0])


@pytest.fixture
def written(tmp_path, outcome):
    """The folder of each way to vote."""
    parent = tmp_path / 'work_dirs' / 'ensemble'
    return {vote.voting: write_ensemble(outcome, vote, parent, ['tools/ensemble.py', 'x'])
            for vote in outcome.votes}


def test_predictions_records_and_table_agree(outcome, written):
    for vote in outcome.votes:
        folder = written[vote.voting]
        run, = find_runs([folder])
        predictions, tested = run.predictions('test'), read_test(folder / 'test_test.json')
        np.testing.assert_array_equal(predictions.probs, vote.probs)
        assert predictions.ids.tolist() == outcome.ballots.ids.tolist()
        assert 100 * predictions.correct.mean() == pytest.approx(vote.scores.top1)
        assert tested.metrics == {'accuracy/top1': vote.scores.top1}
        assert (tested.loss, tested.samples) == (vote.scores.log_loss, 150)
        record = read_run(folder)
        assert (record.config_name, record.status) == (f'ensemble_{vote.voting}', 'done')
        assert record.kind == 'classification' and record.epochs == []
        assert record.total_parameters == 23518277 * np.count_nonzero(vote.weights)
        np.testing.assert_allclose(predictions.probs.sum(axis=1), 1, atol=1e-6)


def test_its_config_says_members_and_weights_and_what_they_were_fitted_on(
        outcome, written, folders):
    found = read_ensemble(find_runs([written['weighted']])[0])
    assert (found.voting, found.judged_on, found.fitted_on) == ('weighted', 'test', 'val')
    assert [member.title for member in found.members] == ['one', 'two', 'three']
    assert [member.run for member in found.members] == [str(folder) for folder in folders]
    assert [member.weight for member in found.members] == outcome.votes[2].weights.tolist()
    assert read_ensemble(find_runs([folders[0]])[0]) is None


@pytest.mark.parametrize('text', ["ensemble = dict(voting='soft')", "ensemble = 3", 'model = (',
                                  "ensemble = dict(voting='soft', members=[3], x=1)"])
def test_a_config_that_was_changed_since_is_not_taken_for_one(written, text):
    (written['soft'] / 'config.py').write_text(text)
    assert read_ensemble(find_runs([written['soft']])[0]) is None


def test_a_comparison_has_the_votes_beside_their_members(written, folders, outcome):
    summary, = compare(find_runs([*folders, *written.values()]))
    assert summary.split == 'test'
    assert [row.name for row in summary.rows] == [
        'one', 'two', 'three', 'ensemble_soft', 'ensemble_hard', 'ensemble_weighted',
        'ensemble_greedy']
    assert summary.rows[3].value == pytest.approx(outcome.votes[0].scores.top1)
    assert summary.rows[3].difference.method == 'paired'
    assert not [note for note in summary.notes if 'predictions_test.npz' in note]


def test_the_newest_is_found_by_its_link_and_no_vote_votes_again(tmp_path, written):
    latest = tmp_path / 'work_dirs' / 'ensemble' / 'latest'
    assert latest.resolve() == written['greedy']
    members, notes = read_members([tmp_path / 'work_dirs'])
    assert [member.title for member in members] == ['one', 'three', 'two']
    assert len(notes) == 1 and '4 runs that are votes' in notes[0]


def test_the_record_is_of_the_schema_that_others_have(written, folders):
    mine, other = (json.loads((folder / 'run.json').read_text())
                   for folder in (written['soft'], folders[0]))
    assert mine.keys() == other.keys() and mine['schema_version'] == other['schema_version']
