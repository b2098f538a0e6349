"""Seconds of a training with so many stages frozen are made of what was timed."""

import pytest

from amlnn.config.load import load_config
from amlnn.engine.images.feature_pass import FeaturePass
from amlnn.engine.images.split_pace import SplitPace, Splits, frozen_choices
from amlnn.engine.kinds import open_task

pytestmark = pytest.mark.usefixtures('own_cache')


@pytest.fixture
def splits(write_config):
    """Opens the splits of the small config with overrides."""

    def open_(*options: str) -> Splits:
        return Splits(FeaturePass(open_task(load_config(write_config(), options), 'cpu')))

    return open_


def test_every_number_of_frozen_stages_has_a_pace(splits):
    paces = splits().paces()
    assert list(paces) == [-1, 0, 1, 2, 3, 'all']
    for pace in paces.values():
        assert min(pace.reading, pace.training, pace.stepping, pace.evaluating) >= 0
        assert pace.training + pace.stepping > 0
    assert paces[-1].frozen == 0 and not paces[-1].once
    assert paces['all'].once and paces['all'].frozen > paces[0].frozen > 0
    assert paces['all'].training < paces[-1].training


def test_without_the_fast_path_what_is_frozen_is_computed_in_every_epoch(splits):
    paces = splits('execution.trunk_cache=False').paces()
    assert not any(pace.once for pace in paces.values())


def test_a_run_is_the_sum_of_what_it_does():
    once = SplitPace(reading=1, frozen=10, training=100, stepping=1000, evaluating=7, once=True)
    # 5 images in 3 steps of 2, 3 epochs of which 2 views differ, 4 images to validate
    assert once.of_run(5, 4, 2, 3, 2) == 2 * 5 * 11 + 4 * 11 + 3 * (5 * 100 + 3 * 1000 + 4 * 7)
    anew = SplitPace(1, 10, 100, 1000, 7, once=False)
    assert anew.of_run(5, 4, 2, 3, 2) == 3 * (5 + 4) * 11 + 3 * (5 * 100 + 3 * 1000 + 4 * 7)


def test_epochs_views_and_batch_size_are_the_configs(splits):
    pace = SplitPace(1, 10, 100, 1000, 7, once=True)
    few = splits()
    assert few.epochs == 2 and few.seconds(pace, 40, 20) == pace.of_run(40, 20, 10, 2, 2)
    views = splits('execution.views=1', 'train_cfg.max_epochs=5', 'train_dataloader.batch_size=8')
    assert views.seconds(pace, 40, 20) == pace.of_run(40, 20, 8, 5, 1)


def test_the_model_of_the_pass_and_the_task_stay_as_they_were(splits):
    one = splits()
    options = one.one.task.plan.model_options
    before = one.one.of('val').features
    one.paces()
    assert one.one.task.plan.model_options is options
    again = FeaturePass(one.one.task).of('val')
    assert again.computed == 0 and (again.features == before).all()


def test_a_step_that_cannot_be_taken_has_no_seconds_and_a_reason(splits):
    one = splits("optim_wrapper.optimizer.type='LBFGS'")
    assert set(one.paces().values()) == {None}
    assert 'frozen_stages=-1' in one.notes[0]


def test_a_backbone_without_a_stem_does_not_freeze_it():
    from mmpretrain.models.backbones import VGG, ResNet
    assert frozen_choices(VGG(11))[1] == (1, 1)
    assert frozen_choices(ResNet(18)) == [(-1, 0), (0, 1), (1, 2), (2, 3), (3, 4), ('all', 5)]
