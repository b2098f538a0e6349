"""Series files as no program should write them: reading and forecasting end or are refused."""

import csv
import io

import pytest
from fuzzing import Tally, fuzz
from hostile_values import ODD_TEXT
from hypothesis import strategies as st

from amlnn.data.series.csv_series import CSVSeries
from amlnn.data.series.ends import last_windows
from amlnn.data.series.windows import SeriesWindows

pytestmark = pytest.mark.slow

TIMES = st.sampled_from([
    '2020-01-01', '2020-02-30', '0000-00-00', '9999-12-31', '99999-01-01', '-1', '1e9',
    '1577836800',
    '1577836800000', '01.02.2020', '1/2/20', '13/13/2020', '2020-W53', '2020Q5', 'Jul 2016',
    '12:00',
    '24:00:00', '2020-01-01T24:00', '2020-01-01 12:00:60', '2020-01-01T00:00+25:00', '10000',
    '2020-01-01T00:00:00Z', '2020-01-01T00:00:00+01:00', '2020-03-29 02:30', '1677-09-21', '1583',
    '2262-04-12', '2020-01-01 00:00:00.123456789', '٢٠٢٠-01-01', 'today', '0001-01-01', '0',
    '19700101'])
NUMBERS = st.one_of(st.sampled_from([
    '', ' ', 'nan', 'NaN', 'NA', 'null', 'None', '-', 'inf', '-inf', '1e308', '1e309', '-1e400',
    '1e-400',
    '9' * 400, '0x1f', '1_000', '1,5', '1.234,5', '1,234.5', '1 234', "1'234", '1\u00a0234', '+5',
    '--5',
    '5-', '(5)', '5%', '$5', '5 EUR', 'TRUE', '#N/A', '#DIV/0!', '=1+1', '१२', '½', '1e', 'e5',
    '.', ',',
    '.5', '5.', '1.2.3', 'x', '1' * 20, '\u22125', '∞']), st.floats().map(repr),
    st.integers().map(str))
NAMES = st.one_of(ODD_TEXT, st.sampled_from([
    'date', 'Date', 'time', 'a', 'b', 'c', 'y', 'id', 'Unnamed: 0', '', '{a}', '%s',
    '{0.__class__}', 'index',
    '__class__', 'None', 'self', '2020', '1', 'date ', ' a', '"', "'", '$x$', '\u03b1', 'store',
    'lambda']))
# Pieces of bytes that are put into a file of text somewhere.
DIRT = st.one_of(st.binary(max_size=6), st.sampled_from([
    b'\0', b'"', b'""', b"'", b'\r', b'\n\n', b'\r\n', b',', b';', b'\t', b'|', b'\xef\xbb\xbf',
    b'\xff\xfe',
    b'\xfe\xff', b'\x1a', b'\x0c', b'\xc3', b'\xe2\x80\xa8', b'\xed\xa0\x80', b'#', b'\\',
    b'a' * 10**6,
    b'"' + b'b' * 200_000, b'1' * 5000, b',' * 5000, b'sep=;\n']))


@st.composite
def files(draw):
    """A series of a few rows, whole in most places and odd in some."""
    columns = draw(st.integers(0, 3))
    count = draw(st.sampled_from([0, 1, 2, 5, 30, 30, 30, 30, 30]))
    header = ['date', *'abc'[:columns]]
    rows = [[f'2020-01-{row % 31 + 1:02}',
             *(f'{(row * 7 + place) % 10}.5' for place in range(columns))]
            for row in range(count)]
    lines = [header, *rows]
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.integers(0, len(lines) - 1))
        place = draw(st.integers(0, max(len(lines[row]) - 1, 0)))
        how = draw(st.sampled_from(['cell', 'cell', 'column', 'name', 'shorter', 'longer', 'twice',
                                    'swap', 'drop']))
        if how == 'cell' and lines[row]:
            lines[row][place] = draw(TIMES if place == 0 and draw(st.booleans()) else NUMBERS)
        elif how == 'column':
            text = draw(TIMES if place == 0 else NUMBERS)
            for line in lines[1:]:
                if place < len(line):
                    line[place] = text
        elif how == 'name' and place < len(lines[0]):
            lines[0][place] = draw(NAMES)
        elif how == 'shorter':
            lines[row] = lines[row][:-1]
        elif how == 'longer':
            lines[row] = [*lines[row], draw(NUMBERS)]
        elif how == 'twice':
            lines.insert(row, list(lines[row]))
        elif how == 'swap':
            other = draw(st.integers(0, len(lines) - 1))
            lines[row], lines[other] = lines[other], lines[row]
        elif how == 'drop' and len(lines) > 1:
            del lines[row]
    text = io.StringIO()
    csv.writer(text, delimiter=draw(st.sampled_from([',', ',', ',', ';', '\t', '|', ' '])),
               quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
               lineterminator=draw(st.sampled_from(['\n', '\n', '\r\n', '\r']))).writerows(lines)
    encoding = draw(st.sampled_from(['utf-8', 'utf-8', 'utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le',
                                     'utf-32', 'cp1252', 'shift-jis', 'cp037']))
    content = text.getvalue().encode(encoding, 'replace')
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        at = draw(st.integers(0, len(content)))
        content = content[:at] + draw(DIRT) + content[at + draw(st.integers(0, 3)):]
    return content


