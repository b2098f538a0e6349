"""EfficientNet-Lite0 on flowers: stages frozen, from weights that need no network, and from scratch.

python tools/sweep.py configs/sweeps/lite0.py --seeds 3
"""
config = ['../backbones/efficientnet_lite0.py', '../backbones/efficientnet_lite0_frozen3.py',
          '../backbones/efficientnet_lite0_frozenall.py',
          '../backbones/efficientnet_lite0_scratch.py']
