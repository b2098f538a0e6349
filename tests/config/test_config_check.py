"""What a config may say, and what is said when it says something else."""

import pytest

from amlnn.config.load import load_config
from amlnn.config.monitors import produced
from amlnn.config.signatures import library
from amlnn.registry import VALIDATION_LOSS

PIPELINE = "[dict(type='LoadImageFromFile'), dict(type='PackInputs')]"
DATASET = f"dict(type='CustomDataset', data_root='a', pipeline={PIPELINE})"


def first(hint: str) -> str:
    return hint.split('`')[1] if '`' in hint else ''


# -- keys


def test_a_misspelt_optimizer_argument_is_rejected_with_the_right_name_first(configs):
    error = configs.error("""\
        _base_ = 'schedule.py'
        optim_wrapper = dict(
            optimizer=dict(momentun=0.8))
        """)
    assert error.message == ('child.py:3: `optim_wrapper.optimizer.momentun` is not an argument '
                             'of SGD')
    assert error.hint.startswith('did you mean `momentum`? SGD takes lr, momentum, dampening')


def test_an_unknown_top_level_key_is_rejected(configs):
    error = configs.error("optim_wraper = dict(optimizer=dict(type='SGD', lr=1))\n")
    assert error.message == 'child.py:1: `optim_wraper` is not a key of a config'
    assert error.hint == 'did you mean `optim_wrapper`?'


def test_a_name_of_one_s_own_is_one_that_the_file_uses(configs):
    assert configs.load('my_crop_size = 3\nwork_dir = str(my_crop_size)\n').notes == []
    error = configs.error('my_crop_size = 3\n')
    assert 'has to be used by its file' in error.hint


def test_an_argument_in_the_wrong_place_is_told_its_place(configs):
    error = configs.error("_base_ = 'schedule.py'\noptim_wrapper = dict(lr=0.1)\n")
    assert error.hint.startswith('`lr` belongs to `optim_wrapper.optimizer`')
    error = configs.error("_base_ = 'schedule.py'\nlr = 0.1\n")
    assert error.hint == '`lr` belongs to `optim_wrapper.optimizer`'


@pytest.mark.parametrize('steps', ['[[]]', '[None]', "[[dict(type='PackInputs')]]", '[1]'])
def test_every_step_of_a_pipeline_is_a_dict(configs, steps):
    error = configs.error('val_dataloader = dict(dataset=dict('
                          f"type='CustomDataset', data_root='a', pipeline={steps}))\n")
    assert error.message.startswith('child.py:1: `val_dataloader.dataset.pipeline` is ')


@pytest.mark.parametrize(('key', 'owner'), [('execution', 'ExecutionPolicy'),
                                            ('train_dataloader', 'DataLoader')])
def test_a_section_that_is_always_of_one_class_names_no_other(configs, key, owner):
    error = configs.error(f"{key} = dict(type='SGD')\n")
    assert error.message == f'child.py:1: `{key}.type` is not an argument of {owner}'


def test_the_number_of_further_mistakes_is_said(configs):
    error = configs.error("_base_ = 'schedule.py'\ntrain_cfg = dict(a_b_c=1, d_e_f=2, g_h_i=3)\n")
    assert error.message.endswith('(and 2 more)')


