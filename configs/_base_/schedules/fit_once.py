"""For models that are fitted at once: one epoch, and no optimizer."""
train_cfg = dict(by_epoch=True, max_epochs=1, val_interval=1)
val_cfg = dict()
test_cfg = dict()
