"""Tensors of a file that have another shape than a network's, where it is known what to do.

An input convolution of other channels is summed, repeated or cut; positions and tables of relative
positions are resized; buffers that a network computes from its sizes are never taken from a file.
What is known to a library is done by that library: timm's networks bring a function of their own.
"""

# O outputs, I inputs, L positions, C channels, N attention heads

import math
import sys
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

__all__ = ['adapt', 'computed_names']

# The last part of the name.
_COMPUTED = ('relative_position_index', 'relative_coords_table', 'attention_bias_idxs', 'attn_mask',
             'freqs_cos', 'freqs_sin')
_POSITIONS = ('pos_embed', 'absolute_pos_embed', 'patch_pos', 'pos_embedding',
              'position_embeddings')
_MOST_EXTRA_TOKENS = 2  # class token, distillation token

Adapted = tuple[Tensor, str]


def computed_names(network: nn.Module) -> set[str]:
    """Tensors that a network computes from its own sizes; those of a file are not for it."""
    return {name for name, tensor in network.state_dict().items()
            if name.rpartition('.')[2] in _COMPUTED or not (
                tensor.is_floating_point() or name.endswith('num_batches_tracked'))}


def adapt(tensors: Mapping[str, Tensor], network: nn.Module) -> tuple[dict[str, Tensor], list[str]]:
    """Fit the tensors of a file to a network's shapes.

    Args:
        tensors: Under the network's names. What cannot be fitted stays as it is.
        network: A backbone, or a whole network of timm's.

    Returns:
        The tensors, and what was done to which, in words.
    """
    with warnings.catch_warnings():
        # timm indexes with lists, of which torch speaks at every table.
        warnings.filterwarnings('ignore', module=r'timm\.')
        return _adapt(tensors, network)


def _adapt(tensors: Mapping[str, Tensor],
           network: nn.Module) -> tuple[dict[str, Tensor], list[str]]:
    target = network.state_dict()
    fitted = _by_timm(tensors, network, target)
    done: dict[str, list[str]] = {}
    for name, wanted in target.items():
        given, first = fitted.get(name), tensors.get(name)
        if given is None:
            continue
        if given.shape != wanted.shape:
            found = next(filter(None, (way(name, given, wanted, network) for way in _WAYS)), None)
            if found is None:
                continue
            fitted[name], how = found
        elif first is not None and first.shape != wanted.shape:
            how = 'resized by timm'
        else:
            continue
        done.setdefault(how, []).append(
            f'`{name}` {_shape(given if first is None else first)} to {_shape(wanted)}')
    return fitted, [f'{how}: {_few(names)}' for how, names in done.items()]


def _shape(tensor: Tensor) -> str:
    return ' x '.join(map(str, tensor.shape))


def _few(names: list[str]) -> str:
    return names[0] + (f', and {len(names) - 1} more like it' if len(names) > 1 else '')