@pytest.mark.parametrize(('text', 'key', 'right'), [
    ("model = dict(type='ImageClassifier', bakbone=dict(type='ResNet', depth=18))",
     'model.bakbone', 'backbone'),
    ("model = dict(type='ImageClassifier', backbone=dict(type='ResNet', dept=18))",
     'model.backbone.dept', 'depth'),
    ("model = dict(type='ImageClassifier', backbone=dict(typ='ResNet', depth=18))",
     'model.backbone.typ', 'type'),
    ("data_preprocessor = dict(mean=[1, 2, 3], sdt=[1, 2, 3])", 'data_preprocessor.sdt', 'std'),
    ("train_dataloader = dict(batchsize=3, dataset=" + DATASET + ")",
     'train_dataloader.batchsize', 'batch_size'),
    ("train_dataloader = dict(dataset=dict(type='ImageNet', data_rot='a'))",
     'train_dataloader.dataset.data_rot', 'data_root'),
    ("train_dataloader = dict(dataset=dict(type='ImageNetFolder', data_root='a', splt='val'))",
     'train_dataloader.dataset.splt', 'split'),
    ("train_dataloader = dict(dataset=dict(type='ConcatDataset', datasets=[dict("
     "type='ImageNet', anno_file='a')]))", 'train_dataloader.dataset.datasets.0.anno_file',
     'ann_file'),
    ("train_dataloader = dict(sampler=dict(type='DefaultSampler', shufle=True))",
     'train_dataloader.sampler.shufle', 'shuffle'),
    ("train_dataloader = dict(dataset=dict(type='ImageNet', pipeline=[dict(type='RandomFlip', "
     "prb=0.5)]))", 'train_dataloader.dataset.pipeline.0.prb', 'prob'),
    ("train_dataloader = dict(dataset=dict(type='ImageNet', pipeline=[dict(type='RandAugment', "
     "policies=[dict(type='Rotate', magnitude_rang=(0, 1))], num_policies=1, "
     "magnitude_level=1)]))",
     'train_dataloader.dataset.pipeline.0.policies.0.magnitude_rang', 'magnitude_range'),
    ("param_scheduler = [dict(type='LinearLR', convert_to_iter_base=True)]",
     'param_scheduler.0.convert_to_iter_base', 'convert_to_iter_based'),
    ("param_scheduler = dict(type='CosineAnnealingLR', Tmax=5)", 'param_scheduler.Tmax', 'T_max'),
    ("train_cfg = dict(max_epoch=3)", 'train_cfg.max_epoch', 'max_epochs'),
    ("train_cfg = dict(type='EpochBasedTrainLoop', max_epoch=3)", 'train_cfg.max_epoch',
     'max_epochs'),
    ("train_cfg = dict(by_epoch=False, max_iter=3)", 'train_cfg.max_iter', 'max_iters'),
    ("val_evaluator = dict(type='Accuracy', top_k=1)", 'val_evaluator.top_k', 'topk'),
    ("val_evaluator = [dict(type='Accuracy'), dict(type='SingleLabelMetric', item=[])]",
     'val_evaluator.1.item', 'items'),
    ("default_hooks = dict(logger=dict(type='LoggerHook', intervall=3))",
     'default_hooks.logger.intervall', 'interval'),
    ("default_hooks = dict(chekpoint=dict(type='CheckpointHook'))", 'default_hooks.chekpoint',
     'checkpoint'),
    ("default_hooks = dict(logger=dict(type='LoggerHook', prority=3))",
     'default_hooks.logger.prority', 'priority'),
    ("custom_hooks = [dict(type='EMAHook', momentu=0.1)]", 'custom_hooks.0.momentu', 'momentum'),
    ("custom_hooks = [dict(type='RunEarlyStoppingHook', monitor='val_loss', patienc=3)]",
     'custom_hooks.0.patienc', 'patience'),
    ("optim_wrapper = dict(paramwise_cfg=dict(norm_decay_mul=0))",
     'optim_wrapper.paramwise_cfg.norm_decay_mul', 'norm_decay_mult'),
    ("optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'bias': dict(lr_mul=0)}))",
     'optim_wrapper.paramwise_cfg.custom_keys.bias.lr_mul', 'lr_mult'),
    ("optim_wrapper = dict(clip_grad=dict(max_nrom=1))", 'optim_wrapper.clip_grad.max_nrom',
     'max_norm'),
    ("env_cfg = dict(mp_cfg=dict(opencv_num_thread=0))", 'env_cfg.mp_cfg.opencv_num_thread',
     'opencv_num_threads'),
    ("env_cfg = dict(dist_cfg=dict(backnd='gloo'))", 'env_cfg.dist_cfg.backnd', 'backend'),
    ("randomness = dict(sed=0)", 'randomness.sed', 'seed'),
    ("auto_scale_lr = dict(base_batchsize=256)", 'auto_scale_lr.base_batchsize',
     'base_batch_size'),
    ("log_processor = dict(window_sze=3)", 'log_processor.window_sze', 'window_size'),
    ("visualizer = dict(type='UniversalVisualizer', vis_backend=[])", 'visualizer.vis_backend',
     'vis_backends'),
    ("visualizer = dict(vis_backends=[dict(type='LocalVisBackend', save_dr='a')])",
     'visualizer.vis_backends.0.save_dr', 'save_dir'),
    ("execution = dict(precison='fp32')", 'execution.precison', 'precision'),
    ("custom_imports = dict(import_=['a'])", 'custom_imports.import_', 'imports'),
    ("tta_pipeline = [dict(type='TestTimeAug', transform=[])]", 'tta_pipeline.0.transform',
     'transforms'),
    ("tta_model = dict(type='AverageClsScoreTTA', data_preprocesor=1)",
     'tta_model.data_preprocesor', 'data_preprocessor'),
    ("model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), "
     "train_cfg=dict(augment=dict(type='Mixup', alpha=1.0)))", 'model.train_cfg.augment',
     'augments'),
    ("model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), "
     "train_cfg=dict(augments=[dict(type='Mixup', alph=1.0)]))",
     'model.train_cfg.augments.0.alph', 'alpha'),
    ("model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18, "
     "init_cfg=dict(type='Pretrained', chekpoint='a')))",
     'model.backbone.init_cfg.chekpoint', 'checkpoint'),
    ("model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18, "
     "init_cfg=[dict(type='Constant', layr='BN', val=1)]))",
     'model.backbone.init_cfg.0.layr', 'layer'),
    ("model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18, "
     "norm_cfg=dict(type='BN', require_grad=True)))", 'model.backbone.norm_cfg.require_grad',
     'requires_grad'),
    ("model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18), "
     "frozen_stage=3)", 'model.frozen_stage', 'frozen_stages'),
    ("custom_hooks = [dict(type='SwitchRecipeHook', schedule=[dict(action_epoc=3)])]",
     'custom_hooks.0.schedule.0.action_epoc', 'action_epoch')])
