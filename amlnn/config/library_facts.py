"""What MMEngine, mmcv, MMPretrain and torch do not say beside their own classes.

The one file of the config checker that names classes: a new version of a library changes it alone.
The words are those of `facts.py`.
"""

from typing import Any

from amlnn.config.facts import Metric

__all__ = ['ACTIVATIONS', 'ACTIVATION_MODULE', 'CLOSED', 'COMPUTED', 'DEFAULT_CLASSES', 'FACTS',
           'LOCAL_BACKEND', 'LOOP_OF_ITERATIONS', 'OPTIMIZER_NAMES', 'PLAIN_POOLING', 'RUNNER',
           'TRACKERS']

# What MMEngine's Runner and amlnn build where a config names no `type`, by top-level key: a
# registered name, or module and class.
DEFAULT_CLASSES: dict[str, str | tuple[str, str]] = dict(
    dataloader=('torch.utils.data.dataloader', 'DataLoader'),
    data_preprocessor='ClsDataPreprocessor',
    optim_wrapper='OptimWrapper',
    train_cfg='EpochBasedTrainLoop', val_cfg='ValLoop', test_cfg='TestLoop',
    log_processor='LogProcessor', visualizer='Visualizer',
    model_wrapper_cfg='MMDistributedDataParallel')

# The training loop where `by_epoch` is False.
LOOP_OF_ITERATIONS = 'IterBasedTrainLoop'

# The neck that follows from most backbones.
PLAIN_POOLING = {'type': 'GlobalAveragePooling'}

# What `runner_type` names where it asks for nothing.
RUNNER = 'Runner'

# The backend of MMEngine's visualizer that writes what scalars.jsonl has, and the packages that
# others import once they are built.
LOCAL_BACKEND = 'LocalVisBackend'
TRACKERS: dict[str, tuple[str, ...]] = dict(
    TensorboardVisBackend=('tensorboard',), WandbVisBackend=('wandb',),
    MLflowVisBackend=('mlflow',), ClearMLVisBackend=('clearml',), NeptuneVisBackend=('neptune',),
    DVCLiveVisBackend=('dvclive', 'pygit2'), AimVisBackend=('aim',))

# Classes whose constructors take nothing that a config could give.
CLOSED = ('torch.nn.modules.module:Module', 'torch.utils.data.dataset:Dataset',
          'torch.utils.data.sampler:Sampler')

# What libraries register in loops, or under names that they compute.
ACTIVATION_MODULE = 'torch.nn.modules.activation'
ACTIVATIONS = ('ReLU', 'LeakyReLU', 'PReLU', 'RReLU', 'ReLU6', 'ELU', 'Sigmoid', 'Tanh', 'SiLU',
               'GELU')
OPTIMIZER_NAMES = {'Adafactor': 'TorchAdafactor'}
COMPUTED = {'SyncBatchNorm_': ('torch.nn.modules.batchnorm', 'SyncBatchNorm')}


def _sequence(value: object) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _threshold_suffixes(metric: Metric) -> list[str]:
    thresholds = _sequence(metric.get('thrs', 0.0))
    if len(thresholds) == 1:
        return ['']
    return ['_no-thr' if value is None else f'_thr-{value:.2f}' for value in thresholds]


def _accuracy(metric: Metric) -> list[str]:
    # With fewer classes than `topk` the engine cuts it, and top1 is always among what remains.
    tops = sorted({1, *(k for k in _sequence(metric.get('topk', 1)) if isinstance(k, int))})
    if 1 not in _sequence(metric.get('topk', 1)):
        tops.remove(1)
    return [f'top{k}{suffix}' for k in tops for suffix in _threshold_suffixes(metric)]


def _single_label(metric: Metric) -> list[str]:
    average = metric.get('average', 'macro')
    ending = {None: '_classwise', 'micro': '_micro'}.get(average, '')
    items = _sequence(metric.get('items', ('precision', 'recall', 'f1-score')))
    return [f'{item}{suffix}{ending}' for item in items
            for suffix in _threshold_suffixes(metric)]


