"""Studies B and C, on one network and for an epoch: what is run, found again and shown."""

from pathlib import Path

import numpy as np
import pytest
from generated import ROOT

from amlnn.config.load import load_config
from amlnn.data.series.generate import GeneratedSeries
from amlnn.errors import UsageError
from amlnn.report.study import study_markdown, study_table, write_study
from amlnn.results import series_study as results
from amlnn.results.store import find_runs
from amlnn.studies import series as series_study
from amlnn.studies.series import StudyOptions, components, data_facts, run_study, trials

CONFIGS = ROOT / 'configs/series'
SMALL = ('train_cfg.max_epochs=1', 'model.encoder.hidden_size=4')


@pytest.fixture(scope='module', autouse=True)
def one_network():
    with pytest.MonkeyPatch.context() as patch:
        for module in (results, series_study):
            patch.setattr(module, 'MODELS', {'gru': 'GRU'})
            patch.setattr(module, 'LENGTHS', {351: 1, 716: 2})
        yield


@pytest.fixture(scope='module')
def studies(tmp_path_factory):
    """Options, study and lines of each, run once."""
    folder = tmp_path_factory.mktemp('studies')
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('XDG_CACHE_HOME', str(folder / 'cache'))
        for name in 'bc':
            options = StudyOptions(name, folder / name, seeds=2 if name == 'c' else 1,
                                   configs=CONFIGS, cfg_options=SMALL)
            lines = []
            found[name] = options, run_study(options, say=lines.append), lines
    return found


def table(study, title):
    return next(each for each in study.tables if each.title.startswith(title))


def row(table, name):
    found = next(row for row in table.rows if row[0] == name)
    return dict(zip(table.header, found, strict=True))


@pytest.mark.slow
def test_every_variant_is_run_and_tested_once(studies):
    options, _, lines = studies['b']
    runs = find_runs([options.work_dir])
    assert {run.folder.parent.name for run in runs} == {'gru_351', 'gru_716', 'gru_716_appended'}
    assert len(runs) == len(lines) == 3
    assert all(run.record.status == 'done' and 'test' in run.tests for run in runs)


@pytest.mark.slow
def test_a_second_call_trains_nothing_and_shows_the_same(studies, monkeypatch):
    def fail(*arguments, **options):
        raise AssertionError('trained again')
    monkeypatch.setattr(series_study, 'train', fail)
    monkeypatch.setattr(series_study, 'test', fail)
    for options, study, _ in studies.values():
        lines = []
        assert run_study(options, say=lines.append) == study
        assert all(line.endswith('was there') for line in lines)


@pytest.mark.slow
def test_another_config_is_another_run(studies):
    options, _, _ = studies['b']
    trial = trials('b')[0]
    given = series_study.TrainOptions(
        CONFIGS / 'study_b_gru.py', work_dir=options.work_dir / 'gru_351', seed=0,
        cfg_options=(*trial.changes, *SMALL))
    assert series_study._finished(given) is not None
    given.seed = 1
    assert series_study._finished(given) is None


@pytest.mark.slow
def test_reported_figures_stand_beside_ours(studies):
    options, study, _ = studies['b']
    shown = row(table(study, 'Mean squared error'), 'GRU')
    assert (shown['351\nreported'], shown['716\nreported']) == ('4.96', '3.3')
    run, = find_runs([options.work_dir / 'gru_716_appended'])
    ours = float(shown['716\nappended'])
    assert ours == pytest.approx(run.tests['test'].metrics['forecast/mse_original'], rel=5e-3)
    seconds = row(table(study, 'Seconds'), 'GRU')
    assert seconds['716\nreported'] == '21.3'
    assert float(seconds['716\nappended']) == pytest.approx(run.record.total_seconds, rel=5e-3)


@pytest.mark.slow
def test_copies_are_counted_and_a_look_up_shows_them(studies):
    _, study, _ = studies['b']
    errors = table(study, 'Mean squared error')
    assert row(errors, 'of them copies')['716\nappended'] == '146'
    assert row(errors, 'test windows')['716\nappended'] == '146'
    assert row(errors, 'of them copies')['716\nfresh'] == '0'
    look_up = row(errors, 'nearest training window')
    assert float(look_up['716\nappended']) == pytest.approx(0, abs=1e-9)
    assert float(look_up['716\nfresh']) > 1
    assert any('copies of its test part' in note for note in study.notes)


