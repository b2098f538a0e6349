"""A panel's forecasts on the page: the table by series, and the worst, median and best of them."""

import csv
import re

import numpy as np
import pytest
from forecast_folders import panel_arrays, write_forecaster, write_panel

from amlnn.report import panels
from amlnn.report.page import write_report
from amlnn.report.panels import draw_series, series_listing, weights_text
from amlnn.results.forecasting import find_intervals
from amlnn.results.forecasts import read_forecasts
from amlnn.results.panels import panel_errors
from amlnn.results.store import find_runs


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """The page of a run on 30 series, made once and only read."""
    folder = tmp_path_factory.mktemp('panel')
    write_panel(folder / 'runs' / 'run', series=30, rows=170)
    return write_report(find_runs([folder / 'runs']), folder / 'report').parent


def rows_of(text):
    table = text[text.index('| series'):]
    return [[cell.strip() for cell in line.strip('|').split('|')]
            for line in table[:table.index('\n\n')].splitlines()]


def test_the_ten_worst_and_the_ten_best_series_are_listed(made):
    head, _, *rows = rows_of((made / 'report.md').read_text(encoding='utf-8'))
    assert head == ['series', 'windows', 'MAE', 'scaled MAE', 'MAE of ridge', 'ratio']
    assert len(rows) == 21 and rows[10][0] == '… 10 between' and rows[10][1:] == [''] * 5
    ratios = [float(row[-1]) for row in rows if row[-1]]
    assert ratios == sorted(ratios, reverse=True)
    best = rows[-1]  # the errors of `panel_arrays` grow from series to series
    assert best[:2] == ['shop 0', '163'] and best[4] == '1.000'
    assert float(best[2]) / 1.0 == pytest.approx(float(best[5]), rel=3e-3)
    page = (made / 'index.html').read_text(encoding='utf-8')
    assert '… 10 between' in page and 'All 30 series: <code>01_gru_series.csv</code>' in page


def test_a_file_beside_the_page_has_every_series(made):
    with (made / '01_gru_series.csv').open(encoding='utf-8', newline='') as file:
        rows = list(csv.DictReader(file))
    assert {row['series'] for row in rows} == {f'shop {place}' for place in range(30)}
    stored = panel_arrays(series=30, rows=170)
    kept = stored['series'] == 2
    error = np.abs(stored['forecast'] - stored['target'].astype(float))[kept]
    row = next(row for row in rows if row['series'] == 'shop 2')
    assert float(row['scaled_mae']) == pytest.approx(error.mean(), rel=1e-5)
    assert float(row['mae']) == pytest.approx(200 * error.mean(), rel=1e-5)
    assert float(row['mse']) == pytest.approx(200 ** 2 * np.square(error).mean(), rel=1e-5)
    assert (row['mae repeat last'], row['mae ridge']) == ('200', '100')
    assert float(row['ratio']) == pytest.approx(2 * error.mean(), rel=1e-5)


def test_the_summary_says_both_means(made):
    text = (made / 'report.md').read_text(encoding='utf-8')
    finding = text[:text.index('| forecast')]
    assert 'Weighted by size the error is 12.3 % (WAPE)' in finding
    assert 'with every series counting once, 0.456 scaled MAE' in finding
    head = text[text.index('| forecast'):].splitlines()[0]
    assert 'WAPE' in head and 'scaled MAE, each series once' in head
    assert 'series it errs less than ridge, the best simple method' in text


def test_few_series_are_all_listed(tmp_path):
    known = find_runs([write_panel(tmp_path / 'run', series=21, rows=150)])[0]
    panel = panel_errors(known.forecasts('test'))
    listing = series_listing(panel, tmp_path / 'a.csv')
    assert sorted(row[0] for row in listing.table.rows) == \
        sorted(f'shop {place}' for place in range(21))
    scaled = [float(row[3]) for row in listing.table.rows]
    assert scaled == sorted(scaled, reverse=True)
    assert listing.table.head == ['series', 'windows', 'MAE', 'scaled MAE']
    assert listing.text == weights_text(panel.wape, panel.scaled_mae)


