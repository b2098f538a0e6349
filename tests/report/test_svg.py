"""Figures as elements of a page."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from run_folders import record

from amlnn.report.canvas import new_figure
from amlnn.report.classification import draw_confusion
from amlnn.report.figures import draw_curves
from amlnn.report.svg import inline_svg


def ids(element: str) -> list[str]:
    return re.findall(' id="([^"]+)"', element)


def references(element: str) -> set[str]:
    return set(re.findall(r'url\(#([^)]+)\)', element) + re.findall('href="#([^"]+)"', element))


def test_two_drawings_of_one_figure_share_no_id_and_each_has_what_it_refers_to():
    figure = draw_curves(record(), None)
    one, other = inline_svg(figure, 'one'), inline_svg(figure, 'other')
    assert len(ids(one)) > 3 and len(set(ids(one))) == len(ids(one))
    assert references(one) == set(ids(one)) and references(other) == set(ids(other))
    assert not set(ids(one)) & set(ids(other))
    assert one.replace('one-', 'other-') == other  # nothing else differs


def test_the_same_record_gives_the_same_text():
    assert inline_svg(draw_curves(record(), None), 'a') == inline_svg(draw_curves(record(), None),
                                                                     'a')


@pytest.mark.parametrize('name', ['</svg><script>alert(1)</script>', '"&amp;\'', ']]>', '{{ 1 }}'])
def test_any_name_is_a_text_of_the_drawing(name):
    drawn = ElementTree.fromstring(inline_svg(draw_curves(record(name), None), 'a'))
    assert name in [text.text for text in drawn.iter('text')]
    assert {element.tag for element in drawn.iter()} == {'svg', 'g', 'path', 'text', 'use', 'defs',
                                                         'clipPath', 'rect'}


def test_what_makes_room_for_the_heading_is_not_part_of_the_text():
    drawn = ElementTree.fromstring(inline_svg(draw_curves(record(), None), 'a'))
    assert 'Ag' not in [text.text for text in drawn.iter('text')]


def test_cells_of_a_matrix_are_an_image_and_its_numbers_are_text():
    figure = draw_confusion(np.array([[5, 1], [0, 7]]), ['a', 'b'], None)
    drawn = ElementTree.fromstring(inline_svg(figure, 'a'))
    images = list(drawn.iter('image'))
    assert images and all(re.fullmatch('data:image/png;base64,[A-Za-z0-9+/=]+', each.get('href'))
                          for each in images)
    assert {'5', '1', '7'} <= {text.text for text in drawn.iter('text')}


def test_points_keep_their_places_within_a_hundredth_of_a_point():
    figure = new_figure(4, 3)
    axes = figure.subplots()
    line, = axes.plot([0, 1, 2], [0.0, 1 / 3, 2 / 7])
    drawn = inline_svg(figure, 'a')
    places = line.get_transform().transform(line.get_xydata()) * 72 / figure.dpi
    path = next(each for each in re.findall('d="([^"]+)"', drawn) if each.count('L') == 2)
    shown = np.array(re.findall(r'[\d.]+', path), dtype=float).reshape(3, 2)
    np.testing.assert_allclose(shown[:, 0], places[:, 0], atol=0.02)
    np.testing.assert_allclose(3 * 72 - shown[:, 1], places[:, 1], atol=0.02)


def test_drawing_for_the_page_changes_no_default_of_matplotlib():
    import matplotlib
    before = dict(matplotlib.rcParams)
    inline_svg(draw_curves(record(), None), 'a')
    assert dict(matplotlib.rcParams) == before
