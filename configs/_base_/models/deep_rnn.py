"""Two stacked simple RNN layers; its sizes come from the data set."""
model = dict(
    type='Forecaster',
    encoder=dict(type='DeepRNN', hidden_size=64),
    head=dict(type='PointHead', loss='mse'),
    channel_independent=True,
    decoding='direct',
    normalization='last')
