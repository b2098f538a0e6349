"""tools/start.py on generated images: every step, once, announced as it is taken by hand."""

import json
import shlex

import numpy as np
import pytest
from generated import load_script, write_colour_folders, write_data_set
from PIL import Image

from amlnn.commands import start as command
from amlnn.config.load import load_config
from amlnn.data.prepare.manifest import read_manifest
from amlnn.engine.run.progress import TrainingProgress
from amlnn.formulas.proportions import wilson
from amlnn.start import choice, steps, way
from amlnn.start.candidates import Candidate, at_hand

pytestmark = pytest.mark.usefixtures('own_cache', 'own_user_cache')

STEPS = ['preprocess', 'doctor', 'probe', 'train', 'test', 'report']


@pytest.fixture
def raw(tmp_path):
    """Three classes by colour."""
    return write_colour_folders(tmp_path / 'my raw', 16, 32, 150, 100)


@pytest.fixture
def run(run_tool, write_config, monkeypatch):
    """Runs the tool with one small network, three epochs: status, output, errors, commands."""
    small = Candidate(str(write_config()), 1.0)
    monkeypatch.setattr(way, 'CANDIDATES', (small, ))
    for name in ('USUAL_EPOCHS', 'MOST_EPOCHS'):
        monkeypatch.setattr(choice, name, 3)
    taken = []
    inner = command._run

    def noted(name, words):
        taken.append(name)
        inner(name, words)

    monkeypatch.setattr(command, '_run', noted)

    def run(*words) -> tuple[int, str, str, list[str]]:
        taken.clear()
        status, out, err = run_tool('start', *words, '--device', 'cpu')
        return status, out, err, list(taken)

    return run


def announced(out: str) -> list[str]:
    """The command lines, as one would copy them."""
    return [line.removeprefix('$ ') for line in out.splitlines() if line.startswith('$ ')]


def test_raw_images_become_a_tested_classifier_and_no_step_is_taken_twice(run, raw, tmp_path):
    status, out, err, taken = run(raw, '--work-dir', tmp_path / 'w d', '--minutes', 5)
    assert status == 0, err
    assert taken == STEPS
    lines = announced(out)
    assert len(lines) == 6 and all('# done' not in line for line in lines)
    for line, name in zip(lines, STEPS, strict=True):
        tool = 'data_preprocess.py' if name == 'preprocess' else f'tools/{name}.py'
        words = shlex.split(line)
        assert words[:2] == ['python', tool]
        load_script(command.Path(__file__).parents[2] / tool).parser().parse_args(words[2:])
    manifest = read_manifest('data/my_raw')
    assert manifest.ratios == {'train': 0.7, 'val': 0.15, 'test': 0.15}
    config = tmp_path / 'w d/start_my_raw_5min.py'
    best = load_config(config).config
    assert best['train_cfg']['max_epochs'] == 3
    assert best['train_dataloader']['dataset']['data_root'] == 'data/my_raw'
    assert 'picked: small, frozen: ' in config.read_text()
    (folder, ) = [path.parent for path in (tmp_path / 'w d').glob('2*/run.json')]
    record = json.loads((folder / 'run.json').read_text())
    assert record['status'] == 'done' and len(record['epochs']) == 3
    assert record['command'] == ['tools/train.py', str(config), '--device', 'cpu']
    tested = json.loads((folder / 'test_test.json').read_text())
    right = tested['metrics']['accuracy/top1'] / 100
    low, high = wilson(right, tested['samples'])
    end = out[out.index('\ndone: '):]
    assert f'top-1 {100 * right:.2f} % (95 % interval {100 * low:.1f} to {100 * high:.1f})' in end
    assert 'by which nothing was chosen' in end and f'config, to be edited: {config}' in end
    page = tmp_path / f'w d/report-{folder.name}/index.html'
    assert page.is_file() and str(page) in end and 'tools/predict.py' in end
    assert '--minutes 15' in end and 'of 5:00' in end

    status, again, err, taken = run(raw, '--work-dir', tmp_path / 'w d', '--minutes', 5)
    assert (status, taken) == (0, []), err
    assert [line.partition('   # done before')[0] for line in announced(again)] == [
        line for line in lines if 'tools/probe.py' not in line]  # the config was chosen by it

    # By hand the same training is the same experiment, in the same folder.
    run_by_hand = load_script(command.Path(__file__).parents[2] / 'tools/train.py')
    run_by_hand.main(run_by_hand.parser().parse_args(shlex.split(lines[3])[2:]))
    runs = [json.loads(path.read_text()) for path in (tmp_path / 'w d').glob('2*/run.json')]
    assert len(runs) == 2 and runs[0]['experiment'] == runs[1]['experiment']


