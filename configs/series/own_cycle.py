"""A CSV file of your own, as in own.py, with a learnt cycle: what is left of it is forecast.

The cycle is a day or a week, whichever repeats better. Another: --cfg-options model.cycle=168

python tools/train.py configs/series/own_cycle.py --data my.csv
"""
_base_ = 'own.py'
model = dict(cycle='auto')
