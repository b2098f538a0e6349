"""Every script of a study, tried out: what it trains, its page, and its two-line errors."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from generated import ROOT

from amlnn.config.load import load_config
from amlnn.studies import parts
from amlnn.studies.parts import SeriesPart, SweepPart, VotePart, ZeroShotPart
from amlnn.studies.run_study import run_and_report
from amlnn.studies.table import STUDIES
from amlnn.sweep.space import read_sweep
from amlnn.sweep.trials import SweepOptions

# What stands on the page of each: rows of its tables, and headings.
SCRIPTS = {
    'sweep_frozen': ('frozen_stages=-1', 'frozen_stages=all', 'Table 1', '97.01'),
    'sweep_lr': ('lr=0.01', 'lr=0.0001', 'Table 2', '96.13'),
    'sweep_backbones': ('densenet121_lr0.001', 'mobilenetv3_lr0.001', 'Table 3', '97.71'),
    'exercise2': ('exercise2', '94.56'),
    'study_b': ('study_b_vgg16', 'study_b_efficientnet_lite0', '30.40', 'n02056570',
                'study_d_efficientnet_lite0_1000', 'Recurrent networks'),
    'study_c': ('study_c_vgg19_remedies', 'study_c_inceptionv4', 'Recurrent networks'),
    'study_d': ('study_d_resnet50_last3', 'study_d_deep_cnn', 'ensemble_soft', 'D4: the vote'),
    'study_e': ('study_e_simple_cnn', 'study_e_densenet121', '51.00'),
}


def run(script: str, *words: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        ['bash', f'tools/{script}.sh', *map(str, words)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, 'PYTHON': sys.executable}, timeout=1800, check=False)


@pytest.mark.slow
@pytest.mark.parametrize('script', SCRIPTS)
def test_a_script_runs_through_on_generated_images_and_writes_one_page(script, tmp_path,
                                                                      monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    done = run(script, '--smoke', '--work-dir', tmp_path / 'w', '--out', tmp_path / 'page')
    assert done.returncode == 0, done.stderr + done.stdout[-3000:]
    page = (tmp_path / 'page/index.html').read_text(encoding='utf-8')
    for text in SCRIPTS[script]:
        assert text in page, text
    assert 'tried out on generated images' in page
    assert not re.search(r'(\d+) failed', page) and 'failed: ' not in page


def test_there_is_a_script_for_every_study_and_each_is_tested():
    found = {path.stem for path in (ROOT / 'tools').glob('*.sh')}
    assert found == set(SCRIPTS)
    for path in (ROOT / 'tools').glob('*.sh'):
        text = path.read_text()
        assert text.startswith('#!/usr/bin/env bash\n') and 'study.py' in text
        assert os.access(path, os.X_OK)


@pytest.mark.parametrize(('study', 'part'), [
    (name, part.name) for name, study in STUDIES.items() for part in study.parts
    if isinstance(part, SeriesPart)])
def test_a_series_gets_no_option_of_the_generated_images(study, part, tmp_path, monkeypatch):
    class Seen(Exception):
        pass

    def seen(options, *_):
        raise Seen(options)

    monkeypatch.setattr(parts, 'run_study', seen)
    with pytest.raises(Seen) as raised:
        run_and_report(study, SweepOptions(tmp_path / 'w'), smoke=True, only=[part])
    options = raised.value.args[0].cfg_options
    assert 'train_cfg.max_epochs=1' in options
    for config in sorted((ROOT / 'configs/series').glob(f'study_{study}_*.py')):
        load_config(config, list(options))


def test_every_part_names_what_is_there():
    for study in STUDIES.values():
        names = set()
        for part in study.parts:
            if isinstance(part, SweepPart):
                sweep = read_sweep(ROOT / 'configs/sweeps' / part.file)
                names |= {Path(config).stem for config in sweep.configs}
            if isinstance(part, ZeroShotPart):
                for config in part.configs:
                    assert load_config(ROOT / 'configs' / config).config['model']['pretrained_head']
            if isinstance(part, VotePart):
                assert set(part.members) <= names
        assert len({part.name for part in study.parts}) == len(study.parts)


def test_every_script_is_named_in_the_readme():
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    assert all(f'{script}.sh' in text for script in SCRIPTS)


@pytest.mark.parametrize(('words', 'message'), [
    (('a', '--part', 'forzen'), 'study a has no part `forzen`'),
    (('a', '--jobs', '0'), '--jobs and --seeds are at least 1'),
    (('f',), 'invalid choice'),
    (('a', '--part', 'frozen', '--data', 'nowhere'), 'nowhere')])
def test_what_is_wrong_is_two_lines(words, message, run_tool, monkeypatch):
    monkeypatch.chdir(ROOT)
    status, _, errors = run_tool('study', *words)
    lines = errors.strip().splitlines()
    assert status == 2 and lines[-2].startswith('error:') and lines[-1].startswith('hint:')
    assert message in lines[-2]
