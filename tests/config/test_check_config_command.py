"""tools/check_config.py as a user calls it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/resnet50_frozen3.py'


def check(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(ROOT / 'tools/check_config.py'), *arguments],
                          cwd=folder, text=True, capture_output=True, check=False)


def test_a_right_config_is_ok():
    done = check(CONFIG)
    assert (done.returncode, done.stderr) == (0, '')
    assert done.stdout.startswith(f'ok: {CONFIG} (')


def test_a_wrong_override_is_two_lines_and_status_2():
    done = check(CONFIG, '--cfg-options', 'optim_wrapper.optimizer.momentun=0.8')
    assert done.returncode == 2 and done.stdout == ''
    error, hint = done.stderr.splitlines()
    assert error == ('error: --cfg-options: `optim_wrapper.optimizer.momentun` is not an '
                     'argument of SGD')
    assert hint.startswith('hint: did you mean `momentum`? SGD takes')


def test_of_several_configs_all_are_checked_and_one_that_fails_fails_the_command(tmp_path):
    (tmp_path / 'wrong.py').write_text('modle = 1\n', encoding='utf-8')
    done = check('configs/resnet50_frozn3.py', CONFIG, str(tmp_path / 'wrong.py'))
    assert done.returncode == 2
    assert f'ok: {CONFIG}' in done.stdout
    assert done.stderr.count('error: ') == done.stderr.count('hint: ') == 2
    assert 'did you mean `model`?' in done.stderr


def test_the_resolved_config_that_is_shown_is_a_config(tmp_path):
    shown = check(CONFIG, '--show', '--cfg-options', 'train_cfg.max_epochs=4').stdout
    (tmp_path / 'shown.py').write_text(shown, encoding='utf-8')
    assert 'max_epochs=4' in shown
    again = check('shown.py', '--show', folder=tmp_path).stdout
    assert again.splitlines()[:-1] == shown.splitlines()[:-1]


def test_the_origin_of_a_key_is_told():
    done = check(CONFIG, '--origin', 'model.frozen_stages')
    assert done.stdout.strip() == f'model.frozen_stages: {CONFIG}:6'


def test_an_unknown_key_has_no_origin_and_the_nearest_is_named():
    done = check(CONFIG, '--origin', 'optim_wrapper.lr')
    assert done.returncode == 2
    assert 'did you mean `optim_wrapper.optimizer.lr`?' in done.stderr


@pytest.mark.parametrize('arguments', [(), ('--show',), (CONFIG, '--no-such-option')])
def test_a_wrong_command_line_is_two_lines_and_status_2(arguments):
    done = check(*arguments)
    assert done.returncode == 2
    assert [line.split(':')[0] for line in done.stderr.splitlines()] == ['error', 'hint']


def seconds(*arguments: str) -> float:
    """Processor time, which other processes of this machine do not lengthen."""
    before = os.times()
    check(*arguments)
    after = os.times()
    return (after.children_user - before.children_user
            + after.children_system - before.children_system)


def test_the_answer_comes_within_a_second_and_a_half_once_signatures_are_cached():
    check(CONFIG)
    assert min(seconds(CONFIG) for _ in range(3)) < 1.5


def test_help_comes_within_three_tenths_of_a_second():
    assert min(seconds('--help') for _ in range(3)) < 0.3


def test_it_works_from_any_folder(tmp_path):
    assert check(str(ROOT / CONFIG), folder=tmp_path).returncode == 0


def test_the_time_is_not_spent_waiting():
    check(CONFIG)
    start = time.perf_counter()
    check(CONFIG)
    assert time.perf_counter() - start < 10
