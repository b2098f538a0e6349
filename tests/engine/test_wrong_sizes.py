"""A value of the right type and the wrong size is two lines before the run, whatever it is of.

Every argument of every head, loss, hook, sampler and batch augmentation that a config of a
classifier can name is given such a value, one at a time. None may end as a bug of amlnn, nor begin
a run and fail.
"""

import inspect
from pathlib import Path

import pytest
from generated import write_data_set
from tiny_runs import write_tiny_config

# What a class cannot be built without, in a network of 32 features and two classes.
NEEDED = {
    'HOOKS': {
        'EMAHook': {}, 'SwitchRecipeHook': dict(schedule=[dict(action_epoch=1)]),
        'WarmupParamHook': dict(param_name='topk', module_name='head', warmup_epochs=1),
        'SimSiamHook': dict(fix_pred_lr=False, lr=0.1), 'PreciseBNHook': dict(num_samples=8),
        'ProfilerHook': {}, 'SetAdaptiveMarginsHook': {}, 'EmptyCacheHook': {},
        'RunEarlyStoppingHook': {}, 'SyncBuffersHook': {}, 'DenseCLHook': {},
        'PrepareProtoBeforeValLoopHook': {}, 'ClassNumCheckHook': {},
        'SwAVHook': dict(batch_size=4, queue_length=8, crops_for_assign=[0, 1], feat_dim=32,
                         num_crops=[2]),
        'RFSearchHook': dict(config=dict(search=dict(step=0, max_step=1))), 'EarlyStoppingHook': {},
        'NaiveVisualizationHook': {}, 'NPUProfilerHook': {}, 'VisualizationHook': {},
        'PrepareTTAHook': dict(tta_cfg=dict(type='AverageClsScoreTTA')), 'IterTimerHook': {},
        'LoggerHook': {}, 'ParamSchedulerHook': {}, 'RuntimeInfoHook': {},
        'DistSamplerSeedHook': {}, 'RunCheckpointHook': {}, 'CheckpointHook': {},
    },
}
AUGMENTS = ('Mixup', 'CutMix', 'ResizeMix')
SAMPLERS = ('DefaultSampler', 'InfiniteSampler', 'RepeatAugSampler', 'SequentialSampler')


def wrong(default, annotation):
    """Values of the type of a default, or of what is written beside it, and of another size."""
    text = str(annotation).lower()
    if isinstance(default, bool):
        return [not default]
    if isinstance(default, int) or (default is inspect.Parameter.empty and 'int' in text):
        return [0, 977]
    if isinstance(default, float) or 'float' in text:
        return [977.0]
    if isinstance(default, list | tuple):
        return [type(default)([1] * (len(default) + 3))]
    if default is None and ('list' in text or 'sequence' in text or 'tuple' in text):
        return [[1.0] * 7]
    if isinstance(default, str):
        return ['nothing']
    return [[1.0] * 7, 977] if default is None else []


def cases():
    """(what it is, section text) of every class and argument."""
    import mmpretrain.datasets
    import mmpretrain.engine
    import mmpretrain.models  # noqa: F401 - registers its classes
    from mmpretrain.models.heads import ClsHead
    from mmpretrain.models.heads.multi_label_cls_head import MultiLabelClsHead
    from mmpretrain.registry import BATCH_AUGMENTS, DATA_SAMPLERS, HOOKS, MODELS

    from amlnn.registry import import_components
    import_components()
    heads = {name: kind for name, kind in MODELS.module_dict.items() if inspect.isclass(kind)
             and issubclass(kind, ClsHead | MultiLabelClsHead)}
    from mmengine.registry import MODELS as ROOT_MODELS
    heads |= {name: kind for name, kind in ROOT_MODELS.module_dict.items() if inspect.isclass(kind)
              and issubclass(kind, ClsHead)}
    losses = {name: kind for name, kind in MODELS.module_dict.items()
              if kind.__module__.startswith('mmpretrain.models.losses')}
    for name, kind in sorted(heads.items()):
        given = {'in_channels': 32} if 'in_channels' in inspect.signature(kind).parameters else {}
        yield from vary('head', name, kind, given,
                        "model = dict(head=dict(_delete_=True, type='{name}', {words}))")
    for name, kind in sorted(losses.items()):
        yield from vary('loss', name, kind, {},
                        "model = dict(head=dict(loss=dict(_delete_=True, type='{name}', {words})))")
    from mmengine.registry import HOOKS as ROOT_HOOKS
    for name, kind in sorted({**ROOT_HOOKS.module_dict, **HOOKS.module_dict}.items()):
        if name.startswith(('Stopping', 'Counting')):
            continue
        yield from vary('hook', name, kind, NEEDED['HOOKS'][name],
                        "custom_hooks = [dict(type='{name}', {words})]")
    from mmengine.registry import DATA_SAMPLERS as ROOT_SAMPLERS
    kinds = {**ROOT_SAMPLERS.module_dict, **DATA_SAMPLERS.module_dict}
    for name in SAMPLERS:
        yield from vary('sampler', name, kinds[name], {},
                        "train_dataloader = dict(sampler=dict(_delete_=True, type='{name}', "
                        '{words}))')
    for name in AUGMENTS:
        yield from vary('augment', name, BATCH_AUGMENTS.get(name), {'alpha': 1.0},
                        "model = dict(train_cfg=dict(augments=dict(type='{name}', {words})))")


def vary(what, name, kind, given, text):
    def section(values):
        words = ', '.join(f'{key}={value!r}' for key, value in values.items())
        return text.format(name=name, words=words)
    yield f'{what}-{name}', section(given)
    for parameter in inspect.signature(kind).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) \
                or parameter.name in ('dataset', 'init_cfg', 'self'):
            continue
        for value in wrong(parameter.default, parameter.annotation):
            yield f'{what}-{name}-{parameter.name}={value!r}', section(
                {**given, parameter.name: value})


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return write_data_set(tmp_path_factory.mktemp('sizes') / 'data', ('a', 'b'),
                          sizes={'train': 4, 'val': 2, 'test': 2}, side=8)


def outcome(run_tool, config):
    """'trained', 'refused', or what went wrong."""
    status, shown, errors = run_tool('train', config, '--work-dir', config.parent / 'work')
    lines = errors.strip().splitlines()
    told = [line for line in lines if line.startswith('error: ')]
    if status == 0:
        return 'trained'
    if status == 2 and len(told) == 1 and 'looks like a bug' not in errors \
            and 'run folder:' not in shown:
        return 'refused'
    if status == 1 and 'loss is' in errors:  # a rate of 977 is a value as good as any
        return 'diverged'
    return f'{status}: {lines[-2:]}'


# What libraries warn of, and go on.
@pytest.mark.filterwarnings('ignore')
@pytest.mark.slow
def test_no_argument_of_the_wrong_size_is_a_bug_or_ends_a_run(data, tmp_path, run_tool):
    found = {}
    for number, (name, text) in enumerate(cases()):
        (folder := tmp_path / str(number)).mkdir()
        config = write_tiny_config(folder / 'small.py', data, text, epochs=1)
        found[name] = outcome(run_tool, config)
    assert len(found) > 200
    counts = [*found.values()]
    print({each: counts.count(each) for each in ('trained', 'refused', 'diverged')})
    assert {name: said for name, said in found.items()
            if said not in ('trained', 'refused', 'diverged')} == {}
    assert Path('work_dirs').exists() is False
