"""RMSprop as in Keras, at a constant learning rate of 0.001 for 25 epochs, validated after each.

Keras forgets old gradients by 0.9 a step and has an epsilon of 1e-7, PyTorch 0.99 and 1e-8. Keras
adds its epsilon below the root, PyTorch beside it: where gradients are smaller than 0.0003, Keras
takes smaller steps.
"""
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='RMSprop', lr=0.001, alpha=0.9, eps=1e-7, momentum=0.0))
param_scheduler = dict(type='ConstantLR', factor=1.0, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs=25, val_interval=1)
val_cfg = dict()
test_cfg = dict()
