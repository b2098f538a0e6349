"""Weights of other image channels, sizes and windows, against the libraries' own conversions."""

from collections.abc import Callable

import pytest
import timm
import torch
import torchvision
from backbone_samples import scrambled
from mmpretrain.models import build_classifier
from mmpretrain.models.utils import resize_pos_embed
from timm.layers import resize_rel_pos_bias_table
from timm.models import adapt_input_conv
from torch import nn

from amlnn.models.images.weights import load_pretrained

# timm's interpolation indexes in a way that torch advises against.
pytestmark = pytest.mark.filterwarnings('ignore:Using a non-tuple sequence')

VIT = dict(type='VisionTransformer', arch='deit-tiny')
DISTILLED = dict(type='DistilledVisionTransformer', arch='deit-tiny')
SWIN = dict(type='SwinTransformer', arch=dict(
    embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 2]))
SWIN2 = dict(type='SwinTransformerV2', arch=dict(
    embed_dims=24, depths=[1, 1, 1, 1], num_heads=[1, 2, 2, 2], extra_norm_every_n_blocks=0))
TIMM = dict(type='TIMMBackbone')


def made(**section) -> nn.Module:
    model = build_classifier(dict(type='ImageClassifier', backbone=section))
    model.eval()
    return model


def state_of(seed: int = 5, **section) -> dict[str, torch.Tensor]:
    """Every tensor of a backbone, with values that no other has."""
    torch.manual_seed(seed)
    state = made(**section).backbone.state_dict()
    return {name: torch.randn_like(value) if value.is_floating_point() else value
            for name, value in state.items()}


def loaded(state, path, **section):
    torch.save(state, path)
    model = made(**section)
    return model.backbone, load_pretrained(model, path)


GREY = {
    'ResNet': dict(type='ResNet', depth=18), 'ResNetV1d': dict(type='ResNetV1d', depth=50),
    'VGG': dict(type='VGG', depth=11), 'MobileNetV3': dict(type='MobileNetV3', arch='small_050'),
    'RepVGG': dict(type='RepVGG', arch='A0'), 'ConvNeXt': dict(type='ConvNeXt', arch='atto'),
    'VisionTransformer': dict(VIT, img_size=32),
    'Swin': dict(SWIN, img_size=64, pad_small_map=True)}


