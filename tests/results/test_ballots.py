"""Which runs may vote together, and what is said about those that may not."""

import numpy as np
import pytest
from forecast_folders import write_forecaster
from run_folders import FLOWERS
from vote_folders import labels_of, probabilities_of, store, write_member

from amlnn.errors import DataError
from amlnn.results.ballots import read_ballots, read_members, same_images
from amlnn.results.ensembles import hold_votes


@pytest.fixture
def pair(tmp_path):
    return [write_member(tmp_path, 'one', seed=1), write_member(tmp_path, 'two', seed=2)]


def ballots_of(folders, split='test'):
    return read_ballots(read_members(folders)[0], split)


def refused(folders, split='test') -> DataError:
    with pytest.raises(DataError) as caught:
        ballots_of(folders, split)
    assert caught.value.hint
    return caught.value


def test_images_in_another_order_are_put_side_by_side(pair):
    plain = ballots_of(pair)
    labels, order = labels_of('test'), np.random.default_rng(0).permutation(150)
    ids = np.array([f'test_set/{n}.jpg' for n in range(150)])
    store(pair[1], 'test', plain.probs[1][order], labels[order], id=ids[order])
    again = ballots_of(pair)
    np.testing.assert_array_equal(again.probs, plain.probs)
    np.testing.assert_array_equal(again.labels, plain.labels)
    assert again.ids.tolist() == plain.ids.tolist() == ids.tolist()


def test_classes_in_another_order_are_put_into_the_first_members(pair):
    plain = ballots_of(pair)
    order = np.array([3, 1, 4, 0, 2])
    place = np.argsort(order)
    store(pair[1], 'test', plain.probs[1][:, order], place[labels_of('test')],
          classes=np.array(FLOWERS)[order])
    again = ballots_of(pair)
    np.testing.assert_array_equal(again.probs, plain.probs)
    np.testing.assert_array_equal(again.labels, plain.labels)
    assert again.classes == FLOWERS


def test_other_images_are_an_error_that_names_both_runs_and_the_first_ids(pair):
    labels = labels_of('test', 148)
    store(pair[1], 'test', probabilities_of(labels, 1, 0), labels, id=np.array(
        [f'test_set/{n}.jpg' for n in range(147)] + ['other/x.jpg']))
    said = refused(pair).message
    assert 'one/' in said and 'two/' in said and '`test`, 148 and 150' in said
    assert '1 only the former has (other/x.jpg)' in said
    assert '3 only the latter has (test_set/147.jpg, test_set/148.jpg, test_set/149.jpg)' in said
    members, _ = read_members(pair)
    assert not same_images(members, 'test') and same_images(members, 'val')


def test_other_labels_are_an_error_that_names_the_images_and_both_labels(pair):
    labels = labels_of('test').copy()
    labels[7] = (labels[7] + 1) % 5
    store(pair[1], 'test', probabilities_of(labels, 1, 0), labels)
    said = refused(pair).message
    mine, theirs = FLOWERS[labels[7]], FLOWERS[labels_of('test')[7]]
    assert '1 of 150 images' in said and f'test_set/7.jpg ({mine} and {theirs})' in said


@pytest.mark.parametrize(('classes', 'words'), [
    (['daisy', 'dandelion', 'rose', 'sunflower', 'lily'], ['two/', 'has lily', 'has tulip']),
    (['daisy', 'dandelion', 'rose', 'sunflower', 'daisy'], ['different classes', 'has tulip'])])
def test_other_classes_are_an_error_that_names_them(pair, classes, words):
    labels = labels_of('test') % 4
    store(pair[1], 'test', probabilities_of(labels, 1, 0), labels, classes=np.array(classes))
    said = refused(pair).message
    assert all(word in said for word in words)


def test_a_network_of_more_classes_by_wordnet_numbers_says_which_of_the_others_it_is(tmp_path):
    """As one of ImageNet's 1000 beside those that were fine-tuned to some of them."""
    labels = np.array([0, 1, 1, 0])
    few = ['n01443537 goldfish', 'n02056570 king penguin']
    many = ['n01440764 tench', 'n02056570 penguin', 'n01443537 goldfish, Carassius', 'n03444034 x']
    wide, narrow = (write_member(tmp_path, name, splits=()) for name in ('wide', 'narrow'))
    wide_probs = np.array([[0.5, 0.1, 0.3, 0.1], [0, 0.2, 0.2, 0.6], [1, 0, 0, 0],
                           [0.1, 0.4, 0.4, 0.1]], np.float32)
    store(wide, 'test', wide_probs, np.array([2, 1, 1, 2]), classes=np.array(many))
    store(narrow, 'test', np.full((4, 2), 0.5, np.float32), labels, classes=np.array(few))
    ballots = ballots_of([wide, narrow])
    assert ballots.classes == few and ballots.labels.tolist() == labels.tolist()
    np.testing.assert_allclose(ballots.probs[0], [[0.75, 0.25], [0.5, 0.5], [0.5, 0.5],
                                                  [0.5, 0.5]])
    notes = hold_votes(read_members([wide, narrow])[0]).notes
    assert any('wide knows 4 classes' in note and 'among the 2' in note for note in notes)
    store(wide, 'test', wide_probs, np.array([0, 1, 1, 2]), classes=np.array(many))
    assert '(n01440764 tench and n01443537 goldfish)' in refused([wide, narrow]).message
    store(narrow, 'test', np.full((4, 2), 0.5, np.float32), labels,
          classes=np.array(['n01443537 goldfish', 'n09999999 other']))
    assert 'only `narrow/' in refused([wide, narrow]).message


