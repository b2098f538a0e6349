"""The comparison table in its three forms."""

import io
import json

import pytest
from rich.console import Console
from run_folders import epoch, record, test_record, write_predictions, write_run

from amlnn.records import write_record
from amlnn.report.tables import (
    comparison_columns,
    html_table,
    markdown_table,
    rich_table,
    terminal_columns,
)
from amlnn.results.store import find_runs
from amlnn.results.summary import summarise

NONE = '\N{EN DASH}'


@pytest.fixture
def summary(work_dirs):
    return summarise(find_runs([work_dirs / 'baseline', work_dirs / 'frozen3']))


def cells(line):
    return [cell.strip() for cell in line.strip().strip('|').split('|')]


def test_markdown_has_a_line_a_row_with_every_number(summary):
    head, rule, first, second = map(cells, markdown_table(summary).splitlines())
    assert head[:4] == ['configuration', 'frozen', 'trainable', 'total']
    assert rule[0].endswith('-') and rule[1].endswith(':')  # names left, numbers right
    shown = dict(zip(head, second, strict=True))
    row = summary.rows[1]
    assert shown['configuration'] == 'frozen3'
    assert shown['frozen'] == 'stem + 3'
    assert shown['trainable'] == '14,974,981' and shown['total'] == '23,518,277'
    assert shown['top-1 (val, n=200)'] == f'{row.value:.2f} ± {row.sd:.2f}'
    assert shown['95 % interval'] == f'{row.low:.2f} to {row.high:.2f}'
    assert shown['minus baseline'] == f'{row.difference.value:+.2f}'
    assert shown['seconds'] == '100' and shown['seeds'] == '2' and shown['epochs'] == '5'
    assert first[head.index('minus baseline')] == 'baseline'


def test_columns_with_nothing_to_say_are_left_out(work_dirs):
    alone = summarise(find_runs([work_dirs / 'baseline']))
    titles = [column.title.replace('\n', ' ') for column in comparison_columns(alone)]
    assert not any(title.startswith(('minus', 'reported', 'status', 'images ')) for title in titles)
    mixed = summarise(find_runs([work_dirs]))
    assert 'status' in [column.title for column in comparison_columns(mixed)]


def test_a_reported_figure_stands_beside_ours(tmp_path):
    entry = {'one': {'metric': 'accuracy/top1', 'value': 95.9507, 'source': 'table 1'}}
    (tmp_path / 'reported.json').write_text(json.dumps(entry))
    for name in ('one', 'two'):
        write_run(tmp_path / name / 'run', record(name, config_path=str(tmp_path / f'{name}.py')))
    summary = summarise(find_runs([tmp_path / 'one', tmp_path / 'two']))
    head, _, first, second = map(cells, markdown_table(summary).splitlines())
    place = head.index('reported')
    assert (first[place], second[place]) == ('95.95', NONE)


def test_superclass_and_present_class_accuracy_stand_beside_the_accuracy(tmp_path):
    def rows(*values):
        return [epoch(number, metrics={'accuracy/top1': 60.0 + number, 'superclass/top1': value})
                for number, value in enumerate(values, 1)]
    write_run(tmp_path / 'fine' / 'a', record('fine', rows=rows(70, 81.5), best_epoch=2))
    write_run(tmp_path / 'fine' / 'b', record('fine', rows=rows(77.5, 70), best_epoch=1, seed=1))
    write_run(tmp_path / 'plain', record('plain'))
    head, _, first, second = map(cells, markdown_table(summarise(find_runs([tmp_path])))
                                 .splitlines())
    place = head.index('top-1, superclass')
    assert head[place - 2:place] == ['top-1 (val, n=568)', '95 % interval']
    # The epochs that were the best: a mean of 79.5, two values at a distance of 4.
    assert (first[place], second[place]) == ('79.50 ± 2.83', NONE)
    assert not any('present' in title for title in head)


def test_on_the_test_part_those_of_the_test_record_are_shown(tmp_path):
    rows = [epoch(1, metrics={'accuracy/top1': 60.0, 'superclass/top1': 99.0})]
    write_run(tmp_path / 'run', record(rows=rows))
    write_record(tmp_path / 'run' / 'test_test.json', test_record(metrics={
        'accuracy/top1': 50.0, 'superclass/top1': 71.25, 'present/top1': 55.0,
        'present/top5': 75.0}))
    head, _, row = map(cells, markdown_table(summarise(find_runs([tmp_path]))).splitlines())
    shown = dict(zip(head, row, strict=True))
    assert shown['top-1 (test, n=568)'] == '50.00' and shown['top-1, superclass'] == '71.25'
    assert shown['top-1, present classes'] == '55.00'
    assert shown['top-5, present classes'] == '75.00'


@pytest.mark.parametrize(('frozen', 'shown'), [(-1, 'nothing'), (0, 'stem'), (2, 'stem + 2'),
                                               ('all', 'all'), (None, NONE)])
def test_frozen_stages_are_said_in_words(tmp_path, frozen, shown):
    write_run(tmp_path / 'run', record(frozen_stages=frozen))
    summary = summarise(find_runs([tmp_path]))
    assert cells(markdown_table(summary).splitlines()[2])[1] == shown


def test_rows_on_other_numbers_of_images_get_a_column_for_it(tmp_path):
    for name, n in (('one', 100), ('two', 200)):
        write_run(tmp_path / name, record(name))
        write_predictions(tmp_path / name, n=n)
    head, _, first, second = map(cells, markdown_table(summarise(find_runs([tmp_path])))
                                 .splitlines())
    assert 'top-1 (val)' in head
    assert (first[head.index('images')], second[head.index('images')]) == ('100', '200')


def test_markdown_and_html_escape_names(tmp_path):
    name = '<script>alert(1)</script>|*x*'
    write_run(tmp_path / 'run', record(name))
    summary = summarise(find_runs([tmp_path]))
    markdown = markdown_table(summary).splitlines()[2]
    assert '\\<script\\>' in markdown and '\\|\\*x\\*' in markdown
    page = html_table(summary)
    assert '<script>' not in page and '&lt;script&gt;' in page


def test_the_terminal_table_shows_names_as_they_are(tmp_path):
    write_run(tmp_path / 'run', record('[red]one[/red]'))
    summary = summarise(find_runs([tmp_path]))
    console = Console(width=300, record=True, file=io.StringIO())
    console.print(rich_table(summary))
    text = console.export_text()
    assert '[red]one[/red]' in text and '14,974,981' in text


@pytest.mark.parametrize('width', [60, 80, 120, 400])
def test_a_narrow_terminal_gets_fewer_columns_but_whole_numbers(summary, width):
    columns, dropped = terminal_columns(summary, width)
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(rich_table(summary, columns))
    text = console.export_text()
    assert '…' not in text and all(len(line) <= width for line in text.splitlines())
    assert 'frozen3' in text and f'{summary.rows[1].value:.2f}' in text
    assert len(columns) + len(dropped) == len(comparison_columns(summary))
    assert (not dropped) == (width == 400)