@torch.no_grad()
@pytest.mark.parametrize('name', GREY)
def test_a_grey_image_gives_what_the_network_of_colours_gives_for_three_equal_ones(
        name, tmp_path):
    section = GREY[name]
    if name in ('VGG', 'MobileNetV3'):  # they take no channels; the first layer is exchanged
        colours, grey = made(**section), made(**section)
        layer = next(each for each in grey.backbone.modules() if isinstance(each, nn.Conv2d))
        layer.in_channels = 1
        layer.weight = nn.Parameter(torch.zeros(len(layer.weight), 1, *layer.weight.shape[2:]))
    else:
        colours, grey = made(**section), made(**section, in_channels=1)
    scrambled(colours)
    torch.save(colours.backbone.state_dict(), tmp_path / 'w.pth')
    done = load_pretrained(grey, tmp_path / 'w.pth')
    assert done.matched == done.total and not done.missing
    assert any('summed over the input channels' in note for note in done.notes)
    side = 64 if name == 'Swin' else 32
    image = torch.randn(2, 1, side, side)
    expected = colours.backbone(image.expand(-1, 3, -1, -1))[-1]
    assert expected.std() > 0
    torch.testing.assert_close(grey.backbone(image)[-1], expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_torchvisions_scores_for_grey_images_come_out_of_torchvisions_weights(tmp_path):
    torch.manual_seed(1)
    reference = scrambled(torchvision.models.resnet18(num_classes=3)).eval()
    torch.save(reference.state_dict(), tmp_path / 'w.pth')
    model = build_classifier(dict(
        type='ImageClassifier', backbone=dict(type='ResNet', depth=18, in_channels=1),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=512)))
    load_pretrained(model, tmp_path / 'w.pth', head=True)
    image = torch.randn(2, 1, 64, 64)
    model.eval()
    torch.testing.assert_close(model(image), reference(image.expand(-1, 3, -1, -1)),
                               rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize('theirs', [1, 3, 4])
@pytest.mark.parametrize('ours', [1, 2, 3, 4, 6, 13])
def test_other_channels_are_repeated_or_cut_as_timm_does_it(theirs, ours, tmp_path):
    state = state_of(type='ResNet', depth=18, in_channels=theirs)
    backbone, done = loaded(state, tmp_path / 'w.pth', type='ResNet', depth=18, in_channels=ours)
    expected = adapt_input_conv(ours, state['conv1.weight'].clone(), base_chans=theirs)
    torch.testing.assert_close(backbone.conv1.weight, expected)
    assert ('conv1.weight' in str(done)) == (ours != theirs)


@torch.no_grad()
def test_an_rgb_network_of_grey_weights_gives_the_same_for_three_equal_channels(tmp_path):
    grey = scrambled(made(type='ResNet', depth=18, in_channels=1)).backbone
    backbone, _ = loaded(grey.state_dict(), tmp_path / 'w.pth', type='ResNet', depth=18)
    image = torch.randn(2, 1, 48, 48)
    torch.testing.assert_close(backbone(image.expand(-1, 3, -1, -1))[0], grey(image)[0],
                               rtol=1e-4, atol=1e-4)


def test_a_later_convolution_of_other_groups_is_not_taken_for_the_first(tmp_path):
    state = state_of(type='ResNet', depth=18)
    name = 'layer1.0.conv1.weight'
    state[name] = state[name][:, :32]
    _, done = loaded(state, tmp_path / 'w.pth', type='ResNet', depth=18)
    assert done.missing == {name: 'has shape (64, 32, 3, 3), not (64, 64, 3, 3)'}


def split(positions: torch.Tensor, extra: int) -> tuple[torch.Tensor, torch.Tensor]:
    return positions[:, :extra], positions[:, extra:]


@pytest.mark.parametrize(('theirs', 'ours', 'extra', 'kept'), [
    pytest.param(dict(VIT, img_size=64), dict(VIT, img_size=96), 1, [0], id='larger'),
    pytest.param(dict(VIT, img_size=64), dict(VIT, img_size=32), 1, [0], id='smaller'),
    pytest.param(dict(VIT, img_size=64), dict(VIT, img_size=(96, 32)), 1, [0], id='not square'),
    pytest.param(dict(VIT, img_size=(128, 64)), dict(VIT, img_size=(64, 32)), 1, [0],
                 id='never square'),
    pytest.param(dict(DISTILLED, img_size=64), dict(DISTILLED, img_size=96), 2, [0, 1],
                 id='distilled'),
    pytest.param(dict(DISTILLED, img_size=64), dict(VIT, img_size=96), 2, [0],
                 id='of a distilled one'),
    pytest.param(dict(VIT, img_size=64), dict(DISTILLED, img_size=96), 1, [0, 0],
                 id='for a distilled one'),
    pytest.param(dict(VIT, img_size=64),
                 dict(VIT, img_size=96, with_cls_token=False, out_type='featmap'), 1, [],
                 id='without class token'),
    pytest.param(dict(VIT, img_size=64, with_cls_token=False, out_type='featmap'),
                 dict(VIT, img_size=96), 0, [None], id='with class token'),
    pytest.param(dict(SWIN, img_size=64, use_abs_pos_embed=True),
                 dict(SWIN, img_size=128, use_abs_pos_embed=True), 0, [], id='Swin')])
def test_positions_are_resized_and_extra_tokens_keep_theirs(theirs, ours, extra, kept, tmp_path):
    state = state_of(**theirs)
    name = 'absolute_pos_embed' if 'Swin' in ours['type'] else 'pos_embed'
    backbone, done = loaded(state, tmp_path / 'w.pth', **ours)
    assert name not in done.missing and any(f'`{name}`' in note for note in done.notes)
    tokens, patches = split(state[name], extra)
    tokens_now, patches_now = split(getattr(backbone, name), len(kept))
    before = made(**theirs).backbone.patch_embed.init_out_size
    after = backbone.patch_embed.init_out_size
    torch.testing.assert_close(patches_now, resize_pos_embed(patches, before, after, 'bicubic', 0))
    for place, source in enumerate(kept):
        expected = torch.zeros(1, 192) if source is None else tokens[:, source]
        torch.testing.assert_close(tokens_now[:, place], expected)


def by_hand(table: torch.Tensor, window: int) -> torch.Tensor:
    return resize_rel_pos_bias_table(table, (window, window), ((2 * window - 1) ** 2, 1))


def test_tables_of_relative_positions_are_resized_and_their_indices_stay_the_networks_own(
        tmp_path):
    state = state_of(**SWIN, img_size=224)
    fresh = made(**SWIN, img_size=128, window_size=4).backbone.state_dict()
    backbone, done = loaded(state, tmp_path / 'w.pth', **SWIN, img_size=128, window_size=4)
    assert not done.missing
    for name, value in backbone.state_dict().items():
        if name.endswith('relative_position_index'):
            assert torch.equal(value, fresh[name]) and state[name].shape != value.shape
        elif name.endswith('bias_table'):
            assert value.shape[0] == 49
            torch.testing.assert_close(value, by_hand(state[name], 4))
        else:
            assert torch.equal(value, state[name])


def test_what_swin_2_computes_from_its_windows_is_not_taken_from_a_file(tmp_path):
    small = dict(SWIN2, img_size=128, window_size=[4, 4, 4, 4])
    state = state_of(**SWIN2, img_size=256, window_size=[8, 8, 8, 8])
    fresh = made(**small).backbone.state_dict()
    backbone, done = loaded(state, tmp_path / 'w.pth', **small)
    assert done.matched == done.total and not done.unused
    names = [name for name in fresh if 'index' in name or 'coords_table' in name]
    assert names and all(torch.equal(backbone.state_dict()[name], fresh[name]) for name in names)


@pytest.mark.parametrize(('theirs', 'ours', 'name'), [
    (dict(type='LeViT', arch='128s', img_size=224), dict(type='LeViT', arch='128s', img_size=128),
     'attention_biases'),
    (dict(type='BEiTViT', arch='deit-tiny', img_size=96),
     dict(type='BEiTViT', arch='deit-tiny', img_size=64), 'relative_position_bias_table')],
    ids=['LeViT', 'BEiT'])
def test_other_tables_of_distances_are_resized(theirs, ours, name, tmp_path):
    torch.manual_seed(0)
    state = {each: torch.full_like(value, 0.5) if each.endswith(name) else value
             for each, value in state_of(**theirs).items()}
    backbone, done = loaded(state, tmp_path / 'w.pth', **ours)
    assert not done.missing
    tables = [value for each, value in backbone.state_dict().items() if each.endswith(name)]
    assert tables and all(torch.allclose(value, torch.tensor(0.5), atol=1e-5) for value in tables)


TIMM_PAIRS: dict[str, Callable[[], tuple[str, dict]]] = {
    'ViT': lambda: ('vit_tiny_patch16_224', dict(img_size=96)),
    'ViT, not square': lambda: ('vit_tiny_patch16_224', dict(img_size=(96, 64))),
    'ViT, smaller patches': lambda: ('vit_tiny_patch16_224', dict(img_size=96, patch_size=8)),
    'Swin': lambda: ('swin_tiny_patch4_window7_224', dict(img_size=128, window_size=4)),
    'ResNetV2': lambda: ('resnetv2_18', {})}


@torch.no_grad()
@pytest.mark.parametrize('channels', [1, 3, 5])
@pytest.mark.parametrize('pair', TIMM_PAIRS)
def test_timms_networks_get_what_timm_itself_would_load(pair, channels, tmp_path):
    name, options = TIMM_PAIRS[pair]()
    torch.manual_seed(4)
    state = timm.create_model(name).state_dict()
    torch.save(state, tmp_path / 'w.pth')
    reference = timm.create_model(
        name, in_chans=channels, num_classes=0, pretrained=True, **options,
        pretrained_cfg_overlay=dict(state_dict=state, input_size=(3, 224, 224)))
    backbone, done = loaded(state, tmp_path / 'w.pth', **TIMM, model_name=name,
                            in_channels=channels, **options)
    assert done.matched == done.total
    reference.reset_classifier(0, '')
    for key, value in reference.state_dict().items():
        torch.testing.assert_close(backbone.timm_model.state_dict()[key], value)
    assert (len(done.notes) > 0) == (bool(options) or channels != 3)