def test_a_misspelt_key_anywhere_is_rejected_with_the_right_name_first(configs, text, key, right):
    error = configs.error(text + '\n')
    assert error.message.startswith(f'child.py:1: `{key}` ')
    assert error.hint.startswith(f'did you mean `{right}`?')


@pytest.mark.parametrize('text', [
    "optim_wrapper = dict(constructor='DefaultOptimWrapperConstructor', paramwise_cfg=dict("
    "norm_decay_mult=0, custom_keys={'bias': dict(lr_mult=2, weight_decay=0)}), "
    "clip_grad=dict(type='norm', max_norm=1), optimizer=dict(type='AdamW', lr=1e-3, "
    "betas=(0.9, 0.9)), accumulative_counts=2)",
    "optim_wrapper = dict(type='AmpOptimWrapper', loss_scale=512.0, dtype='bfloat16', "
    "optimizer=dict(type='SGD', lr=1))",
    "optim_wrapper = dict(type='AutocastOptimWrapper', optimizer=dict(type='SGD', lr=1))",
    "param_scheduler = [dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=5, "
    "convert_to_iter_based=True), dict(type='CosineAnnealingLR', T_max=5, eta_min=1e-5)]",
    "train_dataloader = dict(batch_size=4, num_workers=0, persistent_workers=False, "
    "collate_fn=dict(type='default_collate'), pin_memory=True, drop_last=True, "
    "sampler=dict(type='RepeatAugSampler'), dataset=" + DATASET + ")",
    "train_dataloader = dict(num_batch_per_epoch=3, dataset=dict(type='RepeatDataset', times=2, "
    "dataset=" + DATASET + "))",
    "train_dataloader = dict(dataset=dict(type='ImageNet', ann_file='a', data_prefix='b', "
    "split='val', with_label=True, extensions=('.png',), lazy_init=True, metainfo=dict(a=1)))",
    "train_dataloader = dict(dataset=dict(type='ImageNet', pipeline=[dict(type='RandAugment', "
    "policies='timm_increasing', num_policies=2, total_level=10, magnitude_level=9, "
    "magnitude_std=0.5, hparams=dict(pad_val=[1, 2, 3], interpolation='bicubic'))]))",
    "train_dataloader = dict(dataset=dict(type='ImageNet', pipeline=[dict(type='AutoAugment', "
    "policies=[[dict(type='Rotate', angle=3), dict(type='Equalize', prob=0.3)]])]))",
    "train_dataloader = dict(dataset=dict(type='ImageNet', pipeline=[dict(type='RandAugment', "
    "num_policies=1, magnitude_level=1, policies=[dict(type='Rotate', magnitude_key='angle', "
    "magnitude_range=(0, 1))])]))",
    "train_dataloader = dict(dataset=dict(type='ImageNet', pipeline=[dict("
    "type='torchvision/ColorJitter', brightness=0.3)]))",
    "train_dataloader = dict(dataset=dict(type='ImageNet', pipeline=[dict(type='Albumentations', "
    "transforms=[dict(type='HorizontalFlip', p=0.5)])]))",
    "val_evaluator = dict(type='Evaluator', metrics=[dict(type='Accuracy')])",
    "default_hooks = dict(logger=dict(type='LoggerHook', interval=3, priority='LOW'), timer=None, "
    "visualization=dict(type='VisualizationHook', enable=False))",
    "custom_hooks = [dict(type='EMAHook', momentum=4e-5, update_buffers=True, priority=49)]",
    "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=18, norm_cfg=dict("
    "type='BN', requires_grad=False), init_cfg=[dict(type='TruncNormal', layer='Linear', "
    "std=0.02, bias=0., override=dict(type='Constant', name='fc', val=1))]), "
    "train_cfg=dict(augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)], "
    "probs=[0.5, 0.5]), data_preprocessor=dict(to_rgb=True))",
    "data_preprocessor = dict(num_classes=5, mean=[0, 0, 0], std=[1, 1, 1], to_onehot=True)",
    "tta_model = dict(type='AverageClsScoreTTA')\ntta_pipeline = [dict(type='LoadImageFromFile'), "
    "dict(type='TestTimeAug', transforms=[[dict(type='RandomFlip', prob=1.0)], "
    "[dict(type='PackInputs')]])]",
    "visualizer = dict(type='UniversalVisualizer', vis_backends=[dict(type='LocalVisBackend')])",
    "env_cfg = dict(cudnn_benchmark=True, mp_cfg=dict(mp_start_method='fork'), resource_limit=10)",
    "train_cfg = dict(by_epoch=False, max_iters=3, val_interval=1)",
    "train_cfg = dict(type='IterBasedTrainLoop', max_iters=3)",
    "val_cfg = dict(fp16=True)\ntest_cfg = dict(type='TestLoop')"])
