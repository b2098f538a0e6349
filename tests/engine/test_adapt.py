from pathlib import Path

import pytest

from amlnn.config.load import load_config
from amlnn.config.run_keys import check_run_keys
from amlnn.engine.images.task import KnownClasses
from amlnn.engine.kinds import open_task
from amlnn.errors import ConfigError, DataError
from amlnn.records import read_run

MMPRETRAIN = '''\
_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
model = dict(head=dict(num_classes=5), {model})
dataset_type = 'ImageNetFolder'
train_dataloader = dict(
    batch_size=10, num_workers=0, persistent_workers=False,
    dataset=dict(_delete_=True, type='ImageNetFolder', data_root={root!r}, split='train',
                 pipeline={{{{_base_.train_dataloader.dataset.pipeline}}}}))
val_dataloader = dict(
    num_workers=0, persistent_workers=False,
    dataset=dict(_delete_=True, type='ImageNetFolder', data_root={root!r}, split='val',
                 pipeline={{{{_base_.val_dataloader.dataset.pipeline}}}}))
test_dataloader = val_dataloader
{more}
'''


@pytest.fixture
def mmpretrain_child(tmp_path, data_set):
    def write(model='', more=''):
        path = tmp_path / 'child.py'
        path.write_text(MMPRETRAIN.format(root=str(data_set), model=model, more=more).replace(
            "dataset_type = 'ImageNetFolder'\n", ''))
        return path
    return write


def task_of(path, **known):
    return open_task(load_config(path), 'cpu', known=KnownClasses(**known) if known else None)


def plan_of(path, **known):
    return task_of(path, **known).plan


def test_mmpretrains_own_config_trains_here_with_a_few_changed_keys(mmpretrain_child, run_tool):
    more = "train_cfg = dict(max_epochs=1)\noptim_wrapper = dict(type='AmpOptimWrapper')"
    status, shown, errors = run_tool('train', mmpretrain_child(more=more))
    assert status == 0, errors
    assert 'AmpOptimWrapper needs an accelerator' in shown
    assert 'RunCheckpointHook' in shown
    record = read_run(Path('work_dirs/child/latest'))
    assert record.status == 'done' and record.best_value is not None


def test_amlnns_keys_work_in_a_child_of_mmpretrains_config(mmpretrain_child):
    model, _ = task_of(mmpretrain_child(model='frozen_stages=3')).build_model()
    assert not any(p.requires_grad for p in model.backbone.layer3.parameters())
    assert all(p.requires_grad for p in model.backbone.layer4.parameters())


def test_mmpretrains_own_frozen_stages_keeps_its_meaning(mmpretrain_child):
    task = task_of(mmpretrain_child(model='backbone=dict(frozen_stages=1)'))
    assert task.plan.model_options.frozen_stages is None
    model, _ = task.build_model()
    assert not model.backbone.layer1[0].conv1.weight.requires_grad
    assert model.backbone.layer2[0].conv1.weight.requires_grad


def test_syncbn_is_replaced_and_said(mmpretrain_child):
    plan = plan_of(mmpretrain_child(
        model="backbone=dict(norm_cfg=dict(type='SyncBN', requires_grad=True))"))
    assert 'SyncBN is BN on a CPU' in plan.notes
    assert plan.config['model']['backbone']['norm_cfg']['type'] == 'BN'


def test_the_class_count_comes_from_the_data_set(write_config):
    task = task_of(write_config())
    assert task.plan.config['model']['head']['num_classes'] == 5
    assert task.classes == ['daisy', 'dandelion', 'rose', 'sunflower', 'tulip']


def test_the_class_count_of_a_checkpoint_counts_before_that_of_the_data_set(write_config):
    plan = plan_of(write_config(), names=['a', 'b', 'c'])
    assert plan.config['model']['head']['num_classes'] == 3
    task = task_of(write_config(), count=7)
    assert task.plan.config['model']['head']['num_classes'] == 7 and task.classes is None


def test_two_class_counts_that_disagree_are_an_error_naming_both_places(write_config):
    path = write_config('model = dict(head=dict(num_classes=3))')
    with pytest.raises(ConfigError, match=r'small.py:\d+.*is 3.*classes.txt has 5'):
        plan_of(path)


def test_a_class_count_that_nobody_knows_is_an_error(write_config, tmp_path):
    with pytest.raises(DataError, match='class count is not known'):
        plan_of(write_config(data_root=tmp_path))


@pytest.mark.parametrize(('count', 'expected'), [(5, (1, 5)), (3, (1,)), (2, (1,))])
def test_topk_is_cut_to_the_class_count(write_config, count, expected):
    path = write_config('val_evaluator = dict(topk=(1, 5))\nmodel = dict(head=dict(topk=(1, 5)))')
    plan = plan_of(path, names=[str(number) for number in range(count)])
    assert tuple(plan.config['model']['head']['topk']) == expected
    assert tuple(plan.config['val_evaluator']['topk']) == expected
    assert any('topk' in note for note in plan.notes) == (expected == (1,))


@pytest.mark.parametrize(('text', 'named'), [("load_from = 'x.pth'", 'load_from'),
                                             ('resume = True', 'resume')])
def test_keys_whose_work_is_done_otherwise_are_refused_and_not_ignored(write_config, text, named):
    with pytest.raises(ConfigError, match=named) as error:
        check_run_keys(load_config(write_config(text)))
    assert '--' in error.value.hint


def test_persistent_workers_are_off_without_workers(write_config):
    loaded = load_config(write_config(), ['train_dataloader.num_workers=0',
                                          'train_dataloader.persistent_workers=True'])
    plan = open_task(loaded, 'cpu').plan
    assert plan.config['train_dataloader']['persistent_workers'] is False
