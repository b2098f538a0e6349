"""Put the quickstart's tables and pictures into README.md, from its report.

make docs
"""

import shutil
from itertools import groupby
from pathlib import Path

from amlnn.markers import between_markers

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / 'reports' / 'quickstart'
# By the name of the markers: which heading the table begins with, and the columns that fit a page.
TABLES = {
    'demo': ('configuration', 'frozen', 'trainable', 'total', 'top-1 (test)', 'images',
             '95 % interval', 'seconds', 'epochs'),
    'forecast': ('forecast', 'trainable', 'scaled MSE (test)', 'scaled MAE',
                 'MSE, original units', 'windows', 'seconds', 'epochs'),
}
PICTURES = {'comparison.png': 'quickstart.png', '*_hourly_seggru_forecasts.png': 'forecast.png'}


def table(columns: tuple[str, ...]) -> str:
    """The comparison table of the report that begins with the first of these columns."""
    lines = (REPORT / 'report.md').read_text(encoding='utf-8').splitlines()
    for is_table, block in groupby(lines, key=lambda line: line.startswith('|')):
        rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in block]
        if is_table and rows[0][0] == columns[0]:
            chosen = [rows[0].index(name) for name in columns]
            return '\n'.join('| ' + ' | '.join(row[place] for place in chosen) + ' |'
                             for row in rows)
    raise SystemExit(f'{REPORT / "report.md"} has no table that begins with {columns[0]}')


def main() -> None:
    """Rewrite what is between the markers, and copy the pictures."""
    readme = ROOT / 'README.md'
    text = readme.read_text(encoding='utf-8')
    for name, columns in TABLES.items():
        text = between_markers(text, name, table(columns)) or text
    readme.write_text(text, encoding='utf-8')
    for pattern, name in PICTURES.items():
        file, = REPORT.glob(pattern)
        shutil.copyfile(file, ROOT / 'docs' / name)


if __name__ == '__main__':
    main()
