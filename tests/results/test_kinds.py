"""The tables of kinds, in results and in the report."""

import ast
from typing import get_args, get_type_hints

import pytest
from generated import ROOT
from run_folders import record, write_run

from amlnn.errors import DataError
from amlnn.records import RunRecord
from amlnn.report import kinds as report_kinds
from amlnn.report.presented import Presented
from amlnn.results import kinds
from amlnn.results.comparable import Comparable
from amlnn.results.store import find_runs
from amlnn.results.summary import compare


def test_every_kind_that_a_record_can_have_is_in_both_tables():
    known = set(get_args(get_type_hints(RunRecord)['kind']))
    assert known == set(kinds.KINDS) == set(report_kinds.KINDS) and len(known) >= 2
    assert all(isinstance(kind, Comparable) for kind in kinds.KINDS.values())
    assert all(isinstance(kind, Presented) for kind in report_kinds.KINDS.values())


def test_no_other_file_of_results_and_report_names_a_kind():
    files = [path for part in ('results', 'report') for path in (ROOT / 'amlnn' / part).glob('*.py')
             if path.stem != 'kinds']
    assert len(files) > 25
    for path in files:
        words = {node.value for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
                 if isinstance(node, ast.Constant)}
        assert not words & set(kinds.KINDS), path


def test_a_run_of_an_unknown_kind_is_refused_with_those_that_are_known(tmp_path):
    write_run(tmp_path / 'run', record('odd', kind='regression'))
    with pytest.raises(DataError, match='odd is a run of the unknown kind `regression`') as caught:
        compare(find_runs([tmp_path]))
    assert 'classification, forecasting' in caught.value.hint
