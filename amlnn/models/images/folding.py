"""What follows a convolution, folded into it: batch norm, relu, the addition of a residual.

Each is a pass over a feature map, and in reduced precision the passes cost as much as the products.
"""

import copy
import operator
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ['fold_batch_norm', 'fuse_pointwise', 'relative_difference', 'trace']


def fold_batch_norm(module: nn.Module, run: Callable[[Tensor], Tensor]) -> int:
    """Fold each batch norm in eval mode into the convolution whose output only it reads, in place.

    Which convolution that is, a trace of the computation tells, not the order of names.

    Args:
        module: Holds the layers; folded batch norms become `nn.Identity`, or what else they do.
        run: Computes with `module`'s layers; must be traceable by torch.fx.

    Returns:
        The number of batch norms folded; 0 where the computation cannot be traced.
    """
    traced = trace(module, run)
    if traced is None:
        return 0
    pairs = _pairs(traced)
    for convolution, norm in pairs:
        # In double precision, so that folding rounds once.
        fused = fuse_conv_bn_eval(copy.deepcopy(module.get_submodule(convolution)).double(),
                                  copy.deepcopy(module.get_submodule(norm)).double())
        like = module.get_submodule(convolution).weight
        fused = fused.to(like.dtype)
        module.set_submodule(convolution, fused)
        module.set_submodule(norm, _rest_of(module.get_submodule(norm)))
    return len(pairs)


def fuse_pointwise(module: nn.Module, run: Callable[[Tensor], Tensor]) -> fx.GraphModule | None:
    """A computation on a CPU whose convolutions add the residual and apply relu themselves.

    oneDNN does so in the pass that writes the products, and takes weights packed beforehand.

    Args:
        module: Holds the layers, in eval mode, in the dtype to compute in. Not changed.
        run: Computes with `module`'s layers.

    Returns:
        The computation, which has copies of the weights; None where it cannot be traced or oneDNN
        is not there.
    """
    traced = trace(module, run) if torch.backends.mkldnn.is_available() else None
    if traced is None:
        return None
    layers = dict(traced.named_modules())
    for node in list(traced.graph.nodes):
        if node.op == 'call_module' and type(layers[node.target]) is nn.Identity:
            node.replace_all_uses_with(node.args[0])
            traced.graph.erase_node(node)
    for number, node in enumerate(list(traced.graph.nodes)):
        if node.op == 'call_module' and _is_plain_convolution(layers[node.target]):
            _fuse_one(traced, node, layers, f'fused{number}')
    traced.delete_all_unused_submodules()
    traced.recompile()
    return traced


def trace(module: nn.Module, run: Callable[[Tensor], Tensor]) -> fx.GraphModule | None:
    """The graph of a computation with a module's layers, or None where it depends on its data."""
    computation = _Computation(module, run)
    try:
        graph = _Tracer().trace(computation)
    except Exception:  # whatever a model's own code raises when given a symbol instead of a tensor
        return None
    return fx.GraphModule(computation, graph)  # of the traced one: it holds what became constants


def relative_difference(value: Tensor, reference: Tensor) -> float:
    """Root mean square of the difference, over that of the reference."""
    reference = reference.double()
    return float((value.double() - reference).norm() / reference.norm().clamp_min(1e-30))


class _Computation(nn.Module):
    def __init__(self, module: nn.Module, run: Callable[[Tensor], Tensor]):
        super().__init__()
        self.module = module
        self._run = run

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        # Subclasses of a convolution are leaves too: their own forward must not be taken apart.
        return isinstance(m, nn.Conv2d | nn.BatchNorm2d) or super().is_leaf_module(
            m, module_qualified_name)


def _pairs(traced: fx.GraphModule) -> list[tuple[str, str]]:
    """Names of convolutions and of the batch norms that read them."""
    layers = dict(traced.named_modules())
    calls = Counter(node.target for node in traced.graph.nodes if node.op == 'call_module')
    pairs = []
    for node in traced.graph.nodes:
        if node.op != 'call_module' or not _is_foldable_norm(layers[node.target]):
            continue
        before = node.args[0]
        if (before.op == 'call_module' and type(layers[before.target]) is nn.Conv2d
                and len(before.users) == 1 and calls[before.target] == calls[node.target] == 1):
            pairs.append((before.target.removeprefix('module.'),
                          node.target.removeprefix('module.')))
    return pairs


