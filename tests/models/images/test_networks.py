"""Classifiers that hold a whole network of another library, and models that are no classifiers."""

import pytest
import timm
import torch
from mmpretrain.registry import MODELS

from amlnn.errors import ConfigError, WeightsError
from amlnn.models.images.freezing import freeze_model, stage_table
from amlnn.models.images.networks import classifier_layers, refuse_other_models
from amlnn.models.images.weights import load_pretrained, refuse_frozen_gaps

NETWORKS = {'resnet18': ('fc',), 'vgg11': ('head.fc',), 'densenet121': ('classifier',),
            'mobilenetv3_small_050': ('classifier',),
            'deit_tiny_distilled_patch16_224': ('head', 'head_dist')}


def whole(name: str, classes: int = 3, **options) -> torch.nn.Module:
    return MODELS.build(dict(type='TimmClassifier', model_name=name, num_classes=classes,
                             **options))


@torch.no_grad()
@pytest.mark.parametrize('head', [False, True])
@pytest.mark.parametrize('name', NETWORKS)
def test_timms_weights_go_into_timms_network_its_head_where_it_is_asked_for(name, head, tmp_path):
    torch.manual_seed(1)
    reference = timm.create_model(name, num_classes=3)
    torch.save(reference.state_dict(), tmp_path / 'w.pth')
    model = whole(name)
    assert classifier_layers(model) == NETWORKS[name]
    loaded = load_pretrained(model, tmp_path / 'w.pth', head=head)
    assert loaded.matched == loaded.total
    different = {key for key, value in model.model.state_dict().items()
                 if not torch.equal(value, reference.state_dict()[key])}
    assert {key.rpartition('.')[0] for key in different} == (set() if head else {*NETWORKS[name]})


def test_a_head_of_other_classes_is_an_error_that_names_both(tmp_path):
    torch.save(timm.create_model('resnet18', num_classes=7).state_dict(), tmp_path / 'w.pth')
    load_pretrained(whole('resnet18'), tmp_path / 'w.pth')
    with pytest.raises(WeightsError, match='7 classes, the model has 3'):
        load_pretrained(whole('resnet18'), tmp_path / 'w.pth', head=True)


def test_a_grey_network_of_timms_gets_its_summed_convolution_and_gaps_are_named(tmp_path):
    state = timm.create_model('resnet18').state_dict()
    torch.save(state, tmp_path / 'w.pth')
    model = whole('resnet18', in_chans=1)
    load_pretrained(model, tmp_path / 'w.pth')
    torch.testing.assert_close(model.model.conv1.weight, state['conv1.weight'].sum(1, True))
    del state['bn1.weight']
    torch.save(state, tmp_path / 'w.pth')
    loaded = load_pretrained(model, tmp_path / 'w.pth')
    freeze_model(model, 'all')
    with pytest.raises(WeightsError, match=r'`bn1\.weight`'):
        refuse_frozen_gaps(model, loaded)


@pytest.mark.parametrize('name', NETWORKS)
def test_all_freezes_everything_but_the_classification_layer(name):
    model = whole(name)
    freeze_model(model, 'all')
    model.train()
    model.model(torch.randn(2, 3, 224, 224))
    trained = {key.rpartition('.')[0] for key, each in model.model.named_parameters()
               if each.requires_grad}
    assert trained == {*NETWORKS[name]}
    assert not any(each.training for each in model.modules()
                   if isinstance(each, torch.nn.BatchNorm2d))
    rows = {row.name: row.frozen for row in stage_table(model)}
    assert rows == {'network': True, 'head': False}


def test_parts_of_a_whole_network_are_opened_again_by_name():
    model = whole('resnet18')
    freeze_model(model, 'all', ['layer4.1.conv2'])
    assert model.model.layer4[1].conv2.weight.requires_grad
    assert not model.model.layer4[1].conv1.weight.requires_grad


def test_nothing_is_frozen_by_minus_one():
    model = whole('resnet18')
    freeze_model(model, -1)
    assert all(each.requires_grad for each in model.parameters())


@pytest.mark.parametrize('stages', [0, 1, 4])
def test_stages_of_a_whole_network_are_refused_with_what_has_them(stages):
    with pytest.raises(ConfigError, match=f'frozen_stages` is {stages}.*TimmClassifier') as error:
        freeze_model(whole('resnet18'), stages)
    assert 'TIMMBackbone' in error.value.hint


def test_a_network_without_a_classification_layer_cannot_be_frozen_whole():
    with pytest.raises(ConfigError, match='nothing would train'):
        freeze_model(whole('resnet18', classes=0), 'all')


def test_every_model_of_mmpretrain_is_a_classifier_or_refused():
    import mmengine.model
    import mmpretrain.models  # noqa: F401 - registers them

    accepted, refused = set(), set()
    for name, kind in MODELS.module_dict.items():
        if not (isinstance(kind, type) and issubclass(kind, mmengine.model.BaseModel)
                and kind.__module__.startswith('mmpretrain.')):
            continue
        try:
            refuse_other_models(dict(type=name))
            accepted.add(name)
        except ConfigError as error:
            refused.add(name)
            assert error.hint
    assert accepted == {'ImageClassifier', 'TimmClassifier', 'HuggingFaceClassifier'}
    assert {'MAE', 'SimCLR', 'BYOL', 'ImageToImageRetriever', 'AverageClsScoreTTA'} <= refused


@pytest.mark.parametrize('name', ['ResNet', 'LinearClsHead', 'GlobalAveragePooling'])
def test_a_part_of_a_model_is_no_model(name):
    with pytest.raises(ConfigError, match=f'`{name}`, which is a part of a model'):
        refuse_other_models(dict(type=name))
