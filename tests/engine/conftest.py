import pytest
from tiny_runs import write_tiny_config


@pytest.fixture
def tiny(tmp_path, data_set):
    """Writes a config of a tiny network on the generated images."""
    def write(text='', **options):
        return write_tiny_config(tmp_path / 'tiny.py', data_set, text, **options)
    return write


@pytest.fixture
def no_rehearsal(monkeypatch):
    """Nothing is tried before the first epoch, for a test that counts what a run computes."""
    monkeypatch.setattr('amlnn.engine.images.task.ImageTask.try_out', lambda *given: None)
    monkeypatch.setattr('amlnn.engine.train.rehearse', lambda *given: None)


@pytest.fixture
def stand_in(monkeypatch):
    """OpenVINO is there, and is StandIn."""
    from stand_in_engine import StandIn

    from amlnn.engine.images import trunk_engine
    from amlnn.models.images.openvino_trunk import OpenVINOTrunk

    def compiled(trunk, images):
        StandIn.converted += 1
        return StandIn(trunk, StandIn.error)

    StandIn.converted, StandIn.error = 0, 1e-4
    monkeypatch.setattr(OpenVINOTrunk, '_compiled', compiled)
    monkeypatch.setattr(trunk_engine, 'openvino_version', lambda: '2026.1')
    return StandIn


@pytest.fixture
def with_nncf(monkeypatch, stand_in):
    """NNCF is there too, and is not asked: StandIn computes in whatever it is told."""
    monkeypatch.setattr('amlnn.engine.images.trunk_engine.nncf_version', lambda: '3.4')
