"""Quickstart: the digits 5 to 9, frozen stages: 3. Add --pretrained BEST.PTH.

python tools/train.py configs/quickstart/digits_frozen3.py
"""
_base_ = 'digits_frozen0.py'
model = dict(frozen_stages=3)
