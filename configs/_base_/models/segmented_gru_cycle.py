"""GRU over segments of what is left without a learnt cycle, of a day or a week (CycleNet)."""
_base_ = 'segmented_gru.py'
model = dict(cycle='auto')
