"""Study E: a simple CNN, VGG16 in two readings, ResNet50 and DenseNet121, on CIFAR-100.

python tools/sweep.py configs/sweeps/study_e.py
"""
config = ['../cifar100/study_e_simple_cnn.py', '../cifar100/study_e_vgg16_frozen.py',
          '../cifar100/study_e_vgg16.py', '../cifar100/study_e_resnet50.py',
          '../cifar100/study_e_densenet121.py']
