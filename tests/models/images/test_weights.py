import pytest
import torch
from backbone_samples import classifier as sampled
from mmpretrain.models.backbones import ResNet
from test_freezing import classifier

from amlnn.errors import WeightsError
from amlnn.models.images.freezing import freeze_model
from amlnn.models.images.weights import load_pretrained, refuse_frozen_gaps
from amlnn.models.images.weights_place import find_weights


def resnet18() -> torch.nn.Module:
    return classifier(dict(type='ResNet', depth=18))


def save(tensors, path):
    torch.save(tensors, path)
    return path


def torchvision_resnet18(classes: int = 3) -> torch.nn.Module:
    from torchvision.models import resnet18
    torch.manual_seed(1)
    model = resnet18(num_classes=classes)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.eval()


def test_torchvisions_weights_give_torchvisions_scores(tmp_path):
    reference = torchvision_resnet18()
    path = save(reference.state_dict(), tmp_path / 'w.pth')
    model = resnet18()
    loaded = load_pretrained(model, path, head=True)
    assert loaded.matched == loaded.total == 100  # 20 convolutions, 20 norms of four tensors
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), reference(images), rtol=1e-5, atol=1e-5)


def test_a_head_is_left_alone_unless_it_is_asked_for(tmp_path):
    path = save(torchvision_resnet18().state_dict(), tmp_path / 'w.pth')
    model = resnet18()
    before = model.head.fc.weight.clone()
    load_pretrained(model, path)
    assert torch.equal(model.head.fc.weight, before)


def test_a_head_of_another_class_count_is_an_error_that_names_both(tmp_path):
    path = save(torchvision_resnet18(classes=7).state_dict(), tmp_path / 'w.pth')
    load_pretrained(resnet18(), path)
    with pytest.raises(WeightsError, match=r'7 classes.*3'):
        load_pretrained(resnet18(), path, head=True)


def test_half_precision_weights_with_prefix_and_container_load(tmp_path):
    source = torchvision_resnet18().state_dict()
    halves = {f'backbone.{name}': value.half() if value.is_floating_point() else value
              for name, value in source.items() if not name.startswith('fc.')}
    model = resnet18()
    load_pretrained(model, save({'state_dict': halves, 'meta': {}}, tmp_path / 'w.pth'))
    weight = model.backbone.layer1[0].conv1.weight
    assert weight.dtype == torch.float32
    torch.testing.assert_close(weight, source['layer1.0.conv1.weight'].half().float())


def test_weights_of_another_architecture_are_an_error_that_names_a_tensor(tmp_path):
    path = save(ResNet(50).state_dict(), tmp_path / 'w.pth')
    with pytest.raises(WeightsError, match=r'of the 100 tensors of ResNet.*layer1.0.conv1.weight') \
            as error:
        load_pretrained(resnet18(), path)
    # ResNet50's parts: three blocks of three layers, and a fourth where they begin.
    assert 'holds `conv1`, `bn1.*` (4), `layer1.*` (50)' in error.value.hint


def test_a_tensor_that_is_not_in_the_file_or_has_another_shape_is_named(tmp_path):
    state = torchvision_resnet18().state_dict()
    del state['layer4.0.conv1.weight']
    state['layer4.1.bn1.running_mean'] = torch.zeros(7)
    state['extra.weight'] = torch.zeros(2)
    loaded = load_pretrained(resnet18(), save(state, tmp_path / 'w.pth'))
    assert loaded.matched == 98
    assert str(loaded).splitlines()[1:] == [
        'pretrained: 2 tensors of the backbone stay random: `layer4.1.bn1.running_mean` has shape '
        '(7,), not (512,); `layer4.0.conv1.weight` is not in the file',
        'pretrained: 3 tensors of the file not used: `fc.weight`, `fc.bias`, `extra.weight`']


def test_many_unused_tensors_are_counted_by_their_part(tmp_path):
    state = torchvision_resnet18().state_dict() | {
        f'decoder.{number}.weight': torch.zeros(1) for number in range(40)}
    loaded = load_pretrained(resnet18(), save(state, tmp_path / 'w.pth'))
    assert str(loaded).endswith('42 tensors of the file not used: `fc.*` (2), `decoder.*` (40)')


def test_old_files_without_counters_of_batches_lose_nothing(tmp_path):
    state = {name: value for name, value in torchvision_resnet18().state_dict().items()
             if 'num_batches' not in name}
    loaded = load_pretrained(resnet18(), save(state, tmp_path / 'w.pth'))
    assert loaded.matched == loaded.total == 100 and not loaded.missing


