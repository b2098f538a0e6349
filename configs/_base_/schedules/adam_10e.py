"""Adam at a constant learning rate of 0.001 for 10 epochs, validated after each."""
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='Adam', lr=0.001, fused=True))
param_scheduler = dict(type='ConstantLR', factor=1.0, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs=10, val_interval=1)
val_cfg = dict()
test_cfg = dict()
