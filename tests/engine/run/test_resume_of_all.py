"""Every hook, optimizer wrapper, sampler and metric: resumed to the bit, or refused before the run.

What each registry holds is compared with the list here, so that a class that a new version of a
library brings has to be looked at.
"""

import mmengine.registry
import pytest
from exact_resume import WHERE, assert_a_stopped_run_ends_alike
from generated import write_data_set
from tiny_runs import write_tiny_config

from amlnn.errors import AmlnnError

MIXUP = "dict(augments=[dict(type='Mixup', alpha=0.8)])"
ARC = "model = dict(head=dict(_delete_=True, type='ArcFaceClsHead', in_channels=32))\n"

# What of a config names the class.
HOOKS = {
    'EMAHook': "dict(type='EMAHook', momentum=0.3)",
    'mmengine.EMAHook': "dict(type='mmengine.EMAHook', momentum=0.3)",
    'SwitchRecipeHook': f"dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=2, "
                        f"batch_augments={MIXUP})])",
    'WarmupParamHook': "dict(type='WarmupParamHook', param_name='in_channels', module_name='head', "
                       "warmup_epochs=4)",
    'PreciseBNHook': "dict(type='PreciseBNHook', num_samples=8)",
    'SetAdaptiveMarginsHook': "dict(type='SetAdaptiveMarginsHook')",
    'ProfilerHook': "dict(type='ProfilerHook', on_trace_ready=dict(type='log_trace'))",
    'EmptyCacheHook': "dict(type='EmptyCacheHook', after_iter=True)",
    'RunEarlyStoppingHook': "dict(type='RunEarlyStoppingHook', patience=2, min_delta=9)",
    'EarlyStoppingHook': "dict(type='EarlyStoppingHook', monitor='accuracy/top1', patience=2, "
                         "min_delta=99)",
    'SyncBuffersHook': "dict(type='SyncBuffersHook')",
    'DistSamplerSeedHook': "dict(type='DistSamplerSeedHook')",
    'ClassNumCheckHook': "dict(type='ClassNumCheckHook')",
    'IterTimerHook': "dict(type='IterTimerHook')",
    'LoggerHook': "dict(type='LoggerHook', interval=1)",
    'RuntimeInfoHook': "dict(type='RuntimeInfoHook')",
    'ParamSchedulerHook': "dict(type='ParamSchedulerHook')",
    'CheckpointHook': "dict(type='CheckpointHook', interval=1)",
    'RunCheckpointHook': "dict(type='RunCheckpointHook', interval=2)",
    'VisualizationHook': "dict(type='VisualizationHook')",
    'NaiveVisualizationHook': "dict(type='NaiveVisualizationHook')",
    'NPUProfilerHook': "dict(type='NPUProfilerHook')",
    'RFSearchHook': "dict(type='RFSearchHook', mode='search', config=dict(search=dict(step=0, "
                    "max_step=2, search_interval=1, exp_rate=0.5, init_alphas=0.01, mmin=1, "
                    "mmax=24, num_branches=2, skip_layer=['stem', 'conv1']), structure={}))",
    'PrepareTTAHook': "dict(type='PrepareTTAHook', tta_cfg=dict(type='AverageClsScoreTTA'))",
    'SimSiamHook': "dict(type='SimSiamHook', fix_pred_lr=False, lr=0.1)",
    'DenseCLHook': "dict(type='DenseCLHook')",
    'SwAVHook': "dict(type='SwAVHook', batch_size=4, queue_length=8, crops_for_assign=[0, 1], "
                "feat_dim=32)",
    'PrepareProtoBeforeValLoopHook': "dict(type='PrepareProtoBeforeValLoopHook')",
}
WRAPPERS = {
    'OptimWrapper': "dict(type='OptimWrapper', accumulative_counts=3, clip_grad=dict(max_norm=1))",
    'AmpOptimWrapper': "dict(type='AmpOptimWrapper', loss_scale='dynamic')",
    'AutocastOptimWrapper': "dict(type='AutocastOptimWrapper')",
    'ApexOptimWrapper': "dict(type='ApexOptimWrapper')",
    'ColossalAIOptimWrapper': "dict(type='ColossalAIOptimWrapper')",
    'DeepSpeedOptimWrapper': "dict(type='DeepSpeedOptimWrapper')",
}
CONSTRUCTORS = {
    'DefaultOptimWrapperConstructor': "paramwise_cfg=dict(bias_lr_mult=2.0)",
    'LearningRateDecayOptimWrapperConstructor': "paramwise_cfg=dict(layer_decay_rate=0.5)",
}
SAMPLERS = {
    'DefaultSampler': 'shuffle=True, round_up=False', 'InfiniteSampler': 'shuffle=True',
    'RepeatAugSampler': 'num_repeats=3', 'SequentialSampler': 'round_up=False',
    'WeightedSampler': 'class_weights=[1, 3]',
    'ViewSampler': "sampler=dict(type='DefaultSampler')",
}
METRICS = {
    'Accuracy': 'topk=(1,)', 'SingleLabelMetric': '', 'ConfusionMatrix': '',
    'AveragePrecision': '', 'MultiLabelMetric': '', 'DumpResults': "out_file_path='out.pkl'",
    'ANLS': '', 'COCOCaption': "ann_file='a.json'", 'GQAAcc': '', 'NocapsSave': '', 'ReportVQA': '',
    'MultiTasksMetric': "task_metrics=dict(a=[dict(type='Accuracy')])", 'RegressionMetric': '',
    'RetrievalAveragePrecision': 'topk=1', 'RetrievalRecall': 'topk=1', 'ScienceQAMetric': '',
    'ShapeBiasMetric': "csv_dir='a', dataset_name='b', model_name='c'", 'VOCAveragePrecision': '',
    'VOCMultiLabelMetric': '', 'VQAAcc': '', 'VisualGroundingMetric': '',
    'PresentClassAccuracy': '', 'SuperclassAccuracy': '', 'ForecastError': '',
    'QuantileError': '',
}
REFUSED = {
    'DenseCLHook',  # of self-supervised training
    # Of another device, or of packages that are not there.
    'NPUProfilerHook', 'ApexOptimWrapper', 'ColossalAIOptimWrapper', 'DeepSpeedOptimWrapper',
    'COCOCaption', 'NocapsSave',
    'LearningRateDecayOptimWrapperConstructor',  # for backbones that say how deep a layer lies
    'InfiniteSampler',  # never ends an epoch
    # They measure what a classifier does not predict, or need what the data do not say.
    'ANLS', 'ReportVQA', 'GQAAcc', 'MultiTasksMetric', 'RegressionMetric', 'ShapeBiasMetric',
    'VOCAveragePrecision', 'VOCMultiLabelMetric', 'ScienceQAMetric', 'VQAAcc',
    'VisualGroundingMetric', 'PresentClassAccuracy', 'SuperclassAccuracy', 'ForecastError',
    'QuantileError',
}
# One of each that has state that matters, in the fast tier; all in the slow one.
FAST = {'EMAHook', 'SwitchRecipeHook', 'PreciseBNHook', 'RunEarlyStoppingHook', 'OptimWrapper',
        'RepeatAugSampler', 'SingleLabelMetric'}


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    root = write_data_set(tmp_path_factory.mktemp('images') / 'data', ('a', 'b'),
                          {'train': 12, 'val': 4, 'test': 2}, side=8)
    lines = (root / 'train.txt').read_text().splitlines(keepends=True)
    (root / 'train.txt').write_text(''.join(lines[:-1]))  # margins go by the count of a class
    (root / 'training_set' / lines[-1].split()[0]).unlink()
    return root


