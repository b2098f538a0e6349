"""SGD for 25 epochs; its learning rate of 0.001 falls to a tenth after every 7.

Study A's second exercise names StepLR without its numbers. These are those of PyTorch's tutorial of
transfer learning, which has the same optimizer and the same 25 epochs.
"""
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.001, momentum=0.9))
param_scheduler = dict(type='StepLR', step_size=7, gamma=0.1, by_epoch=True)
train_cfg = dict(by_epoch=True, max_epochs=25, val_interval=1)
val_cfg = dict()
test_cfg = dict()
