"""Put the quickstart's table and picture into README.md, from its report.

make docs
"""

import re
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / 'reports' / 'quickstart'
COLUMNS = ('configuration', 'frozen', 'trainable', 'total', 'top-1 (test)', 'images',
           '95 % interval', 'seconds', 'epochs')


def table() -> str:
    """The comparison table of the report, the columns that fit a page."""
    lines = [line for line in (REPORT / 'report.md').read_text(encoding='utf-8').splitlines()
             if line.startswith('|')]
    rows = [[cell.strip() for cell in line.strip('|').split('|')] for line in lines]
    end = next(number for number, row in enumerate(rows[2:], 2) if len(row) != len(rows[0])) \
        if any(len(row) != len(rows[0]) for row in rows) else len(rows)
    chosen = [rows[0].index(name) for name in COLUMNS]
    return '\n'.join('| ' + ' | '.join(row[place] for place in chosen) + ' |' for row in rows[:end])


def main() -> None:
    """Rewrite the part between the markers."""
    readme = ROOT / 'README.md'
    text = re.sub(r'(<!-- demo: begin[^>]*-->\n).*?(<!-- demo: end -->)',
                  lambda match: f'{match[1]}\n{table()}\n\n{match[2]}',
                  readme.read_text(encoding='utf-8'), flags=re.DOTALL)
    readme.write_text(text, encoding='utf-8')
    shutil.copyfile(REPORT / 'comparison.png', ROOT / 'docs' / 'quickstart.png')


if __name__ == '__main__':
    main()
