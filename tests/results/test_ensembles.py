"""Validation chooses, another split judges; where there is none, no image judges its own choice."""

import numpy as np
import pytest
from run_folders import test_record as tested
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score
from vote_folders import labels_of, probabilities_of, store, write_member

from amlnn.errors import DataError
from amlnn.formulas.folds import stratified_folds
from amlnn.formulas.votes import fitted_weights, greedy_counts, soft_vote
from amlnn.records import write_record
from amlnn.results.ballots import read_members
from amlnn.results.ensembles import VOTINGS, hold_votes


@pytest.fixture
def folders(tmp_path):
    """Three members, the second the best."""
    return [write_member(tmp_path, name, sure, seed)
            for seed, (name, sure) in enumerate([('one', 1.2), ('two', 1.7), ('three', 1.4)])]


def outcome_of(folders, votings=VOTINGS, split=None):
    return hold_votes(read_members(folders)[0], votings, split)


def test_scores_of_members_and_votes_are_scikit_learns(folders):
    outcome = outcome_of(folders)
    labels = labels_of('test')
    assert outcome.ballots.split == 'test' and not outcome.crossed
    rows = [*zip(outcome.member_scores, outcome.ballots.probs, strict=True),
            *((vote.scores, vote.probs) for vote in outcome.votes)]
    assert len(rows) == 3 + 4
    for scores, probs in rows:
        assert scores.top1 == pytest.approx(100 * accuracy_score(labels, probs.argmax(axis=1)))
        assert scores.top5 is None  # of five classes
        if scores.log_loss is not None:
            assert scores.log_loss == pytest.approx(log_loss(labels, probs), rel=1e-5)
    assert [vote.scores.log_loss is None for vote in outcome.votes] == [False, True, False, False]


def test_among_more_than_five_classes_top_5_is_shown(tmp_path):
    labels = np.arange(60) % 12
    folders = [write_member(tmp_path, name, splits=(), seed=seed)
               for seed, name in enumerate(['one', 'two'])]
    for seed, folder in enumerate(folders):
        store(folder, 'test', probabilities_of(labels, 1, seed, 12), labels,
              classes=np.array([f'c{k:02d}' for k in range(12)]))
    outcome = outcome_of(folders, ['soft'])
    expected = top_k_accuracy_score(labels, outcome.votes[0].probs, k=5)
    assert outcome.votes[0].scores.top5 == pytest.approx(100 * expected)


def test_weights_selection_and_the_best_member_come_from_validation_alone(folders):
    outcome = outcome_of(folders)
    labels = labels_of('val')
    probs = np.stack([np.load(folder / 'predictions_val.npz')['prob'] for folder in folders])
    _, _, weighted, greedy = outcome.votes
    np.testing.assert_allclose(weighted.weights, fitted_weights(probs[:, np.arange(150), labels]))
    np.testing.assert_array_equal(greedy.counts, greedy_counts(probs, labels))
    np.testing.assert_allclose(greedy.weights, greedy.counts / greedy.counts.sum())
    accuracy = [100 * accuracy_score(labels, each.argmax(axis=1)) for each in probs]
    assert outcome.chosen_by == pytest.approx(accuracy)
    assert outcome.best == int(np.argmax(accuracy))
    before = [vote.weights.tolist() for vote in outcome.votes]
    store(folders[0], 'test', probabilities_of(labels_of('test'), 9, 1))  # best on test
    after = outcome_of(folders)
    assert [vote.weights.tolist() for vote in after.votes] == before
    assert after.best == outcome.best != 0


def test_the_gain_is_over_the_member_that_validation_chose_and_its_interval_holds_it(folders):
    store(folders[0], 'test', probabilities_of(labels_of('test'), 9, 1))
    outcome = outcome_of(folders)
    assert outcome.best == 1  # though the first is better on test
    for vote in outcome.votes:
        expected = vote.scores.top1 - outcome.member_scores[1].top1
        assert vote.gain.value == pytest.approx(expected)
        assert vote.gain.low <= expected <= vote.gain.high and vote.gain.low < vote.gain.high


@pytest.mark.parametrize('voting', VOTINGS)
def test_with_one_split_no_image_is_judged_by_what_it_helped_to_choose(folders, voting):
    for folder in folders:
        (folder / 'predictions_val.npz').unlink()
    outcome = outcome_of(folders, [voting])
    labels, probs = outcome.ballots.labels, outcome.ballots.probs
    assert outcome.crossed and outcome.fitted_on == 'test' and outcome.chosen_by is None
    folds = stratified_folds(labels, 5)
    expected = np.zeros((150, 5))
    rival = np.zeros(150, bool)
    for fold in range(5):
        seen, judged = folds != fold, folds == fold
        weights = {'soft': [1, 1, 1], 'hard': [1, 1, 1],
                   'weighted': fitted_weights(probs[:, seen][:, np.arange(seen.sum()),
                                                             labels[seen]]),
                   'greedy': greedy_counts(probs[:, seen], labels[seen])}[voting]
        expected[judged] = soft_vote(probs[:, judged], weights)
        right = outcome.ballots.correct
        rival[judged] = right[right[:, seen].mean(axis=1).argmax(), judged]
    vote, = outcome.votes
    if voting != 'hard':
        np.testing.assert_allclose(vote.probs, expected, rtol=1e-5)
    right = vote.probs.argmax(axis=1) == labels
    assert vote.gain.value == pytest.approx(100 * (right.mean() - rival.mean()))


