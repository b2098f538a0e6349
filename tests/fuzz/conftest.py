"""Run folders and configs are made as the tests of results and of the engine make them."""

import sys
from pathlib import Path

for part in ('results', 'engine'):
    sys.path.insert(0, str(Path(__file__).parents[1] / part))