def test_one_class_more_is_an_error_where_nothing_says_what_the_names_mean(pair):
    store(pair[1], 'test', probabilities_of(labels_of('test'), 1, 0, 6),
          classes=np.array([*FLOWERS, 'lily']))
    said = refused(pair).message
    assert 'different classes, 6 and 5' in said and 'only `two/' in said and 'has lily' in said


def test_equal_names_twice_among_the_classes_are_fine_in_one_order_and_refused_in_two(pair):
    names = np.array(['crane', 'crane', 'a', 'b', 'c'])
    for folder in pair:
        store(folder, 'test', probabilities_of(labels_of('test'), 1, 0), classes=names)
    assert ballots_of(pair).classes == names.tolist()
    store(pair[1], 'test', probabilities_of(labels_of('test'), 1, 0), classes=names[::-1])
    assert 'several have one name' in refused(pair).message


def test_an_image_that_is_there_twice_is_an_error_that_names_it(pair):
    ids = np.array([f'{n}.jpg' for n in range(150)])
    ids[3] = ids[4]
    store(pair[0], 'test', probabilities_of(labels_of('test'), 1, 0), id=ids)
    assert 'more than once: 4.jpg' in refused(pair).message


@pytest.mark.parametrize('probs', [
    np.full((150, 5), 0.9, np.float32), np.full((150, 5), 0.0, np.float32),
    np.tile(np.array([1.5, -0.5, 0, 0, 0], np.float32), (150, 1))])
def test_scores_that_are_no_probabilities_are_refused(pair, probs):
    store(pair[1], 'test', probs)
    assert 'no probabilities' in refused(pair).message


def test_values_that_are_not_finite_and_half_a_file_are_refused(pair):
    store(pair[1], 'test', np.full((150, 5), np.nan, np.float32))
    assert 'not finite' in refused(pair).message
    file = pair[1] / 'predictions_test.npz'
    file.write_bytes(file.read_bytes()[:300])
    assert 'half written' in refused(pair).message and str(file) in refused(pair).message


def test_a_run_without_predictions_is_answered_with_the_command_that_stores_them(pair):
    (pair[1] / 'predictions_test.npz').unlink()
    (pair[1] / 'best.pth').touch()
    error = refused(pair)
    assert 'two/' in error.message and '`test`' in error.message
    assert error.hint == (f'python tools/test.py {pair[1]}/config.py {pair[1]}/best.pth '
                          '--split test')


def test_a_network_that_was_not_trained_is_tested_by_the_word_pretrained(tmp_path, pair):
    bare = write_member(tmp_path, 'bare', splits=(), epochs=0, pretrained='torchvision://x')
    assert refused([*pair, bare]).hint == (f'python tools/test.py {bare}/config.py pretrained '
                                           '--split test')


def test_one_run_is_no_vote_however_often_it_is_given(pair):
    (pair[0].parent / 'latest').symlink_to(pair[0].name)
    for paths in ([pair[0]], [pair[0], pair[0]], [pair[0], pair[0].parent / 'latest']):
        with pytest.raises(DataError, match='needs two members, and 1 is given: `one/') as caught:
            read_members(paths)
        assert 'counts once' in caught.value.hint


def test_a_forecaster_does_not_vote(tmp_path, pair):
    forecaster = write_forecaster(tmp_path / 'work_dirs' / 'gru')
    with pytest.raises(DataError, match='is a run of forecasting'):
        read_members([*pair, forecaster])


def test_seeds_of_one_config_are_told_apart_and_what_did_not_finish_is_said(tmp_path):
    write_member(tmp_path, 'one', seed=1)
    write_member(tmp_path, 'one', seed=2)
    write_member(tmp_path, 'two', seed=1, status='interrupted')
    members, notes = read_members([tmp_path / 'work_dirs'])
    assert [member.title for member in members] == ['one, seed 1', 'one, seed 2', 'two']
    assert len(notes) == 1 and 'two/' in notes[0] and 'interrupted' in notes[0]
