"""Where pretrained weights are: on this machine, or to be downloaded."""

from pathlib import Path

import torch

from amlnn.atomic import replacing
from amlnn.errors import WeightsError
from amlnn.file_kinds import file_kind
from amlnn.models.images.weights_packages import find_packaged
from amlnn.models.weights_path import ENVIRONMENT, LOCAL_FOLDER, find_path, weight_folders
from amlnn.registry import WEIGHT_SOURCES

__all__ = ['find_init_weights', 'find_weights', 'held_weights']


def find_weights(source: str) -> Path:
    """Find a file of weights: in `$AMLNN_WEIGHTS`, weights/, the libraries' caches, then online.

    Args:
        source: 'torchvision://resnet50', 'torchvision://resnet50.imagenet1k_v2',
            'timm://inception_v4', 'package://efficientnet_lite0' for a file in an installed
            package, or a path: of a file, or of a run folder, whose best.pth it is.

    Raises:
        WeightsError: it is nowhere to be had; names the file and the folder to put it in.
    """
    scheme, separator, name = source.partition('://')
    if not separator:
        return find_path(source)
    if scheme == 'torchvision':
        return _find_torchvision(name)
    if scheme == 'timm':
        return _find_timm(name)
    if scheme == 'package':
        return find_packaged(name, weight_folders())
    raise WeightsError(f'`{source}` begins with the unknown scheme `{scheme}://`',
                       hint=f'use {WEIGHT_SOURCES}')


def find_init_weights(source: str, key: str) -> Path:
    """Find the file that an `init_cfg` names: as `find_weights`, or by MMEngine's further schemes.

    Args:
        source: As of `find_weights`; or an address; or 'openmmlab://resnet50_v1c' and
            'mmcls://vgg16', which stand for addresses in MMEngine's tables.
        key: Of the config, for errors.

    Raises:
        WeightsError: it is nowhere to be had, or no file of weights.
    """
    if not source:
        raise WeightsError(f'`{key}` names no file of weights', hint='give it the path of a file: '
                           f'--cfg-options {key}.checkpoint=FILE')
    scheme, separator, name = source.partition('://')
    if separator and scheme in _TABLES:
        address = _TABLES[scheme]().get(name)
        if address is None:
            raise WeightsError(f'MMEngine knows no weights `{source}`',
                               hint=f'name the file itself: --cfg-options {key}.checkpoint=FILE')
        source, scheme = address, str(address).partition('://')[0]
    if scheme == 'modelzoo':
        source = f'torchvision://{name}'
    path = _find_address(source) if scheme in ('http', 'https') else find_weights(source)
    file_kind(path)
    return path


def _openmmlab() -> dict[str, str]:
    from mmengine.runner.checkpoint import get_deprecated_model_names, get_external_models
    known = get_external_models()
    return {**known, **{old: known[new] for old, new in get_deprecated_model_names().items()
                        if new in known}}


def _mmcls() -> dict[str, str]:
    from mmengine.runner.checkpoint import get_mmcls_models
    return get_mmcls_models()


_TABLES = {'open-mmlab': _openmmlab, 'openmmlab': _openmmlab, 'mmcls': _mmcls}


def _find_address(url: str) -> Path:
    file = url.partition('?')[0].rpartition('/')[2]
    found = _kept([file])
    if found:
        return found
    ending = Path(file).stem.rpartition('-')[2]
    hashed = len(ending) >= 8 and not set(ending) - set('0123456789abcdef')
    return _download(url, _cache() / file, ending if hashed else None)


def held_weights(source: str) -> Path | None:
    """The file of weights that this machine has already; None where it has none.

    Nothing is downloaded, and a name that no library knows is not there either.

    Args:
        source: As of `find_weights`.
    """
    scheme, separator, name = source.partition('://')
    try:
        if scheme == 'torchvision' and separator:
            return _kept([_torchvision_url(name).rpartition('/')[2]])
        if scheme == 'timm' and separator:
            return _kept(_timm_files(name))
        return find_weights(source)
    except WeightsError:
        return None


def _torchvision_url(name: str) -> str:
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
    return str(choices[member].url)


def _find_torchvision(name: str) -> Path:
    url = _torchvision_url(name)
    file = url.rpartition('/')[2]
    # Names end in the first digits of the file's SHA-256; the download is checked against it.
    return _kept([file]) or _download(url, _cache() / file, Path(file).stem.rpartition('-')[2])


def _timm_files(name: str) -> list[str]:
    return [f'{name}{ending}' for ending in ('.pth', '.safetensors')]


def _find_timm(name: str) -> Path:
    import timm
    if not timm.is_model(name):
        near = timm.list_models(f'{name[:6]}*')[:3] or ['timm.list_models()']
        raise WeightsError(f'timm has no model `{name}`', hint=f'see {", ".join(near)}')
    files = _timm_files(name)
    found = _kept(files)
    if found:
        return found
    try:
        tensors = timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:
        raise _unreachable(f'timm://{name}', files[0], error) from None
    path = _cache() / files[0]
    with replacing(path) as temporary:
        torch.save(tensors, temporary)
    return path


def _cache() -> Path:
    return Path(torch.hub.get_dir()) / 'checkpoints'


def _kept(files: list[str]) -> Path | None:
    """The first of these names that one of the folders of weights has."""
    return _first_file([folder / file for folder in (*weight_folders(), _cache())
                        for file in files])


def _first_file(paths: list[Path]) -> Path | None:
    return next((path for path in paths if path.is_file()), None)


def _download(url: str, path: Path, digits: str | None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digits)
    except Exception as error:
        raise _unreachable(url.rpartition('/')[2], path.name, error) from None
    return path


def _unreachable(what: str, file: str, error: Exception) -> WeightsError:
    reason = ' '.join(str(getattr(error, 'reason', error)).split())[:100]
    return WeightsError(
        f'the pretrained weights `{what}` are not on this machine and cannot be downloaded '
        f'({reason})',
        hint=f'put `{file}` into {LOCAL_FOLDER}/ or ${ENVIRONMENT}, name another file with '
        '--cfg-options model.pretrained=FILE, or train from scratch with --pretrained none')
