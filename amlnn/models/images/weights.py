"""Pretrained weights: finding the file, loading it, counting what matched."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from amlnn.errors import WeightsError
from amlnn.models.images.conversion import convert
from amlnn.models.images.stages import backbone_kind

__all__ = ['LoadedWeights', 'count_head_classes', 'find_weights', 'load_pretrained', 'read_tensors']

_ENVIRONMENT = 'AMLNN_WEIGHTS'
_LOCAL_FOLDER = 'weights'
_LEAST_MATCHED = 0.95
_HEAD_PREFIXES = ('head.', 'fc.', 'classifier.', 'last_linear.')


@dataclass(frozen=True)
class LoadedWeights:
    """What `load_pretrained` did."""

    path: Path
    matched: int
    total: int
    head: bool

    def __str__(self):
        share = f'{self.matched} of {self.total} backbone tensors'
        return f'pretrained: {share}{" and the head" if self.head else ""} from {self.path}'


def find_weights(source: str) -> Path:
    """Find a file of weights: in `$AMLNN_WEIGHTS`, weights/, the libraries' caches, then online.

    Args:
        source: 'torchvision://resnet50', 'torchvision://resnet50.imagenet1k_v2',
            'timm://inception_v4', or a path.

    Raises:
        WeightsError: it is nowhere to be had; names the file and the folder to put it in.
    """
    scheme, separator, name = source.partition('://')
    if not separator:
        return _find_path(source)
    if scheme == 'torchvision':
        return _find_torchvision(name)
    if scheme == 'timm':
        return _find_timm(name)
    raise WeightsError(f'`{source}` begins with the unknown scheme `{scheme}://`',
                       hint='use torchvision://<model>, timm://<model>, or a path')


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a weights file, without the containers and prefixes around them.

    Raises:
        WeightsError: the file is not one, or holds more than tensors and plain values.
    """
    try:
        if path.suffix == '.safetensors':
            from safetensors.torch import load_file
            content = load_file(path)
        else:
            content = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:
        reason = ' '.join(str(error).split())[:150]
        raise WeightsError(f'`{path}` cannot be read as weights: {reason}',
                           hint='the file is damaged, or is no file of PyTorch weights') from None
    for container in ('state_dict', 'model', 'model_state'):
        if isinstance(content, Mapping) and isinstance(content.get(container), Mapping):
            content = content[container]
    tensors = {name.removeprefix('module.'): value for name, value in content.items()
               if isinstance(value, Tensor)} if isinstance(content, Mapping) else {}
    if not tensors:
        raise WeightsError(f'`{path}` holds no weights', hint='expected names mapped to tensors')
    return tensors


def load_pretrained(model: nn.Module, path: Path, head: bool = False) -> LoadedWeights:
    """Load a file's weights into a classifier's backbone, and with `head` into its head.

    Args:
        model: An ImageClassifier: has `backbone` and `head`.
        path: From `find_weights`.
        head: Load the classification layers too; their number, shapes and classes must agree.

    Raises:
        WeightsError: fewer than 95 % of the backbone's tensors match by name and shape, or the
            head's do not.
    """
    tensors = read_tensors(path)
    target = model.backbone.state_dict()
    # Counters of seen batches are no weights; files without them are complete.
    wanted = [name for name in target if not name.endswith('num_batches_tracked')]
    source = convert(tensors, model.backbone)
    matched = {name: source[name] for name in target
               if name in source and source[name].shape == target[name].shape}
    count = sum(name in matched for name in wanted)
    if count < _LEAST_MATCHED * len(wanted):
        example = next(name for name in wanted if name not in matched)
        found = f'has shape {tuple(source[example].shape)}, not {tuple(target[example].shape)}' \
            if example in source else 'is not in the file'
        raise WeightsError(
            f'`{path}` fits {count} of the {len(wanted)} tensors of '
            f'{backbone_kind(model.backbone)}: `{example}` {found}',
            hint='the weights belong to another architecture')
    model.backbone.load_state_dict(matched, strict=False)
    if head:
        _load_head(model.head, tensors, path)
    return LoadedWeights(path, count, len(wanted), head)


def count_head_classes(tensors: Mapping[str, Tensor]) -> int | None:
    """Classes of the head among a file's tensors; None where there is no head."""
    layers = _head_in(tensors)
    return layers[-1]['weight'].shape[0] if layers else None


