"""How the numbers are computed: `execution` in a config."""

from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from torch import nn

from amlnn.errors import ConfigError

__all__ = ['AutocastOptimWrapper', 'ExecutionPolicy', 'autocast', 'has_fast_bfloat16']

_DTYPES = {'bf16': torch.bfloat16, 'fp16': torch.float16}


class ExecutionPolicy:
    """Precision and memory layout of training, validation and prediction.

    Args:
        precision: 'auto', 'fp32', 'bf16' or 'fp16'. 'auto' is bf16 where the processor computes in
            it (CPUs with AMX or AVX512-BF16, GPUs from Ampere on), fp16 on older GPUs, else fp32.
        memory_format: 'channels_last' or 'contiguous', of convolution weights and images.
        trunk_cache: 'auto' computes what is frozen once a view and keeps on disk what will be read
            again in this run; True keeps all of it, for the next run; False is the plain path.
        views: Augmented views of each image; fewer than epochs, and they come again. None is one
            for every epoch, as without a cache, and one in all where the pipeline draws nothing.
        cache_gb: Gigabytes that the caches on disk may have; None is a quarter of what is free.
        decoded_cache: Keep the training images' pixels instead of decoding them in every epoch:
            'memory' in memory that the workers share, as long as they fit into half of what is
            free, True on disk; pays for large images and small networks.
        trunk_engine: What computes frozen stages: 'torch', 'openvino' (on a CPU), or 'auto':
            OpenVINO where it does so rightly and faster, which is measured on the first images
            where there is much to compute.
        trunk_precision: 'int8' computes frozen stages in 8 bits, by OpenVINO, calibrated on
            training images and refused where features or decisions on others change too much;
            None is `precision`, in which all else computes in any case. Testing and predicting take
            both for the whole backbone, and 'torch' for the model's own forward.
        fold_batch_norm: Fold batch norm into convolutions where nothing is trained.
        compile: Run what is frozen through torch.compile.

    Raises:
        ConfigError: a value is none of these.
    """

    def __init__(self, precision: str = 'auto', memory_format: str = 'channels_last',
                 trunk_cache: str | bool = 'auto', views: int | None = None,
                 cache_gb: float | None = None, fold_batch_norm: bool = True,
                 decoded_cache: str | bool = False, compile: bool = False,
                 trunk_engine: str = 'auto', trunk_precision: str | None = None):
        for key, value, choices in (
                ('precision', precision, ('auto', 'fp32', 'bf16', 'fp16')),
                ('memory_format', memory_format, ('channels_last', 'contiguous')),
                ('trunk_cache', trunk_cache, ('auto', True, False)),
                ('trunk_engine', trunk_engine, ('auto', 'torch', 'openvino')),
                ('trunk_precision', trunk_precision, (None, 'int8')),
                ('decoded_cache', decoded_cache, ('memory', True, False))):
            if value not in choices:
                raise ConfigError(f'`execution.{key}` is {value!r}',
                                  hint=f'one of {", ".join(map(str, choices))}')
        for key, value in (('views', views), ('cache_gb', cache_gb)):
            if value is not None and value <= 0:
                raise ConfigError(f'`execution.{key}` is {value}', hint='more than 0, or None')
        if trunk_precision and (trunk_engine == 'torch' or trunk_cache is False or compile
                                or not fold_batch_norm):
            raise ConfigError("`execution.trunk_precision` is 'int8', in which OpenVINO alone "
                              'computes, on the fast path',
                              hint='leave trunk_precision out, or trunk_engine, trunk_cache, '
                              'compile and fold_batch_norm')
        self.trunk_precision = trunk_precision
        self.trunk_cache = trunk_cache
        self.asks_for_cache = trunk_cache is True or views is not None
        """Whether the config itself says that features are to be read again."""
        self.trunk_engine = trunk_engine
        self.views = views
        self.cache_gb = cache_gb
        self.fold_batch_norm = fold_batch_norm
        self.decoded_cache = decoded_cache
        self.compile = compile
        self.precision = precision
        self.memory_format = memory_format

    @property
    def cache_bytes(self) -> int | None:
        """That the caches on disk may have; None where `cache_gb` does not say."""
        return None if self.cache_gb is None else int(self.cache_gb * 1e9)

    def resolve(self, device: str) -> str:
        """The precision on a device: 'fp32', 'bf16' or 'fp16'."""
        if self.precision == 'fp16' and device == 'cpu':
            raise ConfigError("`execution.precision` is 'fp16', which CPUs do not train in",
                              hint="use 'auto', 'bf16' or 'fp32'")
        if self.precision != 'auto':
            return self.precision
        if has_fast_bfloat16(device):
            return 'bf16'
        return 'fp16' if device == 'cuda' else 'fp32'

    def place(self, model: nn.Module) -> nn.Module:
        """Put the weights of 2-D convolutions into the memory layout."""
        backbone = getattr(model, 'backbone', None)
        # MMPretrain's VGG with a classifier of its own views its last map as vectors, which only a
        # contiguous one allows.
        views = type(backbone).__name__ == 'VGG' and hasattr(backbone, 'classifier')
        if self.memory_format == 'channels_last' and not views:
            return model.to(memory_format=torch.channels_last)
        return model


def has_fast_bfloat16(device: str) -> bool:
    """Whether a device has arithmetic units for bfloat16; emulating it is slower than float32."""
    if device == 'cuda':
        return torch.cuda.get_device_capability()[0] >= 8
    tests = ('_is_amx_tile_supported', '_is_avx512_bf16_supported')
    return any(getattr(torch.cpu, test)() for test in tests if hasattr(torch.cpu, test))


def autocast(device: str, precision: str) -> torch.autocast:
    """A context in which matrix products and convolutions run in `precision`."""
    return torch.autocast(device, dtype=_DTYPES.get(precision, torch.bfloat16),
                          enabled=precision != 'fp32')


@OPTIM_WRAPPERS.register_module()
class AutocastOptimWrapper(OptimWrapper):
    """An optimizer whose forward pass runs in bfloat16, on any device.

    MMEngine's AmpOptimWrapper asserts an accelerator. bfloat16 has the range of float32, so no
    loss scaling is needed; weights and their updates stay float32.

    Args:
        device: 'cpu' or 'cuda'.
        precision: 'fp32' or 'bf16'.
        kwargs: Arguments of MMEngine's OptimWrapper.
    """

    stands_for = ('OptimWrapper', ('optimizer', 'clip_grad', 'paramwise_cfg', 'constructor',
                                   'accumulative_counts'))

    def __init__(self, device: str = 'cpu', precision: str = 'fp32', **kwargs):
        super().__init__(**kwargs)
        self.device = device
        self.precision = precision

    @contextmanager
    def optim_context(self, model: nn.Module):
        """The context of one forward pass."""
        with super().optim_context(model), autocast(self.device, self.precision):
            yield
