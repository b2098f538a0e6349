"""What a file is that was given for weights or a checkpoint: told by its bytes, never run.

A file that is neither is refused with what it is and what to do, in two lines. Files of weights are
those of `torch.save`, of safetensors and of `numpy.savez`; a checkpoint is one of `torch.save`. The
ending of a name says nothing.
"""

import io
import pickletools
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from amlnn.errors import CheckpointError, WeightsError

__all__ = ['LEGACY', 'NUMPY', 'SAFETENSORS', 'ZIP', 'check_checkpoint_kind', 'file_kind',
           'refuse_objects']

SAFETENSORS, NUMPY, ZIP, LEGACY = 'safetensors', 'numpy', 'zip', 'legacy'

# The pickled number with which torch.save began its files before version 1.6.
_LEGACY_START = b'\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.'
_SAVE = 'torch.save({model}.state_dict(), \'weights.pth\')'
_AGAIN = 'copy or download it again, whole'
_GIVE = 'give the path of a .pth file'
_OTHER_LIBRARY = 'take the weights of the same network for PyTorch: torchvision://<model>, ' \
    'timm://<model>, or a .pth file'
_STARTS = (
    (b'version https://git-lfs', 'a pointer of Git LFS, which stands for a file that was not '
     'fetched', 'git lfs pull, where it is from'),
    (b'\x89HDF\r\n\x1a\n', 'an HDF5 file, as Keras writes', _OTHER_LIBRARY),
    (b'GGUF', 'a GGUF file of a language model', _OTHER_LIBRARY),
    (b'\x93NUMPY', 'one array of numpy', 'numpy.savez keeps many arrays with their names'),
    (b'\x1f\x8b', 'a gzip archive', 'unpack it, and give the file inside'),
    (b'BZh', 'a bzip2 archive', 'unpack it, and give the file inside'),
    (b'\xfd7zXZ', 'an xz archive', 'unpack it, and give the file inside'),
    (b'7z\xbc\xaf', 'a 7z archive', 'unpack it, and give the file inside'),
    (b'Rar!', 'a rar archive', 'unpack it, and give the file inside'),
    *((start, f'a picture ({name})', _GIVE) for start, name in (
        (b'\x89PNG', 'PNG'), (b'\xff\xd8\xff', 'JPEG'), (b'GIF8', 'GIF'), (b'II*\0', 'TIFF'),
        (b'MM\0*', 'TIFF'))),
    (b'%PDF', 'a PDF document', _GIVE),
    (b'\x28\xb5\x2f\xfd', 'a zstd archive', 'unpack it, and give the file inside'),
    (b'\x7fELF', 'a program or library of Linux', _GIVE))


def file_kind(path: Path) -> str:
    """How to read a file: SAFETENSORS, NUMPY, ZIP or LEGACY, the last two by `torch.load`.

    Raises:
        WeightsError: it is something else; says what, and what to do.
    """
    start = _start_of(path)
    if not start:
        raise _refused(path, 'it is empty', _AGAIN)
    if not any(start):
        raise _refused(path, 'it begins with zeros alone, as a download or copy does that did not '
                       'come to its end', _AGAIN)
    for beginning, what, hint in _STARTS:
        if start.startswith(beginning):
            raise _refused(path, f'it is {what}', hint)
    if start.startswith(b'PK'):
        return _zip_kind(path)
    if start.startswith(_LEGACY_START):
        return LEGACY
    if start[8:9] == b'{' and 2 <= int.from_bytes(start[:8], 'little') <= 1 << 27:
        return SAFETENSORS
    raise _refused(path, *_other(path, start))


