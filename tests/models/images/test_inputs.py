import pytest
from torch import nn

from amlnn.errors import ConfigError
from amlnn.models.images.inputs import fill_inputs, inputs_of, scale_of_timm, size_of


def config(*steps, **preprocessor):
    return dict(model=dict(backbone=dict(type='TIMMBackbone', model_name='swin_tiny_patch4_'
                                         'window7_224')),
                data_preprocessor=preprocessor,
                train_dataloader=dict(dataset=dict(pipeline=list(steps))))


def test_the_word_is_replaced_by_what_timm_says():
    given = config(dict(type='ResizeEdge', scale='model', interpolation='model'),
                   dict(type='CenterCrop', crop_size='model'), mean='model', std=[1, 1, 1])
    (note,) = fill_inputs(given)
    steps = given['train_dataloader']['dataset']['pipeline']
    # timm: 224 pixels, of the shorter edge 0.9, bicubic; ImageNet's mean.
    assert steps[0] == dict(type='ResizeEdge', scale=248, interpolation='bicubic')
    assert steps[1] == dict(type='CenterCrop', crop_size=224)
    assert given['data_preprocessor'] == dict(mean=[123.675, 116.28, 103.53], std=[1, 1, 1])
    assert '224 pixels, bicubic' in note
    assert size_of(given) == (224, 224)


def test_without_the_word_nothing_changes():
    given = config(dict(type='CenterCrop', crop_size=32), mean=[1, 2, 3])
    before = repr(given)
    assert fill_inputs(given) == [] and repr(given) == before


def test_the_word_where_a_model_says_nothing_is_an_error():
    with pytest.raises(ConfigError, match="`scale` of RandomErasing is 'model'"):
        fill_inputs(config(dict(type='RandomErasing', scale='model')))


@pytest.mark.parametrize(('backbone', 'side'), [
    (dict(type='ResNet'), 224), (dict(type='VisionTransformer', img_size=(384, 384)), 384),
    (dict(type='TIMMBackbone', model_name='swin_tiny_patch4_window7_224', img_size=96), 96)])
def test_the_size_that_a_backbone_is_given_comes_first(backbone, side):
    assert inputs_of(dict(backbone=backbone)).side == side


def test_weights_of_timms_have_the_scale_of_the_network_they_are_for():
    network = nn.Module()
    network.pretrained_cfg = dict(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    assert scale_of_timm('timm://anything', network) == [(127.5,) * 3, (63.75,) * 3]
    assert scale_of_timm('weights.pth', network) is None
    assert scale_of_timm('timm://anything', nn.Module()) is None


@pytest.mark.parametrize(('step', 'size'), [
    (dict(type='CenterCrop', crop_size=(48, 32)), (32, 48)),  # width first, as mmcv has it
    (dict(type='Resize', scale=(48, 32)), (32, 48)), (dict(type='Resize', scale=32), None),
    (dict(type='RandomResizedCrop', scale=40), (40, 40))])
def test_the_size_that_a_pipeline_ends_in(step, size):
    assert size_of(config(step, dict(type='PackInputs'))) == size
