"""Adam for 30 epochs; its learning rate of 0.001 falls by a tenth after each."""
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.001, fused=True))
param_scheduler = dict(type='ExponentialLR', gamma=0.9, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs=30, val_interval=1)
val_cfg = dict()
test_cfg = dict()
