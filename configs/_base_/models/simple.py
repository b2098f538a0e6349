"""A simple method as a model; a child names it: method=dict(type='Ridge')."""
model = dict(type='SimpleForecaster')
