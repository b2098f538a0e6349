"""Lets the tests here make raw folders as those of data do, and read pages as those of report."""

import sys
from pathlib import Path

for part in ('results', 'report', 'data'):
    sys.path.insert(0, str(Path(__file__).parents[1] / part))
