"""Classes of a user's own, one for each registry, that `custom_imports` names."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from generated import ROOT, write_series, write_series_config
from tiny_runs import write_tiny_config

from amlnn.config.load import load_config
from amlnn.engine.train import TrainOptions, train
from amlnn.errors import AmlnnError

IMAGES = '''
import torch
from pathlib import Path
from mmcv.transforms import BaseTransform
from mmengine.dataset import DefaultSampler
from mmengine.evaluator import BaseMetric
from mmengine.hooks import Hook
from mmengine.optim import DefaultOptimWrapperConstructor, OptimWrapper
from mmengine.optim.scheduler import ConstantLR
from mmengine.registry import *
from mmengine.runner import LogProcessor
from mmengine.visualization import BaseVisBackend, Visualizer
from mmpretrain.datasets import CustomDataset
from mmpretrain.registry import BATCH_AUGMENTS
from mmpretrain.models import ClsDataPreprocessor, LinearClsHead, Mixup
from torch import nn

def mark(name):
    with open({marks!r}, 'a') as file:
        file.write(name + '\\n')

@MODELS.register_module()
class {p}Backbone(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        mark('backbone')
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, 2), nn.BatchNorm2d(width), nn.ReLU())
    def forward(self, x):
        return (self.body(x), )

@MODELS.register_module()
class {p}Neck(nn.Module):
    def forward(self, x):
        mark('neck')
        return tuple(item.mean((2, 3)) for item in x)

@MODELS.register_module()
class {p}Loss(nn.Module):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = factor
    def forward(self, scores, target, avg_factor=None, **kwargs):
        mark('loss')
        target = target.float() if target.dim() == 2 else target  # mixed, or not
        return self.factor * nn.functional.cross_entropy(scores, target)

@MODELS.register_module()
class {p}Head(LinearClsHead):
    def forward(self, feats):
        mark('head')
        return super().forward(feats)

@MODELS.register_module()
class {p}Preprocessor(ClsDataPreprocessor):
    def forward(self, data, training=False):
        mark('preprocessor')
        return super().forward(data, training)

@BATCH_AUGMENTS.register_module()
class {p}Mixup(Mixup):
    def mix(self, batch_inputs, batch_scores):
        mark('batch augmentation')
        return super().mix(batch_inputs, batch_scores)

@HOOKS.register_module()
class {p}Hook(Hook):
    def after_train_epoch(self, runner):
        mark('hook')

@TRANSFORMS.register_module()
class {p}Transform(BaseTransform):
    def transform(self, results):
        mark('transform')
        return results

@METRICS.register_module()
class {p}Metric(BaseMetric):
    default_prefix = 'own'
    reports = ('images', )
    def process(self, data_batch, data_samples):
        self.results += [1] * len(data_samples)
    def compute_metrics(self, results):
        mark('metric')
        return dict(images=len(results))

@DATASETS.register_module()
class {p}Dataset(CustomDataset):
    def load_data_list(self):
        mark('data set')
        return super().load_data_list()

@DATA_SAMPLERS.register_module()
class {p}Sampler(DefaultSampler):
    def __iter__(self):
        mark('sampler')
        return super().__iter__()

@OPTIMIZERS.register_module()
class {p}SGD(torch.optim.SGD):
    def step(self, closure=None):
        mark('optimizer')
        return super().step(closure)

@OPTIM_WRAPPERS.register_module()
class {p}Wrapper(OptimWrapper):
    def update_params(self, *args, **kwargs):
        mark('optimizer wrapper')
        return super().update_params(*args, **kwargs)

@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class {p}Constructor(DefaultOptimWrapperConstructor):
    def __call__(self, model):
        mark('constructor')
        return super().__call__(model)

@PARAM_SCHEDULERS.register_module()
class {p}Scheduler(ConstantLR):
    def _get_value(self):
        mark('scheduler')
        return super()._get_value()

@VISBACKENDS.register_module()
class {p}Backend(BaseVisBackend):
    def _init_env(self):
        pass
    @property
    def experiment(self):
        return self
    def add_config(self, config, **kwargs):
        pass
    def add_image(self, name, image, step=0, **kwargs):
        pass
    def add_graph(self, model, data_batch, **kwargs):
        pass
    def add_scalar(self, name, value, step=0, **kwargs):
        mark('backend')
    def add_scalars(self, scalar_dict, step=0, file_path=None, **kwargs):
        mark('backend')

@VISUALIZERS.register_module()
class {p}Visualizer(Visualizer):
    def add_scalars(self, *args, **kwargs):
        mark('visualizer')
        return super().add_scalars(*args, **kwargs)

@LOG_PROCESSORS.register_module()
class {p}Log(LogProcessor):
    def get_log_after_iter(self, *args):
        mark('log processor')
        return super().get_log_after_iter(*args)

@FUNCTIONS.register_module()
def {p}_collate(batch):
    mark('collate')
    from mmengine.dataset import default_collate
    return default_collate(batch)
'''

IMAGES_CONFIG = '''
custom_imports = dict(imports=[{module!r}], allow_failed_imports=False)
_pipeline = [dict(type='LoadImageFromFile'), dict(type='{p}Transform'), dict(type='PackInputs')]
model = dict(
    backbone=dict(_delete_=True, type='{p}Backbone', width=6), neck=dict(type='{p}Neck'),
    head=dict(type='{p}Head', in_channels=6, loss=dict(type='{p}Loss', factor=2.0)),
    train_cfg=dict(augments=dict(type='{p}Mixup', alpha=0.5)))
data_preprocessor = dict(type='{p}Preprocessor')
train_dataloader = dict(
    num_workers=2, collate_fn=dict(type='{p}_collate'), sampler=dict(type='{p}Sampler'),
    dataset=dict(_delete_=True, type='{p}Dataset', data_root={root!r}, data_prefix='training_set',
                 pipeline=_pipeline))
val_dataloader = dict(dataset=dict(pipeline=_pipeline))
test_dataloader = dict(dataset=dict(pipeline=_pipeline))
val_evaluator = dict(_delete_=True, type='{p}Metric')
test_evaluator = dict(_delete_=True, type='{p}Metric')
default_hooks = dict(
    logger=dict(interval=1), checkpoint=dict(save_best='own/images', rule='greater'))
custom_hooks = [dict(type='{p}Hook')]
optim_wrapper = dict(
    _delete_=True, type='{p}Wrapper', constructor='{p}Constructor',
    optimizer=dict(type='{p}SGD', lr=0.01))
param_scheduler = dict(_delete_=True, type='{p}Scheduler', factor=0.5)
visualizer = dict(type='{p}Visualizer', vis_backends=[dict(type='{p}Backend')])
log_processor = dict(type='{p}Log')
env_cfg = dict(mp_cfg=dict(mp_start_method={method!r}))
'''

MEMBERS = {'backbone', 'neck', 'loss', 'head', 'preprocessor', 'batch augmentation', 'hook',
           'transform', 'metric', 'data set', 'sampler', 'optimizer', 'optimizer wrapper',
           'constructor', 'scheduler', 'backend', 'visualizer', 'log processor', 'collate'}

SERIES = '''
from amlnn.data.series.csv_series import CSVSeries
from amlnn.metrics.forecasting import ForecastError
from amlnn.models.series.forecast_heads import PointHead
from amlnn.models.series.recurrent import GRU
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, METRICS, MODELS

def mark(name):
    with open({marks!r}, 'a') as file:
        file.write(name + '\\n')

@DATASETS.register_module()
class OwnSource(CSVSeries):
    def read(self):
        mark('source')
        return super().read()

@MODELS.register_module()
class OwnEncoder(GRU):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        mark('encoder')

@MODELS.register_module()
class OwnPointHead(PointHead):
    def loss(self, *args, **kwargs):
        mark('head')
        return super().loss(*args, **kwargs)

@HOOKS.register_module()
class OwnSeriesHook(Hook):
    def after_train_epoch(self, runner):
        mark('hook')

@METRICS.register_module()
class OwnForecastError(ForecastError):
    def compute_metrics(self, results):
        mark('metric')
        return super().compute_metrics(results)
'''

SERIES_CONFIG = '''
custom_imports = dict(imports='series_parts')
model = dict(encoder=dict(type='OwnEncoder'), head=dict(type='OwnPointHead'))
train_dataloader = dict(dataset=dict(source=dict(type='OwnSource')))
custom_hooks = [dict(type='OwnSeriesHook')]
val_evaluator = dict(type='OwnForecastError')
'''


def command(name: str, *words: object, cwd: Path, path: Path | None = None):
    """tools/NAME.py in a process of its own."""
    import os
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    if path:
        environment['PYTHONPATH'] = str(path)
    return subprocess.run([sys.executable, ROOT / f'tools/{name}.py', *map(str, words)], cwd=cwd,
                          env=environment, capture_output=True, text=True, timeout=500)


@pytest.mark.parametrize('method', ['fork', 'spawn'])
def test_a_class_of_every_registry_is_used_in_training_test_and_prediction(tmp_path, data_set,
                                                                           method):
    marks, p = tmp_path / 'marks', method.capitalize()
    folder = tmp_path / 'study'
    folder.mkdir()
    module = f'parts_for_{method}'
    (folder / f'{module}.py').write_text(
        IMAGES.replace('{p}', p).replace('{marks!r}', repr(str(marks))))
    text = IMAGES_CONFIG.format(p=p, module=module, root=str(data_set), method=method)
    config = write_tiny_config(folder / 'own.py', data_set, text, epochs=1)
    done = command('train', config, '--device', 'cpu', '--work-dir', tmp_path / 'w', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(marks.read_text().split('\n')) == MEMBERS | {''}
    run = tmp_path / 'w/latest'
    assert (run / f'{module}.py').read_bytes() == (folder / f'{module}.py').read_bytes()
    (folder / f'{module}.py').unlink()  # the run folder is whole without it
    marks.unlink()
    done = command('test', run / 'config.py', run / 'best.pth', '--device', 'cpu', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {'backbone', 'head', 'metric', 'transform'} <= set(marks.read_text().split('\n'))
    if method == 'fork':
        done = command('predict', run / 'config.py', run / 'best.pth', '--device', 'cpu',
                       data_set / 'val_set', cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_a_source_an_encoder_and_a_head_of_ones_own_forecast(tmp_path):
    marks, folder = tmp_path / 'marks', tmp_path / 'study'
    series = write_series(tmp_path / 'data/hourly.csv')
    folder.mkdir()
    (folder / 'series_parts.py').write_text(SERIES.replace('{marks!r}', repr(str(marks))))
    config = write_series_config(folder / 'own.py', series, SERIES_CONFIG, epochs=1)
    done = command('train', config, '--device', 'cpu', '--work-dir', tmp_path / 'w', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert set(marks.read_text().split()) == {'source', 'encoder', 'head', 'hook', 'metric'}
    run = tmp_path / 'w/latest'
    (folder / 'series_parts.py').unlink()
    for name, more in (('test', ()), ('predict', (series, ))):
        done = command(name, run / 'config.py', run / 'best.pth', *more, '--device', 'cpu',
                       cwd=tmp_path)
        assert done.returncode == 0, done.stderr


HOOK = '''
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

@HOOKS.register_module()
class {name}(Hook):
    """A hook that does nothing."""
'''


def hook_config(path: Path, data: Path, module: str, name: str, more: str = '') -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_tiny_config(
        path, data, f'custom_imports = dict(imports=[{module!r}]{more})\n'
        f"custom_hooks = [dict(type={name!r})]\n", epochs=1)


def failing(config: Path, work: Path, **options) -> AmlnnError:
    with pytest.raises(AmlnnError) as caught:
        train(TrainOptions(config, work_dir=work, device='cpu', **options))
    assert caught.value.hint and caught.value.exit_status == 2
    assert not work.exists() or not any(work.iterdir()) or options
    return caught.value


def test_a_module_in_the_working_folder_or_on_the_path_stays_where_it_is(tmp_path, data_set):
    (tmp_path / 'src').mkdir()
    (tmp_path / 'src/on_path_1.py').write_text(HOOK.format(name='OnPath1'))
    config = hook_config(tmp_path / 'configs/a.py', data_set, 'on_path_1', 'OnPath1')
    for where, cwd, path in (('folder', tmp_path / 'src', None), ('path', tmp_path,
                                                                  tmp_path / 'src')):
        done = command('train', config, '--device', 'cpu', '--work-dir', tmp_path / where,
                       cwd=cwd, path=path)
        assert done.returncode == 0, done.stderr
        assert not list((tmp_path / where).glob('*/on_path_1.py'))
    done = command('check_config', config, cwd=tmp_path)
    assert done.returncode == 2 and 'no such module' in done.stderr and 'hint:' in done.stderr


def test_a_package_and_the_modules_beside_it_that_it_imports_are_kept_with_the_run(tmp_path,
                                                                                  data_set):
    folder = tmp_path / 'study'
    (folder / 'kept_pack/inner').mkdir(parents=True)
    (folder / 'kept_pack/__init__.py').write_text('from .inner import hook\n')
    (folder / 'kept_pack/inner/__init__.py').write_text('')
    (folder / 'kept_pack/inner/hook.py').write_text('import kept_beside\n'
                                                    + HOOK.format(name='KeptHook'))
    (folder / 'kept_pack/names.txt').write_text('a name\n')
    (folder / 'kept_beside.py').write_text('ONE = 1\n')
    (folder / 'not_imported.py').write_text('TWO = 2\n')
    base = hook_config(folder / 'base.py', data_set, 'kept_pack.inner.hook', 'KeptHook')
    child = tmp_path / 'elsewhere/child.py'  # the module lies beside the base that names it
    child.parent.mkdir()
    child.write_text(f'_base_ = {str(base)!r}\n')
    run = train(TrainOptions(child, work_dir=tmp_path / 'w', device='cpu'))
    assert {'kept_pack', 'kept_beside.py'} <= {path.name for path in run.iterdir()}
    assert not (run / 'not_imported.py').exists()
    assert (run / 'kept_pack/names.txt').is_file() and (run / 'kept_pack/inner/hook.py').is_file()
    assert load_config(run / 'config.py').config['custom_hooks'] == [{'type': 'KeptHook'}]


def test_a_module_that_fails_is_two_lines_before_a_run_begins(tmp_path, data_set):
    for name, text, said in (
            ('broken_1', 'import torch\nraise ValueError("no luck")\n', 'broken_1.py:2'),
            ('broken_2', 'def half(:\n', 'broken_2.py:1'),
            ('broken_3', 'import no_package_of_anybodys\n', 'no_package_of_anybodys'),
            ('broken_4', 'from mmengine.registry import HOOKS\n' + ''.join(
                'HOOKS.register_module(name="Twice" + "Same", module=type("X", (), {}))\n'
                for _ in range(2)), '`TwiceSame` a second time')):
        (tmp_path / f'{name}.py').write_text(text)
        config = hook_config(tmp_path / f'c_{name}.py', data_set, name, 'IterTimerHook')
        error = failing(config, tmp_path / 'w')
        assert said in error.message and name in error.message and 'c_' + name in error.message


def test_failed_imports_that_are_allowed_leave_the_module_out(tmp_path, data_set, recwarn):
    (tmp_path / 'half_there.py').write_text('import no_package_of_anybodys\n')
    config = hook_config(tmp_path / 'c.py', data_set, 'half_there', 'IterTimerHook',
                         ', allow_failed_imports=True')
    with pytest.warns(UserWarning, match='half_there'):
        assert train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu', dry_run=True)) \
            is None


def test_a_second_module_of_the_same_name_is_not_taken_for_the_first(tmp_path, data_set):
    for folder, name in (('one', 'SameOne'), ('two', 'SameTwo')):
        config = hook_config(tmp_path / folder / 'c.py', data_set, 'same_name', name)
        (tmp_path / folder / 'same_name.py').write_text(HOOK.format(name=name))
        load_config(config)  # each finds the class of its own module
    train(TrainOptions(tmp_path / 'one/c.py', device='cpu', dry_run=True))
    error = failing(tmp_path / 'two/c.py', tmp_path / 'w')
    assert str(tmp_path / 'one/same_name.py') in error.message
    assert str(tmp_path / 'two/same_name.py') in error.message


def test_a_name_that_a_library_has_is_refused(tmp_path, data_set):
    (tmp_path / 'taken_1.py').write_text(HOOK.format(name='EMAHook'))
    config = hook_config(tmp_path / 'c.py', data_set, 'taken_1', 'EMAHook')
    error = failing(config, tmp_path / 'w')
    assert '`EMAHook`' in error.message and '.hooks.ema_hook' in error.message


def test_a_run_goes_on_by_the_module_that_it_began_with(tmp_path, data_set):
    module = tmp_path / 'goes_on.py'
    module.write_text(HOOK.format(name='GoesOn'))
    config = hook_config(tmp_path / 'c.py', data_set, 'goes_on', 'GoesOn')
    run = train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu'))
    longer = dict(resume=str(run), cfg_options=['train_cfg.max_epochs=2'])
    train(TrainOptions(config, work_dir=tmp_path / 'w', device='cpu', **longer))
    (run / 'goes_on.py').write_text(HOOK.format(name='GoesOn') + '    # otherwise\n')
    longer['cfg_options'] = ['train_cfg.max_epochs=3']
    error = failing(config, tmp_path / 'w', **longer)
    assert str(module) in error.message and 'cp ' in error.hint


def test_a_file_of_the_run_folder_lends_no_module_its_name(tmp_path, data_set):
    (tmp_path / 'config.py').write_text(HOOK.format(name='NamedConfig'))
    config = hook_config(tmp_path / 'c.py', data_set, 'config', 'NamedConfig')
    assert '`config.py`' in failing(config, tmp_path / 'w').message


def test_parameter_names_of_an_own_backbone_are_checked(tmp_path, data_set):
    (tmp_path / 'named_net.py').write_text(textwrap.dedent('''\
        from mmengine.registry import MODELS
        from torch import nn

        @MODELS.register_module()
        class NamedNet(nn.Module):
            def __init__(self):
                super().__init__()
                self.peculiar = nn.Conv2d(3, 32, 3)

            def forward(self, x):
                return (self.peculiar(x), )
        '''))
    config = write_tiny_config(tmp_path / 'c.py', data_set, '''
        custom_imports = dict(imports='named_net')
        model = dict(backbone=dict(_delete_=True, type='NamedNet'))
        optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'peculair': dict(lr_mult=0.1)}))
        ''', epochs=1)
    done = command('check_config', config, cwd=tmp_path)
    assert done.returncode == 2 and 'did you mean `peculiar`?' in done.stderr


def test_a_module_that_ends_the_program_is_named_with_its_line(tmp_path, run_tool, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'ending_parts.py').write_text('import sys\n\nsys.exit(0)\n')
    config = write_series_config(tmp_path / 'mine.py', write_series(tmp_path / 'series.csv'),
                                 "custom_imports = dict(imports=['ending_parts'])\n")
    status, _, errors = run_tool('train', config)
    lines = errors.strip().splitlines()
    assert status == 2
    assert len(lines) == 2
    assert '`ending_parts`' in lines[0]
    assert 'ending_parts.py:3' in lines[0]
    assert 'exit()' in lines[1]
