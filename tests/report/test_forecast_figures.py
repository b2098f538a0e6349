"""Figures, tables and the page of forecasts."""

import re

import numpy as np
import pytest
from forecast_folders import arrays, write_forecaster
from matplotlib.collections import PolyCollection
from PIL import Image
from run_folders import record, write_run

from amlnn.report import canvas, forecasting
from amlnn.report.figures import CostPoint, draw_cost
from amlnn.report.forecasting import draw_components, draw_error_by_step, draw_forecasts
from amlnn.report.page import write_report
from amlnn.report.tables import markdown_table
from amlnn.results.forecasting import find_intervals
from amlnn.results.forecasts import read_forecasts
from amlnn.results.store import find_runs
from amlnn.results.summary import compare


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that is saved, as matplotlib objects."""
    saved = []
    real = canvas.save

    def save(figure, path, **options):
        real(figure, path, **options)
        saved.append(figure)
    monkeypatch.setattr(forecasting, 'save', save)
    return saved


@pytest.fixture
def stored(tmp_path):
    def write(observed=None, **options):
        extra = {} if observed is None else {'observed': observed}
        np.savez(tmp_path / 'f.npz', **arrays(**options), **extra)
        return read_forecasts(tmp_path / 'f.npz')
    return write


def line(axes, label):
    return next(each for each in axes.get_lines() if each.get_label() == label)


def texts(figure):
    from matplotlib.text import Text
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_a_window_shows_forecast_and_truth_in_the_units_of_the_data(stored, tmp_path, drawn):
    known = stored()
    draw_forecasts(known, [], tmp_path / 'a.png')
    axes = drawn[0].axes[0]
    shown = line(axes, 'forecast').get_ydata()
    window = np.flatnonzero([np.allclose(shown, 10 + 2 * each[:, 0])
                             for each in known.forecasts]).item()
    truth = line(axes, 'truth')
    np.testing.assert_allclose(truth.get_ydata()[-8:], 10 + 2 * known.targets[window, :, 0],
                               rtol=1e-6)
    assert truth.get_xdata()[-8:].tolist() == list(range(1, 9))
    before = truth.get_ydata()[:-8]  # the rows before the window, from the windows before it
    assert len(before) == min(window, 24)
    np.testing.assert_allclose(
        before, 10 + 2 * known.targets[window - len(before):window, 0, 0], rtol=1e-6)


def test_intervals_are_bands_around_the_forecast(tmp_path, drawn):
    run, = find_runs([write_forecaster(tmp_path / 'run')])
    draw_forecasts(run.forecasts('test'), find_intervals(run, 'test'), tmp_path / 'a.png')
    axes = drawn[0].axes[0]
    labels = [each.get_label() for each in axes.collections if isinstance(each, PolyCollection)]
    assert labels == ['95 % interval', '80 % interval']  # the narrow one above
    wide, narrow = (np.ptp(each.get_paths()[0].vertices[:, 1]) for each in axes.collections[:2])
    assert wide > narrow > 0


def test_one_step_ahead_is_drawn_window_after_window(stored, tmp_path, drawn):
    known = stored(horizon=1, rows=300)
    draw_forecasts(known, [], tmp_path / 'a.png')
    shown = line(drawn[0].axes[0], 'forecast').get_ydata()
    np.testing.assert_allclose(shown, 10 + 2 * known.forecasts[-200:, 0, 0], rtol=1e-6)
    assert any('last 200 of 300 windows' in text for text in texts(drawn[0]))


def test_of_several_columns_the_first_four_are_drawn_and_the_rest_is_said(stored, tmp_path, drawn):
    draw_forecasts(stored(columns=7), [], tmp_path / 'a.png')
    titles = [axes.get_title(loc='left') for axes in drawn[0].axes]
    assert len(titles) == 8 and titles[0].startswith('c0, typical')
    assert titles[-1].startswith('c3, hard')
    assert any('3 more columns not shown' in text for text in texts(drawn[0]))


def test_missing_targets_are_gaps(stored, tmp_path, drawn):
    observed = np.ones((93, 8, 1), dtype=bool)
    observed[:, 3] = False
    draw_forecasts(stored(observed=observed), [], tmp_path / 'a.png')
    assert np.isnan(line(drawn[0].axes[0], 'truth').get_ydata()[-5])
    assert np.isfinite(line(drawn[0].axes[0], 'forecast').get_ydata()).all()


@pytest.mark.parametrize(('rows', 'horizon', 'columns'), [
    (8, 8, 1), (9, 8, 3), (1, 1, 1), (60, 48, 2), (30, 5, 9)])
def test_few_windows_and_odd_shapes_are_drawn(stored, tmp_path, rows, horizon, columns):
    draw_forecasts(stored(rows=rows, horizon=horizon, columns=columns), [], tmp_path / 'a.png')
    with Image.open(tmp_path / 'a.png') as image:
        assert len(np.unique(np.asarray(image.convert('L')))) > 20


def test_error_by_step_shows_every_step_and_the_number_of_windows(tmp_path, drawn):
    draw_error_by_step([('gru', np.array([0.1, 0.2, 0.4]))], tmp_path / 'a.png',
                       {'repeat last': np.array([0.3, 0.6, 0.9])}, windows=2545)
    axes, = drawn[0].axes
    assert line(axes, 'gru').get_ydata().tolist() == [0.1, 0.2, 0.4]
    assert line(axes, 'gru').get_xdata().tolist() == [1, 2, 3]
    assert line(axes, 'repeat last').get_ydata().tolist() == [0.3, 0.6, 0.9]
    assert any('2,545 windows' in text for text in texts(drawn[0]))
    assert axes.get_yscale() == 'linear' and axes.get_ylim()[0] == 0


def test_errors_of_very_different_size_are_drawn_on_a_logarithmic_axis(tmp_path, drawn):
    draw_error_by_step([('gru', np.array([0.1, 0.2]))], tmp_path / 'a.png',
                       {'train mean': np.array([5.1, 5.2])})
    assert drawn[0].axes[0].get_yscale() == 'log'


def parts(rows=50):
    zero = np.zeros((rows, 1))
    spike = zero.copy()
    spike[7] = 5
    return {'trend': np.arange(rows)[:, None] * 0.1, 'seasons': np.sin(np.arange(rows))[:, None],
            'shifts': zero, 'noise': zero + 0.01, 'outliers': spike,
            'gaps': np.arange(rows)[:, None] == 9}


def test_components_show_each_part_that_is_there_and_their_sum(tmp_path, drawn):
    draw_components(parts(), tmp_path / 'a.png', borders=(35, 40, 50))
    titles = [axes.get_title(loc='left') for axes in drawn[0].axes]
    assert titles[1:] == ['trend', 'seasons, all together', 'noise', 'outliers']
    values, truth = drawn[0].axes[0].get_lines()[:2]
    assert np.isnan(values.get_ydata()[9]) and np.isfinite(truth.get_ydata()).all()
    assert values.get_ydata()[7] - truth.get_ydata()[7] == pytest.approx(5.01)
    assert any('1 missing' in text for text in texts(drawn[0]))


def test_components_have_dates_where_the_series_has_times(tmp_path, drawn):
    times = np.datetime64('2020-01-01') + np.arange(50) * np.timedelta64(1, 'D')
    draw_components(parts(), tmp_path / 'a.png', times)
    labels = [label.get_text() for label in drawn[0].axes[-1].get_xticklabels()]
    assert any('Jan' in label or 'Feb' in label for label in labels)


def test_a_long_series_is_drawn_a_second_time_from_its_test_part_on(tmp_path, drawn):
    draw_components(parts(1200), tmp_path / 'a.png', borders=(700, 900, 1200))
    panels = drawn[0].axes
    assert len(panels) == 2 * 5
    near = [axes for axes in panels if axes.get_xlim() == (900, 1139)]
    assert len(near) == 5
    assert any(axes.get_title(loc='left') == '240 rows of it' for axes in near)
    draw_components(parts(1200), tmp_path / 'b.png', borders=(700, 1100, 1200))
    assert drawn[1].axes[1].get_xlim() == (960, 1199)


def test_a_page_shows_what_a_generated_series_is_made_of_once(tmp_path):
    for name in ('one', 'two'):
        folder = write_forecaster(tmp_path / 'runs' / name / 'run', name)
        np.savez(folder / 'components.npz', columns=np.array(['series_0']),
                 times=np.datetime64('2020-01-01', 's') + np.arange(50) * np.timedelta64(1, 'h'),
                 borders=np.array([35, 40, 50]),
                 **{name: each if each.dtype == bool else each.astype(np.float32)
                    for name, each in parts().items()})
    page = write_report(find_runs([tmp_path / 'runs']), tmp_path / 'report')
    assert page.read_text().count('aria-label="Components of') == 1
    assert (page.parent / 'components.png').is_file()
    for name in ('one', 'two'):
        np.savez(tmp_path / 'runs' / name / 'run' / 'components.npz', trend=np.zeros((50, 1)))
    page = write_report(find_runs([tmp_path / 'runs']), tmp_path / 'report')
    text = page.read_text()
    assert 'has no array named' in text and 'aria-label="Components' not in text


def test_cost_shows_what_is_not_trained_as_lines(tmp_path, monkeypatch):
    from amlnn.report import figures
    saved = []
    monkeypatch.setattr(figures, 'save', lambda figure, path: saved.append(figure))
    points = [CostPoint('a', 1.0, 0.4, 0.35, 0.45), CostPoint('b', 9.0, 0.3, 0.3, 0.3)]
    draw_cost(points, 'forecast/mse', tmp_path / 'c.png', 'standard deviation over seeds',
              {'ridge': 0.37})
    axes = saved[0].axes[0]
    assert any(set(each.get_ydata()) == {0.37} for each in axes.get_lines())
    assert {'ridge', 'scaled MSE'} <= set(texts(saved[0]))
    assert any('standard deviation over seeds' in text for text in texts(saved[0]))


def cells(row):
    return [cell.strip() for cell in row.strip().strip('|').split('|')]


@pytest.fixture(scope='module')
def mixed(tmp_path_factory):
    """A classifier, a forecaster of three seeds and another of one."""
    tmp_path = tmp_path_factory.mktemp('mixed')
    write_run(tmp_path / 'runs' / 'image' / 'run', record('image'))
    for seed, mse in enumerate((0.3, 0.4, 0.8)):
        write_forecaster(tmp_path / 'runs' / 'gru' / f'run{seed}', seed=seed, mse=mse,
                         started=f'2025-03-01T10:0{seed}:00Z')
    write_forecaster(tmp_path / 'runs' / 'lstm' / 'run', 'lstm')
    return find_runs([tmp_path / 'runs'])


def test_the_table_has_simple_methods_windows_and_spread(mixed):
    forecasts = next(each for each in compare(mixed) if each.kind == 'forecasting')
    head, _, first, second, *simple = map(cells, markdown_table(forecasts).splitlines())
    shown = dict(zip(head, first, strict=True))
    assert shown['forecast'] == 'gru' and shown['scaled MSE (test)'] == '0.5000 ± 0.2646'
    assert shown['MSE, original units'] == '2.000 ± 1.058'
    assert shown['windows'] == '93' and shown['seeds'] == '3' and second[0] == 'lstm'
    assert [row[0] for row in simple] == ['train mean', 'repeat last', 'ridge', 'noise-free truth']
    repeat = dict(zip(head, simple[1], strict=True))
    assert (repeat['scaled MSE (test)'], repeat['MSE, original units'], repeat['windows']) == \
        ('0.8000', '3.200', '93')
    assert repeat['seconds'] == repeat['seeds'] == ''
    assert 'MASE' not in head  # no run has it


@pytest.fixture(scope='module')
def index(mixed, tmp_path_factory):
    """Their page, made once and only read."""
    return write_report(mixed, tmp_path_factory.mktemp('page') / 'report')


def test_a_page_of_both_kinds_has_a_table_and_pictures_for_each(index):
    text = index.read_text(encoding='utf-8')
    assert text.index('<h2>Forecasts of') < text.index('<section')
    assert '<h2>Classification</h2>' in text and text.count('<thead>') >= 2
    assert 'ridge' in text and 'class="simple"' in text
    markdown = (index.parent / 'report.md').read_text(encoding='utf-8')
    files = re.findall(r'!\[[^\]]*\]\(([^)]+)\)', markdown)
    assert {'comparison.png', 'cost.png', 'steps.png'} <= set(files) or \
        {'comparison_2.png', 'cost_2.png', 'steps_2.png'} <= set(files)
    assert sum(file.endswith('_forecasts.png') for file in files) == 4
    assert all((index.parent / file).is_file() for file in files)


def test_the_finding_names_the_best_forecaster_and_the_best_simple_method(index):
    text = index.read_text(encoding='utf-8')
    assert 'the least scaled MSE of 2 configurations on test' in text
    assert 'the best simple method, ridge, 0.25' in text or 'ridge, errs less: 0.25' in text
    assert 'the truth without noise, 0.2 (93 windows)' in text


def test_a_section_says_what_the_intervals_held(tmp_path):
    write_forecaster(tmp_path / 'run')
    text = write_report(find_runs([tmp_path / 'run']), tmp_path / 'r').read_text(encoding='utf-8')
    assert '93 windows, 8 steps ahead of c0' in text
    assert '78.1 % of the values lie in the 80 % interval' in text


def test_a_forecaster_without_forecasts_or_with_damaged_ones_says_so(tmp_path):
    folder = write_forecaster(tmp_path / 'run', tested=False)
    (folder / 'predictions_val.npz').write_bytes(b'PK\x03\x04')

    def page():
        return write_report(find_runs([folder]), tmp_path / 'r').read_text(encoding='utf-8')
    assert 'half written' in page()
    (folder / 'predictions_val.npz').unlink()
    assert 'No forecasts are stored' in page()