def _by_timm(tensors: Mapping[str, Tensor], network: nn.Module,
             target: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What timm's own function for files makes of them, where there is one and it fits better."""
    inner = getattr(network, 'timm_model', network)
    prefix = 'timm_model.' if inner is not network else ''
    function = getattr(sys.modules.get(type(inner).__module__), 'checkpoint_filter_fn', None)
    if function is None or not type(inner).__module__.startswith('timm.'):
        return dict(tensors)
    try:
        made = function({name.removeprefix(prefix): value for name, value in tensors.items()},
                        inner)
        made = {prefix + name: value for name, value in made.items()}
    except Exception:  # written for files that are whole, and of timm
        return dict(tensors)
    return made if _fits(made, target) > _fits(tensors, target) else dict(tensors)


def _fits(tensors: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> int:
    return sum(name in tensors and tensors[name].shape == wanted.shape
               for name, wanted in target.items())


def _input_convolution(name: str, given: Tensor, wanted: Tensor,
                       network: nn.Module) -> Adapted | None:
    """The first convolution's kernels for images of other channels, as timm adapts them."""
    from timm.models import adapt_input_conv
    layer = network.get_submodule(name.rpartition('.')[0])
    first = next((each for each in network.modules()
                  if isinstance(each, nn.Conv2d) and each.groups == 1), None)
    if first is None or not (isinstance(layer, nn.Conv2d) and name.endswith('.weight')
                             and layer.groups == 1 and layer.in_channels == first.in_channels):
        return None
    if given.ndim != 4 or given.shape[:1] + given.shape[2:] != wanted.shape[:1] + wanted.shape[2:]:
        return None
    theirs, ours = given.shape[1], wanted.shape[1]
    if theirs == 3 * ours and ours > 1:  # a stem that moves pixels into channels
        return given.float().unflatten(1, (ours, 3)).sum(2), 'summed over the colours'
    value = adapt_input_conv(ours, given.float(), base_chans=theirs)
    if ours == 1:
        return value, 'summed over the input channels, for images of 1 channel'
    word = 'repeated' if ours > theirs else 'cut'
    return value, f'{word} to {ours} input channels and scaled by {theirs}/{ours}'


def _positions(name: str, given: Tensor, wanted: Tensor, network: nn.Module) -> Adapted | None:
    """Position embeddings [1, L, C] of another grid of patches, or with other extra tokens."""
    if name.rpartition('.')[2] not in _POSITIONS or given.ndim != wanted.ndim:
        return None
    if given.ndim == 4:
        return _position_map(given, wanted)
    if given.ndim != 3 or given.shape[::2] != wanted.shape[::2]:
        return None
    owner = network.get_submodule(name.rpartition('.')[0])
    grid, extra = _grid(owner, wanted.shape[1])
    if grid is None:
        return None
    for theirs in dict.fromkeys((extra, *range(_MOST_EXTRA_TOKENS + 1))):
        before = _grid_like(given.shape[1] - theirs, grid)
        if before is not None:
            break
    else:
        return None
    from mmpretrain.models.utils import resize_pos_embed  # brings in MMPretrain
    mode = getattr(owner, 'interpolate_mode', 'bicubic')
    patches = resize_pos_embed(given[:, theirs:].float(), before, grid, mode, 0)
    tokens, words = _extra_tokens(given[:, :theirs].float(), extra)
    resized = f'resized from {before[0]} x {before[1]} to {grid[0]} x {grid[1]} patches' \
        if before != grid else 'kept for the patches'
    return torch.cat([tokens, patches], 1), resized + words


def _extra_tokens(given: Tensor, count: int) -> tuple[Tensor, str]:
    theirs = given.shape[1]
    if theirs >= count:
        return given[:, :count], f', without {theirs - count} of the extra tokens' \
            if theirs > count else ''
    if theirs:
        return torch.cat([given, *[given[:, -1:]] * (count - theirs)], 1), \
            ', the class token\'s taken for the extra token too'
    return given.new_zeros(1, count, given.shape[2]), ', zero for the class token'


def _position_map(given: Tensor, wanted: Tensor) -> Adapted | None:
    last = given.shape[3] == wanted.shape[3] and given.shape[1:3] != wanted.shape[1:3]
    if not last and given.shape[1] != wanted.shape[1]:
        return None
    value = given.float().permute(0, 3, 1, 2) if last else given.float()
    size = wanted.shape[1:3] if last else wanted.shape[2:]
    value = interpolate(value, size=tuple(size), mode='bicubic', align_corners=False)
    return value.permute(0, 2, 3, 1) if last else value, 'resized'


def _grid(owner: nn.Module, positions: int) -> tuple[tuple[int, int] | None, int]:
    """Rows and columns of patches behind so many positions, and the number of other tokens."""
    patches = getattr(owner, 'patch_embed', None)
    for source, name in ((patches, 'init_out_size'), (patches, 'grid_size'),
                         (owner, 'patch_resolution'), (owner, 'init_out_size')):
        size = getattr(source, name, None)
        if isinstance(size, tuple | list) and len(size) == 2:
            extra = positions - size[0] * size[1]
            if 0 <= extra <= _MOST_EXTRA_TOKENS:
                return (int(size[0]), int(size[1])), extra
    for extra in (1, 0, 2):
        side = math.isqrt(max(positions - extra, 0))
        if side and side * side == positions - extra:
            return (side, side), extra
    return None, 0


def _grid_like(count: int, grid: tuple[int, int]) -> tuple[int, int] | None:
    """Rows and columns of so many patches: square, else of a grid's proportions."""
    if count == grid[0] * grid[1]:
        return grid
    side = math.isqrt(max(count, 0))
    if side and side * side == count:
        return side, side
    rows = math.isqrt(max(count, 0) * grid[0] // grid[1])
    return (rows, count // rows) if rows and count % rows == 0 and \
        rows * grid[1] == count // rows * grid[0] else None


def _bias_table(name: str, given: Tensor, wanted: Tensor, network: nn.Module) -> Adapted | None:
    """A table [L, N] of relative positions in a window, as Swin and BEiT have."""
    if not name.endswith('relative_position_bias_table') or given.ndim != 2 \
            or given.shape[1] != wanted.shape[1]:
        return None
    from timm.layers.pos_embed_rel import resize_rel_pos_bias_table
    window = getattr(network.get_submodule(name.rpartition('.')[0]), 'window_size', None)
    window = (window, window) if isinstance(window, int) else window
    try:
        value = resize_rel_pos_bias_table(given.float(), tuple(window), tuple(wanted.shape))
    except (ValueError, TypeError, RuntimeError):  # the window was not square, or is not known
        return None
    return (value, 'relative positions resized') if value.shape == wanted.shape else None


def _attention_biases(name: str, given: Tensor, wanted: Tensor,
                      network: nn.Module) -> Adapted | None:
    """Biases [N, L] of the distances on a square, row by row, as LeViT and TinyViT have."""
    if not name.endswith('attention_biases') or given.ndim != 2 \
            or given.shape[0] != wanted.shape[0]:
        return None
    before, after = math.isqrt(given.shape[1]), math.isqrt(wanted.shape[1])
    if before ** 2 != given.shape[1] or after ** 2 != wanted.shape[1]:
        return None
    value = interpolate(given.float().unflatten(1, (before, before))[None], size=(after, after),
                          mode='bicubic', align_corners=False)
    return value[0].flatten(1), 'relative positions resized'


def _relative_lines(name: str, given: Tensor, wanted: Tensor,
                    network: nn.Module) -> Adapted | None:
    """Relative positions [L, C] along one side, as SAM's ViT and MViT have."""
    if name.rpartition('.')[2] not in ('rel_pos_h', 'rel_pos_w') or given.ndim != 2 \
            or given.shape[1] != wanted.shape[1]:
        return None
    value = interpolate(given.float().T[None], size=wanted.shape[0], mode='linear')
    return value[0].T, 'relative positions resized'


_WAYS = (_input_convolution, _positions, _bias_table, _attention_biases, _relative_lines)