def check_checkpoint_kind(path: Path) -> None:
    """Ask of a file, before `torch.load` reads it, whether `torch.save` wrote it.

    Raises:
        CheckpointError: it did not; says what the file is, and what to do.
    """
    try:
        kind = file_kind(path)
    except WeightsError as error:
        raise CheckpointError(error.message.replace(_AS_WEIGHTS, _AS_CHECKPOINT),
                              hint=error.hint) from None
    if kind in (SAFETENSORS, NUMPY):
        names = {SAFETENSORS: 'safetensors', NUMPY: 'numpy'}
        raise CheckpointError(
            f'`{path}` {_AS_CHECKPOINT}: it is a file of {names[kind]}, of tensors alone',
            hint=f'--pretrained {shlex.quote(str(path))} begins a training with its '
            'weights; a checkpoint is best.pth of a run')


def _start_of(path: Path) -> bytes:
    try:
        with open(path, 'rb') as file:
            return file.read(512)
    except OSError as error:
        raise WeightsError(f'`{path}` {_AS_WEIGHTS}: {error.strerror or error}',
                           hint='check the permissions of the file') from None


def _other(path: Path, start: bytes) -> tuple[str, str]:
    if path.suffix == '.onnx' or (start[:1] == b'\x08' and any(
            maker in start[:64] for maker in (b'pytorch', b'onnx', b'tf2onnx', b'keras'))):
        return 'it is an ONNX model', 'where the PyTorch model is: ' + _SAVE.format(model='model')
    if start[257:262] == b'ustar':
        return 'it is a tar archive', 'unpack it, and give the file inside'
    if start[:4] == b'RIFF' or start[4:12] in (b'ftypavif', b'ftypheic') or (
            start[:2] == b'BM' and start[6:10] == bytes(4)):
        return 'it is a picture or another recording', _GIVE
    if start[4:8] == b'TFL3':
        return 'it is a TensorFlow Lite model', _OTHER_LIBRARY
    if start[:1] == b'\x80':
        load = f"pickle.load(open('{path}', 'rb'))"
        return ('it is a Python pickle that torch.save did not write, or its beginning is missing',
                f'if you trust it: python -c "import pickle, torch; torch.save({load}, '
                '\'weights.pth\')"')
    text = _as_text(start)
    if text is None:
        return f'it is no file of PyTorch weights (it begins with the bytes {start[:8].hex(" ")})',\
            'give a file that torch.save or safetensors wrote'
    if text.lower().startswith(('<!doctype', '<html', '<?xml', '<head', '<!--')):
        return ('it is a web page (HTML), got instead of a download',
                'open its address in a browser: a login may be asked for, or the file be gone')
    kind = 'a JSON text' if text[:1] in '{[' else 'a text'
    return f'it is {kind} that begins with `{text[:40]}`', \
        'give a file that torch.save or safetensors wrote'


def _as_text(start: bytes) -> str | None:
    text = start.decode('utf-8', 'replace').lstrip('\ufeff').split()
    joined = ' '.join(text)
    odd = sum(not each.isprintable() or each == '\ufffd' for each in joined)
    return joined if joined and odd <= 1 else None


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise _refused(path, 'its end is missing (a zip archive without its list of contents)',
                       _AGAIN) from None
    last = {name.rpartition('/')[2] for name in names}
    if 'constants.pkl' in last and any('/code/' in name or name.startswith('code/')
                                       for name in names):
        load = f"torch.jit.load('{path}')"
        raise _refused(path, 'it is a TorchScript archive, a whole model with its code',
                       f'python -c "import torch; {_SAVE.format(model=load)}"')
    if any('serialized_exported_program' in name or name.endswith('/archive_format')
           or name == 'archive_format' for name in names) and 'data.pkl' not in last:
        load = f"torch.export.load('{path}')"
        raise _refused(path, 'it is an exported program of torch.export',
                       f'python -c "import torch; torch.save(dict({load}.state_dict), '
                       '\'weights.pth\')"')
    if 'data.pkl' in last:
        return ZIP
    if names and all(name.endswith('.npy') for name in names):
        return NUMPY
    if any(name.endswith('.weights.h5') for name in names):
        raise _refused(path, 'it is a model of Keras', _OTHER_LIBRARY)
    shown = ' '.join(', '.join(names[:3]).split())[:80] + (', ...' if len(names) > 3 else '')
    raise _refused(path, f'it is a zip archive of {shown or "nothing"}',
                   'unpack it, and give the file inside')


