"""The check of a resolved config: every key against what is built from it.

`check_config` is the static tier: it imports no torch. `check_parameters` needs the names of the
model's parameters, which its caller supplies.
"""

from collections.abc import Iterable

from amlnn.config.findings import Finding, Findings, UnknownKey
from amlnn.config.kind import loader_of, run_kind
from amlnn.config.located import Located
from amlnn.config.monitors import monitored, produced
from amlnn.config.openings import fault_of_unfreeze
from amlnn.config.own_classes import check_own_modules
from amlnn.config.parameters import check_parameters
from amlnn.config.parts import check_parts
from amlnn.config.signatures import Library, library_of
from amlnn.config.structure import BY_TOP_LEVEL, TOP_LEVEL, Slot, preprocessor_slot, slot_of_loader
from amlnn.config.walk import Walk
from amlnn.config.weight_sources import check_weight_sources
from amlnn.registry import WEIGHT_SCHEMES, WEIGHT_SOURCES
from amlnn.suggest import did_you_mean, nearest

__all__ = ['TOP_LEVEL', 'Finding', 'check_config', 'check_parameters']

_SCHEMES = tuple(f'{scheme}://' for scheme in WEIGHT_SCHEMES)


def check_config(config: Located, helpers: Iterable[str] = ()) -> tuple[list[Finding], list[str]]:
    """Find what is wrong in a resolved config.

    Arguments that were inherited across a changed `type` and that the new class does not take
    are removed from `config`.

    Args:
        config: The config, with the place of each key.
        helpers: Top-level names that only serve to write other keys.

    Returns:
        What is wrong, and lines to be printed.

    >>> from amlnn.config.located import Place, located
    >>> config = located(dict(train_cfg=dict(max_epoch=3)), Place('small.py', 1))
    >>> findings, _ = check_config(config)
    >>> findings[0].message
    '`train_cfg.max_epoch` is not an argument of EpochBasedTrainLoop'
    >>> findings[0].hint.partition(' Epoch')[0]
    'did you mean `max_epochs`?'
    """
    findings = Findings()
    found = library_of(config)
    walk = Walk(found, findings)
    check_own_modules(config, found, findings)  # first: it explains classes that are not there
    findings.know('', TOP_LEVEL)
    for key in list(config):
        if key not in TOP_LEVEL:
            if key not in helpers:
                _unknown_top(config, key, findings)
            continue
        slot = BY_TOP_LEVEL[key]
        if key == 'data_preprocessor':
            slot = _preprocessor(config, found)
        elif key.endswith('_dataloader'):
            slot = slot_of_loader(loader_of(config[key], found))
        if slot is None:
            walk.check_plain(key, config[key], key, config.place(key))
        else:
            _visit_top(walk, key, config[key], slot, config)
    findings.judge_unknown()
    _check_model_keys(config, found, findings)
    _check_monitors(config, found, findings)
    check_parts(config, found, findings)
    return findings.errors, findings.notes


def _unknown_top(config: Located, key: str, findings: Findings) -> None:
    findings.unknown.append(UnknownKey(
        config.place(key), '', key, '', (*TOP_LEVEL, '_base_'), ()))


# The top-level sections that may be several.
_LISTS = ('val_evaluator', 'test_evaluator', 'param_scheduler', 'custom_hooks', 'tta_pipeline')


def _visit_top(walk: Walk, key: str, value: object, slot: Slot, config: Located) -> None:
    place = config.place(key)
    if not walk.is_section(value, key, place, several=key in _LISTS):
        return
    if key == 'param_scheduler' and isinstance(value, Located) and 'type' not in value and value \
            and all(isinstance(item, list | tuple | dict) for item in dict.values(value)):
        # One list for each of several optimizers.
        for name, item in dict.items(value):
            walk.visit(item, f'{key}.{name}', slot, value.place(name))
    else:
        walk.visit(value, key, slot, place)


def _preprocessor(config: Located, found: Library) -> Slot:
    """The top-level preprocessor is built by the model, which says what it is by default."""
    model = config.get('model')
    name = model.get('type') if isinstance(model, dict) else None
    component = found.find('MODELS', name) if isinstance(name, str) else None
    types = found.signature(component.module, component.local).types if component else {}
    return preprocessor_slot(types.get('data_preprocessor'))


# -- amlnn's own keys


