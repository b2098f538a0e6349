"""Study A, table 2: the learning rate of ResNet50, nothing frozen, on flowers.

python tools/sweep.py configs/sweeps/lr.py --seeds 3
"""
config = '../resnet50_baseline.py'
axes = {'optim_wrapper.optimizer.lr': [0.01, 0.001, 0.0001]}
reported = {0.01: 95.5986, 0.001: 96.1268, 0.0001: 95.0704}
source = 'study A, table 2'
