"""Names in any script are told apart in a picture, whatever fonts there are."""

import matplotlib.image
import numpy as np
import pytest
from matplotlib import font_manager

from amlnn.report import letters
from amlnn.report.canvas import any_name, new_figure, save
from amlnn.report.classification import draw_confusion
from amlnn.report.letters import families, noted_letters, spelled_out, unseen_note

CHINESE = [('猫', '狗'), ('鸟', '鱼')]  # cat and dog, bird and fish


@pytest.fixture
def only_own_font(monkeypatch):
    """A machine with no other fonts than matplotlib's."""
    own = [font for font in font_manager.fontManager.ttflist if 'mpl-data' in font.fname]
    assert own
    monkeypatch.setattr(font_manager.fontManager, 'ttflist', own)
    for each in (letters._family_of, letters._fonts):
        each.cache_clear()
    yield
    for each in (letters._family_of, letters._fonts):
        each.cache_clear()


def test_names_of_a_script_without_a_font_are_told_apart(tmp_path, only_own_font):
    pictures = []
    for place, names in enumerate(CHINESE):
        path = tmp_path / f'{place}.png'
        with noted_letters() as noted:
            draw_confusion(np.eye(2, dtype=int), list(names), path)
        assert set(noted.values()) == set(names)
        pictures.append(matplotlib.image.imread(path))
    assert pictures[0].shape != pictures[1].shape or (pictures[0] != pictures[1]).any()


@pytest.mark.parametrize('name', ['daisy', 'Gänseblümchen', 'ромашка', 'μαργαρίτα', 'زهرة'])
def test_what_a_font_has_stays_as_it_is(only_own_font, name):
    with noted_letters() as noted:
        assert spelled_out(name) == name
    assert noted == {} and unseen_note(noted) == '' and families(name) == ['DejaVu Sans']


def test_only_the_letters_that_are_missing_are_spelled_and_said_once(only_own_font):
    with noted_letters() as noted:
        assert spelled_out('resnet 猫狗-3') == 'resnet [732B 72D7]-3'
        assert spelled_out('猫狗') == '[732B 72D7]'
    assert noted == {'[732B 72D7]': '猫狗'}
    assert '[732B 72D7] is 猫狗' in unseen_note(noted)


def test_the_list_of_letters_has_an_end(only_own_font):
    assert 'and 20 more' in unseen_note({f'[{n:04X}]': chr(n) for n in range(0x4e00, 0x4e78)})


def test_any_font_of_the_machine_that_has_the_letter_is_taken(monkeypatch):
    fonts = [('DejaVu Sans', 'own', 0), ('Rare Script', 'rare', 0)]
    monkeypatch.setattr(letters, '_fonts', lambda: fonts)
    have = {'own': {ord('a')}, 'rare': {ord('猫')}}
    monkeypatch.setattr(letters, '_letters_of', lambda path, _: have[path])
    letters._family_of.cache_clear()
    assert families('a猫') == ['DejaVu Sans', 'Rare Script'] and spelled_out('a猫') == 'a猫'
    assert spelled_out('b') == '[0062]'
    letters._family_of.cache_clear()


def test_a_figure_has_its_texts_again_once_it_is_saved(tmp_path, only_own_font):
    figure = new_figure(3, 2)
    axes = figure.subplots()
    axes.set_xticks([0, 1], ['猫', 'b'])
    axes.set_title('狗')
    save(figure, tmp_path / 'a.png')
    with any_name(figure):
        figure.draw_without_rendering()
        assert [text.get_text() for text in axes.get_xticklabels()] == ['猫', 'b']
    assert axes.get_title() == '狗'
