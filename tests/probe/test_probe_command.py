"""The command from configs to the page, the map and the config that it writes."""

import json
import re

import numpy as np
import pytest
from generated import write_data_set, write_series, write_series_config, write_small_config

from amlnn.config.load import load_config
from amlnn.engine.images.feature_pass import FeaturePass
from amlnn.probe import run_probe

pytestmark = pytest.mark.usefixtures('own_cache')

METHODS = ['kNN', 'logistic regression', 'ridge']


@pytest.fixture
def probed(run_tool, tmp_path):
    """Runs the tool on configs: standard output, and what it wrote into probe.json."""

    def run(*words) -> tuple[str, list[dict]]:
        status, out, err = run_tool('probe', *words, '--out', tmp_path / 'page', '--device', 'cpu')
        assert status == 0, err
        return out, json.loads((tmp_path / 'page/probe.json').read_text())

    return run


def test_the_whole_way_from_images_to_a_page_and_a_config_that_trains(
        probed, tmp_path, write_config, run_tool):
    config, best = write_config(), tmp_path / 'configs/best.py'
    out, (found,) = probed(config, '--write', best)
    assert [row['method'] for row in found['rows']] == METHODS
    assert found['judged_on'] == 'test' and found['images'] == {'train': 40, 'val': 20, 'test': 10}
    assert [cell['frozen_stages'] for cell in found['cells']] == [-1, 0, 1, 2, 3, 'all']
    assert all(cell['seconds'] > 0 for cell in found['cells'])
    seconds = [cell['seconds'] for cell in found['cells']]
    assert seconds[-1] < seconds[0]
    assert [row['stage'] for row in found['stages']] == ['stem', 'layer1', 'layer2', 'layer3',
                                                         'layer4']
    assert [shot['per_class'] for shot in found['shots']] == [1, 2, 5, None]
    assert [len(shot['accuracies']) for shot in found['shots']] == [10, 10, 10, 1]
    assert [gain['name'] for gain in found['gains']][:2] == ['all classes', 'daisy']
    for title in ('What the features are worth', 'With few images', 'twice the images',
                  'Stage by stage', 'How many stages to freeze'):
        assert title in out
        for page in ('index.html', 'report.md'):
            assert title in (tmp_path / 'page' / page).read_text()
    assert (tmp_path / 'page/map.png').is_file() and (tmp_path / 'page/images.png').is_file()
    assert run_tool('check_config', best)[0] == 0
    child = load_config(best).config['model']['frozen_stages']
    assert [cell['frozen_stages'] for cell in found['cells'] if cell['chosen']] == [child]
    assert re.search(rf'^ *small +{child} .*chosen', out, flags=re.MULTILINE)
    assert f'wrote {best}: python tools/train.py {best}' in out


def test_two_configs_stand_in_one_table_and_the_second_time_nothing_is_computed(
        probed, tmp_path, write_config):
    one = write_config(name='one.py')
    other = write_config("custom_hooks = []\nrandomness = dict(seed=3)", name='other.py')
    _, first = probed(one, other, '--no-map')
    out, second = probed(one, other, '--no-map')
    assert [each['computed'] for each in first] == [70, 70]
    assert [each['computed'] for each in second] == [0, 0]
    assert [each['name'] for each in second] == ['one', 'other']
    for before, after in zip(first, second, strict=True):
        for row in (*before['rows'], *after['rows']):
            del row['seconds']
        for key in ('rows', 'shots', 'gains', 'stages', 'cells'):
            assert before[key] == after[key]
    assert first[0]['rows'] != first[1]['rows']
    assert 'seconds of training' in out and 'chosen' not in out.replace('chosen on', '')


def test_without_a_test_part_it_is_said_that_validation_chose_and_judged(
        probed, tmp_path, run_tool):
    root = write_data_set(tmp_path / 'data', sizes={'train': 8, 'val': 4})
    _, (found,) = probed(write_small_config(tmp_path / 'a.py', root), '--no-map')
    assert found['judged_on'] == 'val' and set(found['images']) == {'train', 'val'}
    assert 'chose k and C and judges too' in (tmp_path / 'page/report.md').read_text()
    assert found['rows'][0]['on_val'] is None


def test_the_validation_part_judges_where_it_is_told_to(probed, write_config):
    config = write_config()
    _, (by_test,) = probed(config, '--no-map')
    out, (by_val,) = probed(config, '--no-map', '--split', 'val')
    assert (by_test['judged_on'], by_val['judged_on']) == ('test', 'val')
    assert set(by_val['images']) == {'train', 'val'}
    assert [row['accuracy']['images'] for row in by_val['rows']] == [20, 20, 20]
    assert by_val['rows'][0]['accuracy'] == by_test['rows'][0]['on_val']  # the same k, on the same
    assert 'images of `test`' not in out


