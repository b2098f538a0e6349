"""Lets the tests here make run folders as those of results do, and train as those of engine do."""

import sys
from pathlib import Path

for part in ('results', 'engine'):
    sys.path.insert(0, str(Path(__file__).parents[1] / part))
