"""tools/doctor.py from a folder to a page and a table, and what it says of bad input."""

import csv

import pytest
from generated import write_colour_folders
from raw_folders import quietly, raw_folder, tree

from amlnn.data.prepare.prepared import is_prepared

pytestmark = pytest.mark.usefixtures('own_cache', 'own_user_cache')


@pytest.fixture
def raw(tmp_path):
    """Three classes by colour, of which one image lies in another's folder."""
    root = write_colour_folders(tmp_path / 'raw')
    (root / 'blue/03.png').rename(root / 'red/wrong one.png')
    return root


def rows_of(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_page_and_a_table_and_stays_as_it_is(raw, run_tool, write_config,
                                                                tmp_path):
    (raw / 'red/broken.png').write_bytes(b'no image')
    before = tree(raw)
    config = write_config()
    status, said, errors = run_tool('doctor', raw, '--out', tmp_path / 'out', '--config', config,
                                    '--device', 'cpu')
    assert (status, errors) == (0, '')
    assert tree(raw) == before
    assert '42 images, 42 of them computed' in said and 'red/wrong one.png' in said
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {
        'index.html', 'fixes.csv', '.amlnn-findings.json'}
    rows = {row['id']: row for row in rows_of(tmp_path / 'out/fixes.csv')}
    assert rows['red/wrong one.png']['suggestion'] == 'blue'
    assert rows['red/broken.png']['reason'] == 'damaged'
    # Again: what was computed is found, and the table is what it was.
    text = (tmp_path / 'out/fixes.csv').read_text()
    status, said, _ = run_tool('doctor', raw, '--out', tmp_path / 'out', '--config', config)
    assert status == 0 and '42 images, 0 of them computed' in said
    assert (tmp_path / 'out/fixes.csv').read_text() == text


def test_of_a_prepared_data_set_every_part_is_looked_at_and_its_source_is_fixed(
        raw, run_tool, write_config, tmp_path):
    data = tmp_path / 'set'
    quietly(raw, data)
    assert is_prepared(data)
    status, said, _ = run_tool('doctor', data, '--out', tmp_path / 'out', '--config',
                               write_config(), '--device', 'cpu')
    assert status == 0 and '42 images, 42 of them computed' in said
    wrong, = [row for row in rows_of(tmp_path / 'out/fixes.csv') if 'wrong one' in row['id']]
    assert wrong['id'].split('/')[0] in ('training_set', 'val_set')
    manifest, _ = quietly(raw, data, overwrite=True, fixes=tmp_path / 'out/fixes.csv')
    assert 'blue/wrong one.png' in {image.file for image in manifest.images}


def test_features_of_a_prepared_data_set_are_those_that_a_probe_keeps(raw, run_tool, write_config,
                                                                      tmp_path):
    from amlnn.config.load import load_config
    from amlnn.engine.images.feature_pass import FeaturePass
    from amlnn.engine.kinds import open_task
    quietly(raw, tmp_path / 'set')
    config = write_config(data_root=tmp_path / 'set')
    for part in ('train', 'val'):
        FeaturePass(open_task(load_config(config), 'cpu')).of(part, every_stage=False)
    # The place of the data is said in other words, and is part of what a feature depends on.
    status, said, _ = run_tool('doctor', tmp_path / 'set', '--out', tmp_path / 'out', '--config',
                               config, '--device', 'cpu')
    assert status == 0 and '42 images, 0 of them computed' in said


@pytest.mark.parametrize(('make', 'said'), [
    (lambda root: root.mkdir(), 'holds no class folders'),
    (lambda root: root.write_text('a'), 'is a file'),
    (lambda root: None, 'no folder'),
    (lambda root: raw_folder(root, cat=12), 'only one class'),
    (lambda root: raw_folder(root, cat=3, dog=3), '6 images are too few')])
def test_bad_input_is_two_lines_and_status_2(tmp_path, run_tool, write_config, make, said):
    make(tmp_path / 'bad')
    status, _, errors = run_tool('doctor', tmp_path / 'bad', '--config', write_config(),
                                 '--device', 'cpu')
    assert status == 2 and len(errors.splitlines()) == 2
    assert said in errors and 'hint: ' in errors


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_computed(tmp_path, run_tool):
    (tmp_path / 'mine').mkdir()
    (tmp_path / 'mine/thesis.txt').write_text('years')
    status, _, errors = run_tool('doctor', tmp_path / 'nowhere', '--out', tmp_path / 'mine')
    assert status == 2 and 'holds no earlier findings' in errors


def test_features_that_are_not_finite_name_the_image(raw, run_tool, write_config, tmp_path,
                                                     monkeypatch):
    from amlnn.engine.images.feature_pass import FeaturePass
    begin = FeaturePass.__post_init__

    def damaged(self):
        begin(self)
        self.model.backbone.layer4[0].conv1.weight.data[0] = float('inf')

    monkeypatch.setattr(FeaturePass, '__post_init__', damaged)
    status, _, errors = run_tool('doctor', raw, '--out', tmp_path / 'out', '--config',
                                 write_config(), '--device', 'cpu')
    assert status == 2 and 'are not finite' in errors and 'blue/00.png' in errors
    assert not (tmp_path / 'out').exists()


def test_another_config_looks_with_its_own_backbone(raw, run_tool, write_config, tmp_path):
    shown = {}
    for name, text in (('one.py', ''), ('two.py', 'randomness = dict(seed=3)')):
        config = write_config(text, name=name)
        status, said, _ = run_tool('doctor', raw, '--out', tmp_path / 'out', '--config', config,
                                   '--device', 'cpu')
        assert status == 0 and '42 of them computed' in said
        shown[name] = (tmp_path / 'out/index.html').read_text()
    assert str(tmp_path / 'one.py') in shown['one.py']
    status, _, errors = run_tool('doctor', raw, '--config', tmp_path / 'none.py')
    assert status == 2 and 'none.py' in errors
