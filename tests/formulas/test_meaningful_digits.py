"""Digits that tell values apart, and no others."""

from decimal import Decimal

import numpy as np
import pytest

from amlnn.formulas.digits import fixed, in_digits, shown


@pytest.mark.parametrize('level', [0.0, 1.0, -12345.678, 1234567890.0, 1e12])
@pytest.mark.parametrize('deviation', [1e-9, 3e-4, 0.5, 28.0, 4e6, 1e9])
def test_values_are_told_apart_to_a_thousandth_of_their_deviation_at_every_level(level, deviation):
    if deviation < 1e-3 * np.spacing(level) * 1e6:
        pytest.skip('float64 does not tell them apart')
    values = level + deviation * np.linspace(-2, 2, 1001)
    texts = in_digits(values, deviation)
    assert len(set(texts)) == 1001
    error = [abs(Decimal(text) - Decimal(float(value)))
             for text, value in zip(texts, values, strict=True)]
    assert max(error) <= Decimal(deviation) / 100000


def test_a_column_s_texts_end_at_one_place_and_not_in_noise():
    texts = in_digits([1234567890.123456789, 7.0, -0.0000001], 28.0)
    assert texts == ['1234567890.1235', '7.0000', '0.0000']
    assert in_digits([123456789.0], 4e6) == ['123456790']
    assert in_digits([0.1 + 0.2], 1.0) == ['0.30000']


def test_very_small_and_very_large_numbers_keep_their_digits_in_short():
    assert in_digits([1.23456789e-20, 0.0], 1e-20) == ['1.23457e-20', '0e+00']
    assert float(in_digits([1.23456789e20], 1e19)[0]) == pytest.approx(1.23456789e20, rel=1e-6)
    assert in_digits([float('nan'), float('inf')], 1.0) == ['nan', 'inf']


@pytest.mark.parametrize(('value', 'text'), [
    (0.38421, '0.3842'), (12.0, '12.0000'), (0.0, '0.0000'), (2.345e-7, '2.34e-07'),
    (-3e-9, '-3.00e-09'), (328311.94, '328311.9400')])
def test_an_error_never_shows_as_nothing(value, text):
    assert fixed(value) == text


@pytest.mark.parametrize(('value', 'text'), [
    (1234567890.0, '1,234,567,890'), (51234.5, '51,234'), (0.000123456, '0.0001235'),
    (float('nan'), 'nan'), (0.0, '0')])
def test_a_number_by_itself_is_written_out_where_it_is_large(value, text):
    assert shown(value) == text
