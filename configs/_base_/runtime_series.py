"""Hooks, seed and precision that every forecast shares; nothing here needs MMPretrain.

MMEngine's own hooks for times and logs take longer than a small network: run.json and scalars.jsonl
hold what they would write.
"""
default_scope = 'mmengine'
default_hooks = dict(
    runtime_info=None,
    timer=None,
    logger=None,
    sampler_seed=None,
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(type='RunCheckpointHook', interval=1, save_best='forecast/mse', rule='less'))
custom_hooks = []
log_level = 'INFO'
randomness = dict(seed=0, deterministic=False)
execution = dict(precision='fp32')
