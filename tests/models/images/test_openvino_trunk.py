"""What OpenVINO makes of frozen stages is what torch makes of them."""

import subprocess
import sys

import pytest
import torch
from backbone_samples import SAMPLES, classifier, images, sample, side_of
from torch import nn

from amlnn.models.images import int8_trunk, openvino_trunk
from amlnn.models.images.freezing import freeze
from amlnn.models.images.int8_trunk import Int8Trunk, KeptModel
from amlnn.models.images.openvino_trunk import OpenVINOTrunk, Unfit
from amlnn.models.images.trunk import Trunk
from amlnn.openvino_library import nncf_version, openvino_core, openvino_version

pytestmark = pytest.mark.skipif(openvino_version() is None,
                                reason='OpenVINO has no wheel for this Python')


def stem(**rest) -> nn.Module:
    """A classifier of which the stem is frozen: little is converted."""
    model = classifier(**rest).to(memory_format=torch.channels_last)
    freeze(model.backbone, 0)
    return model.train()


def difference(value: torch.Tensor, reference: torch.Tensor) -> float:
    return ((value.double() - reference.double()).norm() / reference.double().norm()).item()


@pytest.mark.parametrize(('precision', 'least', 'most'), [('fp32', 0, 1e-5), ('bf16', 1e-4, 1e-2)])
def test_features_are_torchs_in_the_layout_and_the_type_of_a_trunk(precision, least, most):
    model = stem()
    plain, trunk = Trunk(model, fold=False), OpenVINOTrunk(model, precision=precision)
    given = images(side=40)
    assert trunk.shape_of(given) == plain.shape_of(given) and trunk.difference is None
    features = trunk(given)
    assert least < difference(features, plain(given)) < most
    assert trunk.difference == pytest.approx(difference(features, plain(given)), rel=1e-6)
    assert features.dtype == trunk.dtype == {'fp32': torch.float32, 'bf16': torch.bfloat16}[
        precision]
    assert features.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(trunk.plain(given), plain(given))
    again = features.clone()
    trunk(given.flip(0))
    assert torch.equal(features, again)  # the next images are not written over them


def test_an_images_features_are_the_same_bits_in_every_batch(monkeypatch):
    trunk = OpenVINOTrunk(stem(), precision='bf16')
    given = torch.cat([images(side=40), images(side=40).flip(-1), images(side=40).flip(-2)])
    together = trunk(given)
    order = torch.tensor([7, 3, 11, 0, 5, 1, 9, 2, 10, 4, 8, 6])
    assert torch.equal(trunk(given[order]), together[order])
    assert torch.equal(torch.cat([trunk(given[:5]), trunk(given[5:6]), trunk(given[6:])]), together)
    monkeypatch.setattr(openvino_trunk, '_PART_PIXELS', 3 * 40 * 40)
    assert torch.equal(trunk(given), together)


def test_one_image_of_another_size_is_converted_too():
    model = stem()
    trunk = OpenVINOTrunk(model)
    for given in (images(side=40)[:1], images(side=48)[:1]):
        assert difference(trunk(given), Trunk(model, fold=False)(given)) < 1e-5


def test_what_cannot_be_converted_is_said_in_one_line(monkeypatch):
    def broken(*given, **options):
        raise RuntimeError('no such operator: hypot\nand a page of addresses')

    monkeypatch.setattr(torch.export, 'export', broken)
    with pytest.raises(Unfit, match=r'cannot convert the stages: no such operator: hypot$'):
        OpenVINOTrunk(stem())(images())


def test_a_precision_that_openvino_has_not_is_refused():
    with pytest.raises(ValueError, match="precision is 'fp16', not one of fp32, bf16"):
        OpenVINOTrunk(stem(), precision='fp16')


def test_nothing_is_imported_before_it_is_needed_and_its_telemetry_never():
    code = '''if True:
        import sys
        import amlnn.engine.images.trunk_engine
        assert 'openvino' not in sys.modules
        from amlnn.openvino_library import import_openvino
        import_openvino().Core()
        assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]
        '''
    subprocess.run([sys.executable, '-W', 'ignore', '-c', code], check=True)


@pytest.mark.slow
@pytest.mark.skipif(nncf_version() is None, reason='NNCF is an extra of its own: amlnn[int8]')
def test_in_8_bits_features_are_nearly_torchs_and_the_same_after_every_calibration():
    model, given = stem(), torch.cat([images(side=40), images(side=40).flip(-1)])
    trunk, again = (Int8Trunk(model, given[2:]) for _ in range(2))
    features = trunk(given)
    assert 1e-4 < difference(features, trunk.plain(given)) < 0.05
    assert torch.equal(again(given), features)
    assert trunk.facts() == again.facts() != Int8Trunk(model, given[1:]).facts()


@pytest.mark.slow
@pytest.mark.skipif(nncf_version() is None, reason='NNCF is an extra of its own: amlnn[int8]')
def test_a_calibrated_model_that_is_kept_gives_the_same_bits_without_calibrating(monkeypatch):
    model, given = stem(), torch.cat([images(side=40), images(side=40).flip(-1)])
    written = []
    kept = KeptModel(lambda: written[-1] if written else None, written.append)
    features = Int8Trunk(model, given[2:], kept=kept)(given)
    assert len(written) == 1
    monkeypatch.setattr(int8_trunk, 'import_nncf', lambda: pytest.fail('calibrated again'))
    assert torch.equal(Int8Trunk(model, given[2:], kept=kept)(given), features)


def test_a_model_that_is_kept_is_read_as_it_was_written():
    trunk, written = OpenVINOTrunk(stem()), []
    converted = trunk._converted(images())
    KeptModel(lambda: None, written.append).keep(converted)
    loaded = KeptModel(written.pop, written.append).load()
    run, again = (openvino_core().compile_model(each, 'CPU') for each in (converted, loaded))
    assert (run(images().numpy())[0] == again(images().numpy())[0]).all()
    assert KeptModel(lambda: None, written.append).load() is None


@pytest.mark.slow
@pytest.mark.parametrize('name', SAMPLES)
def test_every_backbone_is_converted_whole(name):
    model, given = classifier(sample(name)), images(side=side_of(name))
    freeze(model.backbone, 'all')
    trunk = OpenVINOTrunk(model)
    assert trunk.pooled and difference(trunk(given), Trunk(model, fold=False)(given)) < 1e-4