def texts():
    """Kind, name and what a config says, of all."""
    for name, section in HOOKS.items():
        head = ARC if name == 'SetAdaptiveMarginsHook' else ''
        yield 'HOOKS', name, f'{head}custom_hooks = [{section}]\n'
    for name, section in WRAPPERS.items():
        text = section[:-1] + ", optimizer=dict(type='SGD', lr=0.01, momentum=0.9))"
        yield 'OPTIM_WRAPPERS', name, f'optim_wrapper = {text}\n'
    for name, words in CONSTRUCTORS.items():
        yield 'OPTIM_WRAPPER_CONSTRUCTORS', name, \
            f"optim_wrapper = dict(constructor='{name}', {words})\n"
    for name, words in SAMPLERS.items():
        yield 'DATA_SAMPLERS', name, \
            f"train_dataloader = dict(sampler=dict(_delete_=True, type='{name}', {words}))\n"
    for name, words in METRICS.items():
        # Beside the one by which the run judges its epochs.
        both = '' if name == 'Accuracy' else f", dict(type='{name}', {words})"
        yield 'METRICS', name, f"val_evaluator = [dict(type='Accuracy', topk=(1,)){both}]\n"


@pytest.mark.parametrize('registry', ['HOOKS', 'OPTIM_WRAPPERS', 'OPTIM_WRAPPER_CONSTRUCTORS',
                                      'DATA_SAMPLERS', 'METRICS'])
def test_the_lists_are_those_of_the_registries(registry):
    import mmpretrain.datasets
    import mmpretrain.engine
    import mmpretrain.evaluation
    import mmpretrain.registry

    import amlnn.engine.precision  # noqa: F401 - registers its class
    from amlnn.engine.images.task import ImageTask
    from amlnn.engine.series.task import SeriesTask
    ImageTask.register()
    SeriesTask.register()
    found = {name for place in (mmengine.registry, mmpretrain.registry)
             if (known := getattr(place, registry, None)) is not None
             for name in known.module_dict if known.module_dict[name].__module__.startswith(
                 ('mmengine.', 'mmcv.', 'mmpretrain.', 'amlnn.'))}
    listed = {name for kind, name, _ in texts() if kind == registry}
    assert found == {name.rpartition('.')[2] for name in listed}


@pytest.mark.filterwarnings('ignore::UserWarning')  # hooks that say they do nothing here
@pytest.mark.parametrize(('name', 'text', 'where'), [
    pytest.param(name, text, where, marks=[] if name in FAST else [pytest.mark.slow],
                 id=f'{name} {where}')
    for _, name, text in texts() for where in WHERE])
def test_a_stopped_run_with_it_ends_alike_or_is_refused(name, text, where, images, tmp_path,
                                                        monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = write_tiny_config(tmp_path / 'c.py', images, text, epochs=4)
    try:
        assert_a_stopped_run_ends_alike(config, tmp_path, where, epoch=2)
    except AmlnnError as refusal:
        assert name in REFUSED, f'{refusal.message}: {refusal.hint}'
        assert refusal.exit_status == 2 and refusal.hint and len(refusal.message.splitlines()) == 1
        assert not (tmp_path / 'whole').exists() or not any((tmp_path / 'whole').iterdir())
    else:
        assert name not in REFUSED
