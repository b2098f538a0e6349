"""Commands that write files can be killed at any moment, and called again."""

import gc
import shutil

import pytest
from file_events import scratch
from generated import write_colour_folders, write_data_set, write_series, write_series_config
from killed_commands import kill_everywhere
from PIL import Image
from tiny_runs import write_tiny_config

PREPARED = ('--train-ratio', '0.6', '--val-ratio', '0.4')


@pytest.fixture
def root():
    folder = scratch()
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def place(root, monkeypatch):
    """The working folder of a user, with the caches."""
    folder = root / 'place'
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv('XDG_CACHE_HOME', str(folder / 'cache'))
    monkeypatch.setenv('AMLNN_CACHE', str(folder / 'cache/amlnn'))
    return folder


def images(place, run_tool):
    data = write_data_set(place / 'data', ('a', 'b', 'c'), {'train': 8, 'val': 4, 'test': 4}, 16)
    return write_tiny_config(place / 'c.py', data, epochs=1)


def trained(place, run_tool):
    """A run of the tiny network, and one of another seed."""
    config = images(place, run_tool)
    for seed in (0, 1):
        assert run_tool('train', config, '--work-dir', f'runs/{seed}', '--seed', seed)[0] == 0
        assert run_tool('test', config, f'runs/{seed}/latest/best.pth')[0] == 0
    return config


def raw(place):
    folder = write_colour_folders(place / 'raw', images=4, side=24)
    (folder / 'blue/copy.png').write_bytes((folder / 'blue/00.png').read_bytes())
    Image.open(folder / 'green/01.png').resize((30, 30)).save(folder / 'green/near.jpg')


def preparing(place, run_tool):
    raw(place)
    return 'preprocess', 'raw', 'new', *PREPARED


def preparing_again(place, run_tool):
    raw(place)
    assert run_tool('preprocess', 'raw', 'old', *PREPARED)[0] == 0
    return 'preprocess', 'raw', 'old', '--overwrite', '--seed', '3', *PREPARED


def evaluating(place, run_tool):
    return 'test', trained(place, run_tool), 'runs/0/latest/best.pth'


def evaluating_a_bare_file(place, run_tool):
    config = trained(place, run_tool)
    shutil.copyfile('runs/0/latest/best.pth', 'bare.pth')
    shutil.rmtree('runs')
    return 'test', config, 'bare.pth'


def evaluating_a_forecaster(place, run_tool):
    config = write_series_config(place / 's.py', write_series(place / 's.csv', 300), epochs=1)
    assert run_tool('train', config, '--work-dir', 'runs')[0] == 0
    return 'test', config, 'runs/latest/best.pth'


def voting(place, run_tool):
    trained(place, run_tool)
    return 'ensemble', 'runs/0/latest', 'runs/1/latest', '--out', 'votes'


def reporting(place, run_tool):
    trained(place, run_tool)
    return 'report', 'runs/0/latest', 'runs/1/latest', '--out', 'page'


def reporting_again(place, run_tool):
    words = reporting(place, run_tool)
    assert run_tool(*words)[0] == 0
    return words


def browsing(place, run_tool):
    return 'browse', images(place, run_tool), '--out', 'page'


def finding_a_rate(place, run_tool):
    return 'lr_finder', images(place, run_tool), '--out', 'rates', '--steps', '12'


def probing(place, run_tool):
    return 'probe', images(place, run_tool), '--out', 'page', '--no-map'


COMMANDS = [preparing, preparing_again, evaluating, evaluating_a_bare_file,
            evaluating_a_forecaster, voting, reporting, reporting_again, browsing, finding_a_rate,
            probing]


def killed(command, place, root, run_tool, step, first):
    name, *words = command(place, run_tool)
    gc.collect()

    def call():
        status, shown, errors = run_tool(name, *words)
        return status, shown + errors

    return kill_everywhere(call, place, root, step, first,
                           "exists\nhint: name another folder" if command is preparing else None,
                           ('page/index.html', 'page/report.md') if command is probing else ())


@pytest.mark.parametrize('command', [preparing_again, evaluating, voting])
def test_a_kill_at_some_changes_of_the_disk_is_mended_by_the_next_call(command, place, root,
                                                                       run_tool):
    tried, wrong = killed(command, place, root, run_tool, 11, 4)
    assert tried and not wrong, '\n'.join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize('command', COMMANDS)
def test_a_kill_at_every_change_of_the_disk_is_mended_by_the_next_call(command, place, root,
                                                                       run_tool):
    # A call of these takes seconds.
    step = {reporting: 5, reporting_again: 7, probing: 7}.get(command, 1)
    tried, wrong = killed(command, place, root, run_tool, step, 1)
    assert tried > 5 and not wrong, f'{len(wrong)} of {tried}:\n' + '\n'.join(wrong)
