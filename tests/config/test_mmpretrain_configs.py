"""Every config that MMPretrain ships loads, but those that cannot work on this machine."""

import re
import warnings
import zlib
from collections import Counter

import pytest
from mmengine.config import Config

from amlnn.config.files import shipped_folder
from amlnn.config.load import load_config
from amlnn.config.resolved import config_hash, resolved_text
from amlnn.errors import ConfigError

# Why MMPretrain's own file cannot be used here, by what is said about it.
REASONS = {
    'a package is not installed': r'not installed',
    'a class that MMPretrain does not have': r'`BatchCutMix`, and no batch augmentation',
}


def loads_in_mmengine(path) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            Config.fromfile(str(path), import_custom_modules=False)
    except Exception:
        return False
    return True


@pytest.fixture(scope='module')
def outcomes():
    """Every shipped file with its LoadedConfig or ConfigError."""
    found = {}
    for path in sorted(shipped_folder().rglob('*.py')):
        try:
            found[path] = load_config(path)
        except ConfigError as error:
            found[path] = error
    return found


def name_of(path) -> str:
    return path.relative_to(shipped_folder()).as_posix()


def test_none_is_rejected_but_for_a_reason_outside_the_config(outcomes):
    assert len(outcomes) > 800
    rejected = {path: error for path, error in outcomes.items()
                if isinstance(error, ConfigError)}
    excluded, unexplained = Counter(), []
    for path, error in rejected.items():
        reason = next((reason for reason, pattern in REASONS.items()
                       if re.search(pattern, error.message)), None)
        if reason is None and not loads_in_mmengine(path):
            reason = 'MMEngine cannot load it'
        excluded[reason] += 1
        if reason is None:
            unexplained.append((name_of(path), error.message, error.hint))
        print(f'{reason}: {name_of(path)}: {error.message}')
    print(f'{len(outcomes) - len(rejected)} of {len(outcomes)} load; excluded: {dict(excluded)}')
    assert unexplained == []
    assert len(rejected) < 0.1 * len(outcomes)


def test_the_classes_said_to_be_missing_really_cannot_be_built(outcomes, registries):
    looked = 0
    for error in outcomes.values():
        found = isinstance(error, ConfigError) and re.search(
            r'`([\w.]+)\.type` is `(\w+)`', error.message)
        if not found:
            continue
        registry = 'METRICS' if '_evaluator' in found[1] else 'DATASETS' if 'loader' in found[1] \
            else 'BATCH_AUGMENTS' if 'augments' in found[1] else 'MODELS'
        value = registries[registry].get(found[2])
        assert value is None or value.__name__ == 'ask_install', found[0]
        looked += 1
    assert looked > 40


def test_every_one_that_loads_survives_being_written_and_read(outcomes, tmp_path):
    copy = tmp_path / 'copy.py'
    for path, loaded in outcomes.items():
        if isinstance(loaded, ConfigError):
            continue
        copy.write_text(resolved_text(loaded.config), encoding='utf-8')
        assert load_config(copy).config == loaded.config, name_of(path)


def test_what_is_odd_in_them_is_said_and_rarely(outcomes):
    notes = {name_of(path): loaded.notes for path, loaded in outcomes.items()
             if not isinstance(loaded, ConfigError) and loaded.notes}
    assert len(notes) < 0.12 * len(outcomes)
    assert any('`bgr_std` is not a key' in note for note in
               notes['repvgg/repvgg-B3_8xb32_in1k.py'])
    # A real slip of MMPretrain's: `_delete` for `_delete_`, which MMEngine does not notice.
    assert any('paramwise_cfg._delete`' in note for note in
               notes['twins/twins-svt-base_8xb128_in1k.py'])


def test_they_resolve_to_what_mmengine_makes_of_them(outcomes):
    """Where MMEngine's result differs, the difference is one that the notes announce."""
    looked = 0
    for path, loaded in outcomes.items():
        # Every seventh: MMEngine takes a while for all of them.
        if isinstance(loaded, ConfigError) or loaded.notes \
                or zlib.crc32(name_of(path).encode()) % 7 or not loads_in_mmengine(path):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            theirs = Config.fromfile(str(path), import_custom_modules=False)._cfg_dict
        ours = loaded.config
        assert config_hash(bare({key: theirs[key] for key in ours})) \
            == config_hash(bare(ours)), name_of(path)
        looked += 1
    assert looked > 50


def bare(value):
    """Without what only steers inheritance."""
    if isinstance(value, dict):
        return {key: bare(item) for key, item in value.items()
                if key not in ('_delete_', '_scope_')}
    return [bare(item) for item in value] if isinstance(value, list | tuple) else value
