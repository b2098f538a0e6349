"""Study D2: ResNet50, all but the last 3 and the last 6 layers frozen; zeros around, and resized.

python tools/sweep.py configs/sweeps/study_d2.py
"""
config = ['../tiny_imagenet/study_d_resnet50_last3.py',
          '../tiny_imagenet/study_d_resnet50_last6.py',
          '../tiny_imagenet/study_d_resnet50_last3_resized.py',
          '../tiny_imagenet/study_d_resnet50_last6_resized.py']