def test_what_mmengine_takes_is_let_pass_without_a_note(configs, text):
    assert configs.load(text + '\n').notes == []


# -- types


@pytest.mark.parametrize(('text', 'key', 'right'), [
    ("optim_wrapper = dict(optimizer=dict(type='Adamw', lr=1))", 'optim_wrapper.optimizer.type',
     'AdamW'),
    ("model = dict(type='ImageClasifier')", 'model.type', 'ImageClassifier'),
    ("model = dict(type='ImageClassifier', backbone=dict(type='Resnet', depth=18))",
     'model.backbone.type', 'ResNet'),
    ("param_scheduler = dict(type='CosineAnealingLR')", 'param_scheduler.type',
     'CosineAnnealingLR'),
    ("custom_hooks = [dict(type='EMAhook')]", 'custom_hooks.0.type', 'EMAHook'),
    ("train_dataloader = dict(dataset=dict(type='ImageNetFoldr', data_root='a'))",
     'train_dataloader.dataset.type', 'ImageNetFolder'),
    ("val_evaluator = dict(type='Acuracy')", 'val_evaluator.type', 'Accuracy'),
    ("optim_wrapper = dict(constructor='LearningRateDecayOptimWrapperConstructo')",
     'optim_wrapper.constructor', 'LearningRateDecayOptimWrapperConstructor')])
def test_a_misspelt_type_is_rejected_with_the_right_name_first(configs, text, key, right):
    error = configs.error(text + '\n')
    assert error.message.startswith(f'child.py:1: `{key}` is ')
    assert first(error.hint) == right


def test_a_type_of_another_kind_is_said_to_be_of_that_kind(configs):
    error = configs.error("optim_wrapper = dict(optimizer=dict(type='LinearClsHead'))\n")
    assert 'no optimizer has that name' in error.message
    assert '`LinearClsHead` is a model' in error.hint


@pytest.mark.parametrize('text', [
    "model = dict(type='mmdet.FasterRCNN', a=1)",
    "model = dict(type='FasterRCNN', _scope_='mmdet', a=1)"])
def test_a_type_of_a_package_that_is_not_installed_is_said_to_be(configs, text):
    error = configs.error(text + '\n')
    assert 'package mmdet: not installed' in error.message
    assert error.hint == 'pip install mmdet'


def test_a_type_that_needs_a_package_that_is_not_installed_names_it(configs, monkeypatch):
    error = configs.error("model = dict(type='BlipCaption')\n")
    assert 'transformers' in error.message and error.hint.startswith('pip install')