def test_choosing_among_guessers_gains_nothing_where_it_would_seem_to_on_the_same_images(tmp_path):
    labels = labels_of('val')
    folders = []
    for seed in range(9):
        folders.append(write_member(tmp_path, f'guess{seed}', splits=(), seed=seed))
        store(folders[-1], 'val', probabilities_of(labels, 0, seed), labels)
    outcome = outcome_of(folders, ['greedy'])
    vote, = outcome.votes
    flattered = soft_vote(outcome.ballots.probs, vote.weights).argmax(axis=1) == labels
    assert 100 * flattered.mean() > vote.scores.top1 + 4
    assert vote.scores.top1 < 30  # a fifth is chance
    assert any('Only val is there' in note for note in outcome.notes)
    assert any('best epoch' in note for note in outcome.notes)


def test_where_one_member_lacks_test_predictions_val_judges_and_the_command_is_said(folders):
    (folders[1] / 'predictions_test.npz').unlink()
    outcome = outcome_of(folders, ['soft'])
    assert outcome.ballots.split == 'val' and outcome.crossed
    assert any('two has no predictions of test: python tools/test.py' in note
               for note in outcome.notes)
    with pytest.raises(DataError, match=r'two/.* has no stored predictions of `test`'):
        outcome_of(folders, ['soft'], 'test')
    (folders[0] / 'predictions_val.npz').unlink()
    with pytest.raises(DataError, match=r'two/.* has no stored predictions of `test`') as caught:
        outcome_of(folders, ['soft'])
    assert 'python tools/test.py' in caught.value.hint


def test_members_with_other_validation_images_are_judged_on_test_fold_by_fold(folders):
    """As those of a cross-validation are, each of which has another part to validate on."""
    labels = labels_of('val')
    store(folders[1], 'val', probabilities_of(labels, 1, 0), labels,
          id=np.array([f'training_set/{n}.jpg' for n in range(150)]))
    outcome = outcome_of(folders, ['weighted'])
    assert outcome.crossed and outcome.ballots.split == 'test'
    assert any('not the same validation images' in note for note in outcome.notes)
    with pytest.raises(DataError, match='not the same images of `val`'):
        outcome_of(folders, ['weighted'], 'val')


def test_a_single_image_cannot_choose_and_judge(tmp_path):
    folders = [write_member(tmp_path, name, splits=()) for name in ('one', 'two')]
    for folder in folders:
        store(folder, 'val', np.full((1, 5), 0.2, np.float32), np.array([3]))
    with pytest.raises(DataError, match='val has one image') as caught:
        outcome_of(folders)
    assert '--split test' in caught.value.hint


def test_errors_that_are_made_together_are_counted(tmp_path):
    folders = [write_member(tmp_path, name, splits=()) for name in ('one', 'two', 'three')]
    labels = np.array([0, 1, 2, 3, 4, 0, 1, 2])
    answers = [[0, 1, 2, 3, 0, 1, 1, 2], [0, 1, 2, 0, 0, 1, 1, 2], [1, 1, 2, 3, 0, 0, 1, 2]]
    for folder, said in zip(folders, answers, strict=True):
        store(folder, 'val', (0.6 * np.eye(5)[said] + 0.08).astype(np.float32), labels)
    outcome = outcome_of(folders, ['hard'])
    assert outcome.all_wrong == 1  # the fifth image
    assert outcome.both_wrong[0].tolist() == [2 / 8, 2 / 8, 1 / 8]
    assert outcome.votes[0].scores.top1 == pytest.approx(100 * 6 / 8)


def test_views_that_are_averaged_on_one_split_alone_and_twins_are_said(folders):
    write_record(folders[0] / 'test_test.json', tested(tta=True))
    for split in ('val', 'test'):
        (folders[2] / f'predictions_{split}.npz').write_bytes(
            (folders[1] / f'predictions_{split}.npz').read_bytes())
    notes = outcome_of(folders, ['soft']).notes
    assert 'one averages over views (--tta) on test alone.' in notes
    assert 'three predicts what two does, to the bit.' in notes


def test_the_same_runs_give_the_same_outcome(folders):
    first, again = outcome_of(folders), outcome_of(folders)
    assert [vote.gain for vote in first.votes] == [vote.gain for vote in again.votes]
