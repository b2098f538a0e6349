"""Puts this folder on the path, for the samples of backbones that tests of its rooms share."""