OPTIONS = st.fixed_dictionaries({}, optional=dict(
    date_column=st.one_of(st.sampled_from(['date', 'auto', None, 'a', 'Unnamed: 0', '']), ODD_TEXT),
    columns=st.one_of(st.lists(NAMES, max_size=2), st.just(['a'])),
    rows=st.sampled_from([(0, 5), (3, 10**12), (0, 1), (28, 30)]),
    missing=st.sampled_from(['mask', 'mask', 'error']), gaps=st.sampled_from(['mask', 'error']),
    date_format=st.one_of(st.sampled_from(['%Y-%m-%d', '%d', '%', '%Q', '', '%Y', '%z', '%j %U']),
                          ODD_TEXT),
    delimiter=st.sampled_from([',', ';', '"', '\n', 'é', '\0', ' ', '\r']),
    decimal=st.sampled_from(['.', ',']), thousands=st.sampled_from([',', '.', ' ', "'", 'x', '1',
                                                                    '-']),
    encoding=st.one_of(st.sampled_from(['utf-8', 'utf-16', 'cp1252', 'base64', 'rot13', 'idna',
                                        'hex',
                                        'unicode_escape', 'punycode', 'no-such', 'zip',
                                        'undefined', '']), ODD_TEXT),
    timezone=st.one_of(st.sampled_from(['Europe/Berlin', '+01:00', '+99:99', '/etc/passwd', '..',
                                        '', 'UTC']), ODD_TEXT),
    step=st.one_of(st.sampled_from(['1 day', '0 days', '-1 days', '1e99 days', '9999999999 years',
                                    'month end',
                                    'business days', 'hour', '1', '']), ODD_TEXT),
    skip_lines=st.sampled_from([0, 1, 5, 1000]),
    id_column=st.one_of(st.sampled_from(['auto', 'auto', 'a', ['a', 'b'], 'date']), ODD_TEXT),
    static=st.sampled_from([[], ['b'], ['x']]), resample=st.sampled_from(['mean', 'sum', 'last',
                                                                          'x'])))
SIZES = st.fixed_dictionaries(dict(
    look_back=st.sampled_from([1, 2, 3, 'auto', 10**9]), horizon=st.sampled_from([1, 2, 'auto',
                                                                                  10**9]),
    split=st.sampled_from(['train', 'val', 'test'])), optional=dict(
        targets=st.lists(NAMES, max_size=2), extra=st.just(['b']), known=st.sampled_from([['c'],
                                                                                          ['a'],
                                                                                          ['x']]),
        calendar=st.sampled_from(['auto', ['hour'], ['weekday', 'year'], ['x']]),
        holidays=st.sampled_from(['DE', 'XX', '', 'DE-BY', 'DE-']), season=st.sampled_from([1, 7,
                                                                                            10**9]),
        ratios=st.sampled_from([(1, 0, 0), (0.7, 0.1, 0.2), (0, 0, 0), (0.1, 0.1, 0.1)]),
        borders=st.sampled_from([(5, 6, 7), (20, 25, 30), (0, 0, 0), (30, 20, 10)]),
        stride=st.sampled_from([1, 1000]),
        short=st.sampled_from(['error', 'drop']), scale=st.booleans()))


def test_any_file_of_a_series(tmp_path):
    tally, path = Tally(), tmp_path / 'series.csv'

    def look(drawn):
        content, options, sizes = drawn
        path.write_bytes(content)

        def read():
            source = CSVSeries(str(path), **options)
            windows = SeriesWindows(source, **sizes)
            windows.describe() if hasattr(windows, 'describe') else None
            len(windows) and windows[0] if hasattr(windows, '__getitem__') else None
            last_windows(source.read_open() if sizes.get('known') else source.read_rows(),
                         windows.metainfo,
                         short=sizes.get('short', 'error'))

        tally.count(read, f'{content[:600]!r} ({len(content)} bytes), {options}, {sizes}')

    plain = st.tuples(files(), st.just({}), st.just(dict(look_back=2, horizon=1, split='train')))
    masked = st.tuples(files(), st.just(dict(missing='mask', gaps='mask')),
                       st.just(dict(look_back=2, horizon=1, split='train')))
    cases = fuzz(st.one_of(plain, masked, st.tuples(files(), OPTIONS, SIZES)), 2500, look)
    tally.check(cases)