def _check_model_keys(config: Located, found: Library, findings: Findings) -> None:
    model = config.get('model')
    if not isinstance(model, Located):
        return
    _check_frozen_stages(model, findings)
    if fault := fault_of_unfreeze(model):
        findings.add(model.place('unfreeze'), fault[0], hint=fault[1], rank=1)
    if model.get('head_start') not in (None, 'probe'):
        findings.add(model.place('head_start'),
                     f"`model.head_start` is {model['head_start']!r}, not 'probe' or None",
                     hint="'probe' begins with ridge regression on the features", rank=1)
    value = model.get('trainable')
    if value is not None and (isinstance(value, str) or not isinstance(value, list | tuple)
                              or not all(isinstance(item, str) for item in value)):
        findings.add(model.place('trainable'),
                     f'`model.trainable` is {value!r}, not a list of parameter-name prefixes',
                     hint=f'model.trainable=[{value!r}]' if isinstance(value, str)
                     else "model.trainable=['layer4.2.conv3']", rank=1)
    if not isinstance(model.get('pretrained_head', False), bool):
        findings.add(model.place('pretrained_head'),
                     f'`model.pretrained_head` is {model["pretrained_head"]!r}, not True or False',
                     hint='True loads the head of the weights too', rank=1)
    _check_pretrained(model, findings)
    check_weight_sources(config, found, run_kind(config) == 'forecasting', findings)
    backbone = model.get('backbone')
    if isinstance(backbone, Located):
        _check_conflicts(model, backbone, findings)


def _check_frozen_stages(model: Located, findings: Findings) -> None:
    if 'frozen_stages' not in model:
        return
    value = model['frozen_stages']
    number = isinstance(value, int) and not isinstance(value, bool)
    if value == 'all' or (number and value >= -1):
        return
    hint = "-1 freezes nothing, 0 the stem, n the stem and n stages, 'all' the whole backbone"
    if isinstance(value, str) and value.lstrip('-').isdigit():
        hint = f'without quotes: model.frozen_stages={int(value)}'
    elif isinstance(value, str):
        hint = f"did you mean 'all'? {hint}"
    findings.add(model.place('frozen_stages'),
                 f"`model.frozen_stages` is {value!r}, not an integer from -1 or 'all'", hint=hint,
                 rank=1)


def _check_pretrained(model: Located, findings: Findings) -> None:
    value, place = model.get('pretrained'), model.place('pretrained')
    if value is None or place.shipped:
        return
    if not isinstance(value, str) or not value:
        findings.add(place, f'`model.pretrained` is {value!r}, not a string or None',
                     hint=f"model.pretrained='timm://{model['model_name']}'"
                     if value is True and isinstance(model.get('model_name'), str)
                     else "model.pretrained='torchvision://resnet50'", rank=1)
        return
    scheme, separator, name = value.partition('://')
    if separator and scheme + separator not in _SCHEMES:
        near = nearest(scheme + separator, _SCHEMES, 3)
        findings.add(place, f'`model.pretrained` is `{value}`, with the unknown scheme '
                     f'`{scheme}://`', hint=f'did you mean `{near[0]}{name}`?' if near else
                     f'use {WEIGHT_SOURCES}', rank=1)


def _check_conflicts(model: Located, backbone: Located, findings: Findings) -> None:
    if 'frozen_stages' in model and 'frozen_stages' in backbone:
        findings.add(
            model.place('frozen_stages'),
            '`model.frozen_stages` is set, and `model.backbone.frozen_stages` is set in '
            f'{backbone.place("frozen_stages")}',
            hint='keep one: model.frozen_stages means the same for every backbone', rank=1)


def _check_monitors(config: Located, found: Library, findings: Findings) -> None:
    known = produced(config, found)
    for dotted, section, key in monitored(config):
        names = section[key]
        if not isinstance(names, str | None) and not (isinstance(names, list | tuple) and all(
                isinstance(name, str) for name in names)):
            findings.add(section.place(key), f'`{dotted}` is no name of a metric', rank=2,
                         hint=f"{key}='accuracy/top1', say", lenient=section.place(key).shipped)
            continue
        for name in names if isinstance(names, list | tuple) else [names]:
            if known is None or not isinstance(name, str) or name == 'auto' or name in known:
                continue
            place = section.place(key)
            findings.add(
                place, f'`{dotted}` is `{name}`, and validation reports '
                f'{", ".join(known)}', lenient=place.shipped, rank=2,
                hint=did_you_mean(name, known, max(2, len(name) // 3)) or
                f'monitor one of these, `{known[0]}` say, or add a metric to val_evaluator')
