"""The modules that configs name classes of: what is read of a package."""

import pytest

from amlnn.config import modules
from amlnn.config.own_modules import OwnModule

REGISTERS = '''
from {package} import Base


@MODELS.register_module()
class {name}(Base):
    pass
'''


@pytest.fixture
def reads(monkeypatch):
    """What is read, in its order; what is read for ever ends."""
    found, read = [], modules._own_modules

    def reading(name, beside):
        found.append(name)
        assert len(found) < 100
        return read(name, beside)

    monkeypatch.setattr(modules, '_own_modules', reading)
    return found


def test_a_large_package_whose_parts_take_bases_from_one_another_is_read_once(
        tmp_path, monkeypatch, reads):
    monkeypatch.setattr(modules, '_LARGE', 2)
    package = tmp_path / 'large'
    for folder, names in ((package, 'One Two'), (package / 'parts', 'Three Four Five')):
        folder.mkdir()
        (folder / '__init__.py').write_text('class Base:\n    pass\n')
        for name in names.split():
            (folder / f'{name.lower()}.py').write_text(
                REGISTERS.format(package='large.parts', name=name))
    found = modules.read_modules((OwnModule.found('large', tmp_path, True, None),))
    assert 'large.parts.three' in found and 'large.parts' not in found
    own = [name for name in reads if name.startswith('large')]
    assert sorted(own) == ['large', 'large.parts']


def test_torch_is_read_in_a_moment(reads):
    assert 'torch.nn.modules.module' in modules.read_modules((OwnModule('torch'),))
    assert len(reads) == len(set(reads))
