"""The page: well-formed, complete, safe, and whole or not there."""

import base64
import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from run_folders import epoch, record, test_record, write_predictions, write_run

from amlnn.errors import DataError
from amlnn.records import FrozenStage, write_record
from amlnn.report import parts
from amlnn.report.canvas import PAGE_COLOURS
from amlnn.report.page import write_report
from amlnn.results.store import find_runs

PROJECT = Path(__file__).parents[2]
VOID = {'meta', 'img', 'br', 'wbr', 'link', 'hr', 'input'}


class Page(HTMLParser):
    """Checks that tags close in order, and collects what the tests look at."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.tags, self.images, self.drawings, self.links = [], [], [], [], []
        self.ids, self.references, self.text, self.drawn, self.attributes = [], [], '', '', []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names))
        attributes = dict(attrs)
        assert not any(name.startswith('on') for name in attributes)
        self.tags.append(tag)
        self.attributes += attributes.values()
        if tag == 'img':
            self.images.append(attributes)
        if attributes.get('role') == 'img':
            self.drawings.append([attributes['aria-label']])
        elif 'svg' in self.open and tag in ('path', 'use', 'image', 'text'):
            self.drawings[-1].append(tag)
        if 'href' in attributes:
            (self.links if tag == 'a' else self.references).append(attributes['href'])
        if 'id' in attributes:
            self.ids.append(attributes['id'])
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag

    def handle_data(self, data):
        if 'svg' in self.open:
            self.drawn += data
        elif 'style' not in self.open:
            self.text += data


@pytest.fixture(scope='module')
def index(work_dirs, tmp_path_factory):
    """The page of all runs, made once and only read."""
    return write_report(find_runs([work_dirs]), tmp_path_factory.mktemp('whole') / 'report')


def read(index) -> Page:
    return Page(index.read_text(encoding='utf-8'))


def test_the_page_is_well_formed_and_holds_its_images(index):
    shown = read(index)
    assert shown.tags.count('html') == shown.tags.count('body') == 1
    assert len(shown.drawings) >= 12 - 3  # the mistakes of three runs are images of their own
    assert shown.tags.count('svg') == 2 * len(shown.drawings)
    for alt, *marks in shown.drawings:
        assert alt and len(marks) > 5
    assert len(shown.images) >= 3
    for image in shown.images:
        kind, data = image['src'].split(',', 1)
        assert kind == 'data:image/jpeg;base64'
        with Image.open(io.BytesIO(base64.b64decode(data, validate=True))) as picture:
            picture.load()
            assert picture.format == 'JPEG' and picture.getpixel((9, 9))[0] > 190  # it is red
        assert image['alt'] and int(image['width']) > 100


def test_the_page_needs_no_network_and_no_script(index):
    shown = read(index)
    assert 'script' not in shown.tags and 'link' not in shown.tags
    text = index.read_text(encoding='utf-8')
    inside = re.findall(r'url\(([^)]*)\)', text)
    inside += [each for each in shown.references if not each.startswith('data:image/png;base64,')]
    assert inside and all(each.startswith('#') and each[1:] in shown.ids for each in inside)
    assert '@import' not in text and 'http://' not in text and 'https://' not in text
    assert all(link.startswith('#') and link[1:] in shown.ids for link in shown.links)
    # Of the table 4; of the contents the table and 5 runs.
    assert len(shown.links) == 4 + 6 and len(set(shown.ids)) == len(shown.ids)


def test_the_contents_lead_to_the_table_and_every_run_in_their_order(index):
    shown = read(index)
    contents = shown.links[:6]
    assert contents == [f'#{each}' for each in shown.ids if f'#{each}' in contents]
    assert [each.split('_')[0] for each in contents] == [
        '#table', '#01', '#02', '#03', '#04', '#05']


def test_drawings_use_the_palette_of_the_page_and_no_colour_of_their_own(index):
    text = index.read_text(encoding='utf-8')
    style = text[text.index('<style>'):text.index('</style>')]
    light, dark = style.split('(prefers-color-scheme: dark)')[:2]
    drawings = ''.join(re.findall('<svg.*?</svg>', text, flags=re.DOTALL))
    used = set(re.findall(r'var\(--([a-z0-9-]+)\)', drawings))
    assert {'paper', 'ink', 'line-1', 'line-2', 'grid'} <= used
    for name in used | set(PAGE_COLOURS.values()):
        bright, = re.findall(rf'--{name}: (#[0-9a-f]{{6}});', light)
        assert PAGE_COLOURS.get(bright) == name or name in ('ink', 'wrong')
        assert re.search(rf'--{name}: #[0-9a-f]{{6}};', dark.partition('}')[0]), name
    assert not re.findall(r'(?:fill|stroke)[:=][ "]*(?!none|var)[#a-z0-9]+', drawings)


def test_the_same_runs_give_the_same_page(work_dirs, tmp_path, monkeypatch):
    runs = find_runs([work_dirs / 'baseline'])
    one, other = (re.sub('made [^<]*', '', write_report(runs, tmp_path / name).read_text())
                  for name in ('one', 'other'))
    assert one == other


def test_every_run_has_a_section_with_its_facts(index):
    text = read(index).text
    for expected in ('baseline', 'frozen3, seed 0', 'frozen3, seed 1', 'stopped', 'crashed',
                     'python tools/train.py configs/baseline.py', 'cpu, fp32, 2 threads',
                     'torch 2.9.1', 'd' * 64, 'layer4', 'sunflower'):
        assert expected in text


def test_unfinished_runs_say_how_far_they_came(index):
    text = read(index).text
    assert 'Interrupted after 2 of 30 epochs' in text
    assert 'Failed after 0 of 30 epochs' in text
    assert 'RunFailed: no <memory> & no luck' in text  # as the reader sees it


def test_the_same_is_there_as_markdown_with_files(index):
    text = (index.parent / 'report.md').read_text(encoding='utf-8')
    assert text.startswith('# 4 configurations compared')
    files = re.findall(r'!\[[^\]]*\]\(([^)]+)\)', text)
    assert len(files) >= 12
    assert all((index.parent / file).is_file() for file in files)
    assert {file.name for file in index.parent.glob('*.png')} == set(files)


EVIL = ['<script>alert("x")</script>', 'b"><img src=x onerror=alert(1)>', "c' & d",
        '{{ 7 * 7 }}{% raw %}', '</style></svg><script>', ']]><!-- -->', 'bell \x07 &amp; é']


@pytest.mark.parametrize('evil', EVIL)
def test_names_are_escaped_wherever_they_appear(tmp_path, evil):
    classes = [evil, *(each for each in EVIL if each != evil)]
    data = tmp_path / 'data' / evil.replace('/', '_')
    stages = [FrozenStage(evil, True, 0, 1)]
    folder = write_run(tmp_path / 'runs' / evil.replace('/', '_'), record(
        evil, classes=classes, command=['python', evil], error=evil, status='failed',
        versions={evil: evil}, data_root=str(data), pretrained=evil, device=evil, stages=stages,
        config_path=evil))
    stored = write_predictions(folder, n=60, accuracy=0.5, classes=classes)
    for name in stored['id'][::2]:  # those in `b"><img ...` folders too
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', (20, 20)).save(data / name, format='png')
    other = write_run(tmp_path / 'runs' / 'other', record(f'{evil} twice', config_path=evil))
    shown = read(write_report(find_runs([folder, other]), tmp_path / 'report'))
    assert 'script' not in shown.tags and shown.tags.count('style') == 1
    assert evil in shown.text  # shown, as text
    assert evil.replace('\x07', '\ufffd') in shown.drawn  # in the legend and the heading
    assert any(evil in each for each in shown.attributes if each)  # titles and labels
    assert shown.images and all(image['src'].startswith('data:image/jpeg;base64,')
                                for image in shown.images)
    markdown = (tmp_path / 'report' / 'report.md').read_text(encoding='utf-8')
    assert '<script' not in markdown.replace('\\<', '')
    assert '<img' not in markdown.replace('\\<', '')


def test_a_name_that_is_no_text_does_not_stop_the_report(tmp_path):
    folder = write_run(tmp_path / 'run', record('cafX', data_root='/data/cafX'))
    stored = (folder / 'run.json').read_text(encoding='utf-8')
    (folder / 'run.json').write_text(stored.replace('cafX', r'caf\udce9'), encoding='utf-8')
    shown = read(write_report(find_runs([folder]), tmp_path / 'report'))
    assert '/data/caf\\udce9' in shown.text


def test_the_finding_counts_only_intervals_without_zero(index):
    assert '1 of 1 differs from baseline' in read(index).text


def test_a_single_run_is_a_report_too(tmp_path):
    folder = write_run(tmp_path / 'run', record('alone'))
    shown = read(write_report(find_runs([folder]), tmp_path / 'report'))
    assert 'No predictions are stored' in shown.text and len(shown.drawings) == 1


def test_a_model_that_was_only_evaluated_has_its_result(tmp_path):
    folder = write_run(tmp_path / 'run', record('given', 0, max_epochs=None))
    write_record(folder / 'test_test.json', test_record(checkpoint_epoch=None))
    shown = read(write_report(find_runs([folder]), tmp_path / 'report'))
    assert 'Evaluated without training' in shown.text and '90.00' in shown.text


def test_a_forecaster_has_curves_and_facts_and_nothing_of_a_classifier(tmp_path):
    rows = [epoch(1, metrics={'mse': 0.5})]
    folder = write_run(tmp_path / 'run', record(
        'lstm', rows=rows, kind='forecasting', monitor='mse', monitor_rule='less', best_epoch=1,
        best_value=0.5))
    text = read(write_report(find_runs([folder]), tmp_path / 'report')).text
    assert 'best validation mse 0.5' in text and 'Predictions' not in text


def test_damaged_predictions_are_said_in_the_section(tmp_path):
    folder = write_run(tmp_path / 'run', record('one'))
    (folder / 'predictions_val.npz').write_bytes(b'PK\x03\x04')
    assert 'half written' in read(write_report(find_runs([folder]), tmp_path / 'report')).text


def test_many_classes_are_shortened_and_all_there(tmp_path):
    classes = [f'n{index:08d}' for index in range(40)]
    folder = write_run(tmp_path / 'run', record('tiny', classes=classes))
    write_predictions(folder, n=400, classes=classes)
    shown = read(write_report(find_runs([folder]), tmp_path / 'report'))
    assert 'All 40 classes' in shown.text and shown.tags.count('details') == 1


def test_a_report_replaces_an_earlier_one_and_keeps_what_others_put_there(work_dirs, tmp_path):
    out = tmp_path / 'reports' / 'new'
    write_report(find_runs([work_dirs / 'stopped', work_dirs / 'crashed']), out)
    assert list(out.glob('*stopped*'))
    (out / 'my notes.txt').write_text('mine')
    write_report(find_runs([work_dirs / 'crashed']), out)
    assert (out / 'my notes.txt').read_text() == 'mine'
    assert not list(out.glob('*stopped*'))  # files of the earlier report are gone
    assert 'stopped' not in read(out / 'index.html').text
    assert [path.name for path in out.parent.iterdir()] == ['new']


def test_an_empty_folder_is_taken_and_another_is_refused(work_dirs, tmp_path):
    runs = find_runs([work_dirs / 'crashed'])
    (tmp_path / 'empty').mkdir()
    assert write_report(runs, tmp_path / 'empty').is_file()
    (tmp_path / 'full').mkdir()
    (tmp_path / 'full' / 'thesis.txt').write_text('years of work')
    with pytest.raises(DataError, match='not empty') as caught:
        write_report(runs, tmp_path / 'full')
    assert '--out' in caught.value.hint
    assert [path.name for path in (tmp_path / 'full').iterdir()] == ['thesis.txt']
    with pytest.raises(DataError, match='working folder'):
        write_report(runs, '.')
    with pytest.raises(DataError, match='is a file'):
        write_report(runs, tmp_path / 'full' / 'thesis.txt')


def test_a_report_that_fails_leaves_the_earlier_one_whole(work_dirs, tmp_path, monkeypatch):
    out = tmp_path / 'reports' / 'old'
    runs = find_runs([work_dirs / 'crashed'])
    before = write_report(runs, out).read_bytes()

    def fail(*arguments, **options):
        raise RuntimeError('no')
    monkeypatch.setattr(parts, '_markdown', fail)
    with pytest.raises(RuntimeError):
        write_report(runs, out)
    with pytest.raises(RuntimeError):
        write_report(runs, out.with_name('new'))
    assert (out / 'index.html').read_bytes() == before
    assert [path.name for path in out.parent.iterdir()] == ['old']


def command(*arguments, cwd=None):
    return subprocess.run([sys.executable, str(PROJECT / 'tools' / 'report.py'),
                           *map(str, arguments)], capture_output=True, text=True, cwd=cwd,
                          check=False)


def test_the_command_prints_the_table_and_ends_with_the_page(work_dirs, tmp_path):
    done = command(work_dirs / 'baseline', work_dirs / 'stopped', '--out', tmp_path / 'r',
                   '--baseline', work_dirs / 'stopped', '--split', 'val')
    assert done.returncode == 0, done.stderr
    lines = done.stdout.rstrip().splitlines()
    assert lines[-1] == str(tmp_path / 'r' / 'index.html')
    assert 'baseline' in done.stdout and '14,974,981' in done.stdout
    assert Path(lines[-1]).is_file()


@pytest.mark.parametrize(('arguments', 'message'), [
    (['nowhere', '--out', 'r'], 'no run at `nowhere`'),
    (['work_dirs/baseline', '--out', 'work_dirs'], 'not empty'),
    (['work_dirs/baseline'], '--out'),
    (['data', '--out', 'r'], 'no run in the folder `data`'),
    (['work_dirs/baseline', '--out', 'r', '--baseline', 'work_dirs/frozen3'], 'not among'),
])
def test_a_wrong_command_is_two_lines_and_status_2(work_dirs, arguments, message):
    done = command(*arguments, cwd=work_dirs.parent)
    assert done.returncode == 2
    error, hint = done.stderr.splitlines()
    assert error.startswith('error: ') and message in error
    assert hint.startswith('hint: ')
    assert not (work_dirs.parent / 'r').exists()


def test_reading_and_reporting_import_no_torch():
    code = ('import sys, amlnn.report.page, amlnn.results.summary; '
            'heavy = ("torch", "matplotlib", "sklearn", "jinja2"); '
            'print([name for name in heavy if name in sys.modules])')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'


def test_metrics_of_several_numbers_are_tables_by_class(tmp_path):
    classes = ['daisy', 'rose']
    run = record('a', classes=classes, rows=[epoch(1), epoch(2)], best_epoch=1)
    run.epochs[0].arrays = {'recall_classwise': [71.5, None]}
    run.epochs[1].arrays = {'recall_classwise': [1.25, 2.25]}  # not the best epoch
    folder = write_run(tmp_path / 'w/a', run)
    write_predictions(folder, n=20)
    test = test_record()
    test.arrays = {'confusion_matrix/result': [[17, 3], [2, 18]], 'odd': [0.5, 0.25, 0.125]}
    write_record(folder / 'test_test.json', test)
    shown = Page(write_report(find_runs([tmp_path / 'w']), tmp_path / 'r').read_text())
    words = ' '.join(shown.text.split())
    assert 'recall_classwise on validation' in words and '71.5' in words and '1.25' not in words
    assert re.search(r'confusion_matrix/result on test class daisy rose daisy 17 3 rose 2 18',
                     words)
    assert re.search(r'odd on test odd 1 0.5 2 0.25 3 0.125', words)


def test_the_page_says_which_letters_the_pictures_lack(tmp_path):
    name = '\U000e0123\U0003fffd'  # no font has either
    folder = write_run(tmp_path / 'w/a', record('a', classes=[name, 'b']))
    write_predictions(folder, n=20, classes=[name, 'b'])
    index = write_report(find_runs([tmp_path / 'w']), tmp_path / 'r')
    for text in (Page(index.read_text()).text, (tmp_path / 'r/report.md').read_text()):
        assert 'No font of this machine has some of the letters' in text and '3FFFD' in text
