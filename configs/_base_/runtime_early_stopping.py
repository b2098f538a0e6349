"""What every experiment shares, and early stopping by the validation loss.

Training stops after 25 epochs without a lower validation loss; best.pth holds the epoch with the
lowest. Another patience: default_hooks = dict(early_stopping=dict(patience=5))
"""
_base_ = 'runtime.py'
default_hooks = dict(
    checkpoint=dict(save_best='val_loss', rule='less'),
    early_stopping=dict(
        type='RunEarlyStoppingHook', monitor='val_loss', rule='less', patience=25, min_delta=0.0))
