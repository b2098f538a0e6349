"""Study D3: a deep CNN from scratch, on Tiny-ImageNet.

python tools/sweep.py configs/sweeps/study_d3.py
"""
config = '../tiny_imagenet/study_d_deep_cnn.py'
