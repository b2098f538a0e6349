"""Run folders as training writes them, made without training."""

from pathlib import Path

import numpy as np

from amlnn.records import EpochRecord, FrozenStage, RunRecord, TestRecord, write_record

FLOWERS = ['daisy', 'dandelion', 'rose', 'sunflower', 'tulip']


def epoch(number: int, **values) -> EpochRecord:
    """One epoch of a run that goes well."""
    default = {
        'epoch': number, 'iteration': 72 * number, 'train_loss': 1.6 / number ** 0.8,
        'val_loss': 0.3 + 1.1 / number, 'metrics': {'accuracy/top1': 95 - 40 / number},
        'learning_rate': 0.01 * 0.9 ** (number - 1), 'seconds': 12.5, 'train_seconds': 10.0,
        'val_seconds': 2.5, 'samples_per_second': 227.6}
    return EpochRecord(**{**default, **values})


def record(name: str = 'resnet50_frozen3', epochs: int = 5,
           rows: list[EpochRecord] | None = None, **values) -> RunRecord:
    """The record of a finished run of `epochs` epochs, or of the given rows."""
    if rows is None:
        rows = [epoch(number) for number in range(1, epochs + 1)]
    default = {
        'config_name': name, 'config_path': f'configs/{name}.py',
        'command': ['python', 'tools/train.py', f'configs/{name}.py'], 'config_hash': 'c0ffee',
        'started': '2025-03-01T10:00:00Z', 'finished': '2025-03-01T10:02:00Z', 'seed': 0,
        'status': 'done', 'data_manifest_hash': 'd' * 64, 'classes': list(FLOWERS),
        'samples': {'train': 2276, 'val': 568}, 'versions': {'amlnn': '0.1.0', 'torch': '2.9.1'},
        'frozen_stages': 3, 'threads': 2,
        'stages': [FrozenStage('stem', True, 0, 9536), FrozenStage('layer4', False, 14964736,
                                                                   14964736)],
        'trainable_parameters': 14974981, 'total_parameters': 23518277, 'max_epochs': epochs,
        'epochs': rows, 'monitor': 'accuracy/top1', 'monitor_rule': 'greater',
        'best_epoch': epochs or None,
        'best_value': rows[-1].metrics.get('accuracy/top1') if rows else None,
        'total_seconds': 12.5 * epochs, 'total_samples': 2276 * epochs}
    return RunRecord(**{**default, **values})


def test_record(**values) -> TestRecord:
    """What tools/test.py writes."""
    default = {
        'checkpoint': 'best.pth', 'checkpoint_epoch': 5, 'split': 'test', 'samples': 568,
        'loss': 0.2, 'metrics': {'accuracy/top1': 90.0}, 'seconds': 2.5,
        'samples_per_second': 227.2,
        'device': 'cpu', 'precision': 'fp32', 'data_root': None, 'data_manifest_hash': 'd' * 64,
        'versions': {'amlnn': '0.1.0'}, 'created': '2025-03-01T10:03:00Z'}
    return TestRecord(**{**default, **values})


test_record.__test__ = False  # not a test


def write_run(folder: Path, run: RunRecord, config: str = 'model = dict()\n') -> Path:
    """Write the run's record and config, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'config.py').write_text(config, encoding='utf-8')
    write_record(folder / 'run.json', run)
    return folder


def probabilities(labels: np.ndarray, predicted: np.ndarray, classes: int,
                  seed: int = 0) -> np.ndarray:
    """[N, K] probabilities whose largest is at `predicted`, between 1/K and 1."""
    generator = np.random.default_rng(seed)
    # Confident where right, less so where wrong, as a trained network is.
    top = np.where(labels == predicted, generator.beta(6, 1.2, len(labels)),
                   generator.beta(3, 2, len(labels)))
    probs = generator.dirichlet(np.full(classes, 0.5), len(labels))
    probs[np.arange(len(labels)), predicted] = 0
    probs /= probs.sum(axis=1, keepdims=True)
    rest = (1 - top) * 0.5
    probs *= rest[:, None]
    probs[np.arange(len(labels)), predicted] = 0
    probs[np.arange(len(labels)), predicted] = 1 - probs.sum(axis=1)
    return probs.astype(np.float32)


def write_predictions(folder: Path, split: str = 'val', n: int = 568, accuracy: float = 0.9,
                      classes: list[str] | None = None, seed: int = 0) -> dict[str, np.ndarray]:
    """Write predictions of about `accuracy` for `n` images, and return the arrays.

    Ids and labels depend on `n` and the classes alone: two runs hold the same images.
    """
    classes = classes or FLOWERS
    labels = np.sort(np.random.default_rng(1).integers(0, len(classes), n))
    generator = np.random.default_rng(seed + 100)
    wrong = generator.random(n) > accuracy
    predicted = np.where(wrong, (labels + generator.integers(1, len(classes), n)) % len(classes),
                         labels)
    arrays = {
        'id': np.array([f'{split}_set/{classes[label]}/{index}.jpg'
                        for index, label in enumerate(labels)]),
        'label': labels, 'prob': probabilities(labels, predicted, len(classes), seed),
        'classes': np.array(classes)}
    np.savez(folder / f'predictions_{split}.npz', **arrays)
    return arrays
