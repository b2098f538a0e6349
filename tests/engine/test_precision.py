import pytest
import torch

from amlnn.engine.precision import AutocastOptimWrapper, ExecutionPolicy, autocast
from amlnn.errors import ConfigError


def test_automatic_precision_is_bfloat16_exactly_where_the_processor_computes_in_it(monkeypatch):
    for fast, expected in ((True, 'bf16'), (False, 'fp32')):
        monkeypatch.setattr('amlnn.engine.precision.has_fast_bfloat16', lambda device, f=fast: f)
        assert ExecutionPolicy().resolve('cpu') == expected
    assert ExecutionPolicy().resolve('cuda') == 'fp16'
    assert ExecutionPolicy(precision='fp32').resolve('cuda') == 'fp32'


def test_bfloat16_computes_the_forward_pass_in_it_and_keeps_weights_in_float32():
    layer = torch.nn.Linear(4, 2)
    wrapper = AutocastOptimWrapper(optimizer=torch.optim.SGD(layer.parameters(), lr=0.1),
                                   device='cpu', precision='bf16')
    with wrapper.optim_context(layer):
        scores = layer(torch.randn(3, 4))
    assert scores.dtype == torch.bfloat16
    wrapper.update_params(scores.float().sum())
    assert layer.weight.dtype == torch.float32


@pytest.mark.parametrize(('precision', 'dtype'), [('fp32', torch.float32),
                                                  ('bf16', torch.bfloat16)])
def test_the_context_of_evaluation_has_the_same_precision(precision, dtype):
    with autocast('cpu', precision):
        assert torch.nn.Linear(4, 2)(torch.randn(3, 4)).dtype == dtype


def test_channels_last_changes_the_layout_of_convolutions_and_contiguous_does_not():
    for memory_format, expected in (('channels_last', True), ('contiguous', False)):
        layer = ExecutionPolicy(memory_format=memory_format).place(torch.nn.Conv2d(8, 8, 3))
        assert layer.weight.is_contiguous(memory_format=torch.channels_last) == expected


@pytest.mark.parametrize('arguments', [dict(precision='half'), dict(memory_format='nhwc')])
def test_an_unknown_value_is_an_error_that_lists_the_known(arguments):
    with pytest.raises(ConfigError) as error:
        ExecutionPolicy(**arguments)
    assert next(iter(arguments.values())) in str(error.value) and error.value.hint
