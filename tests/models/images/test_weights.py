import pytest
import torch
from mmpretrain.models.backbones import ResNet
from test_freezing import classifier

from amlnn.errors import WeightsError
from amlnn.models.images.weights import load_pretrained
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
    with pytest.raises(WeightsError, match=r'of the 100 tensors of ResNet.*layer1.0.conv1.weight'):
        load_pretrained(resnet18(), path)


@pytest.mark.parametrize('content', [b'', b'not weights', b'\x80\x02cos\nsystem\n.'])
def test_a_file_that_is_no_weights_is_an_error_and_runs_nothing(tmp_path, content):
    path = tmp_path / 'w.pth'
    path.write_bytes(content)
    with pytest.raises(WeightsError, match='cannot be read'):
        load_pretrained(resnet18(), path)


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
