"""Study C: three networks with early stopping, and with the report's own remedies.

python tools/sweep.py configs/sweeps/study_c.py
"""
config = ['../tiny_imagenet/study_c_vgg19.py', '../tiny_imagenet/study_c_resnet50v2.py',
          '../tiny_imagenet/study_c_inceptionv4.py',
          '../tiny_imagenet/study_c_vgg19_remedies.py',
          '../tiny_imagenet/study_c_resnet50v2_remedies.py',
          '../tiny_imagenet/study_c_inceptionv4_remedies.py']
