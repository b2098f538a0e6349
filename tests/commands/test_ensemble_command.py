"""tools/ensemble.py: one table, notes, run folders, and two lines for a mistake."""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from run_folders import test_record as tested
from tiny_runs import write_tiny_config
from vote_folders import labels_of, probabilities_of, store, write_member

from amlnn.records import read_run, read_test, write_record
from amlnn.report.votes import votes_table
from amlnn.results.ballots import read_members
from amlnn.results.ensembles import hold_votes


@pytest.fixture
def folders():
    """In the working folder, as a user has them."""
    found = [write_member(Path(), name, sure, seed)
             for seed, (name, sure) in enumerate([('one', 1.4), ('two', 1.7), ('three', 1.5)])]
    for folder in found:
        write_record(folder / 'test_test.json', tested(samples=150))
    return found


def cells(shown: str, name: str) -> list[str]:
    """The row of the first table that begins with a name."""
    line = next(line for line in shown.splitlines() if line.startswith(f' {name} '))
    return line.removeprefix(f' {name} ').split()


def test_members_and_votes_stand_in_one_table_and_every_vote_gets_a_run_folder(folders, run_tool):
    status, shown, errors = run_tool('ensemble', 'work_dirs')
    assert (status, errors) == (0, '')
    outcome = hold_votes(read_members(folders)[0])
    for place, name in enumerate(['one', 'two', 'three']):
        at = {'one': 1, 'three': 2, 'two': 3}[name]
        best = ' (best)' if place == outcome.best else ''
        assert cells(shown, f'{at} {name}{best}')[:2] == [
            f'{outcome.chosen_by[place]:.2f}', f'{outcome.member_scores[place].top1:.2f}']
    for vote in outcome.votes:
        row = cells(shown, f'{vote.voting} vote')
        assert row[0] == f'{vote.scores.top1:.2f}' and row[2] == f'{vote.gain.value:+.2f}'
        assert row[3:] == [f'{vote.gain.low:+.2f}', 'to', f'{vote.gain.high:+.2f}']
    written = re.findall('^written: (.*)$', shown, flags=re.MULTILINE)
    assert [read_run(folder).config_name for folder in written] == [
        'ensemble_soft', 'ensemble_hard', 'ensemble_weighted', 'ensemble_greedy']
    assert all(folder.startswith('work_dirs/ensemble/') for folder in written)
    assert f'All members err on {outcome.all_wrong} of 150 images' in shown


def test_one_way_to_vote_one_split_and_another_folder_can_be_asked_for(folders, run_tool):
    status, shown, _ = run_tool('ensemble', '--voting', 'greedy', '--split', 'val', '--out',
                                'elsewhere', *folders)
    assert status == 0 and 'greedy vote' in shown and 'soft vote' not in shown
    folder = Path('elsewhere/latest')
    assert read_test(folder / 'test_val.json').split == 'val'
    assert 'Only val is there to choose and to judge' in shown
    assert not Path('work_dirs/ensemble').exists()


def forecasting(folder: Path) -> None:
    record = read_run(folder)
    record.kind = 'forecasting'
    write_record(folder / 'run.json', record)


@pytest.mark.parametrize(('change', 'words'), [
    (lambda folder: (folder / 'predictions_test.npz').write_bytes(b'PK\x03\x04'), 'half written'),
    (lambda folder: store(folder, 'test', np.full((150, 5), np.nan, np.float32)), 'not finite'),
    (lambda folder: store(folder, 'test', probabilities_of(labels_of('test', 3), 1, 0),
                          labels_of('test', 3)), 'not the same images'),
    (lambda folder: [path.unlink() for path in folder.glob('*.npz')],
     'has no stored predictions of `test`'),
    (forecasting, 'is a run of forecasting')])
def test_what_cannot_vote_is_two_lines_and_nothing_is_written(folders, run_tool, change, words):
    change(folders[1])
    status, shown, errors = run_tool('ensemble', *folders)
    assert (status, shown) == (2, '')
    error, hint = errors.splitlines()
    assert error.startswith('error: ') and words in error and 'two/' in error
    assert hint.startswith('hint: ') and len(hint) > len('hint: ')
    assert not Path('work_dirs/ensemble').exists()


@pytest.mark.parametrize('words', [['work_dirs/one'], ['nowhere'], [], ['empty'],
                                   ['work_dirs', '--voting', 'loud']])
def test_a_command_line_without_two_members_or_a_way_to_vote_is_two_lines(folders, run_tool, words):
    Path('empty').mkdir()
    status, _, errors = run_tool('ensemble', *words)
    assert status == 2
    error, hint = errors.splitlines()
    assert error.startswith('error: ') and hint.startswith('hint: ')


def test_on_a_narrow_terminal_columns_are_left_out_and_said(folders):
    outcome = hold_votes(read_members(folders)[0])
    table, dropped = votes_table(outcome, 80)
    printed = io.StringIO()
    Console(width=80, file=printed).print(table)
    text = printed.getvalue()
    assert '…' not in text and 'soft vote' in text
    assert dropped == ['top-1 (val, chooses)', 'weight (weighted)', 'weight (greedy)']
    assert votes_table(outcome, 1000)[1] == []


def test_a_report_shows_a_vote_beside_its_members_and_who_they_are(folders, run_tool):
    assert run_tool('ensemble', *folders, '--voting', 'hard')[0] == 0
    status, shown, errors = run_tool('report', *folders, 'work_dirs/ensemble', '--out', 'page')
    assert (status, errors) == (0, '') and 'ensemble_hard' in shown
    page = Path('page/index.html').read_text()
    assert 'Hard vote of 3 members, judged on test.' in page
    section = page[page.index('id="04_ensemble_hard"'):]
    assert all(f'<td>work_dirs/{name}/' in section for name in ('one', 'two', 'three'))
    assert section.count('<td class="number">0.333</td>') == 3
    names = {path.name for path in Path('page').iterdir()}
    assert {'04_ensemble_hard_confusion.png', '04_ensemble_hard_reliability.png'} <= names
    assert '04_ensemble_hard_curves.png' not in names  # nothing was trained
    assert 'Hard vote of 3 members' in Path('page/report.md').read_text()


def test_networks_of_other_configs_and_averaged_views_vote_on_the_same_images(
        tmp_path, data_set, run_tool):
    from amlnn.engine.train import TrainOptions, train
    runs = []
    for name, text in (('plain', ''), ('wide', 'model = dict(backbone=dict(depth=34))')):
        config = write_tiny_config(tmp_path / f'{name}.py', data_set, text, epochs=1)
        runs.append(train(TrainOptions(config, device='cpu')))
        views = ['--tta'] if name == 'wide' else []
        status, _, errors = run_tool('test', config, runs[-1] / 'best.pth', *views)
        assert status == 0, errors
    plain, views = (np.load(run / 'predictions_test.npz') for run in runs)
    assert read_test(runs[1] / 'test_test.json').tta
    status, shown, errors = run_tool('ensemble', *runs, '--voting', 'soft')
    assert status == 0, errors
    voted = np.load('work_dirs/ensemble/latest/predictions_test.npz')
    np.testing.assert_allclose(voted['prob'], (plain['prob'] + views['prob']) / 2, atol=1e-6)
    assert voted['id'].tolist() == plain['id'].tolist()
    assert 'wide averages over views (--tta) on test alone.' in shown