def test_a_type_may_carry_its_package_or_be_a_path(configs):
    loaded = configs.load("""
        model = dict(type='mmpretrain.ImageClassifier', backbone=dict(type='mmpretrain.ResNet',
                     depth=18))
        optim_wrapper = dict(optimizer=dict(type='torch.optim.SGD', lr=0.1))
        """)
    assert loaded.notes == []
    error = configs.error("optim_wrapper = dict(optimizer=dict(type='torch.optim.SGD', lrr=1))\n")
    assert error.hint.startswith('did you mean `lr`?')


def test_a_dict_that_names_no_class_is_an_error(configs):
    error = configs.error("model = dict(type='ImageClassifier', backbone=dict(depth=18))\n")
    assert error.message == 'child.py:1: `model.backbone` names no `type`'


def test_arguments_inherited_across_a_changed_type_are_dropped_and_said(configs):
    loaded = configs.load("""
        _base_ = 'schedule.py'
        optim_wrapper = dict(optimizer=dict(type='Adam', lr=0.001))
        """)
    assert loaded.config.optim_wrapper.optimizer == dict(type='Adam', lr=0.001)
    assert loaded.notes == ['schedule.py:4: `optim_wrapper.optimizer.momentum` is dropped: it was '
                            'inherited, and Adam does not take it']
    assert 'optim_wrapper.optimizer.momentum' not in loaded.origins


def test_arguments_the_new_type_takes_are_kept(configs):
    loaded = configs.load("_base_ = 'schedule.py'\noptim_wrapper = dict(optimizer=dict("
                          "type='RMSprop'))\n")
    assert loaded.config.optim_wrapper.optimizer == dict(type='RMSprop', lr=0.01, momentum=0.9)


def test_an_argument_the_child_set_itself_is_an_error_even_with_a_changed_type(configs):
    error = configs.error("_base_ = 'schedule.py'\noptim_wrapper = dict(optimizer=dict("
                          "type='Adam', momentum=0.9))\n")
    assert error.message == 'child.py:2: `optim_wrapper.optimizer.momentum` is not an argument ' \
                            'of Adam'


def test_a_grandchild_that_sets_a_dropped_argument_gets_the_error(configs):
    configs.write('adam.py', "_base_ = 'schedule.py'\noptim_wrapper = dict(optimizer=dict("
                             "type='Adam'))\n")
    assert len(configs.load("_base_ = 'adam.py'\n").notes) == 1
    error = configs.error("_base_ = 'adam.py'\noptim_wrapper = dict(optimizer=dict("
                          "momentum=0.9))\n")
    assert error.message.startswith('child.py:2: ')


def test_an_option_that_changes_a_type_drops_what_does_not_fit(configs):
    loaded = configs.load("_base_ = 'schedule.py'\n", 'optim_wrapper.optimizer.type=Adam')
    assert 'momentum' not in loaded.config.optim_wrapper.optimizer


def test_a_type_where_the_base_left_the_default_drops_what_does_not_fit(configs):
    loaded = configs.load("_base_ = 'schedule.py'\ntrain_cfg = dict(type='IterBasedTrainLoop', "
                          "max_iters=9)\n")
    assert loaded.config.train_cfg == dict(type='IterBasedTrainLoop', max_iters=9, val_interval=1)


def test_what_nobody_can_check_is_said(configs):
    loaded = configs.load("model = dict(type='ImageClassifier', backbone=dict("
                          "type='TIMMBackbone', model_name='resnet18', block_args=1))\n")
    assert loaded.notes == ['child.py:1: `model.backbone.block_args` is not checked: nobody can '
                            'tell what TIMMBackbone(**kwargs) takes']


def test_near_misses_of_known_arguments_are_errors_even_where_anything_goes(configs):
    error = configs.error("model = dict(type='ImageClassifier', backbone=dict("
                          "type='TIMMBackbone', model_nam='resnet18'))\n")
    assert error.hint.startswith('did you mean `model_name`?')


# -- plain values


@pytest.mark.parametrize(('text', 'said'), [
    ("optim_wrapper = dict(optimizer=dict(type='SGD', lr='0.01'))", 'a number'),
    ("train_cfg = dict(max_epochs=2.5)", 'an integer'),
    ("train_cfg = dict(max_epochs='3')", 'an integer'),
    ("train_dataloader = dict(num_workers=-1)", 'from 0'),
    ("train_dataloader = dict(batch_size=0)", 'from 1'),
    ("train_dataloader = dict(pin_memory='True')", 'True or False'),
    ("train_dataloader = dict(num_workers='two')", 'an integer'),
    ("model = dict(type='ResNet', depth='18')", ''),
    ("param_scheduler = dict(type='CosineAnnealingLR', T_max='5')", 'an integer'),
    ("randomness = dict(seed='0')", 'an integer'),
    ("work_dir = 3.5", 'string')])
