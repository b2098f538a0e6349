"""sLSTM over segments of the look-back; its sizes come from the data set."""
_base_ = 'segmented_gru.py'
model = dict(
    encoder=dict(
        _delete_=True, type='SegmentedSLSTM', hidden_size=128, segment_length=48, dropout=0.5))