_AS_WEIGHTS, _AS_CHECKPOINT = 'cannot be read as weights', 'cannot be read as a checkpoint'


def _refused(path: Path, what: str, hint: str) -> WeightsError:
    return WeightsError(f'`{path}` {_AS_WEIGHTS}: {what}', hint=hint)


def refuse_objects(path: Path, kind: str, error: Exception) -> WeightsError:
    """Why `torch.load` would not read a file of its own kind, from the classes that it names.

    Args:
        path: The file.
        kind: ZIP or LEGACY.
        error: What `torch.load` raised.
    """
    try:
        found = list(_classes_and_strings(path, kind))
    except Exception:  # a damaged pickle; the error of torch.load says as much
        found = []
    strings: list[str] = []
    for name, is_class in found:
        if not is_class:
            strings.append(name)
        elif name.startswith('torch.nn.modules.'):
            return _whole_model(path, next(each for each, of_class in found if of_class and
                                           not each.startswith(_HARMLESS)), strings)
    others = [name for name, is_class in found if is_class and not name.startswith(_HARMLESS)]
    if others:
        key = "['state_dict']" if 'state_dict' in strings else ''
        return _refused(
            path, f'it holds Python objects beside tensors (`{others[0]}`), which would run code',
            'if you trust it: python -c "import torch; torch.save(torch.load('
            f"'{path}', weights_only=False){key}, 'weights.pth')\"")
    reason = ' '.join(str(error).split())[:100] or type(error).__name__
    return _refused(path, f'it is damaged ({reason})', _AGAIN)


_HARMLESS = ('torch._utils.', 'torch.FloatStorage', 'torch.LongStorage', 'torch.storage.',
             'collections.OrderedDict', '__builtin__.set', 'builtins.set', 'numpy.', 'torch.serial',
             'torch.HalfStorage', 'torch.BoolStorage', 'torch.IntStorage', 'torch.Size',
             'torch.BFloat16Storage', 'torch.DoubleStorage', '_codecs.encode', 'argparse.Namespace',
             'torch._C._nn.', 'torch.nn.parameter.', 'torch.device', 'pathlib.PosixPath',
             'mmengine.logging.history_buffer.')


def _whole_model(path: Path, name: str, strings: list[str]) -> WeightsError:
    key = next((each for each in strings if each in ('model', 'net', 'network', 'module', 'ema')),
               None)
    load = f"torch.load('{path}', weights_only=False)" + (f"['{key}']" if key else '')
    return _refused(
        path, f'it is a whole pickled model (`{name}`), which only its own code can read',
        f'if you trust it, where that class can be imported: python -c "import torch; '
        f'{_SAVE.format(model=load)}"')


def _classes_and_strings(path: Path, kind: str) -> Iterator[tuple[str, bool]]:
    """Names in a pickle, in order, and whether they are classes or functions."""
    if kind == ZIP:
        with zipfile.ZipFile(path) as archive:
            name = next(name for name in archive.namelist() if name.endswith('data.pkl'))
            with archive.open(name) as file:  # what unpacks to more is no list of tensors
                yield from _named_in(io.BytesIO(file.read(1 << 26)))
    else:
        with open(path, 'rb') as stream:
            for _ in range(4):  # a number, the protocol, the machine, the object
                yield from _named_in(stream)


def _named_in(stream: BinaryIO) -> Iterator[tuple[str, bool]]:
    recent: list[str] = []
    for operation, argument, _ in pickletools.genops(stream):
        if operation.name == 'GLOBAL':
            yield str(argument).replace(' ', '.'), True
        elif operation.name == 'STACK_GLOBAL':
            yield '.'.join(recent[-2:]), True
        elif isinstance(argument, str):
            recent.append(argument)
            yield argument, False