def test_a_plain_value_of_the_wrong_type_is_an_error(configs, text, said):
    if not said:  # ResNet's depth has neither annotation nor default: nobody can tell
        assert configs.load(text + '\n').notes == []
        return
    error = configs.error(text + '\n')
    assert error.message.startswith('child.py:1: `') and said in error.message


@pytest.mark.parametrize('text', [
    "optim_wrapper = dict(optimizer=dict(type='SGD', lr=1))",
    "train_cfg = dict(max_epochs=3.0)",
    "train_dataloader = dict(timeout=1)",
    "optim_wrapper = dict(type='AmpOptimWrapper', loss_scale='dynamic', optimizer=dict("
    "type='SGD', lr=1))",
    "model = dict(type='ResNet', depth=18, drop_path_rate=0)"])
def test_values_that_fit_are_let_pass(configs, text):
    assert configs.load(text + '\n').notes == []


# -- amlnn's own keys


def model(**keys) -> str:
    text = ', '.join(f'{key}={value!r}' for key, value in keys.items())
    return f"_base_ = 'model.py'\nmodel = dict({text})\n"


@pytest.mark.parametrize('value', [-1, 0, 3, 'all'])
def test_frozen_stages_that_mean_something_are_let_pass(configs, value):
    assert configs.load(model(frozen_stages=value)).config.model.frozen_stages == value


@pytest.mark.parametrize('value', [-2, 'al', 'three', '3', 1.5, True, None, [1]])
def test_frozen_stages_that_mean_nothing_are_errors(configs, value):
    error = configs.error(model(frozen_stages=value))
    assert error.message.startswith(f'child.py:2: `model.frozen_stages` is {value!r}')


@pytest.mark.parametrize('value', ['torchvision://resnet50', 'timm://inception_v4', 'best.pth',
                                   '/a/b/best.pth', None])
def test_pretrained_weights_can_be_a_scheme_a_path_or_none(configs, value):
    assert configs.load(model(pretrained=value)).config.model.pretrained == value


@pytest.mark.parametrize(('value', 'hint'), [
    ('torchvison://resnet50', 'did you mean `torchvision://resnet50`?'), (3, ''), ('', ''),
    ('https://a/b.pth',
     'use torchvision://<model>, timm://<model>, package://<weights>, or a path')])
def test_pretrained_weights_can_be_nothing_else(configs, value, hint):
    error = configs.error(model(pretrained=value))
    assert error.message.startswith('child.py:2: `model.pretrained`') and hint in error.hint


@pytest.mark.parametrize(('key', 'value'), [
    ('trainable', 'layer4'), ('trainable', [1]), ('trainable', 3), ('pretrained_head', 'yes'),
    ('pretrained_head', 1)])
def test_amlnn_s_other_model_keys_are_checked(configs, key, value):
    assert f'`model.{key}`' in configs.error(model(**{key: value})).message


def test_two_meanings_of_frozen_are_an_error_that_names_both_files(configs):
    configs.write('frozen.py', "_base_ = 'model.py'\nmodel = dict(backbone=dict("
                               "frozen_stages=2))\n")
    error = configs.error("_base_ = 'frozen.py'\nmodel = dict(frozen_stages=2)\n")
    assert 'child.py:2' in error.message and 'frozen.py:2' in error.message
    assert configs.load("_base_ = 'frozen.py'\n").config.model.backbone.frozen_stages == 2


def test_two_sources_of_weights_are_an_error_that_names_both_files(configs):
    configs.write('init.py', "_base_ = 'model.py'\nmodel = dict(backbone=dict("
                             "init_cfg=dict(type='Pretrained', checkpoint='a')))\n")
    error = configs.error("_base_ = 'init.py'\nmodel = dict(pretrained='b.pth')\n")
    assert 'child.py:2' in error.message and 'init.py:2' in error.message
    other = "_base_ = 'model.py'\nmodel = dict(pretrained='b', backbone=dict(" \
            "init_cfg=dict(type='Kaiming', layer='Conv2d')))\n"
    assert configs.load(other).notes == []


# -- monitors


