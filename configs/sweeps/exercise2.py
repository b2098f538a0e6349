"""Study A, exercise 2: ResNet50 with five augmentations, on flowers.

python tools/sweep.py configs/sweeps/exercise2.py
"""
config = '../exercise2.py'