def test_no_test_part_cannot_judge(run_tool, tmp_path):
    root = write_data_set(tmp_path / 'data', sizes={'train': 8, 'val': 4})
    config = write_small_config(tmp_path / 'a.py', root)
    assert 'no test part' in refused(run_tool, config, '--split', 'test')


def test_the_seconds_of_the_map_are_made_of_what_is_written_beside_them(probed, write_config):
    _, (found,) = probed(write_config(epochs=3))
    for cell in found['cells']:
        pace = cell['pace']
        passes = 3 * (pace['view'] + pace['held']) if not pace['once'] else \
            3 * pace['view'] + pace['held']
        assert cell['seconds'] == pytest.approx(passes + 3 * pace['epoch'], abs=1e-5)


def test_data_elsewhere_are_probed_and_named_in_the_config_that_is_written(
        probed, tmp_path, write_config):
    root = write_data_set(tmp_path / 'three', classes=('a', 'b', 'c'))
    _, (found,) = probed(write_config(), '--data', root, '--write', tmp_path / 'best.py')
    assert found['classes'] == ['a', 'b', 'c'] and found['images']['train'] == 24
    best = load_config(tmp_path / 'best.py').config
    assert best['train_dataloader']['dataset']['data_root'] == str(root)


def test_parts_that_the_config_re_opens_are_closed_in_the_one_that_is_written(
        probed, tmp_path, write_config):
    config = write_config("model = dict(frozen_stages='all', trainable=('layer4.1.conv2', ))",
                          name='re.py')
    probed(config, '--write', tmp_path / 'best.py')
    assert not load_config(tmp_path / 'best.py').config['model']['trainable']


def refused(run_tool, *words) -> str:
    status, _, err = run_tool('probe', *words)
    lines = err.strip().splitlines()[-2:]
    assert status == 2 and lines[0].startswith('error: ') and lines[1].startswith('hint: '), err
    return lines[0]


def test_a_class_with_one_image_is_two_lines(run_tool, tmp_path, monkeypatch):
    root = write_data_set(tmp_path / 'data')
    lines = (root / 'train.txt').read_text().splitlines()
    (root / 'train.txt').write_text('\n'.join(
        [*(line for line in lines if not line.startswith('tulip')), lines[-1]]) + '\n')
    monkeypatch.setattr(FeaturePass, 'trunk', None)  # nothing is computed before
    said = refused(run_tool, write_small_config(tmp_path / 'a.py', root))
    assert '`tulip` has 1 training image,' in said


def test_one_class_is_two_lines(run_tool, tmp_path):
    root = write_data_set(tmp_path / 'data', classes=('rose',))
    assert 'one class, `rose`' in refused(run_tool, write_small_config(tmp_path / 'a.py', root))


def test_features_that_are_not_finite_are_two_lines(run_tool, write_config, monkeypatch):
    model = FeaturePass.model

    def broken(self):
        built = model.func(self)
        built.backbone.layer4[0].conv1.weight.data[:] = np.inf
        return built

    monkeypatch.setattr(FeaturePass, 'model', property(broken))
    assert 'not finite from layer4' in refused(run_tool, write_config())


def test_a_forecaster_is_two_lines(run_tool, tmp_path):
    config = write_series_config(tmp_path / 's.py', write_series(tmp_path / 's.csv'))
    assert 'kind `forecasting`' in refused(run_tool, config)


def test_no_validation_part_is_two_lines(run_tool, tmp_path):
    root = write_data_set(tmp_path / 'data', sizes={'train': 8})
    assert 'no val part' in refused(run_tool, write_small_config(tmp_path / 'a.py', root))


def test_a_data_folder_that_is_not_there_is_two_lines(run_tool, write_config, tmp_path):
    assert 'no data set at' in refused(run_tool, write_config(), '--data', tmp_path / 'nowhere')


def test_a_file_is_never_written_over(run_tool, write_config, tmp_path):
    (tmp_path / 'best.py').write_text('mine')
    said = refused(run_tool, write_config(), '--write', tmp_path / 'best.py')
    assert 'is there already' in said and (tmp_path / 'best.py').read_text() == 'mine'


def test_what_leaves_the_map_out_writes_no_config(run_tool, write_config, tmp_path):
    assert '--no-map' in refused(run_tool, write_config(), '--write', tmp_path / 'b.py', '--no-map')


def test_a_config_that_is_named_twice_is_two_lines(run_tool, write_config):
    assert 'named twice' in refused(run_tool, write_config(), write_config())


def test_of_many_images_some_are_looked_at_and_it_is_said(probed, write_config, monkeypatch):
    monkeypatch.setattr(run_probe, 'MOST', 30)
    monkeypatch.setattr(run_probe.Part.few, '__defaults__', (30, ))
    _, (found,) = probed(write_config(), '--no-map')
    assert found['images']['train'] == 40
    assert any('of the 40 images of `train`, 30 are looked at' in note for note in found['notes'])
