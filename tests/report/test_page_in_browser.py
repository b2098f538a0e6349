"""The page as Chromium shows it: at three widths, light and dark."""

import html
import json
import re
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from forecast_folders import write_forecaster
from run_folders import epoch, record, write_predictions, write_run

from amlnn.report.page import write_report
from amlnn.results.store import find_runs

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser') or \
    shutil.which('google-chrome')
MEASURE = Path(__file__).with_name('measure_page.js')
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--hide-scrollbars']
DARK = ['--blink-settings=preferredColorScheme=0']
# No window of it is as narrow as a phone, but a frame in it is.
FRAME = """<!DOCTYPE html><html style="color-scheme: light dark"><meta charset="utf-8">
<pre id="measured"></pre>
<iframe style="border: 0; width: {width}px; height: 900px" srcdoc="{page}"></iframe></html>
"""
SCREENS = [(width, dark) for width in (1280, 768, 390) for dark in (False, True)]

pytestmark = [pytest.mark.slow,
              pytest.mark.skipif(CHROMIUM is None, reason='no Chromium is on the PATH')]


@pytest.fixture(scope='module')
def index(work_dirs, tmp_path_factory) -> Path:
    """A page with every column that a table of classifiers can have, and forecasters."""
    root = tmp_path_factory.mktemp('browser')
    runs = root / 'runs'
    shutil.copytree(work_dirs, runs)
    for seed, images in ((0, 300), (1, 300)):
        rows = [epoch(n, metrics={'accuracy/top1': 80 + n + seed, 'superclass/top1': 90 + n + seed})
                for n in (1, 2, 3)]
        name = 'resnext50_32x4d_frozen3_longer_schedule'
        folder = write_run(runs / name / f'seed{seed}', record(
            name, rows=rows, seed=seed, best_epoch=3, config_path=str(root / f'{name}.py'),
            started=f'2025-03-01T10:0{seed}:00Z'), f'model = {name!r}\n')
        write_predictions(folder, n=images, accuracy=0.85, seed=seed)
    (root / 'reported.json').write_text(json.dumps({name: {
        'metric': 'accuracy/top1', 'value': 95.95, 'source': 'table 1'}}))
    for name in ('gru', 'lstm_without_subtraction'):
        write_forecaster(runs / name / 'run', name)
    return write_report(find_runs([runs]), root / 'report')


@pytest.fixture(scope='module')
def seen(index, tmp_path_factory):
    """What the page measures of itself at (width, dark)."""
    known: dict[tuple[int, bool], dict] = {}

    def measure(width: int, dark: bool) -> dict:
        if (width, dark) not in known:
            folder = tmp_path_factory.mktemp('screen')
            page = folder / 'page.html'
            script = f'<script>{MEASURE.read_text(encoding="utf-8")}</script>'
            text = index.read_text(encoding='utf-8').replace('</body>', f'{script}</body>')
            page.write_text(FRAME.format(width=width, page=html.escape(text)), encoding='utf-8')
            done = subprocess.run(
                [CHROMIUM, *FLAGS, *(DARK if dark else []), f'--user-data-dir={folder / "user"}',
                 '--window-size=1400,1000', '--dump-dom', page.as_uri()],
                capture_output=True, text=True, check=True, timeout=120)
            found = re.search('<pre id="measured">(.*?)</pre>', done.stdout, flags=re.DOTALL)
            known[width, dark] = json.loads(html.unescape(found[1]))
        return known[width, dark]
    return measure


@pytest.fixture(params=SCREENS, ids=lambda screen: f'{screen[0]}{"-dark" if screen[1] else ""}')
def screen(request, seen) -> dict:
    found = seen(*request.param)
    assert (found['width'], found['dark']) == request.param  # the browser did as it was told
    return found