def test_it_goes_on_where_it_was_stopped(run, raw, tmp_path, monkeypatch):
    root = write_data_set(tmp_path / 'set', sizes={'train': 8, 'val': 4})
    whole = TrainingProgress.end_epoch

    def stop(self, epoch, record):
        whole(self, epoch, record)
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(TrainingProgress, 'end_epoch', stop)
        status, out, err, taken = run(root)
    assert status == 130 and 'the same command goes on' in out and err == 'interrupted\n'
    assert taken == ['doctor', 'probe', 'train']
    status, out, err, taken = run(root)
    assert status == 0, err
    assert taken == ['train', 'test', 'report']
    (folder, ) = [path.parent for path in command.Path('work_dirs/start_set').glob('2*/run.json')]
    assert f'--resume {folder}' in out
    assert len(json.loads((folder / 'run.json').read_text())['epochs']) == 3
    # Without a test part it is said that the judge chose, too.
    assert 'which flatters' in out and (folder / 'test_val.json').is_file()
    assert f'python data_preprocess.py SRC {root} --train-ratio 0.7' in out


@pytest.mark.slow
def test_another_time_and_another_seed_are_other_trainings_of_one_probe(run, tmp_path,
                                                                        monkeypatch):
    root = write_data_set(tmp_path / 'set', sizes={'train': 8, 'val': 4})
    assert run(root)[3] == ['doctor', 'probe', 'train', 'test', 'report']
    assert run(root, '--minutes', 15)[3] == []  # the same is chosen
    monkeypatch.setattr(choice, 'USUAL_EPOCHS', 4)
    status, out, err, taken = run(root, '--minutes', 20)
    assert (status, taken) == (0, ['train', 'test', 'report']), err
    assert command.Path('work_dirs/start_set/start_set_20min.py').is_file()
    assert any('tools/probe.py' in line and '# done before' in line for line in announced(out))
    status, out, err, taken = run(root, '--seed', 3)
    assert (status, taken) == (0, ['train', 'test', 'report']), err
    seeds = [json.loads(path.read_text())['seed']
             for path in command.Path('work_dirs/start_set').glob('2*/run.json')]
    assert sorted(seeds) == [0, 0, 3] and '--seed 3' in out


@pytest.mark.slow
def test_an_edited_config_is_trained_as_it_is(run, tmp_path):
    root = write_data_set(tmp_path / 'set', sizes={'train': 8, 'val': 4})
    assert 'not said to be for these images' not in run(root)[1]
    config = command.Path('work_dirs/start_set/start_set_10min.py')
    config.write_text(config.read_text().replace('max_epochs=3', 'max_epochs=1'))
    next(command.Path('work_dirs/start_set').glob('doctor-*/fixes.csv')).unlink()
    status, out, err, taken = run(root)
    assert (status, taken) == (0, ['train', 'test', 'report']), err
    assert 'not said to be for these images' not in out and 'nothing found' in out


@pytest.mark.slow
def test_labels_are_suspected_and_not_changed(run, raw, tmp_path):
    (raw / 'blue/03.png').rename(raw / 'red/wrong one.png')
    status, out, err, _ = run(raw, '--out', tmp_path / 'set')
    assert status == 0, err
    assert '1 mislabelled' in out and 'nothing was changed' in out
    assert (tmp_path / 'set').is_dir()
    lines = iter(out.splitlines())
    assert 'delete the rows' in next(line for line in lines if line.startswith('go through '))
    words = shlex.split(next(lines))
    preprocess = load_script(command.Path(__file__).parents[2] / 'data_preprocess.py')
    preprocess.main(preprocess.parser().parse_args(words[2:]))
    status, out, err, taken = run(raw, '--out', tmp_path / 'set')  # other images: all but preparing
    assert 'not said to be for these images' in out
    assert (status, taken) == (0, ['doctor', 'train', 'test', 'report']), err