def _is_foldable_norm(layer: nn.Module) -> bool:
    if layer.training or getattr(layer, 'running_var', None) is None:
        return False
    return type(layer) in (nn.BatchNorm2d, nn.SyncBatchNorm) or (
        _has_activation(layer) and type(layer.drop) is nn.Identity)


def _has_activation(layer: nn.Module) -> bool:
    """Whether a batch norm is timm's, which applies an activation too."""
    # By its name: importing timm takes seconds, which only models of timm's should cost.
    return (type(layer).__module__, type(layer).__name__) == (
        'timm.layers.norm_act', 'BatchNormAct2d')


def _rest_of(norm: nn.Module) -> nn.Module:
    return norm.act if _has_activation(norm) else nn.Identity()


class _FusedConvolution(nn.Module):
    """A convolution, a residual added to it, and relu, by oneDNN in one pass.

    Args:
        layer: The convolution.
        relu: Whether relu is applied at the end.
        in_place: Whether the residual's memory may take the result.
    """

    def __init__(self, layer: nn.Conv2d, relu: bool, in_place: bool):
        super().__init__()
        self.places = (list(layer.padding), list(layer.stride), list(layer.dilation), layer.groups)
        self.weight = layer.weight.data
        self.packed_for = 0  # numbers of the largest input so far
        self.bias = None if layer.bias is None else layer.bias.data
        self.relu = relu
        self.in_place = in_place

    def forward(self, x: Tensor, residual: Tensor | None = None) -> Tensor:
        if x.numel() > self.packed_for:
            self._pack(x)
        if residual is None:
            return torch.ops.mkldnn._convolution_pointwise(
                x, self.weight, self.bias, *self.places, 'relu' if self.relu else 'none', [], '')
        after = ('add', None, 'relu' if self.relu else None, [], None)
        if self.in_place:
            return torch.ops.mkldnn._convolution_pointwise_(
                residual, x, self.weight, self.bias, *self.places, *after)
        return torch.ops.mkldnn._convolution_pointwise(
            x, residual, self.weight, self.bias, *self.places, *after)

    def _pack(self, x: Tensor) -> None:
        """Lay the weight out as oneDNN wants it for inputs of this size.

        In another layout it is laid out anew in every call, which for a few images takes half as
        long as the convolutions themselves.
        """
        dense = self.weight.to_dense() if self.weight.is_mkldnn else self.weight
        self.weight = torch.ops.mkldnn._reorder_convolution_weight(
            dense, *self.places, list(x.shape))
        self.packed_for = x.numel()


def _fuse_one(traced: fx.GraphModule, node: fx.Node, layers: dict, name: str) -> None:
    """Replace a convolution, and the addition and relu that alone read it, by one module."""
    chain, inputs, in_place = [node], [node.args[0]], False
    reader = _only_reader(node)
    if reader is not None and _is_addition(reader):
        residual = next((each for each in reader.args if each is not node), None)
        if residual is not None:
            chain.append(reader)
            inputs.append(residual)
            in_place = _is_last_use(residual, reader, layers)
            reader = _only_reader(reader)
    relu = reader is not None and _is_relu(reader, layers)
    if relu:
        chain.append(reader)
    traced.add_submodule(name, _FusedConvolution(layers[node.target], relu, in_place))
    layers[name] = traced.get_submodule(name)
    with traced.graph.inserting_before(chain[-1]):
        fused = traced.graph.call_module(name, tuple(inputs))
    chain[-1].replace_all_uses_with(fused)
    for each in reversed(chain):
        traced.graph.erase_node(each)


def _is_plain_convolution(layer: nn.Module) -> bool:
    return type(layer) is nn.Conv2d and layer.padding_mode == 'zeros' \
        and not isinstance(layer.padding, str)


def _only_reader(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _is_addition(node: fx.Node) -> bool:
    return node.op == 'call_function' and node.target in (operator.add, operator.iadd, torch.add) \
        and len(node.args) == 2 and not node.kwargs \
        and all(isinstance(each, fx.Node) for each in node.args)


def _is_relu(node: fx.Node, layers: dict) -> bool:
    return node.op == 'call_module' and type(layers[node.target]) is nn.ReLU


def _is_last_use(value: fx.Node, reader: fx.Node, layers: dict) -> bool:
    """Whether nothing reads a value later, and it is a tensor of its own."""
    return value.op == 'call_module' \
        and isinstance(layers[value.target], _FusedConvolution | nn.MaxPool2d | nn.Conv2d) \
        and all(user is reader or user < reader for user in value.users)
