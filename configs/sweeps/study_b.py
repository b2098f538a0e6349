"""Study B: frozen bases with a new layer of 200 classes, on Tiny-ImageNet.

python tools/sweep.py configs/sweeps/study_b.py
"""
config = ['../tiny_imagenet/study_b_vgg16.py', '../tiny_imagenet/study_b_vgg19.py',
          '../tiny_imagenet/study_b_resnet50v2.py', '../tiny_imagenet/study_b_resnet101v2.py',
          '../tiny_imagenet/study_b_inceptionv3.py',
          '../tiny_imagenet/study_b_efficientnet_lite0.py']
