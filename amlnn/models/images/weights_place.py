"""Where pretrained weights are: on this machine, or to be downloaded."""

import os
from pathlib import Path

import torch

from amlnn.errors import WeightsError
from amlnn.models.images.weights_file import read_file
from amlnn.models.images.weights_packages import find_packaged
from amlnn.suggest import nearest

__all__ = ['find_init_weights', 'find_weights']

_ENVIRONMENT = 'AMLNN_WEIGHTS'
_LOCAL_FOLDER = 'weights'
_ENDINGS = ('.pth', '.pt', '.safetensors', '.bin', '.ckpt')


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
        return _find_path(source)
    if scheme == 'torchvision':
        return _find_torchvision(name)
    if scheme == 'timm':
        return _find_timm(name)
    if scheme == 'package':
        return find_packaged(name, _folders())
    raise WeightsError(f'`{source}` begins with the unknown scheme `{scheme}://`',
                       hint='use torchvision://<model>, timm://<model>, package://<weights>, or '
                       'a path')


def find_init_weights(section: dict) -> Path | None:
    """The file that MMEngine loads for a model whose `backbone.init_cfg` names one.

    MMEngine says nothing of what stays random then; the file is for whoever asks.

    Args:
        section: The model's section of a config.

    Returns:
        None where no file is named, or one that is not downloaded yet.

    Raises:
        WeightsError: it is nowhere, or no file of weights.
    """
    init = (section.get('backbone') or {}).get('init_cfg')
    if not isinstance(init, dict) or init.get('type') not in ('Pretrained', 'PretrainedInit'):
        return None
    source = str(init.get('checkpoint'))
    if '://' in source:
        cached = Path(torch.hub.get_dir()) / 'checkpoints' / source.rpartition('/')[2]
        return cached if source.startswith('http') and cached.is_file() else None
    path = _find_path(source)
    read_file(path)
    return path


def _find_path(source: str) -> Path:
    given = Path(source).expanduser()
    folders = [Path(), *_folders()] if not given.is_absolute() else [Path()]
    for folder in folders:
        if (folder / given).is_file():
            return folder / given
        if (folder / given).is_dir():
            return _file_in(folder / given)
    raise WeightsError(f'no weights at `{source}`', hint=_nearest_file(given) +
                       'give the path of a .pth file; names are also looked for in '
                       f'${_ENVIRONMENT} and {_LOCAL_FOLDER}/')


def _file_in(folder: Path) -> Path:
    """The best weights of a run folder.

    Raises:
        WeightsError: the folder is none, or the run has none; names the files that are there.
    """
    if (folder / 'best.pth').is_file():
        return folder / 'best.pth'
    inner = [folder / 'latest' / 'best.pth', *sorted((folder / 'checkpoints').glob('*.pth'))[-1:],
             *sorted(path for path in folder.iterdir() if path.suffix in _ENDINGS)]
    found = [str(path) for path in inner if path.is_file()]
    what = 'is a run folder without best.pth' if (folder / 'run.json').is_file() else 'is a folder'
    raise WeightsError(f'`{folder}` {what}, not a file of weights',
                       hint=f'did you mean {", or ".join(found[:3])}?' if found else
                       'give the path of a .pth file, or of a run folder that has best.pth')


def _nearest_file(given: Path) -> str:
    if not given.parent.is_dir():
        return ''
    names = [path.name for path in given.parent.iterdir()
             if path.suffix in _ENDINGS or (path / 'best.pth').is_file()]
    near = nearest(given.name, names)
    return f'did you mean {given.parent / near[0]}? else ' if near else ''


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
