"""Flags of MMPretrain's tools: each does what it does there, or says what does it here."""

import json
import re

import pytest

from amlnn.command import CommandParser
from amlnn.config.files import shipped_folder
from amlnn.errors import UsageError
from amlnn.foreign_flags import (
    add_test_flags,
    add_train_flags,
    resumed_run,
    test_options,
    train_options,
    write_items,
)
from amlnn.launcher import add_launcher

test_options.__test__ = False  # no test

CONFIG = dict(
    optim_wrapper=dict(type='OptimWrapper'), train_dataloader=dict(batch_size=2),
    val_dataloader=dict(batch_size=2), auto_scale_lr=dict(base_batch_size=256),
    default_hooks=dict(checkpoint=dict(save_best='accuracy/top1'), early_stopping=dict(type='E')))


def parsed(add, *words):
    parser = CommandParser('A tool.', 'tool')
    parser.add_argument('--out')
    parser.add_argument('--tta', action='store_true')
    parser.add_argument('--resume', nargs='?', const='')
    add(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(('flag', 'options'), [
    ('--amp', ['optim_wrapper.type=AmpOptimWrapper', 'optim_wrapper.loss_scale=dynamic']),
    ('--no-validate', ['val_dataloader=None', 'val_evaluator=None', 'val_cfg=None',
                       'default_hooks.checkpoint.save_best=None',
                       'default_hooks.early_stopping=None']),
    ('--auto-scale-lr', ['auto_scale_lr.enable=True']),
    ('--no-pin-memory', ['train_dataloader.pin_memory=False', 'val_dataloader.pin_memory=False']),
    ('--no-persistent-workers', ['train_dataloader.persistent_workers=False',
                                 'val_dataloader.persistent_workers=False'])])
def test_a_flag_of_training_is_what_mmpretrain_makes_of_it(flag, options):
    assert train_options(parsed(add_train_flags, flag), CONFIG) == options
    assert train_options(parsed(add_train_flags), CONFIG) == []


def test_scaling_the_rate_needs_to_know_for_which_batch_it_was_chosen():
    with pytest.raises(UsageError, match='base_batch_size') as caught:
        train_options(parsed(add_train_flags, '--auto-scale-lr'), {})
    assert caught.value.hint


@pytest.mark.parametrize(('add', 'words'), [
    (add_test_flags, ['--show-dir', 'a']),
    (add_test_flags, ['--show']), (add_test_flags, ['--interval', '2']),
    (add_test_flags, ['--wait-time', '2']), (add_test_flags, ['--work-dir', 'a']),
    (add_test_flags, ['--dump', 'a.pkl'])])
def test_a_flag_that_does_nothing_here_is_refused_with_what_does(add, words):
    with pytest.raises(UsageError) as caught:
        parsed(add, *words)
    assert words[0].partition('=')[0] in caught.value.message and caught.value.hint


@pytest.mark.parametrize(('words', 'said'), [
    (['--out-item', 'metrics'], 'needs --out'),
    (['--out', 'a.pkl', '--out-item', 'pred'], 'predictions'),
    (['--out', 'a', '--out-item', 'metrics'], 'no format')])
def test_what_cannot_be_written_is_said_before_the_test(words, said):
    with pytest.raises(UsageError, match=said) as caught:
        test_options(parsed(add_test_flags, *words), CONFIG)
    assert caught.value.hint


def test_metrics_alone_are_written_where_they_are_asked_for(tmp_path):
    args = parsed(add_test_flags, '--out', str(tmp_path / 'a.json'), '--out-item', 'metrics')
    assert test_options(args, CONFIG) == []
    write_items(args, {'accuracy/top1': 50.0})
    assert json.loads((tmp_path / 'a.json').read_text()) == {'accuracy/top1': 50.0}


def test_a_checkpoint_stands_for_its_run(tmp_path):
    (tmp_path / 'checkpoints').mkdir()
    (tmp_path / 'run.json').write_text('{}')
    for name in ('checkpoints/epoch_0001.pth', 'checkpoints/epoch_0002.pth', 'best.pth'):
        (tmp_path / name).write_text('')
    assert resumed_run(str(tmp_path / 'checkpoints/epoch_0002.pth')) == str(tmp_path)
    for name in ('checkpoints/epoch_0001.pth', 'best.pth'):
        with pytest.raises(UsageError, match='not the newest') as caught:
            resumed_run(str(tmp_path / name))
        assert f'--resume {tmp_path} ' in caught.value.hint
    assert [resumed_run(given) for given in (None, '', 'auto')] == [None, '', 'auto']


@pytest.mark.parametrize(('tool', 'add', 'ours'), [
    ('train', add_train_flags, {'--work-dir', '--resume', '--cfg-options'}),
    ('test', add_test_flags, {'--out', '--tta', '--cfg-options'})])
def test_every_flag_of_mmpretrain_s_tool_is_known(tool, add, ours):
    text = (shipped_folder().parent / f'tools/{tool}.py').read_text()
    parser = CommandParser('A tool.', 'tool')
    add(parser)
    add_launcher(parser, tool)
    known = {flag for action in parser._actions for flag in action.option_strings}
    theirs = set(re.findall(r"'(--[\w-]+)'", text.partition('def merge_args')[0]))
    assert '--launcher' in theirs and theirs - known <= ours
    assert '--amp' not in parser.format_help()