def _load_head(head: nn.Module, tensors: Mapping[str, Tensor], path: Path) -> None:
    layers = [(name, layer) for name, layer in head.named_modules() if isinstance(layer, nn.Linear)]
    kind = type(head).__name__
    if not layers:
        raise WeightsError(f'`model.pretrained_head` is set, and {kind} has no dense layer',
                           hint='set model.pretrained_head=False')
    own = [_layer_in(tensors, f'head.{name}') for name, _ in layers]
    found = own if all(own) else _head_in(tensors)
    if not found:
        raise WeightsError(f'`model.pretrained_head` is set, and `{path}` holds no head',
                           hint='set model.pretrained_head=False')
    if len(found) != len(layers):
        hidden = tuple(each['weight'].shape[0] for each in found[:-1])
        raise WeightsError(
            f'the head in `{path}` has {len(found)} dense layers, {kind} has {len(layers)}',
            hint=f"model.head=dict(type='DenseHead', hidden_channels={hidden}) has as many, or set "
            'model.pretrained_head=False')
    classes, wanted = found[-1]['weight'].shape[0], layers[-1][1].weight.shape[0]
    if classes != wanted:
        raise WeightsError(f'the head in `{path}` has {classes} classes, the model has {wanted}',
                           hint='set model.pretrained_head=False to train a new head')
    for (name, layer), values in zip(layers, found, strict=True):
        if values['weight'].shape != layer.weight.shape:
            raise WeightsError(
                f'the head in `{path}` has a dense layer of shape {tuple(values["weight"].shape)}, '
                f'where `model.head` has {tuple(layer.weight.shape)} (`{name}`)',
                hint='set model.pretrained_head=False to train a new head')
        layer.load_state_dict(values)


def _head_in(tensors: Mapping[str, Tensor]) -> list[dict[str, Tensor]]:
    """Weights and biases of a library's head, first layer to last."""
    for prefix in _HEAD_PREFIXES:
        names = sorted((name.removesuffix('.weight') for name in tensors
                        if name.startswith(prefix) and name.endswith('.weight')), key=_by_number)
        layers = [layer for name in names if (layer := _layer_in(tensors, name))]
        if layers:
            return layers
    return []


def _by_number(name: str) -> list[tuple[bool, int, str]]:
    # Files of safetensors are in alphabetical order: 10 before 2.
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in name.split('.')]


def _layer_in(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor] | None:
    weight, bias = tensors.get(f'{name}.weight'), tensors.get(f'{name}.bias')
    if weight is None or bias is None or weight.ndim < 2:
        return None  # a norm, or nothing
    if weight.shape[2:].numel() == 1:  # some heads of timm's are convolutions of one pixel
        weight = weight.flatten(1)
    return {'weight': weight, 'bias': bias}


def _find_path(source: str) -> Path:
    given = Path(source).expanduser()
    folders = [Path(), *_folders()] if not given.is_absolute() else [Path()]
    for folder in folders:
        if (folder / given).is_file():
            return folder / given
    raise WeightsError(f'no weights at `{source}`',
                       hint='give the path of a .pth file; names are also looked for in '
                       f'${_ENVIRONMENT} and {_LOCAL_FOLDER}/')


def _folders() -> list[Path]:
    named = os.environ.get(_ENVIRONMENT)
    return ([Path(named).expanduser()] if named else []) + [Path(_LOCAL_FOLDER)]


def _find_torchvision(name: str) -> Path:
    from torchvision.models import get_model_weights
    model, _, version = name.partition('.')
    try:
        choices = get_model_weights(model)
    except ValueError:
        raise WeightsError(f'torchvision has no model `{model}`',
                           hint='python -c "import torchvision; '
                           'print(torchvision.models.list_models())"') from None
    member = (version or 'imagenet1k_v1').upper()
    if member not in choices.__members__:
        raise WeightsError(f'torchvision has no weights `{member}` for `{model}`',
                           hint=f'one of {", ".join(choices.__members__)}')
    url = choices[member].url
    file = url.rpartition('/')[2]
    cache = Path(torch.hub.get_dir()) / 'checkpoints'
    found = _first_file([folder / file for folder in (*_folders(), cache)])
    return found or _download(url, cache / file)


def _find_timm(name: str) -> Path:
    import timm
    if not timm.is_model(name):
        near = timm.list_models(f'{name[:6]}*')[:3] or ['timm.list_models()']
        raise WeightsError(f'timm has no model `{name}`', hint=f'see {", ".join(near)}')
    cache = Path(torch.hub.get_dir()) / 'checkpoints'
    files = [f'{name}{ending}' for ending in ('.pth', '.safetensors')]
    found = _first_file([folder / file for folder in (*_folders(), cache) for file in files])
    if found:
        return found
    try:
        tensors = timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:
        raise _unreachable(f'timm://{name}', files[0], error) from None
    path = cache / files[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, path)
    return path


def _first_file(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _download(url: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # Names end in the first digits of the file's SHA-256; the download is checked against it.
        torch.hub.download_url_to_file(url, str(path), hash_prefix=path.stem.rpartition('-')[2])
    except Exception as error:
        raise _unreachable(url.rpartition('/')[2], path.name, error) from None
    return path


def _unreachable(what: str, file: str, error: Exception) -> WeightsError:
    reason = ' '.join(str(getattr(error, 'reason', error)).split())[:100]
    return WeightsError(
        f'the pretrained weights `{what}` are not on this machine and cannot be downloaded '
        f'({reason})',
        hint=f'put `{file}` into {_LOCAL_FOLDER}/ or ${_ENVIRONMENT}, name another file with '
        '--cfg-options model.pretrained=FILE, or train from scratch with --pretrained none')
