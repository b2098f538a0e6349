from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator
from mmpretrain.structures import DataSample
from sklearn.metrics import accuracy_score, top_k_accuracy_score

from amlnn.config.load import load_config
from amlnn.data.images.folder import ImageNetFolder
from amlnn.errors import ConfigError
from amlnn.metrics.classification import PresentClassAccuracy
from amlnn.records import read_run, read_test

IMAGES, CLASSES = 500, 12
SUPERCLASS_OF = [0, 1, 2, 3, 0, 1, 2, 3, 0, 0, 1, 3]
PRESENT = [1, 4, 5, 7, 11]


@pytest.fixture(scope='module')
def scored():
    """Scores [N, K] and labels [N], right somewhat more often than by chance."""
    random = np.random.default_rng(0)
    labels = random.choice(PRESENT, IMAGES)
    scores = random.random((IMAGES, CLASSES)) + 0.3 * np.eye(CLASSES)[labels]
    return (scores / scores.sum(1, keepdims=True)).astype(np.float32), labels


def evaluate(scored, *sections, batch=64, **meta):
    """What MMEngine's evaluator makes of the scores, given in batches."""
    evaluator = Evaluator(list(sections))
    evaluator.dataset_meta = meta
    samples = [DataSample().set_pred_score(torch.from_numpy(row)).set_gt_label(int(label))
               for row, label in zip(*scored, strict=True)]
    for begin in range(0, len(samples), batch):
        evaluator.process(data_samples=samples[begin:begin + batch], data_batch={})
    return evaluator.evaluate(len(samples))


@pytest.mark.parametrize('batch', [1, 64, IMAGES])
def test_superclass_accuracy_is_that_of_the_superclasses_of_label_and_prediction(scored, batch):
    found = evaluate(scored, dict(type='SuperclassAccuracy'), batch=batch,
                     superclass_of=SUPERCLASS_OF)
    of = np.array(SUPERCLASS_OF)
    scores, labels = scored
    expected = 100 * accuracy_score(of[labels], of[scores.argmax(1)])
    assert found == {'superclass/top1': pytest.approx(expected)}
    assert expected > 100 * accuracy_score(labels, scores.argmax(1)) + 5


def test_present_class_accuracy_leaves_the_other_classes_aside(scored):
    found = evaluate(scored, dict(type='PresentClassAccuracy', topk=(1, 3)), present=PRESENT)
    scores, labels = scored
    places = np.searchsorted(PRESENT, labels)
    among = scores[:, PRESENT]
    assert found == {
        'present/top1': pytest.approx(100 * accuracy_score(places, among.argmax(1))),
        'present/top3': pytest.approx(100 * top_k_accuracy_score(places, among, k=3))}
    assert found['present/top1'] > 100 * accuracy_score(labels, scores.argmax(1)) + 5


def test_with_every_class_present_it_is_mmpretrains_accuracy(scored):
    found = evaluate(scored, dict(type='PresentClassAccuracy', topk=(1, 5)),
                     dict(type='mmpretrain.Accuracy', topk=(1, 5)), present=list(range(CLASSES)))
    for k in (1, 5):
        assert found[f'present/top{k}'] == pytest.approx(found[f'accuracy/top{k}'], rel=1e-5)


def test_more_places_than_classes_hold_every_image(scored):
    assert evaluate(scored, dict(type='PresentClassAccuracy', topk=9), present=PRESENT) == {
        'present/top9': 100.0}


def test_a_prefix_stands_before_the_names(scored):
    found = evaluate(scored, dict(type='SuperclassAccuracy', prefix='coarse'),
                     dict(type='PresentClassAccuracy', prefix='two_hundred'),
                     superclass_of=SUPERCLASS_OF, present=PRESENT)
    assert set(found) == {'coarse/top1', 'two_hundred/top1'}


@pytest.mark.parametrize('topk', [0, (), (1, -1)])
def test_no_place_at_all_is_an_error(topk):
    with pytest.raises(ConfigError, match='topk'):
        PresentClassAccuracy(topk=topk)


METRICS = '''
    _metrics = [dict(type='Accuracy', topk=(1, )), dict(type='SuperclassAccuracy'),
                dict(type='PresentClassAccuracy', topk=(1, 2))]
    val_evaluator = _metrics
    test_evaluator = _metrics
    '''
KNOWN = {'superclass_of': [0, 0, 1, 1, 1], 'present': [0, 1, 2]}


@pytest.mark.parametrize('monitor', ['superclass/top1', 'present/top2'])
def test_a_config_may_monitor_them(write_config, monitor):
    text = METRICS + f'default_hooks = dict(checkpoint=dict(save_best={monitor!r}))'
    assert load_config(write_config(text)).config['default_hooks']['checkpoint'][
        'save_best'] == monitor


@pytest.mark.parametrize(('monitor', 'nearest'), [('superclass/top5', 'superclass/top1'),
                                                  ('present/top3', 'present/top')])
def test_a_name_that_they_do_not_report_is_refused(write_config, monitor, nearest):
    text = METRICS + f'default_hooks = dict(checkpoint=dict(save_best={monitor!r}))'
    with pytest.raises(ConfigError, match=monitor) as error:
        load_config(write_config(text))
    assert nearest in f'{error.value}{error.value.hint}'


@pytest.mark.parametrize('frozen', [-1, 'all'], ids=['plain', 'fast path'])
def test_a_run_reports_them_of_its_own_predictions(write_config, run_tool, tmp_path, monkeypatch,
                                                   frozen):
    monkeypatch.setenv('AMLNN_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setattr(ImageNetFolder, 'METAINFO', KNOWN, raising=False)
    config = write_config(METRICS + f'model = dict(frozen_stages={frozen!r})', epochs=1)
    status, _, errors = run_tool('train', config)
    assert status == 0, errors
    run = Path('work_dirs/small/latest')
    record = read_run(run)
    assert (record.trunk is None) == (frozen == -1)
    status, _, errors = run_tool('test', config, run / 'best.pth')
    assert status == 0, errors
    for split, metrics in (('val', record.epochs[record.best_epoch - 1].metrics),
                           ('test', read_test(run / 'test_test.json').metrics)):
        stored = np.load(run / f'predictions_{split}.npz')
        labels, predicted = stored['label'], stored['prob'].argmax(1)
        of = np.array(KNOWN['superclass_of'])
        assert metrics['superclass/top1'] == pytest.approx(
            100 * accuracy_score(of[labels], of[predicted]))
        among = stored['prob'][:, KNOWN['present']].argmax(1)
        assert metrics['present/top1'] == pytest.approx(100 * accuracy_score(labels, among))
        assert metrics['accuracy/top1'] == pytest.approx(
            100 * accuracy_score(labels, predicted), abs=1e-4)


@pytest.mark.parametrize(('metric', 'key'), [('SuperclassAccuracy', 'superclass_of'),
                                             ('PresentClassAccuracy', 'present')])
def test_a_data_set_that_lacks_what_a_metric_needs_is_two_lines_before_any_training(
        write_config, run_tool, metric, key):
    config = write_config(f"val_evaluator = dict(_delete_=True, type='{metric}')\n"
                          'default_hooks = dict(checkpoint=dict(save_best="val_loss"))')
    status, _, errors = run_tool('train', config)
    assert status == 2
    error, hint = errors.strip().splitlines()
    assert f'{metric} needs `{key}`' in error and 'ImageNetFolder' in error
    assert hint.startswith('hint: ')
    assert not Path('work_dirs/small/latest').exists()