@pytest.mark.slow
def test_damaged_files_are_left_out_and_other_losses_are_the_users(run, raw):
    (raw / 'blue/broken.png').write_bytes(b'no image')
    deep = np.arange(32 * 32, dtype=np.uint16).reshape(32, 32)
    Image.fromarray(deep).save(raw / 'blue/deep.png')
    status, _, err, taken = run(raw)
    assert (status, taken) == (2, ['preprocess'])
    assert '--on-loss convert' in err and 'python tools/start.py data/my_raw' in err
    (raw / 'blue/deep.png').unlink()
    assert run(raw, '--minutes', 0.001)[3] == ['preprocess', 'doctor', 'probe']


@pytest.mark.slow
def test_too_few_minutes_say_what_fits(run, tmp_path):
    root = write_data_set(tmp_path / 'set', sizes={'train': 8, 'val': 4})
    status, _, err, taken = run(root, '--minutes', 0.01, '--seed', 2)
    error, hint = err.strip().splitlines()[-2:]
    assert status == 2 and taken == ['doctor', 'probe']
    assert 'no training fits into --minutes 0.01' in error
    assert hint.startswith(f'hint: python tools/start.py {root} --minutes ') and '--seed 2' in hint


@pytest.mark.parametrize('minutes', ['0', '-3', 'nan', 'inf'])
def test_no_time_at_all_is_two_lines(run, tmp_path, minutes):
    root = write_data_set(tmp_path / 'set')
    status, _, err, taken = run(root, f'--minutes={minutes}')
    assert (status, taken) == (2, []) and 'is no time to train in' in err


def test_bad_images_are_two_lines_before_anything_is_done(run, tmp_path):
    status, _, err, taken = run(tmp_path / 'nowhere')
    assert (status, taken) == (2, []) and len(err.splitlines()) == 2 and 'no folder' in err


@pytest.mark.slow
def test_a_second_backbone_is_looked_at_if_there_is_time(run, tmp_path, write_config, monkeypatch):
    root = write_data_set(tmp_path / 'set', sizes={'train': 8, 'val': 4})
    one, = way.CANDIDATES
    other = Candidate(str(write_config('randomness = dict(seed=1)', name='other.py')), 1.0)
    dear = Candidate(str(write_config(name='dear.py')), 1e9)
    monkeypatch.setattr(way, 'CANDIDATES', (one, other, dear))
    status, out, err, taken = run(root)
    assert (status, taken.count('probe')) == (0, 2), err
    assert 'dear is left out: to look at it takes about' in out


def test_only_backbones_whose_weights_are_here_are_candidates(tmp_path, monkeypatch, write_config):
    monkeypatch.setenv('AMLNN_WEIGHTS', str(tmp_path))
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'hub'))
    sources = ['torchvision://resnet50', 'timm://convnext_tiny', str(tmp_path / 'mine.pth'),
               'package://unheard_of']
    candidates = [Candidate(str(write_config(f'model = dict(pretrained={source!r})',
                                             name=f'{place}.py')), 1.0)
                  for place, source in enumerate(sources)]
    with pytest.raises(way.DataError.__mro__[1], match='no pretrained weights are on this machine'):
        at_hand(candidates)
    for place, name in enumerate(['resnet50-0676ba61.pth', 'convnext_tiny.safetensors',
                                  'mine.pth']):
        (tmp_path / name).write_bytes(b'')
        assert [each.name for each in at_hand(candidates)] == [
            str(number) for number in range(place + 1)]


def test_a_command_finds_itself_in_sys_argv_and_the_time_is_told(capsys, monkeypatch):
    from rich.console import Console
    seen = []
    monkeypatch.setattr(steps.time, 'monotonic', lambda: 100.0)
    one = steps.Steps(lambda name, words: seen.append(list(steps.sys.argv)), Console(width=200),
                      60.0, 25.0)
    monkeypatch.setattr('sys.argv', ['tools/start.py', 'x'])
    one.command('test', 'a b.py', 'c')
    one.command('test', 'a b.py', done=True)
    one.outcome('first', 'second')
    assert seen == [['tools/test.py', 'a b.py', 'c']] and one.left == -15.0
    assert capsys.readouterr().out.splitlines() == [
        "$ python tools/test.py 'a b.py' c", "$ python tools/test.py 'a b.py'   # done before",
        '1:15 of 1:00  first', 'second']
    monkeypatch.setattr('sys.argv', ['amlnn', 'start', 'x'])
    one.command('test', 'c')
    assert seen[1] == ['amlnn', 'test', 'c']
