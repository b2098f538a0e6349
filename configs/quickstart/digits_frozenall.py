"""Quickstart: the digits 5 to 9, frozen stages: all. Add --pretrained BEST.PTH.

python tools/train.py configs/quickstart/digits_frozenall.py
"""
_base_ = 'digits_frozen0.py'
model = dict(frozen_stages='all')
