"""Remedies for rare classes: what a run does, records and reports of each."""

import shutil
from pathlib import Path

import pytest
import torch
from tiny_runs import write_tiny_config
from trunk_runs import losses, run

from amlnn.errors import DataError
from amlnn.records import read_run, read_test

CLASSES = ['daisy', 'dandelion', 'rose', 'sunflower', 'tulip']
KEPT = [8, 2, 4, 8, 1]


@pytest.fixture(autouse=True)
def cache(own_cache):
    return own_cache


@pytest.fixture
def uneven(tmp_path, data_set):
    """The generated data with fewer images of some classes."""
    root = tmp_path / 'uneven'
    shutil.copytree(data_set, root)
    for name, count in zip(CLASSES, KEPT, strict=True):
        for path in sorted((root / 'training_set' / name).iterdir())[count:]:
            path.unlink()
    (root / 'manifest.json').unlink(missing_ok=True)
    listing = root / 'train.txt'
    kept = [line for line in listing.read_text().splitlines()
            if (root / 'training_set' / line.rpartition(' ')[0]).is_file()]
    assert len(kept) == sum(KEPT)
    listing.write_text('\n'.join(kept) + '\n')
    return root


def write(tmp_path, root, text='', **options):
    return write_tiny_config(tmp_path / 'tiny.py', root, text, epochs=1, **options)


def loss(kind, **options):
    return 'model = dict(head=dict(loss=dict(_delete_=True, ' + ', '.join(
        f'{key}={value!r}' for key, value in dict(type=kind, **options).items()) + ')))'


def test_a_run_counts_the_images_of_each_class_and_says_so(tmp_path, uneven):
    record = read_run(run(write(tmp_path, uneven), tmp_path / 'runs'))
    assert record.classes == CLASSES and record.class_facts == {'in training': KEPT}


def test_a_balanced_loss_weighs_by_the_counts_of_the_run(tmp_path, uneven):
    folder = run(write(tmp_path, uneven, loss('BalancedLoss')), tmp_path / 'runs')
    weights = read_run(folder).class_facts['weight in the loss']
    assert weights == pytest.approx([sum(KEPT) / (5 * n) for n in KEPT], abs=1e-4)
    state = torch.load(folder / 'best.pth', weights_only=True)['state_dict']
    assert state['head.loss_module.class_counts'].tolist() == KEPT


def test_a_logit_adjusted_loss_adds_the_logarithms_of_the_shares(tmp_path, uneven):
    folder = run(write(tmp_path, uneven, loss('LogitAdjustedLoss', tau=2.0)), tmp_path / 'runs')
    added = read_run(folder).class_facts['added to the score in training']
    expected = 2 * (torch.tensor(KEPT) / sum(KEPT)).log()
    assert added == pytest.approx(expected.tolist(), abs=1e-4)


def test_balanced_sampling_says_how_often_a_class_is_drawn(tmp_path, uneven):
    text = "train_dataloader = dict(sampler=dict(_delete_=True, type='WeightedSampler'))"
    record = read_run(run(write(tmp_path, uneven, text), tmp_path / 'runs'))
    assert record.class_facts['drawn an epoch'] == pytest.approx([sum(KEPT) / 5] * 5, abs=0.1)


@pytest.mark.parametrize('kind', ['BalancedLoss', 'LogitAdjustedLoss'])
def test_every_argument_changes_the_training(tmp_path, uneven, kind):
    option = 'power' if kind == 'BalancedLoss' else 'tau'
    seen = {tuple(losses(run(write(tmp_path, uneven, text), tmp_path / f'runs{place}')))
            for place, text in enumerate(['', loss(kind), loss(kind, **{option: 0.5}),
                                          loss(kind, loss_weight=2.0)])}
    assert len(seen) == 4


@pytest.mark.parametrize('kind', ['BalancedLoss', 'LogitAdjustedLoss'])
def test_both_paths_have_the_same_loss(tmp_path, uneven, kind):
    text = f"{loss(kind)}\nmodel.update(frozen_stages='all')\nexecution = dict(" \
        'fold_batch_norm=False)'
    config = write(tmp_path, uneven, text)
    fast = losses(run(config, tmp_path / 'fast'))
    plain = losses(run(config, tmp_path / 'plain', 'trunk_cache=False'))
    assert fast == pytest.approx(plain, rel=1e-4)


def test_a_test_has_the_loss_of_the_training_without_its_images(tmp_path, uneven, run_tool):
    config = write(tmp_path, uneven, loss('BalancedLoss'))
    folder = run(config, tmp_path / 'runs')
    status, _, errors = run_tool('test', config, folder / 'best.pth', '--split', 'val')
    assert status == 0, errors
    tested = read_test(folder / 'test_val.json').loss
    assert tested == pytest.approx(read_run(folder).epochs[-1].val_loss, rel=1e-5)


def test_a_resumed_run_goes_on_with_its_counts(tmp_path, uneven):
    from amlnn.engine.train import TrainOptions, train
    config = write(tmp_path, uneven, loss('LogitAdjustedLoss'))
    folder = run(config, tmp_path / 'runs')
    options = ['default_hooks.logger.interval=1', 'train_cfg.max_epochs=2']
    train(TrainOptions(config, work_dir=tmp_path / 'runs', resume=str(folder),
                       cfg_options=options))
    whole = train(TrainOptions(config, work_dir=tmp_path / 'whole', cfg_options=options))
    assert losses(folder) == losses(whole)


def test_the_report_has_it_all_in_the_table_of_classes(tmp_path, uneven, run_tool):
    text = loss('BalancedLoss') + \
        "\ntrain_dataloader = dict(sampler=dict(_delete_=True, type='WeightedSampler'))"
    folder = run(write(tmp_path, uneven, text), tmp_path / 'runs')
    status, _, errors = run_tool('report', folder, '--out', tmp_path / 'report')
    assert status == 0, errors
    page = (tmp_path / 'report/index.html').read_text()
    table = page[page.index('>Classes</h3>'):]
    head = table[:table.index('</thead>')]
    for words in ('recall %', 'in training', 'drawn an epoch', 'weight in the loss'):
        assert words in head
    row = table[table.index('tulip'):].partition('</tr>')[0]
    assert '>1</td>' in row and '>4.6</td>' in row


def test_images_without_a_single_class_are_refused(tmp_path, uneven, monkeypatch):
    monkeypatch.setattr('amlnn.engine.images.class_facts._counts', lambda *given: None)
    with pytest.raises(DataError, match='no single one'):
        run(write(tmp_path, uneven, loss('BalancedLoss')), tmp_path / 'runs')
    assert not list(Path(tmp_path / 'runs').glob('2*'))
