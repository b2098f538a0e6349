"""Config files written for one test, and what loading them says."""

import textwrap
from pathlib import Path

import pytest

from amlnn.config.load import LoadedConfig, load_config
from amlnn.errors import ConfigError

# A small whole config: what is not under test stays out of the way.
SCHEDULE = '''
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9))
train_cfg = dict(by_epoch=True, max_epochs=3, val_interval=1)
'''
MODEL = '''
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', in_channels=512, num_classes=5))
'''


class Configs:
    """A folder of config files, which is also the working folder."""

    def __init__(self, root: Path):
        self.root = root

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding='utf-8')
        return path

    def load(self, text: str, *options: str, name: str = 'child.py') -> LoadedConfig:
        self.write(name, text)
        return load_config(name, options)

    def error(self, text: str, *options: str, name: str = 'child.py') -> ConfigError:
        with pytest.raises(ConfigError) as caught:
            self.load(text, *options, name=name)
        assert caught.value.hint, 'an error without a hint'
        return caught.value


@pytest.fixture
def configs(tmp_path, monkeypatch) -> Configs:
    monkeypatch.chdir(tmp_path)
    made = Configs(tmp_path)
    made.write('schedule.py', SCHEDULE)
    made.write('model.py', MODEL)
    return made


@pytest.fixture(scope='session')
def registries() -> dict[str, dict[str, type]]:
    """What is really registered once everything is imported, by registry and name."""
    from mmengine import registry as mmengine_registries

    from amlnn.quiet import quiet_imports
    from amlnn.registry import import_components

    with quiet_imports():
        import mmpretrain.datasets
        import mmpretrain.engine
        import mmpretrain.evaluation
        import mmpretrain.models
        import mmpretrain.visualization  # noqa: F401
        from mmpretrain import registry as mmpretrain_registries
        import_components()
    found: dict[str, dict[str, type]] = {}
    for module in (mmengine_registries, mmpretrain_registries):
        for name, value in vars(module).items():
            if isinstance(value, mmengine_registries.Registry) and name.isupper():
                key = 'EVALUATOR' if name == 'EVALUATORS' else name
                found.setdefault(key, {}).update(value.module_dict)
    return found
