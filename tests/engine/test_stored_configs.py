"""The config that a run folder keeps is data: whoever looks at it runs nothing of it."""

import shutil
from pathlib import Path

import pytest
from tiny_runs import write_tiny_config

from amlnn.config.load import load_config, read_stored_config
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import ConfigError

HOSTILE = {
    'a call': "__import__('pathlib').Path({file!r}).touch()\n",
    'a value': "seed = __import__('pathlib').Path({file!r}).touch()\n",
    'an import': "from pathlib import Path\nPath({file!r}).touch()\n",
    'a value inside of a dict': "extra = dict(a=[__import__('pathlib').Path({file!r}).touch()])\n",
    'a default of a lambda': "extra = (lambda a=__import__('pathlib').Path({file!r}).touch(): a)\n",
    'a comprehension': "extra = [__import__('pathlib').Path({file!r}).touch() for _ in (1, )]\n",
    'a class': "class Config:\n    __import__('pathlib').Path({file!r}).touch()\n",
    'a base': "_base_ = {base!r}\n",
    'an f-string': 'extra = f"""{{__import__(\'pathlib\').Path({file!r}).touch()}}"""\n',
    'two targets': "a = b = __import__('pathlib').Path({file!r}).touch()\n",
    'an attribute': "extra = ().__class__.__bases__\n",
}


@pytest.fixture(scope='module')
def begun(tmp_path_factory, data_set):
    """A config, and a folder with a run of it that was stopped and one that is done."""
    folder = tmp_path_factory.mktemp('runs')
    config = write_tiny_config(folder / 'tiny.py', data_set, epochs=2)
    train(TrainOptions(config, work_dir=folder / 'runs'))
    with pytest.raises(KeyboardInterrupt):
        train(TrainOptions(config, work_dir=folder / 'runs'), draw=_stop)
    return folder


def _stop(record, path):
    if record.status == 'running' and len(record.epochs) == 1:
        raise KeyboardInterrupt


@pytest.fixture
def runs(begun, tmp_path, monkeypatch):
    """The stopped run, the config, and the file that code would make; all may be changed."""
    monkeypatch.setattr('amlnn.engine.run.recorder._SECONDS_BETWEEN_DRAWINGS', -1.0)
    shutil.copytree(begun / 'runs', tmp_path / 'runs', symlinks=True)
    stopped = sorted(path for path in (tmp_path / 'runs').iterdir() if not path.is_symlink())[-1]
    return stopped, begun / 'tiny.py', tmp_path / 'ran'


def poison(run: Path, ran: Path, how: str, first: bool = True) -> None:
    base = run.parent / 'base.py'
    base.write_text(HOSTILE['a call'].format(file=str(ran)))
    code = HOSTILE[how].format(file=str(ran), base=str(base))
    text = (run / 'config.py').read_text()
    (run / 'config.py').write_text(code + text if first else text + code)


@pytest.mark.parametrize('how', HOSTILE)
@pytest.mark.parametrize('first', [True, False])
def test_resuming_a_run_runs_nothing_of_its_config(how, first, runs, run_tool):
    run, config, ran = runs
    poison(run, ran, how, first)
    named = [run] if first else []
    status, output, errors = run_tool('train', config, '--work-dir', run.parent, '--device', 'cpu',
                                      '--resume', *named)
    assert status == 0, errors  # it goes on with the config that its checkpoint holds
    assert 'config.py' in output and 'it is written again from' in output
    assert not ran.exists()
    poison(run, ran, how, first)
    if how not in ('an attribute',):  # what the test plants does run where a config is code
        with pytest.raises(ConfigError):
            load_config(run / 'config.py', ['no_such_key=1'])
        assert ran.exists()


def test_an_evil_run_beside_it_runs_nothing_when_another_is_resumed(runs, run_tool):
    run, config, ran = runs
    evil = shutil.copytree(run, run.parent / '29990101-000000-evil')
    poison(evil, ran, 'a call')
    status, _, errors = run_tool('train', config, '--work-dir', run.parent, '--device', 'cpu',
                                 '--resume', run)
    assert status == 0, errors
    assert not ran.exists()


def test_a_trial_of_a_sweep_runs_nothing_of_the_config_of_a_run_by_its_name(runs):
    run, config, ran = runs
    poison(run, ran, 'a call')
    train(TrainOptions(config, work_dir=run.parent, run_name=run.name, device='cpu'))
    assert not ran.exists()


@pytest.mark.parametrize('how', HOSTILE)
def test_reports_votes_tests_and_predictions_run_nothing_of_it(how, runs, run_tool, data_set):
    run, config, ran = runs
    done = next(path for path in run.parent.iterdir() if path != run and path.is_dir()
                and not path.is_symlink())
    for each in (run, done):
        poison(each, ran, how)
    assert run_tool('test', config, done / 'best.pth', '--split', 'val', '--device', 'cpu')[0] == 0
    image = next(path for path in data_set.rglob('*') if path.suffix.lower() in ('.png', '.jpg'))
    assert run_tool('predict', config, done / 'best.pth', image, '--device', 'cpu')[0] == 0
    assert run_tool('report', done, '--out', run.parent / 'page')[0] == 0
    run_tool('ensemble', done, done)
    assert not ran.exists()


def test_what_a_run_stores_is_read_as_the_config_that_it_was(runs):
    run, _, _ = runs
    stored, executed = read_stored_config(run / 'config.py'), load_config(run / 'config.py')
    assert stored.config == executed.config and stored.name == executed.name


@pytest.mark.parametrize('content', [b'', b'\xff\xfe\x00', b'a = (', b'a = {[1]: 2}', b'\x00',
                                     b'a = ' + b'(' * 5000, b'a = ' + b'[' * 90 + b']' * 90,
                                     b'a = float([])', b'a = -"b"', b'a: int = 3', b'a.b = 3',
                                     b'a, b = 1, 2', b'a = 1 +' + b'1+' * 9000 + b'1'])
def test_what_is_no_config_of_a_run_is_two_lines_or_a_config_without_keys(tmp_path, content):
    path = tmp_path / 'config.py'
    path.write_bytes(content)
    if not content:
        assert read_stored_config(path).config == {}
        return
    with pytest.raises(ConfigError) as error:
        read_stored_config(path)
    assert error.value.hint and '\n' not in error.value.message + error.value.hint


def test_a_config_that_is_not_there_is_two_lines(tmp_path):
    with pytest.raises(ConfigError, match='cannot be read: No such file'):
        read_stored_config(tmp_path / 'config.py')


def test_own_modules_are_those_that_the_config_of_now_names(tmp_path, data_set, run_tool):
    """One that a run folder brings along is not imported, whatever its config says."""
    config = write_tiny_config(tmp_path / 'tiny.py', data_set, epochs=1)
    run = train(TrainOptions(config, work_dir=tmp_path / 'runs'))
    (run / 'evil_parts.py').write_text(f'open({str(tmp_path / "ran")!r}, "w").close()\n')
    text = (run / 'config.py').read_text()
    keys = "keys={'custom_imports': {'imports': ['evil_parts']}"
    assert text.count('amlnn = dict(') == text.count('keys=dict(') + text.count('keys={') == 1
    text = text.replace('keys={', f'{keys}, ').replace("'custom_imports'],", '],')
    (run / 'config.py').write_text(text)
    status, _, errors = run_tool('train', config, '--work-dir', tmp_path / 'runs', '--device',
                                 'cpu', '--resume', run, '--cfg-options', 'train_cfg.max_epochs=2')
    assert status == 0, errors
    assert not (tmp_path / 'ran').exists()
