"""What follows from a backbone is taken out of what the merge left, however a child deletes."""

import pytest

from amlnn.config.following import follow_backbone
from amlnn.config.located import Place, located, merge, plain

BASE = {'model': {
    'type': 'ImageClassifier', 'backbone': {'type': 'ResNet'}, 'pretrained': 'weights.pth',
    'neck': {'type': 'GlobalAveragePooling'}, 'head': {'type': 'LinearClsHead', 'in_channels': 9}}}
NEW = {'_delete_': True, 'type': 'LeNet5'}
NAMED = {'_delete_': True, 'type': 'TIMMBackbone', 'model_name': 'resnet18'}
GONE = {'_delete_': True, 'type': 'ImageClassifier'}


@pytest.mark.parametrize(('child', 'left'), [
    ({**GONE, 'backbone': NEW}, {}),
    ({**GONE, 'backbone': NAMED}, {}),
    ({**GONE, 'backbone': NEW, 'neck': {'type': 'GlobalAveragePooling'}},
     {'neck': {'type': 'GlobalAveragePooling'}}),
    ({**GONE, 'backbone': NEW, 'head': {'type': 'Own'}}, {'head': {'type': 'Own'}}),
    ({**GONE, 'backbone': NEW, 'head': {'type': 'Own', 'in_channels': 7}},
     {'head': {'type': 'Own', 'in_channels': 7}}),
    ({'backbone': NEW, 'head': None}, {'head': None, 'pretrained': 'weights.pth',
                                       'neck': {'type': 'GlobalAveragePooling'}}),
    ({'backbone': NEW, 'head': {'_delete_': True, 'type': 'Own'}},
     {'head': {'type': 'Own'}, 'pretrained': 'weights.pth',
      'neck': {'type': 'GlobalAveragePooling'}}),
    ({'backbone': NEW, 'head': {'in_channels': 7}},
     {'head': {'type': 'LinearClsHead', 'in_channels': 7}, 'pretrained': 'weights.pth',
      'neck': {'type': 'GlobalAveragePooling'}}),
    ({'backbone': NEW, 'neck': None},
     {'head': {'type': 'LinearClsHead'}, 'pretrained': 'weights.pth', 'neck': None}),
    ({'backbone': NAMED}, {'head': {'type': 'LinearClsHead'}, 'pretrained': 'timm://resnet18'}),
])
def test_only_what_is_still_inherited_is_dropped(child, left):
    child, base = (located(tree, Place(name, 1)) for tree, name in (
        ({'model': child}, 'child.py'), (BASE, 'base.py')))
    both = merge(child, base)
    follow_backbone(child, base, both)
    found = plain(both)['model']
    assert {key: value for key, value in found.items() if key not in ('type', 'backbone')} == left


@pytest.mark.parametrize('neck', ['a string', 7, ['a', 'list']])
def test_a_neck_that_is_no_mapping_is_left_to_the_check(neck):
    base = located({'model': {**BASE['model'], 'neck': neck}}, Place('base.py', 1))
    child = located({'model': {'backbone': NEW}}, Place('child.py', 1))
    both = merge(child, base)
    follow_backbone(child, base, both)
    assert plain(both)['model']['neck'] == neck