def light(colour: str) -> float:
    """Relative luminance of 'rgb(r, g, b)', 0 black to 1 white (WCAG 2.2)."""
    parts = np.array([int(part) for part in re.findall(r'\d+', colour)[:3]]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    dark, bright = sorted([light(one), light(other)])
    return (bright + 0.05) / (dark + 0.05)


def test_the_page_itself_never_scrolls_sideways(screen):
    assert screen['page'] <= screen['width']


def test_every_drawing_is_inside_the_page_and_shown_once(screen):
    assert len(screen['drawings']) >= 15
    for drawing in screen['drawings']:
        assert drawing['shown'] == 1, drawing['alt']
        assert drawing['left'] >= 0 and drawing['right'] <= screen['width'], drawing['alt']


def test_what_is_written_in_drawings_can_be_read(screen):
    for drawing in screen['drawings']:
        assert drawing['texts']
        for text in drawing['texts']:
            assert text['pixels'] >= (7.5 if screen['width'] > 400 else 8), text


def test_texts_stay_inside_their_drawing(screen):
    for drawing in screen['drawings']:
        for text in drawing['texts']:
            assert drawing['left'] - 1 <= text['left'], text
            assert text['right'] <= drawing['right'] + 1, text


def test_drawings_have_the_colours_of_the_page(screen):
    drawn = [drawing for drawing in screen['drawings']
             if 'Failed after 0 of' not in drawing['alt']]  # that one is a sentence
    assert len(drawn) == len(screen['drawings']) - 1
    for drawing in drawn:
        assert screen['paper'] in drawing['fills']  # the ground of the axes
        inks = {text['colour'] for text in drawing['texts']}
        assert screen['ink'] in inks
        if 'Confusion' in drawing['alt']:
            continue  # its numbers lie on cells of any shade
        assert all(contrast(ink, screen['paper']) >= 4.4 for ink in inks), drawing['alt']
        lines = {line for line in drawing['lines'] if line.startswith('rgb')}
        assert max(contrast(line, screen['paper']) for line in lines) >= 3, drawing['alt']
        if screen['dark']:  # no white patch
            assert max(light(fill) for fill in drawing['fills'] if fill != 'none') < 0.5
    images = [image for drawing in screen['drawings'] for image in drawing['images']]
    assert images and all((image != 'none') == screen['dark'] for image in images)
    assert (light(screen['paper']) < 0.05) == screen['dark']


def test_the_list_of_contents_stays_in_view_and_hides_no_target(screen):
    assert len(screen['links']) >= 10
    for link in screen['links']:
        assert link['nav']['top'] == pytest.approx(0, abs=1)
        assert link['nav']['bottom'] < 130
        assert link['target']['top'] >= link['nav']['bottom'] - 1, link['name']
        assert link['end'] or link['target']['top'] < 200, link['name']
    assert screen['end']['top'] == pytest.approx(0, abs=1)


@pytest.mark.parametrize('dark', [False, True])
def test_a_table_with_every_column_fits_a_screen_of_1280(seen, dark):
    tables = seen(1280, dark)['tables']
    assert max(table['columns'] for table in tables) >= 16
    for table in tables:
        assert table['needed'] <= table['room']


def panels(drawing: dict, *names: str) -> list[dict]:
    return [next(text for text in drawing['texts'] if text['text'].startswith(name))
            for name in names]


@pytest.mark.parametrize(('what', 'names'), [
    ('Curves of baseline', ('Loss', 'Validation', 'Learning rate')),
    ('Validation metric and training loss', ('Validation', 'Training loss'))])
def test_charts_of_one_picture_stand_side_by_side_or_on_a_phone_below_one_another(seen, what,
                                                                                 names):
    def found(width):
        return panels(next(drawing for drawing in seen(width, False)['drawings']
                           if drawing['alt'].startswith(what)), *names)
    wide, narrow = found(1280), found(390)
    assert all(b['left'] - a['left'] > 150 and abs(b['top'] - a['top']) < 3
               for a, b in pairwise(wide))
    assert all(b['top'] - a['top'] > 100 and abs(b['left'] - a['left']) < 30
               for a, b in pairwise(narrow))


def test_two_pictures_stand_side_by_side_or_on_a_phone_below_one_another(seen):
    def pair(width):
        drawings = seen(width, False)['drawings']
        return [next(each for each in drawings if each['alt'].startswith(name))
                for name in ('Confusion matrix of baseline', 'Reliability of baseline')]
    for width in (1280, 768):
        confusion, reliability = pair(width)
        assert confusion['right'] <= reliability['left']
        assert confusion['top'] == pytest.approx(reliability['top'], abs=2)
    confusion, reliability = pair(390)
    assert confusion['bottom'] <= reliability['top']
    assert confusion['right'] - confusion['left'] > 300  # it has the screen for itself


def test_thumbnails_are_inside_the_page(screen):
    assert screen['thumbnails']
    for image in screen['thumbnails']:
        assert 60 < image['right'] - image['left'] < 300 and image['right'] <= screen['width']
