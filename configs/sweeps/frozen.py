"""Study A, table 1: how many stages of ResNet50 are frozen, on flowers.

python tools/sweep.py configs/sweeps/frozen.py --seeds 3
"""
config = '../resnet50_baseline.py'
axes = {'model.frozen_stages': [-1, 0, 1, 2, 3, 'all']}
baseline = {'model.frozen_stages': -1}
reported = {-1: 95.9507, 1: 95.9507, 2: 96.4789, 3: 97.0070, 'all': 94.7183}
source = 'study A, table 1'
