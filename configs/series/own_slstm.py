"""A CSV file of your own, as in own.py: an sLSTM in the place of the GRU.

python tools/train.py configs/series/own_slstm.py --data my.csv
"""
_base_ = 'own.py'
model = dict(encoder=dict(type='SegmentedSLSTM'))
