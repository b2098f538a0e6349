"""Lets the tests here make raw folders as those of data do."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / 'data'))
