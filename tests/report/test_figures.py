"""Figures: that each says what it should, whatever the run looks like."""

import math
import sys

import numpy as np
import pytest
from PIL import Image
from run_folders import epoch, record, write_predictions

from amlnn.report import canvas, classification, figures
from amlnn.report.classification import draw_confusion, draw_mistakes, draw_reliability
from amlnn.report.figures import CostPoint, draw_comparison, draw_cost, draw_curves
from amlnn.results.classification import calibration, worst_mistakes
from amlnn.results.store import read_predictions


@pytest.fixture
def drawn(monkeypatch):
    """Every figure that is saved, as matplotlib objects."""
    saved = []
    real = canvas.save

    def save(figure, path, **options):
        real(figure, path, **options)
        saved.append(figure)
    monkeypatch.setattr(figures, 'save', save)
    monkeypatch.setattr(classification, 'save', save)
    return saved


def ink(path) -> float:
    """The share of pixels that are not the background."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert('RGB'))
    return float((pixels != 255).any(axis=2).mean())


def texts(figure) -> list[str]:
    from matplotlib.text import Text
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def panel(figure, title):
    return next(axes for axes in figure.axes if axes.get_title(loc='left').startswith(title))


def test_curves_show_every_value_of_every_epoch(tmp_path, drawn):
    run = record(epochs=7)
    draw_curves(run, tmp_path / 'curves.png')
    figure, = drawn
    train, val = panel(figure, 'Loss').get_lines()[:2]
    assert train.get_xdata().tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert train.get_ydata().tolist() == [row.train_loss for row in run.epochs]
    assert val.get_ydata().tolist() == [row.val_loss for row in run.epochs]
    top1 = panel(figure, 'Validation top-1').get_lines()[0]
    assert top1.get_ydata().tolist() == [row.metrics['accuracy/top1'] for row in run.epochs]
    rate = panel(figure, 'Learning rate').get_lines()[0]
    assert rate.get_ydata().tolist() == [row.learning_rate for row in run.epochs]


def test_the_title_names_the_config_and_its_best_value(tmp_path, drawn):
    draw_curves(record('resnet50_frozen3', 5, best_epoch=4, best_value=85.0), tmp_path / 'c.png')
    shown = texts(drawn[0])
    assert 'resnet50_frozen3' in shown
    assert any('85.00 % at epoch 4' in text for text in shown)
    assert 'best 85.00 %' in shown  # beside the marked point


def test_curves_are_a_png_of_150_dpi_and_nothing_else_is_left(tmp_path):
    path = tmp_path / 'run' / 'curves.png'
    draw_curves(record(), path)
    assert [file.name for file in path.parent.iterdir()] == ['curves.png']
    with Image.open(path) as image:
        assert image.format == 'PNG' and round(image.info['dpi'][0]) == 150
    assert 0.01 < ink(path) < 0.5


@pytest.mark.parametrize('epochs', [1, 2, 5, 30, 300])
def test_the_epoch_axis_has_whole_numbers_only(tmp_path, drawn, epochs):
    draw_curves(record(epochs=epochs), tmp_path / 'c.png')
    axes = panel(drawn[0], 'Loss')
    low, high = axes.get_xlim()
    ticks = [tick for tick in axes.get_xticks() if low <= tick <= high]
    assert ticks and all(tick == int(tick) and 1 <= tick <= epochs for tick in ticks)


def test_one_epoch_is_drawn_as_a_marker(tmp_path, drawn):
    draw_curves(record(epochs=1), tmp_path / 'c.png')
    assert panel(drawn[0], 'Loss').get_lines()[0].get_marker() == 'o'


def test_a_run_without_validation_has_no_validation_panel(tmp_path, drawn):
    rows = [epoch(number, val_loss=None, metrics={}) for number in (1, 2, 3)]
    draw_curves(record(rows=rows, best_epoch=None, best_value=None), tmp_path / 'c.png')
    assert [axes.get_title(loc='left') for axes in drawn[0].axes] == ['Loss', 'Learning rate']
    assert any('no validation' in text for text in texts(drawn[0]))


def test_validation_every_other_epoch_leaves_no_gap(tmp_path, drawn):
    rows = [epoch(n, **({} if n % 2 else {'val_loss': None, 'metrics': {}})) for n in range(1, 6)]
    draw_curves(record(rows=rows), tmp_path / 'c.png')
    line = panel(drawn[0], 'Validation').get_lines()[0]
    assert line.get_xdata().tolist() == [1, 3, 5]


@pytest.mark.parametrize('bad', [None, math.nan, math.inf])
def test_losses_that_are_not_finite_are_marked(tmp_path, drawn, bad):
    rows = [epoch(1), epoch(2, train_loss=bad, val_loss=bad, metrics={'accuracy/top1': bad})]
    draw_curves(record(rows=rows, best_epoch=1, best_value=55.0, status='failed'),
                tmp_path / 'c.png')
    marks = next(line for line in panel(drawn[0], 'Loss').get_lines() if line.get_marker() == 'x')
    assert list(marks.get_xdata()) == [2]
    assert 'training loss not finite' in texts(drawn[0])


def test_a_run_where_nothing_is_finite_is_drawn_all_the_same(tmp_path):
    rows = [epoch(1, train_loss=None, val_loss=None, metrics={'accuracy/top1': None},
                  learning_rate=0.0)]
    draw_curves(record(rows=rows, best_epoch=None, best_value=None), tmp_path / 'c.png')
    assert (tmp_path / 'c.png').stat().st_size > 5000


def test_a_run_that_ended_before_its_first_epoch_says_so(tmp_path, drawn):
    draw_curves(record(epochs=0, status='failed'), tmp_path / 'c.png')
    assert 'no epoch finished' in texts(drawn[0])


@pytest.mark.parametrize(('losses', 'scale'), [((2.0, 0.5), 'linear'), ((2.0, 2e6), 'log'),
                                               ((0.0, 3.0), 'linear')])
def test_the_loss_axis_is_logarithmic_where_the_range_is_large(tmp_path, drawn, losses, scale):
    rows = [epoch(n, train_loss=loss, val_loss=None) for n, loss in enumerate(losses, start=1)]
    draw_curves(record(rows=rows), tmp_path / 'c.png')
    assert panel(drawn[0], 'Loss').get_yscale() == scale


def test_another_monitor_is_the_one_that_is_drawn(tmp_path, drawn):
    rows = [epoch(n, metrics={'mse': 1 / n, 'mae': 2.0}) for n in (1, 2)]
    draw_curves(record(rows=rows, kind='forecasting', monitor='mse', monitor_rule='less',
                       best_epoch=2, best_value=0.5), tmp_path / 'c.png')
    assert panel(drawn[0], 'Validation mse').get_lines()[0].get_ydata().tolist() == [1.0, 0.5]
    assert 'best 0.5' in texts(drawn[0])


def test_figures_neither_import_pyplot_nor_change_what_matplotlib_defaults_to(tmp_path):
    import matplotlib
    before = dict(matplotlib.rcParams)
    had = 'matplotlib.pyplot' in sys.modules
    draw_curves(record(), tmp_path / 'c.png')
    assert dict(matplotlib.rcParams) == before
    assert ('matplotlib.pyplot' in sys.modules) == had


@pytest.mark.parametrize('name', ['$\\frac$', '菊花_resnet <🌻>', 'a' * 300])
def test_any_name_can_be_drawn(tmp_path, name):
    draw_curves(record(name), tmp_path / 'c.png')
    draw_comparison([(name, [record(name)]), ('other', [record()])], tmp_path / 'd.png')
    draw_cost([CostPoint(name, 1.0, 90.0, 88.0, 92.0), CostPoint('b', 2.0, 91.0, 90.0, 92.0)],
              'accuracy/top1', tmp_path / 'e.png')
    draw_confusion(np.eye(2, dtype=int), [name, 'b'], tmp_path / 'f.png')
    assert all(ink(tmp_path / f'{letter}.png') > 0.005 for letter in 'cdef')


def test_the_comparison_names_each_run_that_has_epochs(tmp_path, drawn):
    runs = [(f'run {index}', [record(epochs=index)]) for index in range(11)]
    draw_comparison(runs, tmp_path / 'c.png')
    legend, = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == [f'run {n}' for n in range(1, 11)]
    looks = {(line.get_color(), str(line.get_linestyle()), line._unscaled_dash_pattern[1])
             for line in panel(drawn[0], 'Training loss').get_lines()}
    assert len(looks) == 10


def test_seeds_of_a_configuration_share_its_colour_and_its_name(tmp_path, drawn):
    draw_comparison([('a', [record(), record()]), ('b', [record()])], tmp_path / 'c.png')
    legend, = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ['a', 'b']
    colours = [line.get_color() for line in panel(drawn[0], 'Training loss').get_lines()]
    assert len(colours) == 3 and colours[0] == colours[1] != colours[2]


def test_runs_without_validation_are_compared_by_their_loss(tmp_path, drawn):
    rows = [epoch(1, val_loss=None, metrics={}), epoch(2, val_loss=None, metrics={})]
    draw_comparison([('a', [record(rows=rows)]), ('b', [record(rows=rows)])], tmp_path / 'c.png')
    assert [axes.get_title(loc='left') for axes in drawn[0].axes] == ['Training loss']


def test_labels_of_close_points_do_not_overlap(tmp_path, drawn):
    points = [CostPoint(f'resnet50_frozen{n}', 300 + 4 * n, 95 + 0.1 * n, 93, 97)
              for n in range(10)]
    draw_cost(points, 'accuracy/top1', tmp_path / 'c.png')
    figure, = drawn
    renderer = figure.canvas.get_renderer()
    labels = [text for text in figure.axes[0].texts if text.get_text()]
    boxes = [text.get_window_extent(renderer) for text in labels]
    assert len(boxes) == 10
    frame = figure.axes[0].get_window_extent(renderer)
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[:index])
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1


@pytest.fixture
def predictions(tmp_path):
    write_predictions(tmp_path, n=300, accuracy=0.8)
    return read_predictions(tmp_path / 'predictions_val.npz')


def test_the_confusion_matrix_shows_every_count_but_zero(tmp_path, drawn):
    draw_confusion(np.array([[1234, 0], [7, 50]]), ['a', 'b'], tmp_path / 'm.png')
    counts = [text.get_text() for text in drawn[0].axes[0].texts]
    assert sorted(counts) == ['1,234', '50', '7']
    np.testing.assert_allclose(drawn[0].axes[0].images[0].get_array(),
                               [[1, 0], [7 / 57, 50 / 57]])


def test_a_large_confusion_matrix_has_no_numbers_and_few_names(tmp_path, drawn):
    names = [f'class {index}' for index in range(200)]
    draw_confusion(np.eye(200, dtype=int), names, tmp_path / 'm.png')
    axes = drawn[0].axes[0]
    assert not axes.texts and 10 < len(axes.get_xticks()) <= 25
    assert axes.get_xticklabels()[1].get_text() == 'class 8'


def test_a_class_without_images_is_an_empty_row(tmp_path, drawn):
    draw_confusion(np.array([[3, 0], [0, 0]]), ['a', 'b'], tmp_path / 'm.png')
    assert drawn[0].axes[0].images[0].get_array()[1].tolist() == [0, 0]


def test_the_reliability_diagram_states_the_calibration_error(tmp_path, drawn, predictions):
    result = calibration(predictions)
    draw_reliability(result, tmp_path / 'r.png')
    assert any(f'{100 * result.ece:.1f} points' in text for text in texts(drawn[0]))
    heights = [bar.get_height() for bar in drawn[0].axes[1].patches]
    assert heights == result.counts.tolist()


def test_mistakes_show_the_image_or_its_name(tmp_path, drawn, predictions):
    mistakes = worst_mistakes(predictions, 4)
    file = tmp_path / 'data' / mistakes[0].id
    file.parent.mkdir(parents=True)
    Image.new('RGB', (64, 48), (255, 0, 0)).save(file, format='png')
    broken = tmp_path / 'data' / mistakes[1].id
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_bytes(b'no image')
    draw_mistakes(mistakes, tmp_path / 'data', tmp_path / 'w.png')
    first, second = drawn[0].axes[:2]
    assert first.images[0].get_array()[10, 10].tolist() == [255, 0, 0]
    assert not second.images
    assert second.texts[0].get_text().replace('\n', '') == mistakes[1].id
    assert mistakes[0].predicted in first.get_title()
    assert first.texts[0].get_text() == f'true: {mistakes[0].label}'


def test_an_id_that_leads_out_of_the_data_is_not_opened(tmp_path):
    Image.new('RGB', (8, 8)).save(tmp_path / 'secret.png')
    (tmp_path / 'data').mkdir()
    assert classification._thumbnail('secret.png', tmp_path) is not None
    assert classification._thumbnail('../secret.png', tmp_path / 'data') is None
    assert classification._thumbnail(str(tmp_path / 'secret.png'), tmp_path / 'data') is None


def test_without_a_data_root_every_mistake_is_a_name(tmp_path, drawn, predictions):
    draw_mistakes(worst_mistakes(predictions, 1), None, tmp_path / 'w.png')
    assert not drawn[0].axes[0].images
