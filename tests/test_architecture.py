"""Imports point down, and what must not bring in torch does not."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from generated import ROOT

from amlnn.command import TOOLS

# Each layer may import itself and what stands before it; layers on one line do not know each other.
LAYERS = [
    ['atomic', 'browsed', 'bug_report', 'checkpoint_facts', 'command', 'console', 'errors',
     'file_kinds', 'folder_swap', 'foreign_flags', 'foreign_texts', 'launcher', 'locks', 'markers',
     'opencv', 'openvino_library', 'predicted_series', 'quiet', 'records', 'registry',
     'run_folder', 'sealed', 'signals', 'suggest', 'user_cache'],
    ['formulas'],
    ['config'],
    ['data', 'models', 'metrics'],
    ['engine'],
    ['results'],
    ['report'],
    ['sweep', 'doctor'],
    ['probe'],
    ['studies'],
    ['start'],
    ['commands'],
    ['__main__'],
]
BELOW = {part: {below for layer in LAYERS[:level] for below in layer}
         for level, layer in enumerate(LAYERS) for part in layer}
# The bottom files know each other; results read only what the bottom describes, without torch.
BELOW |= {part: set(LAYERS[0]) for part in LAYERS[0]}
BELOW['results'] = {*LAYERS[0], 'formulas', 'config'}
BELOW['report'] = {*BELOW['results'], 'results'}


def modules() -> list[Path]:
    found = sorted((ROOT / 'amlnn').rglob('*.py'))
    assert len(found) > 30
    return found


def part_of(path: Path) -> str:
    return path.relative_to(ROOT / 'amlnn').with_suffix('').parts[0]


def imports(path: Path) -> list[ast.stmt]:
    return [node for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
            if isinstance(node, ast.Import | ast.ImportFrom)]


def names(node) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) \
        else [node.module or '']


@pytest.mark.parametrize('path', modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_its_own_part_and_parts_below(path):
    part = part_of(path)
    if part == '__init__':
        assert imports(path) == []
        return
    for node in imports(path):
        for name in names(node):
            pieces = name.split('.')
            if pieces[0] == 'amlnn' and len(pieces) > 1:
                assert pieces[1] in BELOW[part] | {part}, f'line {node.lineno}: {name}'


@pytest.mark.parametrize('path', [*modules(), *sorted((ROOT / 'tools').glob('*.py'))],
                         ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_has_no_relative_and_no_star_import_and_says_what_it_is(path):
    for node in imports(path):
        assert not getattr(node, 'level', 0), f'line {node.lineno}'
        assert all(alias.name != '*' for alias in node.names), f'line {node.lineno}'
    if path.name != '__init__.py':
        assert ast.get_docstring(ast.parse(path.read_text(encoding='utf-8')))


@pytest.mark.parametrize('layer', ['data', 'models', 'engine'])
def test_images_and_series_are_rooms_that_do_not_know_each_other(layer):
    for room, other in (('images', 'series'), ('series', 'images')):
        files = sorted((ROOT / 'amlnn' / layer / room).glob('*.py'))
        assert len(files) > 4
        for path in files:
            assert not [name for node in imports(path) for name in names(node)
                        if name.startswith((f'amlnn.{layer}.{other}', f'amlnn.data.{other}',
                                            f'amlnn.models.{other}'))], path


@pytest.mark.parametrize('stem', ['evaluate', 'new_record', 'options', 'plan', 'predict', 'task',
                                  'train'])
def test_the_door_to_the_rooms_does_not_ask_which_kind_an_experiment_is(stem):
    text = (ROOT / f'amlnn/engine/{stem}.py').read_text(encoding='utf-8')
    tree = ast.parse(text)
    assert not [name for node in imports(ROOT / f'amlnn/engine/{stem}.py') for name in names(node)
                if '.images' in name or '.series' in name]
    conditions = [node.test for node in ast.walk(tree)
                  if isinstance(node, ast.If | ast.IfExp | ast.While)]
    asked = ('kind ', 'kind)', 'series', 'images', 'forecast', 'classif', 'isinstance(task')
    assert not [ast.unparse(each) for each in conditions
                if any(word in ast.unparse(each) for word in asked)
                and ast.unparse(each) != 'kind not in _CLASSES']


def test_no_modules_import_one_another_in_a_circle():
    own = {'.'.join(path.relative_to(ROOT).with_suffix('').parts): path for path in modules()}
    leads = {name: {module for node in ast.parse(path.read_text(encoding='utf-8')).body
                    if isinstance(node, ast.Import | ast.ImportFrom)
                    for module in names(node) if module in own} for name, path in own.items()}
    settled: set[str] = set()
    while free := {name for name in leads if name not in settled and leads[name] <= settled}:
        settled |= free
    assert set(leads) == settled


@pytest.mark.parametrize(('package', 'part'), [('matplotlib', 'report'), ('jinja2', 'report'),
                                                 ('fcntl', 'locks')])
def test_a_package_is_imported_by_one_part_alone(package, part):
    users = {part_of(path) for path in modules() for node in imports(path)
             if any(name.partition('.')[0] == package for name in names(node))}
    assert users == {part}


def imported_by(statement: str) -> set[str]:
    """Top-level packages in memory after a statement, in a process of its own."""
    code = f'{statement}\nimport sys\nprint(*{{name.split(".")[0] for name in sys.modules}})'
    shown = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True,
                           cwd=ROOT)
    return set(shown.stdout.split())


@pytest.mark.parametrize(('part', 'heavy'), [
    ('formulas', {'mmengine', 'scipy', 'torch'}), ('config', {'torch'}), ('results', {'torch'}),
    ('report', {'torch'})])
def test_these_parts_bring_in_nothing_heavy(part, heavy):
    files = [path for path in modules() if part_of(path) == part and path.stem != '__init__']
    assert files
    statement = '\n'.join(f'import {".".join(path.relative_to(ROOT).with_suffix("").parts)}'
                          for path in files)
    assert not imported_by(statement) & heavy


def public(path: Path) -> list[str]:
    """What a module says is for others, in `__all__`."""
    return next((ast.literal_eval(node.value) for node in ast.parse(path.read_text()).body
                 if isinstance(node, ast.Assign) and names_of(node) == ['__all__']), [])


def names_of(node: ast.Assign) -> list[str]:
    return [target.id for target in node.targets if isinstance(target, ast.Name)]


@pytest.mark.parametrize(('part', 'least'), [('config', 40), ('formulas', 20), ('results', 25)])
def test_every_public_function_has_an_example_that_calls_it(part, least):
    found = [(path.stem, node) for path in modules() if part_of(path) == part
             for said in [public(path)] for node in ast.parse(path.read_text()).body
             if isinstance(node, ast.FunctionDef) and node.name in said]
    assert len(found) > least
    lines = {f'{stem}.{node.name}': [
        line for line in (ast.get_docstring(node) or '').splitlines()
        if line.startswith(('>>> ', '... ')) and f'{node.name}(' in line] for stem, node in found}
    assert [name for name, calls in lines.items() if not calls] == []


@pytest.mark.parametrize('part', ['config', 'formulas', 'results'])
def test_what_is_public_is_said(part):
    for path in modules():
        if part_of(path) == part and path.stem != '__init__':
            defined = {node.name for node in ast.parse(path.read_text()).body
                       if isinstance(node, ast.FunctionDef | ast.ClassDef)}
            assert public(path) and {name for name in defined if name[0] != '_'} <= {*public(path)}


def test_the_package_itself_imports_nothing():
    assert not imported_by('import amlnn') & {'numpy', 'mmengine', 'rich', 'torch'}


HEAVY = {'numpy', 'mmengine', 'torch', 'rich', 'matplotlib', 'jinja2', 'yaml'}


def test_there_is_a_command_for_every_tool_and_a_tool_for_every_command():
    paths = {str(path.relative_to(ROOT))
             for path in [*(ROOT / 'tools').glob('*.py'), ROOT / 'data_preprocess.py']}
    bodies = {path.stem for path in (ROOT / 'amlnn/commands').glob('*.py')}
    assert paths == set(TOOLS.values())
    assert bodies - {'__init__', 'main'} == set(TOOLS)


@pytest.mark.parametrize('name', TOOLS)
def test_a_command_is_short_and_its_help_waits_for_nothing_heavy(name):
    body, tool = ROOT / f'amlnn/commands/{name}.py', ROOT / TOOLS[name]
    assert len(body.read_text(encoding='utf-8').splitlines()) <= 62
    assert len(tool.read_text(encoding='utf-8').splitlines()) <= 15
    assert not imported_by(f'import runpy; runpy.run_path({str(tool)!r}, run_name="loaded")') \
        & HEAVY


@pytest.mark.parametrize('words', [[], *([name] for name in TOOLS)], ids=' '.join)
def test_the_help_of_the_console_command_waits_for_nothing_heavy(words):
    code = (f'import sys; sys.argv = ["bin/amlnn", *{words!r}, "--help"]\n'
            'from amlnn.commands.main import main\n'
            'try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0\n'
            'print()')
    assert not imported_by(code) & HEAVY


@pytest.mark.parametrize('name', TOOLS)
def test_help_shows_the_command_and_an_example_of_it_as_it_was_called(name):
    wide = {**os.environ, 'COLUMNS': '500'}
    for words, called in (([TOOLS[name]], f'python {TOOLS[name]}'),
                          (['-m', 'amlnn', name], f'python -m amlnn {name}')):
        shown = subprocess.run([sys.executable, *words, '--help'], capture_output=True, text=True,
                               check=True, cwd=ROOT, env=wide).stdout
        assert shown.startswith(f'usage: {called} ')
        example = shown.partition('\nexample:\n')[2]
        assert example.startswith(f'  {called}')
        assert words[0] != '-m' or 'configs/' not in example
