"""Numbers as they stand in files."""

import numpy as np
import pytest

from amlnn.data.series.number_cells import (
    MISSING,
    NumberStyle,
    conclude_style,
    looks_like_number,
    unit_of,
)
from amlnn.errors import DataError


def conclude(*cells, commas=False, **given):
    """The numbers, and what was said."""
    rows = [(cell, row) for row, cell in enumerate(cells)]
    style, said = conclude_style(rows, commas, lambda row: f'line {row + 2}', **given)
    return [style.number(cell) for cell in cells], said


@pytest.mark.parametrize(('cells', 'expected'), [
    (['1,5', '2,25'], [1.5, 2.25]),
    (['1.234,5', '12'], [1234.5, 12]),
    (['1,234.5', '1,234'], [1234.5, 1234]),
    (['1.234.567', '1.234'], [1234567, 1234]),
    (['1,234,567', '2.5'], [1234567, 2.5]),
    (['0,123', '1.234'], [0.123, 1234]),
    (['0.123', '1,234'], [0.123, 1234]),
    (['1234,567'], [1234.567]),
    (['-1 234,5', '12 345 678'], [-1234.5, 12345678]),
    (["1'234.5", "1'234"], [1234.5, 1234]),
    (['1\u202f234,50'], [1234.5]),
    (['1,5e3', '-2,0'], [1500, -2]),
    (['1.5', '2'], [1.5, 2]),
    (['7', '1000'], [7, 1000]),
])
def test_what_dots_and_commas_mean_is_concluded_from_all_cells(cells, expected):
    assert conclude(*cells)[0] == expected


def test_what_was_concluded_is_said_where_it_is_not_python_s_way():
    assert conclude('1.5', '2')[1] is None
    assert '`,` stands before decimals' in conclude('1,5')[1]
    said = conclude('1.234,5')[1]
    assert '`,` stands before decimals' in said and '`.` between thousands' in said


@pytest.mark.parametrize('cells', [['1.234', '2.345'], ['1,234'], ['1,234', '1.234']])
def test_what_could_be_read_in_two_ways_is_refused_and_an_argument_decides(cells):
    with pytest.raises(DataError) as caught:
        conclude(*cells)
    assert 'line ' in caught.value.message and 'decimal=' in caught.value.hint
    comma = [float(cell.replace('.', '').replace(',', '.')) for cell in cells]
    dot = [float(cell.replace(',', '')) for cell in cells]
    assert conclude(*cells, decimal=',')[0] == comma
    assert conclude(*cells, decimal='.')[0] == dot


def test_between_commas_a_dot_stands_before_decimals():
    assert conclude('1.234', '2.345', commas=True)[0] == [1.234, 2.345]


@pytest.mark.parametrize('cells', [['1,5', '2.5'], ['1.234,5', '1,234.5'], ['1.234.567', '1.5']])
def test_cells_that_contradict_each_other_are_named(cells):
    with pytest.raises(DataError) as caught:
        conclude(*cells)
    assert 'line 2' in caught.value.message and 'line 3' in caught.value.message
    assert cells[0] in caught.value.message and cells[1] in caught.value.message


@pytest.mark.parametrize(('style', 'cell'), [
    (NumberStyle(), '1_5'), (NumberStyle(), '1,5'), (NumberStyle(','), '1.5'),
    (NumberStyle(',', '.'), '1.23,4'), (NumberStyle('.', ','), '12,34'), (NumberStyle(), '5 %'),
    (NumberStyle('.', ' '), '1 23'), (NumberStyle(), 'x'), (NumberStyle(), '0x1f')])
def test_a_cell_of_another_style_is_no_number(style, cell):
    with pytest.raises(ValueError, match=r'.'):
        style.number(cell)


def test_a_missing_cell_is_none_in_every_style():
    for cell in (*MISSING, 'NaN', ' N/A ', '#N/A'):
        for style in (NumberStyle(), NumberStyle(',', '.'), NumberStyle('.', ',')):
            assert np.isnan(style.number(cell))


@pytest.mark.parametrize(('cell', 'unit'), [('5 %', '%'), ('5%', '%'), ('$3.50', '$'),
                                            ('1.234,50 EUR', 'EUR'), ('5', None), ('x', None)])
def test_a_unit_beside_a_number_is_found(cell, unit):
    assert unit_of(cell) == unit


@pytest.mark.parametrize(('cell', 'expected'), [
    ('1', True), ('-1.5e-3', True), ('1,5', True), ('1.234,5', True), ("1'234", True),
    ('', False), ('a', False), ('1.2.3', False), ('2020-01-01', False)])
def test_a_cell_looks_like_a_number_or_not(cell, expected):
    assert looks_like_number(cell) is expected
