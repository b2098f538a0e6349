"""Values as a config file would have them, in Python's own words, right and wrong ones."""

from hypothesis import strategies as st

__all__ = ['ODD_TEXT', 'PRELUDE', 'odd_bytes', 'options', 'values']

PRELUDE = 'import hostile_objects as _odd\n'

ODD_TEXT = st.one_of(
    st.text(max_size=12),
    st.sampled_from(['', ' ', '\0', '\n', '\ud800', '\x1b[31m', '{}', '{0}', '%s', '%(a)s', '{{',
                     '}}',
                     '{{_base_.model}}', '{{ fileDirname }}', "{{'$HOME:'}}", '../..', '/', '~',
                     '.',
                     '..', 'a.b', '-1', '1e999', 'nan', 'None', 'True', '[bold]', ':smile:',
                     '\u202e',
                     'a' * 5000, 'º', 'ﬁ', '__class__', 'type', '_base_', '_delete_', '_scope_',
                     'auto', 'http://', 'torchvision://', 'timm://', 'mmpretrain::', '::', '//',
                     'ResNet', 'torch.nn.Linear', 'os.system', 'builtins.exec', '0',
                     'accuracy/top1']))

_NUMBERS = ['0', '1', '-1', '2', '-7', '3.5', '-0.0', '1e-320', '1e308', "float('nan')",
            "float('inf')", "-float('inf')", '10**30', '-10**30', '10**5000', '-10**5000', '2**31',
            '2**63', '2**64', '1j', 'True', 'False']
_PLAIN = ['None', '...', '()', '[]', '{}', 'set()', 'frozenset()', '{1, 2}', "b''", "b'\\xff'",
          'bytearray(3)', 'range(3)', 'NotImplemented', 'object()', 'slice(1)', 'memoryview(b"a")',
          'iter([1])', '(each for each in [1])', 'type(None)', 'Exception()', 'dict', 'int',
          'print',
          'lambda: 0', 'len', 'str.join', '[].append', 'type', 'object', '__import__("math")',
          '__import__("pathlib").Path("a")', '__import__("decimal").Decimal("NaN")',
          '__import__("fractions").Fraction(1, 3)', '__import__("datetime").date(2020, 1, 1)',
          '__import__("re").compile("a")', '__import__("collections").OrderedDict(a=1)',
          '__import__("collections").defaultdict(list)', '__import__("collections").deque([1])',
          '__import__("collections").Counter("a")', '__import__("types").SimpleNamespace(a=1)',
          '__import__("types").MappingProxyType({})', '__import__("functools").partial(int)',
          '__import__("enum").IntEnum("E", "A").A',
          '__import__("collections").namedtuple("N", "a")(1)',
          '__import__("numpy").float64(1.5)', '__import__("numpy").int64(3)',
          '__import__("numpy").zeros(3)', '__import__("numpy").array("a")',
          '__import__("numpy").float32("nan")', '__import__("numpy").str_("a")']
_HOSTILE = ['_odd.Hostile()', '_odd.Equal()', '_odd.Truth()', '_odd.Attributes()', '_odd.Hostile',
            '_odd.Text("ResNet")',
            '_odd.Text("a")', '_odd.Number(3)', '_odd.Mapping(a=1)', '_odd.Mapping(type="ResNet")',
            '_odd.Sequence([1])', '_odd.function',
            '_odd.recursive_dict()', '_odd.recursive_list()', '_odd.deep_list()',
            '_odd.deep_dict()']

_leaves = st.one_of(st.sampled_from(_NUMBERS), st.sampled_from(_PLAIN), st.sampled_from(_HOSTILE),
                    ODD_TEXT.map(repr), st.integers().map(repr))
_keys = st.one_of(ODD_TEXT.map(repr), st.sampled_from(
    ["'type'", "'_delete_'", "'_scope_'", "'a'", '1', 'None', '(1, 2)', 'True', '1.5', "b'a'",
     "float('nan')", '_odd.Text("type")', 'int', '...', 'object()', "'0'", "'-1'"]))


def _wrapped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    several = st.lists(inner, max_size=3)
    return st.one_of(
        several.map(lambda items: f'[{", ".join(items)}]'),
        several.map(lambda items: f'({"".join(item + ", " for item in items)})'),
        st.lists(st.tuples(_keys, inner), max_size=3).map(
            lambda items: '{' + ', '.join(f'{key}: {item}' for key, item in items) + '}'),
        inner.map(lambda item: f"dict(type={item})"),
        inner.map(lambda item: f"dict(type='ResNet', depth={item})"),
        inner.map(lambda item: f'dict(_delete_={item})'),
        inner.map(lambda item: f'dict(_delete_=True, type={item})'),
        inner.map(lambda item: f'[[[[[{item}]]]]]'))


values = st.recursive(_leaves, _wrapped, max_leaves=4)
"""An expression of Python; PRELUDE has the name that stands in some."""

odd_bytes = st.one_of(
    st.binary(max_size=8),
    st.sampled_from([b'\0', b'\xff', b'\xef\xbb\xbf', b'\xff\xfe', b'\x0c', b'\r', b'\t', b'\\',
                     b'(',
                     b'[' * 300, b'(' * 50000, b'-' * 100000, b"'''", b'"""', b'{{', b'}}',
                     b'{{_base_.model}}',
                     b'{{ _base_.a.b }}', b"{{'$HOME:'}}", b"{{'$NOT_SET:'}}",
                     b'{{ fileBasename }}',
                     b'#', b';', b'=', b':', b',', b'# coding: latin-1\n', b'# coding: utf-16\n',
                     b'import os\n', b'raise\n', b'raise BaseException\n',
                                         b'raise GeneratorExit\n', b'exit()\n', b'1/0\n',
                                         b'return\n', b'yield 1\n', b'await x\n',
                     b'del _base_\n', b'_base_ = 1\n', b'_base_ += [1]\n', b'assert False\n',
                     b'global x\n', b'from . import x\n', b'from __future__ import braces\n',
                     b'with read_base():\n    from .x import *\n',
                     b'with read_base():\n    from os import path\n', b'dict = 1\n',
                     b'a = dict(**1)\n',
                     b'model = dict(**{1: 2})\n', b'a: int = 3\n', b'(a, b) = 1, 2\n', b'(yield)\n',
                     b'def f():\n    return f()\nx = f()\n', b'x = 10**5000\n',
                     b'raise ValueError(10**5000)\n',
                     b'type = 1\n', b'__builtins__ = {}\n', b'__name__ = 1\n',
                     b'_ = _base_.__class__\n']))
"""What is put into a file, at any place."""

_paths = st.sampled_from([
    'model', 'model.type', 'model.backbone.depth', 'model.head', 'optim_wrapper.optimizer.lr',
    'train_cfg', 'train_cfg.max_epochs', 'train_dataloader.dataset.pipeline.0',
    'execution.precision',
    'train_dataloader.dataset.pipeline.99.type', 'custom_hooks', 'param_scheduler.0.by_epoch',
    'default_hooks.checkpoint', 'val_evaluator', 'custom_imports', 'data', 'randomness.seed',
    '_base_',
    '_delete_', 'model._delete_', 'model._scope_', 'work_dir', 'load_from', 'model.pretrained'])

options = st.one_of(
    st.text(max_size=20),
    st.tuples(st.one_of(_paths, ODD_TEXT, st.text('.=[]()ab01', max_size=8)),
              st.sampled_from(['=', '', '==', ':', ' = ']),
              st.one_of(values, ODD_TEXT, st.text('[](){},:\'"=dictabc01. -\\', max_size=16)))
    .map(''.join))
"""What somebody may write behind --cfg-options."""
