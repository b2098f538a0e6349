"""Adam as in Keras, at a constant learning rate of 0.001 for 50 epochs, validated after each.

Keras' epsilon is 1e-7, PyTorch's 1e-8.
"""
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=0.001, betas=(0.9, 0.999), eps=1e-7))
param_scheduler = dict(type='ConstantLR', factor=1.0, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs=50, val_interval=1)
val_cfg = dict()
test_cfg = dict()
