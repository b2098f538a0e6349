"""The documents' commands parse, and what they name is there."""

import re
import shlex

import pytest
from generated import ROOT, load_script

from amlnn.command import TOOLS
from amlnn.config.files import resolve

DOCUMENTS = [ROOT / name for name in ('README.md', 'CONTRIBUTING.md')]
DOCSTRINGS = sorted((ROOT / 'configs').rglob('*.py'))
CONSOLE = f'amlnn ({"|".join(TOOLS)}) '
# Placeholders that a reader fills in.
PLACEHOLDERS = ('<', 'DIR', 'FILE')


def commands() -> list[tuple[str, str]]:
    """Every line that calls one of the project's commands: (file, line)."""
    found = [(path.name, line.strip().removeprefix('$ '))
             for path in [*DOCUMENTS, *DOCSTRINGS]
             for line in path.read_text(encoding='utf-8').splitlines()
             if re.match(r'\s*(\$ )?(python (tools/|data_preprocess)|' + CONSOLE + ')', line)]
    found = [each for each in found if not any(word in each[1] for word in PLACEHOLDERS)]
    assert len(found) > 20
    return sorted(set(found))


@pytest.mark.parametrize(('where', 'line'), commands())
def test_a_documented_command_parses_and_its_config_is_there(where, line):
    words = shlex.split(line)[1:]
    arguments = load_script(ROOT / TOOLS.get(words[0], words[0])).parser().parse_args(words[1:])
    configs = [word for word in words[1:] if word.startswith(('configs/', 'amlnn::'))]
    assert all(resolve(config, ROOT).is_file() for config in configs)
    assert arguments


def test_every_make_target_that_is_documented_exists():
    makefile = (ROOT / 'Makefile').read_text(encoding='utf-8')
    targets = set(re.findall(r'^([a-z-]+):', makefile, flags=re.MULTILINE))
    for path in [*DOCUMENTS, ROOT / 'Makefile']:
        named = re.findall(r'(?:^|`|")make ([a-z-]+)', path.read_text(encoding='utf-8'),
                           flags=re.MULTILINE)
        assert named and set(named) <= targets, path


@pytest.mark.parametrize('path', DOCUMENTS, ids=lambda path: path.name)
def test_every_link_and_every_named_file_is_there(path):
    text = path.read_text(encoding='utf-8')
    links = re.findall(r'\]\(([^)]+)\)', text)
    named = re.findall(r'`((?:amlnn|tests|tools|configs|requirements)/[\w./]+)(?:::\w+)?`', text)
    assert links or named
    for name in [*links, *named]:
        assert (ROOT / name).exists(), name


def test_the_readmes_table_comes_from_a_run():
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    part = re.search(r'<!-- demo: begin.*?-->(.*)<!-- demo: end -->', text, flags=re.DOTALL)[1]
    rows = [line for line in part.splitlines() if line.startswith('|')]
    assert len(rows) == 2 + 4
    assert 'digits_frozenall' in part


def test_the_readmes_forecasts_come_from_a_run_and_stand_beside_simple_methods():
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    part = re.search(r'<!-- forecast: begin.*?-->(.*)<!-- forecast: end -->', text,
                     flags=re.DOTALL)[1]
    names = [line.split('|')[1].strip() for line in part.splitlines() if line.startswith('|')]
    assert names[0] == 'forecast' and names[2] == 'hourly_seggru'
    assert {'repeat last', 'ridge', 'noise-free truth'} <= set(names)


def test_regenerating_puts_each_table_and_picture_of_a_report_into_its_place(tmp_path):
    docs = load_script(ROOT / 'docs/regenerate.py')
    tables = {}
    for name, columns in docs.TABLES.items():
        rows = [columns, ['---'] * len(columns), [f'{name} {place}' for place in range(9)]]
        tables[name] = '\n'.join(f'| {" | ".join(row[:len(columns)])} |' for row in rows)
    docs.ROOT, docs.REPORT = tmp_path, tmp_path / 'report'
    docs.REPORT.mkdir()
    (tmp_path / 'docs').mkdir()
    (docs.REPORT / 'report.md').write_text('\n\n'.join(['# Title', *tables.values()]))
    (docs.REPORT / 'comparison.png').write_bytes(b'a')
    (docs.REPORT / '05_hourly_seggru_forecasts.png').write_bytes(b'b')
    (tmp_path / 'README.md').write_text(''.join(
        f'<!-- {name}: begin -->\nold\n<!-- {name}: end -->\n' for name in tables))
    docs.main()
    text = (tmp_path / 'README.md').read_text()
    assert 'old' not in text and all(f'{name} 0' in text for name in tables)
    assert text.index('demo 0') < text.index('demo: end') < text.index('forecast 0')
    assert (tmp_path / 'docs/forecast.png').read_bytes() == b'b'


def test_the_config_table_names_every_experiment():
    text = (ROOT / 'README.md').read_text(encoding='utf-8')
    named = set()
    for pattern in re.findall(r'^\| `(configs/[^`]+)`', text, flags=re.MULTILINE):
        alternatives = re.search(r'{(.*)}', pattern)
        choices = alternatives[1].split(',') if alternatives else ['']
        for choice in choices:
            whole = pattern.replace(alternatives[0], choice) if alternatives else pattern
            named |= {path.relative_to(ROOT) for path in ROOT.glob(whole)}
    experiments = {path.relative_to(ROOT) for path in (ROOT / 'configs').rglob('*.py')
                   if '_base_' not in path.parts}
    assert named == experiments


def test_no_document_or_source_names_a_machine_or_a_registry():
    # Put together here, so that this file does not name them either.
    hosts = ['pypi' + '.org', 'pythonhosted' + '.org', 'download' + '.pytorch']
    paths = ['/' + 'work/', '/' + 'root/', '/' + 'home/']
    checked = 0
    for path in ROOT.rglob('*'):
        if path.suffix not in ('.py', '.md', '.txt', '.toml', '.json', '') or not path.is_file():
            continue
        top = path.relative_to(ROOT).parts[0]
        if top in {'data', 'work_dirs', 'reports', 'weights'} or \
                (top.startswith('.') and top not in {'.ci', '.gitignore'}):
            continue
        text = path.read_text(encoding='utf-8', errors='ignore')
        checked += 1
        assert not any(word in text for word in [*hosts, *paths]), path
    assert checked > 80
