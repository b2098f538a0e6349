import pytest
from backbone_samples import classifier

from amlnn.models.images.normalisation import (
    Normalisation,
    contradiction,
    normalisation_of_model,
    normalisation_of_weights,
)
from amlnn.models.images.weights import load_pretrained
from amlnn.models.images.weights_place import find_weights

IMAGENET = Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
LITE = Normalisation((127,), (128,))


def preprocessed(**scale):
    return classifier(dict(type='TIMMBackbone', model_name='tf_efficientnet_lite0'),
                      data_preprocessor=dict(to_rgb=True, **scale))


@pytest.mark.parametrize(('one', 'other', 'differs'), [
    (LITE, LITE, False), (LITE, Normalisation((127.5,) * 3, (127.5,) * 3), False),
    (LITE, IMAGENET, True), (IMAGENET, LITE, True), (IMAGENET, IMAGENET, False),
    (IMAGENET, Normalisation((123.7, 116.3, 103.5), (58.4, 57.1, 57.4)), False),
    (IMAGENET, Normalisation((103.53, 116.28, 123.675), (57.375, 57.12, 58.395)), True),
    (IMAGENET, Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)), True),
    (LITE, Normalisation((0,), (1,)), True), (LITE, None, False), (None, LITE, False)])
def test_scales_that_differ_by_more_than_rounding_contradict(one, other, differs):
    assert (contradiction(one, other) is not None) == differs


def test_a_contradiction_names_both_and_what_to_write():
    said = contradiction(LITE, IMAGENET)
    assert '(x - 127) / 128' in said and '[123.675, 116.28, 103.53]' in said
    assert 'data_preprocessor=dict(mean=[127, 127, 127], std=[128, 128, 128])' in said


def test_a_models_scale_is_what_its_preprocessor_does():
    assert normalisation_of_model(preprocessed(mean=[1, 2, 3], std=[4, 5, 6])) == \
        Normalisation((1, 2, 3), (4, 5, 6))
    assert normalisation_of_model(preprocessed()) == Normalisation((0,), (1,))


def test_loading_says_where_weights_and_model_contradict():
    path = find_weights('package://efficientnet_lite0')
    assert normalisation_of_weights(path, None) == LITE
    wrong = preprocessed(mean=list(IMAGENET.mean), std=list(IMAGENET.std))
    assert str(load_pretrained(wrong, path)).splitlines()[-1].startswith('warning: the weights')
    right = preprocessed(mean=[127.5] * 3, std=[127.5] * 3)
    assert 'warning' not in str(load_pretrained(right, path))