@pytest.mark.slow
def test_the_oracle_errs_by_the_noise(studies):
    _, study, _ = studies['b']
    shown = row(table(study, 'Mean squared error'), 'noise-free truth')
    noise = GeneratedSeries(preset='study_b', length=730).components()['noise'][-146:]
    assert float(shown['716\nfresh']) == pytest.approx(np.square(noise).mean(), rel=5e-3)


@pytest.mark.slow
def test_a_warm_start_begins_with_the_last_weights_of_its_own_seed(studies):
    options, study, _ = studies['c']
    for run in find_runs([options.work_dir / 'gru_3000_warm']):
        begin = load_config(run.folder / 'config.py').config['model']['pretrained']
        known, = [each for each in find_runs([options.work_dir / 'gru_1000'])
                  if each.record.seed == run.record.seed]
        assert begin == str(known.folder / 'checkpoints/epoch_0001.pth')
    first = row(table(study, 'Training loss of the first'), 'GRU')
    warm, fresh = (float(first[f'3,000\n{how}'].split(' ± ')[0])
                   for how in ('warm start', 'fresh weights'))
    assert warm < fresh


@pytest.mark.slow
def test_losses_are_in_units_of_the_range(studies):
    options, study, _ = studies['c']
    shown = row(table(study, 'Mean squared error'), 'noise-free truth')['1,000\nours']
    source = GeneratedSeries(preset='study_c')
    train, noise = source.read().values[:700], source.components()['noise'][800:]
    assert float(shown) == pytest.approx(np.square(noise).mean() / np.ptp(train) ** 2, rel=5e-3)
    losses = [run.record.epochs[-1].train_loss
              for run in find_runs([options.work_dir / 'gru_1000'])]
    scale = (train.std() / np.ptp(train)) ** 2
    final = row(table(study, 'Training loss of the last'), 'GRU')
    assert final['1,000\nreported'] == '0.0006'
    mean, spread = map(float, final['1,000\nours'].split(' ± '))
    assert mean == pytest.approx(np.mean(losses) * scale, rel=5e-3)
    assert spread == pytest.approx(np.std(losses, ddof=1) * scale, rel=5e-3)


@pytest.mark.slow
def test_the_tables_are_written_with_a_picture(studies, tmp_path):
    options, study, _ = studies['b']
    path = write_study(study, components(options), tmp_path / 'out')
    text = path.read_text(encoding='utf-8')
    assert text == study_markdown(study) and '| GRU' in text and 'unsound' in text
    assert (tmp_path / 'out/components.png').stat().st_size > 10_000
    assert study_table(study.tables[0]).row_count == len(study.tables[0].rows)


def test_facts_of_fresh_data_are_those_of_its_training_rows():
    facts = data_facts(CONFIGS / 'study_c_gru.py', ())
    train = GeneratedSeries(preset='study_c').read().values[:700]
    assert facts.windows == 200 and facts.copies == 0
    assert facts.deviation == pytest.approx(train.std())
    assert facts.extent == pytest.approx(np.ptp(train), rel=1e-5)


@pytest.mark.parametrize(('changes', 'message'), [({'configs': ROOT / 'nowhere'}, 'nowhere'),
                                                  ({'configs': Path('amlnn::serie')}, 'serie`'),
                                                  ({'configs': CONFIGS, 'seeds': 0}, '--seeds')])
def test_a_wrong_call_is_said_before_anything_is_trained(tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        run_study(StudyOptions('b', tmp_path, **changes))


def test_the_configs_have_a_name_that_every_folder_knows(tmp_path):
    named = StudyOptions('c', tmp_path, configs=Path('amlnn::series'), seeds=0)
    with pytest.raises(UsageError, match='--seeds'):  # after the configs were found
        run_study(named)
    found, wanted = components(named), components(StudyOptions('c', tmp_path, configs=CONFIGS))
    assert found['borders'] == wanted['borders']
    assert all(np.array_equal(found['parts'][name], wanted['parts'][name])
               for name in wanted['parts'])