def _multi_label(metric: Metric) -> list[str]:
    average = metric.get('average', 'macro')
    ending = {None: '_classwise', 'macro': ''}.get(average, f'_{average}')
    topk, threshold = metric.get('topk'), metric.get('thr')
    if topk is not None and threshold is None:
        suffix = f'_top{topk}'
    else:
        threshold = 0.5 if threshold is None else threshold
        suffix = '' if threshold == 0.5 else f'_thr-{threshold:.2f}'
    items = _sequence(metric.get('items', ('precision', 'recall', 'f1-score')))
    return [f'{item}{suffix}{ending}' for item in items]


def _average_precision(metric: Metric) -> list[str]:
    return ['mAP' if metric.get('average', 'macro') else 'AP_classwise']


_AUGMENTS = {'probs': None, 'augments': 'BATCH_AUGMENTS'}
_SCALES: dict[str, object] = dict(above={'mean': None, 'std': 0}, goes_with={'std': 'mean'})
_RESIZE = ('keep_ratio', 'clip_object_border', 'backend', 'interpolation')

# By package and class: the words of `facts.py`.
FACTS: dict[str, dict[str, object]] = {
    # -- least numbers
    'torch.DataLoader': dict(smallest={'num_workers': 0, 'batch_size': 1}),
    'mmengine.EpochBasedTrainLoop': dict(smallest={'max_epochs': 0, 'val_interval': 1}),
    # -- scales of pixels: with a deviation of 0, or an infinite one, all images are the same
    'mmpretrain.ClsDataPreprocessor': _SCALES,
    'mmpretrain.VideoDataPreprocessor': _SCALES,
    'mmpretrain.MultiModalDataPreprocessor': _SCALES,
    'mmpretrain.TwoNormDataPreprocessor': dict(above={'second_mean': None, 'second_std': 0},
                                               goes_with={'second_std': 'second_mean'}),
    'mmengine.ImgDataPreprocessor': _SCALES,
    'mmcv.Normalize': _SCALES,
    # -- what their `**kwargs` take, found by reading on where no signature leads
    'mmengine.EMAHook': dict(also_takes=('momentum', 'gamma', 'interval', 'update_buffers',
                                         'device')),
    'mmengine.CheckpointHook': dict(also_takes=('create_symlink',)),
    'mmpretrain.MultiTaskHead': dict(also_takes=('num_classes', 'in_channels', 'loss')),
    'mmcv.RandomResize': dict(also_takes=_RESIZE),
    'mmcv.RandomChoiceResize': dict(also_takes=_RESIZE),
    # -- arguments that mean something else than their name elsewhere
    'mmpretrain.SwitchRecipeHook': dict(builds={'schedule': {
        'action_epoch': None, 'train_pipeline': 'TRANSFORMS', 'batch_augments': _AUGMENTS,
        'loss': 'MODELS'}}),
    'mmpretrain.Albumentations': dict(builds={'transforms': None}),  # names of another library
    'mmpretrain.AutoAugment': dict(builds={'hparams': None}),  # merged into policies that take them
    'mmpretrain.RandAugment': dict(builds={'hparams': None}),
    'mmpretrain.ImageClassifier': dict(builds={'train_cfg': _AUGMENTS}),
    'mmpretrain.TimmClassifier': dict(builds={'train_cfg': _AUGMENTS}),
    'mmpretrain.HuggingFaceClassifier': dict(builds={'train_cfg': _AUGMENTS}),
    'mmengine.PretrainedInit': dict(loads_weights=True),
    # -- results of metrics
    'mmpretrain.Accuracy': dict(reports=_accuracy),
    'mmpretrain.SingleLabelMetric': dict(reports=_single_label),
    'mmpretrain.MultiLabelMetric': dict(reports=_multi_label),
    'mmpretrain.AveragePrecision': dict(reports=_average_precision),
    'mmpretrain.ConfusionMatrix': dict(reports=('result',)),
}
