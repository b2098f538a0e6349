"""Puts this folder on the path, for the folders, loopback servers that tests of its rooms share."""
