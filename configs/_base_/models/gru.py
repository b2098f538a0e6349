"""GRU of one layer; its sizes come from the data set."""
model = dict(
    type='Forecaster',
    encoder=dict(type='GRU', hidden_size=64),
    head=dict(type='PointHead', loss='mse'),
    channel_independent=True,
    decoding='direct',
    normalization='last')
