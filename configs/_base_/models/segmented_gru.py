"""GRU over segments of the look-back (SegRNN); its sizes come from the data set."""
model = dict(
    type='Forecaster',
    encoder=dict(type='SegmentedGRU', hidden_size=128, segment_length=48, dropout=0.5),
    head=dict(type='PointHead', loss='mse'),
    channel_independent=True,
    decoding='direct',
    normalization='last')