@pytest.mark.parametrize(('evaluator', 'names'), [
    ("dict(type='Accuracy')", ['accuracy/top1']),
    ("dict(type='Accuracy', topk=(1, 5))", ['accuracy/top1', 'accuracy/top5']),
    ("dict(type='Accuracy', topk=1, prefix='mine')", ['mine/top1']),
    ("dict(type='Accuracy', thrs=(0., 0.5, None))",
     ['accuracy/top1_thr-0.00', 'accuracy/top1_thr-0.50', 'accuracy/top1_no-thr']),
    ("dict(type='SingleLabelMetric')",
     ['single-label/precision', 'single-label/recall', 'single-label/f1-score']),
    ("dict(type='SingleLabelMetric', items=['recall'], average='micro')",
     ['single-label/recall_micro']),
    ("dict(type='SingleLabelMetric', items=['recall'], average=None)",
     ['single-label/recall_classwise']),
    ("dict(type='MultiLabelMetric', items=['recall'], thr=0.3)", ['multi-label/recall_thr-0.30']),
    ("dict(type='MultiLabelMetric', items=['recall'], topk=1)", ['multi-label/recall_top1']),
    ("dict(type='AveragePrecision')", ['multi-label/mAP']),
    ("[dict(type='Accuracy'), dict(type='AveragePrecision', prefix='p')]",
     ['accuracy/top1', 'p/mAP'])])
def test_the_names_that_evaluators_report_are_known(configs, evaluator, names):
    configs.load(f'val_evaluator = {evaluator}\n')
    loaded = load_config('child.py')
    assert produced(loaded.config, library()) == [*names, VALIDATION_LOSS]


def test_a_monitor_that_no_evaluator_produces_is_an_error(configs):
    text = "val_evaluator = dict(type='Accuracy', topk=(1, 5))\n" \
           "default_hooks = dict(checkpoint=dict(type='RunCheckpointHook', " \
           "save_best='accuracy/top2'))\n"
    error = configs.error(text)
    assert error.message.startswith('child.py:2: `default_hooks.checkpoint.save_best` is '
                                    '`accuracy/top2`')
    assert error.hint.startswith('did you mean `accuracy/top1`?')


@pytest.mark.parametrize('name', ['accuracy/top1', 'accuracy/top5', VALIDATION_LOSS])
def test_a_monitor_that_is_produced_is_let_pass(configs, name):
    text = "val_evaluator = dict(type='Accuracy', topk=(1, 5))\ncustom_hooks = [dict(" \
           f"type='RunEarlyStoppingHook', monitor='{name}')]\n"
    assert configs.load(text).notes == []


def test_early_stopping_on_what_nobody_reports_is_an_error(configs):
    text = "val_evaluator = dict(type='Accuracy')\ncustom_hooks = [dict(" \
           "type='EarlyStoppingHook', monitor='acuracy/top1')]\n"
    error = configs.error(text)
    assert first(error.hint) == 'accuracy/top1'


def test_a_monitor_is_not_judged_where_the_metric_is_unknown(configs):
    text = "val_evaluator = dict(type='RetrievalRecall')\ndefault_hooks = dict(checkpoint=dict(" \
           "type='RunCheckpointHook', save_best='anything'))\n"
    assert configs.load(text).notes == []


def test_mmengine_s_automatic_choice_of_a_metric_is_let_pass(configs):
    text = "val_evaluator = dict(type='Accuracy')\ndefault_hooks = dict(checkpoint=dict(" \
           "type='CheckpointHook', save_best='auto'))\n"
    assert configs.load(text).notes == []


# -- modules of the user


def test_classes_of_custom_imports_are_read(configs, monkeypatch):
    configs.write('my_parts.py', """\
        from mmengine.hooks import Hook
        from mmengine.registry import HOOKS

        raise RuntimeError('imported')

        @HOOKS.register_module()
        class MyHook(Hook):
            def __init__(self, strength: float = 1.0):
                self.strength = strength
        """)
    monkeypatch.syspath_prepend(str(configs.root))
    text = "custom_imports = dict(imports=['my_parts'])\n" \
           "custom_hooks = [dict(type='MyHook', {}=2.0)]\n"
    assert configs.load(text.format('strength')).notes == []
    error = configs.error(text.format('strenght'))
    assert error.hint.startswith('did you mean `strength`?')


