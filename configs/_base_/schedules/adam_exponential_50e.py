"""Adam as in Keras for 50 epochs; its learning rate of 0.002 falls by a twentieth after each.

Keras' epsilon is 1e-7, PyTorch's 1e-8. Study D names the first rate and that it decays; the
twentieth is chosen here: the last epoch has 0.00016.
"""
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='Adam', lr=0.002, betas=(0.9, 0.999), eps=1e-7))
param_scheduler = dict(type='ExponentialLR', gamma=0.95, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs=50, val_interval=1)
val_cfg = dict()
test_cfg = dict()
