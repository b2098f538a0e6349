"""Trials on a Ray cluster of two nodes, one of which is lost in the middle."""

import pytest
from generated import write_data_set, write_small_config

from amlnn.errors import UsageError
from amlnn.sweep.driver import Driver
from amlnn.sweep.outcome import outcome_of
from amlnn.sweep.slots import LocalSlot
from amlnn.sweep.space import read_sweep
from amlnn.sweep.trials import SweepOptions

SWEEP = """config = 'config.py'
axes = {'optim_wrapper.optimizer.lr': [0.05, 0.01, 0.002, 0.0005]}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    data = write_data_set(tmp_path / 'data', sizes={'train': 40, 'val': 4, 'test': 4})
    write_small_config(tmp_path / 'config.py', data, epochs=6)
    (tmp_path / 'sweep.py').write_text(SWEEP)
    return tmp_path


def run(place, work, make_slot, jobs=1, on_change=lambda driver: None):
    driver = Driver(read_sweep(place / 'sweep.py'), SweepOptions(place / work, jobs=jobs),
                    make_slot, on_change)
    driver.run()
    (summary,) = outcome_of(driver).summaries
    return [(row.name, row.value, row.record.best_epoch) for row in summary.rows]


@pytest.mark.slow
@pytest.mark.filterwarnings('ignore')
def test_a_cluster_that_loses_a_node_ends_in_the_table_of_one_machine(place):
    ray = pytest.importorskip('ray')
    from ray.cluster_utils import Cluster

    from amlnn.sweep.ray_slots import ray_slots
    expected = run(place, 'local', LocalSlot)
    cluster = Cluster(initialize_head=True, head_node_args={'num_cpus': 1})
    try:
        other = cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        lost = []

        def lose(driver):
            if not lost and len(driver.running) == 2 and all(
                    each.epoch >= 1 for each in driver.running):
                lost.append([each.trial.name for each in driver.running])
                cluster.remove_node(other, allow_graceful=False)

        assert run(place, 'cluster', ray_slots(2), 2, lose) == expected
        assert lost and len(expected) == 4
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_without_ray_the_hint_says_how_to_get_it(monkeypatch):
    import sys

    from amlnn.sweep.ray_slots import ray_slots
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(UsageError) as error:
        ray_slots(1)
    assert 'amlnn[ray]' in error.value.hint