def test_arguments_of_a_users_class_mean_what_it_likes(configs, monkeypatch):
    configs.write('my_own.py', """\
        from mmengine.registry import HOOKS

        @HOOKS.register_module()
        class Own:
            def __init__(self, schedule, loss, pipeline):
                pass
        """)
    monkeypatch.syspath_prepend(str(configs.root))
    text = "custom_imports = dict(imports=['my_own'])\ncustom_hooks = [dict(type='Own', " \
           "schedule=dict(a=1), loss=dict(b=2), pipeline=[dict(type='mine')])]\n"
    assert configs.load(text).notes == []


def test_a_custom_import_that_cannot_be_found_explains_an_unknown_type(configs):
    error = configs.error("custom_imports = dict(imports=['not_there'])\n"
                          "custom_hooks = [dict(type='ZzzUnknown')]\n")
    assert error.message == 'child.py:1: custom_imports names `not_there`, and there is no such ' \
                            'module (and 1 more)'
    assert '`not_there.py`' in error.hint and 'PYTHONPATH' in error.hint


# -- parts of a data set that holds images out


def parts(kind='TinyImageNet', wrap='{}', **keys) -> str:
    """Data loaders of three parts; `keys` are arguments of each, by part."""
    lines = []
    for part in ('train', 'val', 'test'):
        arguments = {'data_root': "'a'", 'split': repr(part), **keys.get(part, {})}
        inner = ', '.join(f'{key}={value}' for key, value in arguments.items())
        section = wrap.format(f"dict(type='{kind}', pipeline={PIPELINE}, {inner})")
        lines.append(f'{part}_dataloader = dict(batch_size=2, dataset={section})\n')
    return ''.join(lines)


@pytest.mark.parametrize('kind', ['TinyImageNet', 'CIFAR100Python'])
def test_a_misspelt_holdout_is_rejected_with_the_right_name_first(configs, kind):
    error = configs.error(parts(kind, train=dict(holdot=50)))
    assert f'`train_dataloader.dataset.holdot` is not an argument of {kind}' in error.message
    assert error.hint.startswith(f'did you mean `holdout`? {kind} takes data_root, split')


@pytest.mark.parametrize(('kind', 'key', 'value', 'said'), [
    ('TinyImageNet', 'holdout', "'50'", 'takes an integer'),
    ('CIFAR100Python', 'subset', '2.5', 'takes an integer'),
    ('CIFAR100Python', 'holdout', '-1', 'takes numbers from 0'),
    ('TinyImageNet', 'subset', '0', 'takes numbers from 1'),
    ('ImageNetFolder', 'subset', '0', 'takes numbers from 1'),
])
def test_a_hold_out_or_subset_that_is_no_number_of_images_is_an_error(configs, kind, key, value,
                                                                      said):
    assert said in configs.error(parts(kind, train={key: value})).message


@pytest.mark.parametrize('key, value, default', [
    ('holdout', '50', '0'), ('seed', '3', '0'), ('labels', "'imagenet-1k'", "'own'")])
@pytest.mark.parametrize('part', ['train', 'val', 'test'])
def test_parts_that_disagree_on_what_is_held_out_are_an_error(configs, part, key, value, default):
    error = configs.error(parts(**{part: {key: value}}))
    assert error.message.startswith(f'child.py:{("train", "val", "test").index(part) + 1}: ')
    assert f'`{part}_dataloader.dataset.{key}` is {value}' in error.message
    assert f'is {default}' in error.message
    bare = value.strip("'")
    assert f'train_dataloader.dataset.{key}={bare} val_dataloader.dataset.{key}={bare}' \
        in error.hint


def test_parts_in_several_folders_are_an_error(configs):
    error = configs.error(parts(), 'train_dataloader.dataset.data_root=b')
    assert "`val_dataloader.dataset.data_root` is 'a'" in error.message
    assert 'test_dataloader.dataset.data_root=b' in error.hint


def test_parts_inside_wrappers_are_compared_too(configs):
    wrap = "dict(type='RepeatDataset', times=2, dataset={})"
    error = configs.error(parts(wrap=wrap, val=dict(holdout=5)))
    assert '`val_dataloader.dataset.dataset.holdout` is 5' in error.message


@pytest.mark.parametrize('text', [
    parts(), parts(train=dict(holdout=5), val=dict(holdout=5), test=dict(holdout=5)),
    parts(train=dict(holdout=0)), parts(train=dict(subset=200)),
    parts('ImageNetFolder', train=dict(seed=3)),
    parts('CIFAR100Python', train=dict(labels="'fine'")),
])
def test_parts_that_agree_are_let_pass(configs, text):
    configs.load(text)
