"""Hooks, environment, seed, log and execution policy that every experiment shares."""
default_scope = 'mmpretrain'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=20),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='RunCheckpointHook', interval=1, save_best='accuracy/top1', rule='greater'),
    sampler_seed=dict(type='DistSamplerSeedHook'))
custom_hooks = []
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=1),
    dist_cfg=dict(backend='nccl'))
log_level = 'INFO'
randomness = dict(seed=0, deterministic=False)
execution = dict(precision='auto', memory_format='channels_last')
