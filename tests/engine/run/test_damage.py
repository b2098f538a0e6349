"""Files of a run that were damaged, lost or cut: noticed, named, and gone on without."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from exact_resume import assert_equal, contents
from generated import write_series, write_series_config
from tiny_runs import write_tiny_config

from amlnn.engine.run.hooks import EpochHook
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import CheckpointError
from amlnn.records import read_run
from amlnn.sealed import damage, seal, sealed_as


@pytest.fixture(scope='module', params=['images', 'series'])
def config(request, tmp_path_factory, data_set):
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == 'images':
        return write_tiny_config(folder / 'c.py', data_set, epochs=4)
    return write_series_config(folder / 'c.py', write_series(folder / 's.csv'), epochs=4)


@pytest.fixture(scope='module')
def whole(config, tmp_path_factory):
    return train(TrainOptions(config, work_dir=tmp_path_factory.mktemp('whole'), device='cpu'))


@pytest.fixture(scope='module')
def stopped(config, tmp_path_factory):
    """A run that ended before its fourth epoch was recorded; nothing may write into it."""
    original = EpochHook.after_epoch_metrics

    def stopping(hook, runner, metrics):
        if runner.epoch == 4:
            raise KeyboardInterrupt
        return original(hook, runner, metrics)

    work_dir = tmp_path_factory.mktemp('stopped')
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(EpochHook, 'after_epoch_metrics', stopping)
        train(TrainOptions(config, work_dir=work_dir, device='cpu'))
    return (work_dir / 'latest').resolve()


@pytest.fixture
def run(stopped, tmp_path):
    shutil.copytree(stopped, tmp_path / 'w' / stopped.name)
    return tmp_path / 'w' / stopped.name


def flip(path: Path, place: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int((len(content) - 1) * place)] ^= 4
    path.write_bytes(content)


def empty(path: Path) -> None:
    path.write_bytes(b'')


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


def lose(path: Path) -> None:
    path.unlink()


def wrong_encoding(path: Path) -> None:
    path.write_bytes(b'\xff\xfe\x00' + path.read_bytes())


def other_shape(path: Path) -> None:
    path.write_text('[[1, {"epochs": "many", "file": 3}]]')


def no_object(path: Path) -> None:
    path.write_text('7\n')


DAMAGES = [empty, cut, lose, wrong_encoding, other_shape, no_object]


@pytest.mark.parametrize('damaging', DAMAGES, ids=lambda each: each.__name__)
@pytest.mark.parametrize('name', ['run.json', 'checkpoints/manifest.json', 'scalars.jsonl',
                                  'config.py'])
def test_a_run_with_a_damaged_file_ends_like_the_whole_one_and_says_so(
        name, damaging, config, whole, run, capsys):
    damaging(run / name)
    train(TrainOptions(config, work_dir=run.parent, resume=str(run), device='cpu'))
    said = capsys.readouterr().out
    assert 'resumed after epoch 3' in said
    expected, found = contents(whole), contents(run)
    if name == 'scalars.jsonl':
        assert 'scalars.jsonl' in said
        assert found[2][-1] == expected[2][-1]
        expected, found = (*expected[:2], expected[3]), (*found[:2], found[3])
    if name == 'run.json':
        assert 'run.json' in said
    assert_equal(expected, found)
    assert read_run(run).status == 'done'
    assert [entry['epoch'] for entry in
            json.loads((run / 'checkpoints/manifest.json').read_text())] == [3, 4]


@pytest.mark.parametrize('damaging', [flip, empty, cut, lose], ids=lambda each: each.__name__)
@pytest.mark.parametrize('names', [['epoch_0003.pth'], ['epoch_0003.pth', 'epoch_0002.pth'],
                                   ['epoch_0002.pth']], ids=' '.join)
def test_the_newest_sound_checkpoint_is_gone_on_with(names, damaging, config, whole, run, capsys):
    for name in names:
        damaging(run / 'checkpoints' / name)
    best = torch.load(run / 'best.pth', weights_only=True)['meta']['epoch']
    train(TrainOptions(config, work_dir=run.parent, resume=str(run), device='cpu'))
    said = capsys.readouterr().out
    left = max({f'epoch_{epoch:04d}.pth': epoch for epoch in (2, 3)
                if f'epoch_{epoch:04d}.pth' not in names}.values(), default=best)
    assert f'resumed after epoch {left}' in said
    if damaging is not lose and 'epoch_0003.pth' in names:
        assert 'epoch_0003.pth` is damaged' in said or 'cannot be read' in said
    assert_equal(contents(whole)[:2], contents(run)[:2])


@pytest.mark.parametrize('damaging', [flip, empty, cut, lose], ids=lambda each: each.__name__)
def test_a_damaged_best_checkpoint_is_made_again(damaging, config, whole, run, capsys):
    best = read_run(run).best_epoch
    kept = (run / f'checkpoints/epoch_{best:04d}.pth').is_file()
    damaging(run / 'best.pth')
    train(TrainOptions(config, work_dir=run.parent, resume=str(run), device='cpu'))
    said, record = capsys.readouterr().out, read_run(run)
    stored = torch.load(run / 'best.pth', weights_only=True)
    assert stored['meta']['epoch'] == record.best_epoch
    if kept or read_run(whole).best_epoch == 4:
        assert record.best_epoch == read_run(whole).best_epoch
    if not kept:
        assert f'weights of epoch {best}' in said and record.lost_epochs == [best]


def test_damaged_predictions_are_made_again_to_the_bit(config, whole, run):
    before = read_run(run).best_epoch
    if read_run(whole).best_epoch != before:
        pytest.skip('a later epoch is better, and writes its own')
    empty(run / 'predictions_val.npz')
    train(TrainOptions(config, work_dir=run.parent, resume=str(run), device='cpu'))
    assert (run / 'predictions_val.npz').read_bytes() == \
        (whole / 'predictions_val.npz').read_bytes()


@pytest.mark.parametrize('place', [0.01, 0.2, 0.4, 0.6, 0.8, 0.97])
def test_a_flipped_bit_in_a_checkpoint_is_named_by_whoever_reads_it(
        place, config, whole, tmp_path, run_tool):
    shutil.copytree(whole, tmp_path / 'run')
    best = tmp_path / 'run/best.pth'
    flip(best, place)
    for arguments in [('test', config, best), ('train', config, '--pretrained', best)]:
        status, _, errors = run_tool(*arguments)
        assert status == 2, errors
        first, second = errors.strip().splitlines()[-2:]
        if arguments[0] == 'test' or 'series' not in str(config.parent):
            assert first.startswith('error:') and 'best.pth` is damaged' in first
        assert second.startswith('hint:')


def test_an_empty_record_in_a_newer_folder_does_not_block_an_older_sound_run(
        config, whole, run, capsys):
    newer = run.parent / '29991231T000000Z-00000000'
    newer.mkdir()
    (newer / 'run.json').write_bytes(b'')
    train(TrainOptions(config, work_dir=run.parent, resume='', device='cpu'))
    assert_equal(contents(whole)[:2], contents(run)[:2])
    assert str(newer) in capsys.readouterr().out


def test_a_folder_without_a_run_is_taken_away_by_the_next_start_and_one_that_begins_is_not(
        config, tmp_path):
    from amlnn.run_folder import begin_run_folder
    beginning, lock = begin_run_folder(tmp_path / 'w', '', '20200101T000000Z-00000001')
    dead = tmp_path / 'w/20200101T000000Z-00000000'
    dead.mkdir()
    (dead / 'config.py').write_text('')
    mine = tmp_path / 'w/photographs'
    mine.mkdir()
    with lock:
        folder = train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu',
                                    cfg_options=['train_cfg.max_epochs=1']))
    assert not dead.exists() and mine.is_dir() and beginning.is_dir() and folder.is_dir()


def test_what_a_killed_save_left_is_taken_away(config, run):
    left = [run / '.run.123.0a1b2c3d.json', run / 'checkpoints/.epoch_0004.123.0a1b2c3d.pth']
    for path in left:
        path.write_bytes(b'half')
    (run / 'own').mkdir()
    train(TrainOptions(config, work_dir=run.parent, resume=str(run), device='cpu'))
    assert not any(path.exists() for path in left) and (run / 'own').is_dir()


def test_a_seal_goes_with_the_file_and_any_change_breaks_it(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'x': torch.arange(1000)}, path)
    digest = seal(path)
    assert sealed_as(path) == digest.content and damage(path) == ''
    copied = shutil.copy(path, tmp_path / 'b.pth')
    assert damage(Path(copied)) == ''
    assert torch.equal(torch.load(path, weights_only=True)['x'], torch.arange(1000))
    whole = path.read_bytes()
    for place in range(0, len(whole), 61):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        assert damage(path), place
    for length in range(len(whole) - 200, len(whole)):
        path.write_bytes(whole[:length])
        assert damage(path), length
    path.write_bytes(whole + b'x')
    assert damage(path)


def test_of_an_archive_without_a_seal_the_checksums_are_asked(tmp_path):
    path = tmp_path / 'a.pth'
    torch.save({'x': torch.arange(1000)}, path)
    assert sealed_as(path) is None and damage(path) == ''
    flip(path)
    assert 'CRC-32' in damage(path)


def without(*path):
    def edit(content):
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]
    return edit


def instead(value, *path):
    def edit(content):
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value
    return edit


@pytest.mark.parametrize('edit', [
    without('record', 'epochs'), without('record', 'epochs', 0, 'metrics'),
    instead('much', 'record', 'total_seconds'), instead([1.5], 'record', 'lost_epochs'),
    instead('two', 'meta', 'epoch'), without('meta', 'iter')])
def test_an_edited_record_in_a_checkpoint_is_gone_on_without(edit, config, run, capsys):
    newest = run / 'checkpoints/epoch_0003.pth'
    content = torch.load(newest, weights_only=True)
    edit(content)
    torch.save(content, newest)
    seal(newest)
    (run / 'checkpoints/manifest.json').unlink()
    train(TrainOptions(config, work_dir=run.parent, resume=str(run), device='cpu'))
    assert 'resumed after epoch 2' in capsys.readouterr().out
    assert read_run(run).status == 'done'


@pytest.mark.parametrize('edit', [
    instead([], 'optimizer'), without('optimizer', 'param_groups', 0, 'lr'),
    instead(torch.ones(3), 'optimizer', 'state', 0), instead([{}, {}, {}], 'param_schedulers'),
    instead({'x': 1}, 'state_dict')])
def test_states_of_another_training_are_refused_in_two_lines(edit, config, run):
    for path in [*(run / 'checkpoints').glob('epoch_*.pth'), run / 'best.pth']:
        content = torch.load(path, weights_only=True)
        edit(content)
        torch.save(content, path)
        seal(path)
    (run / 'checkpoints/manifest.json').unlink()
    with pytest.raises(CheckpointError) as refused:
        train(TrainOptions(config, work_dir=run.parent, resume=str(run), device='cpu'))
    assert str(run) in refused.value.message and refused.value.hint