@pytest.mark.parametrize('name', ['layer1.0.conv1.weight', 'bn1.running_var', 'bn1.bias'])
def test_what_is_frozen_must_be_in_the_file(name, tmp_path):
    state = torchvision_resnet18().state_dict()
    del state[name]
    path = save(state, tmp_path / 'w.pth')

    def frozen(stages, trainable=()) -> None:
        model = resnet18()
        loaded = load_pretrained(model, path)
        freeze_model(model, stages, trainable)
        refuse_frozen_gaps(model, loaded)

    frozen(-1)
    with pytest.raises(WeightsError, match=f'1 tensor.*frozen.*random: `{name}`') as error:
        frozen(1)
    module = name.rpartition('.')[0]
    assert f"model.trainable=['{module}']" in error.value.hint
    frozen(1, [module])  # as the hint says


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_other_precisions_are_cast(dtype, tmp_path):
    state = torchvision_resnet18().state_dict()
    model = resnet18()
    load_pretrained(model, save({name: value.to(dtype) for name, value in state.items()},
                                tmp_path / 'w.pth'))
    weight = model.backbone.conv1.weight
    assert weight.dtype == torch.float32
    assert torch.equal(weight, state['conv1.weight'].to(dtype).float())


def test_integers_are_no_weights(tmp_path):
    state = torchvision_resnet18().state_dict()
    state['conv1.weight'] = state['conv1.weight'].to(torch.int8)
    loaded = load_pretrained(resnet18(), save(state, tmp_path / 'w.pth'))
    assert loaded.missing == {'conv1.weight': 'holds int8, which are no weights'}


@pytest.mark.parametrize('wrap', [
    lambda state: {f'module._orig_mod.{name}': value for name, value in state.items()},
    lambda state: {'state_dict': {f'model.net.{name}': value for name, value in state.items()},
                   'pytorch-lightning_version': '2'},
    lambda state: {'model_ema': {f'module.{name}': value for name, value in state.items()}},
    lambda state: {'teacher': {f'module.backbone.{name}': value for name, value in state.items()},
                   'student': {name: value + 1 for name, value in state.items()}},
    lambda state: {'model': {f'{who}.{name}': value + (who == 'student')
                             for name, value in state.items() for who in ('student', 'teacher')}},
    lambda state: {f'visual.tower.{name}': value for name, value in state.items()} | {
        f'text.{number}.weight': torch.zeros(1) for number in range(200)}],
    ids=['compiled', 'Lightning', 'averaged', 'DINO', 'DINO in one', 'one of two towers'])
def test_wrapped_weights_are_those_that_were_wrapped_and_their_head_too(wrap, tmp_path):
    reference = torchvision_resnet18()
    model = resnet18()
    loaded = load_pretrained(model, save(wrap(reference.state_dict()), tmp_path / 'w.pth'),
                             head=True)
    assert loaded.matched == 100
    images = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(images), reference(images), rtol=1e-5, atol=1e-5)


def test_best_weights_of_another_head_give_their_backbone(tmp_path):
    other = sampled(dict(type='ResNet', depth=18), classes=7)
    path = save({'meta': {'epoch': 3}, 'state_dict': other.state_dict()}, tmp_path / 'best.pth')
    model = resnet18()
    loaded = load_pretrained(model, path)
    assert loaded.matched == 100 and set(loaded.unused) == {'head.fc.weight', 'head.fc.bias'}
    assert torch.equal(model.backbone.layer4[1].conv2.weight, other.backbone.layer4[1].conv2.weight)


def test_weights_are_found_in_the_named_folder_before_any_download(tmp_path, monkeypatch):
    monkeypatch.setenv('AMLNN_WEIGHTS', str(tmp_path))
    file = tmp_path / 'resnet50-0676ba61.pth'  # torchvision's own name for them
    file.touch()
    assert find_weights('torchvision://resnet50') == file
    assert find_weights('resnet50-0676ba61.pth') == file


def test_weights_that_cannot_be_had_are_an_error_naming_file_and_folder(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError('Name or service not known')

    monkeypatch.setattr(torch.hub, 'download_url_to_file', offline)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    with pytest.raises(WeightsError, match=r'cannot be downloaded.*Name or service') as error:
        find_weights('torchvision://resnet50')
    assert 'resnet50-0676ba61.pth' in error.value.hint and 'weights/' in error.value.hint


@pytest.mark.parametrize(('source', 'message'), [
    ('torchvision://resnet51', 'resnet51'), ('torchvision://resnet50.v9', 'V9'),
    ('timm://inception_v99', 'inception_v99'), ('http://x/y.pth', 'scheme'),
    ('nowhere.pth', 'nowhere.pth')])
def test_a_wrong_name_of_weights_is_an_error_that_repeats_it(source, message):
    with pytest.raises(WeightsError, match=message):
        find_weights(source)