@pytest.fixture
def drawn(monkeypatch):
    saved = []
    monkeypatch.setattr(panels, 'save', lambda figure, path: saved.append(figure))
    return saved


def draw(folder, **options):
    run, = find_runs([folder])
    forecasts = run.forecasts('test')
    panel = panel_errors(forecasts, run.tests['test'])
    return draw_series(forecasts, panel, find_intervals(run, 'test'), None, **options), forecasts


def test_the_worst_the_median_and_the_best_series_are_drawn_in_their_units(tmp_path, drawn):
    figure, forecasts = draw(write_panel(tmp_path / 'run', series=5))
    titles = [axes.get_title(loc='left') for axes in figure.axes]
    assert titles == ['worst: shop 4', 'median: shop 2', 'best: shop 0']
    for axes, place in zip(figure.axes, (4, 2, 0), strict=True):
        line = next(each for each in axes.get_lines() if each.get_label() == 'forecast')
        own = forecasts.of(place)
        squared = np.square(own.forecasts - own.targets.astype(float)).mean(axis=(1, 2))
        window = int(np.argsort(squared, kind='stable')[len(squared) // 2])
        np.testing.assert_allclose(
            line.get_ydata(), own.forecasts[window, :, 0] * 2 * 10.0 ** place + 10 * 10.0 ** place,
            rtol=1e-5)
        labels = [each.get_label() for each in axes.collections]
        assert labels == ['95 % interval', '80 % interval']
    assert drawn == [figure]


def test_few_steps_are_drawn_window_after_window(tmp_path, drawn):
    figure, _ = draw(write_panel(tmp_path / 'run', series=2, horizon=2, columns=2), narrow=True)
    assert [axes.get_title(loc='left') for axes in figure.axes] == [
        'c0, worst: shop 1', 'c0, best: shop 0', 'c1, worst: shop 1', 'c1, best: shop 0']
    line = next(each for each in figure.axes[1].get_lines() if each.get_label() == 'forecast')
    assert len(line.get_xdata()) == 59


def test_a_panel_whose_record_knows_no_series_has_no_simple_method(tmp_path):
    write_panel(tmp_path / 'runs' / 'run', errors=False)
    made = write_report(find_runs([tmp_path / 'runs']), tmp_path / 'r').parent
    head, *_ = rows_of((made / 'report.md').read_text(encoding='utf-8'))
    assert head == ['series', 'windows', 'MAE', 'scaled MAE']


def test_a_single_series_has_no_table_by_series(tmp_path):
    write_forecaster(tmp_path / 'runs' / 'run')
    made = write_report(find_runs([tmp_path / 'runs']), tmp_path / 'r').parent
    text = (made / 'report.md').read_text(encoding='utf-8')
    assert '| series' not in text and 'WAPE' not in text
    assert not list(made.glob('*_series.csv'))


def test_names_of_series_are_shown_as_they_are(tmp_path):
    stored = panel_arrays(series=2)
    stored['ids'] = np.array(['<b>, "x" $y$', '=1+1 | *z*'])
    stored['id'] = np.array([f'{stored["ids"][place]} {row}'
                             for row, place in enumerate(stored['series'])])
    folder = write_panel(tmp_path / 'runs' / 'run', series=2)
    np.savez(folder / 'predictions_test.npz', **stored)
    made = write_report(find_runs([tmp_path / 'runs']), tmp_path / 'r').parent
    page = (made / 'index.html').read_text(encoding='utf-8')
    assert '<b>, ' not in re.sub(r'(?s)<svg.*?</svg>', '', page) and '&lt;b&gt;, ' in page
    with (made / '01_gru_series.csv').open(encoding='utf-8', newline='') as file:
        assert {row['series'] for row in csv.DictReader(file)} == set(stored['ids'])
    assert read_forecasts(folder / 'predictions_test.npz').starts[0] == '0'
