"""Study A, table 3: five backbones at learning rate 0.001, on flowers.

python tools/sweep.py configs/sweeps/backbones.py
"""
config = ['../resnet50_lr0.001.py', '../resnext50_lr0.001.py', '../densenet121_lr0.001.py',
          '../mobilenetv3_lr0.001.py', '../inceptionv3_lr0.001.py']
