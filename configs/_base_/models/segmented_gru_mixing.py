"""GRU over segments of each column, to which all columns are mixed first (TSMixer)."""
_base_ = 'segmented_gru.py'
model = dict(mixing=dict(type='ColumnMixer', hidden_size=16, dropout=0.1))
