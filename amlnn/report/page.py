"""The report: one page of HTML that needs nothing else, the same in Markdown, and its figures."""

import html
import json
import secrets
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from amlnn import __version__
from amlnn.errors import DataError
from amlnn.report.figures import CostPoint, draw_comparison, draw_cost, metric_label
from amlnn.report.sections import Picture, Section, picture, run_section, slug
from amlnn.report.stylesheet import STYLESHEET
from amlnn.report.tables import (
    difference_text,
    escape_markdown,
    html_table,
    markdown_table,
)
from amlnn.results.store import StoredRun
from amlnn.results.summary import Row, Summary, summarise

__all__ = ['write_report', 'write_summary']

_MARKER = '.amlnn-report.json'  # the names of the files that a report put into its folder


def write_report(runs: Sequence[StoredRun], out: Path | str, split: str | None = None,
                 baseline: StoredRun | None = None) -> Path:
    """Write `index.html`, `report.md` and the figures of a comparison into a folder.

    The folder appears whole or not at all. An earlier report in it is replaced; files that somebody
    else put beside that report are kept.

    Args:
        runs: At least one.
        out: A folder that does not exist, is empty, or holds an earlier report.
        split: 'val' or 'test'; see `amlnn.results.summary.summarise`.
        baseline: A run of the configuration to compare with; by default the first.

    Returns:
        The path of `index.html`.

    Raises:
        DataError: the folder holds something else, cannot be written, or the runs cannot be
            compared.
    """
    return write_summary(summarise(runs, split, baseline), runs, out)


def write_summary(summary: Summary, runs: Sequence[StoredRun], out: Path | str) -> Path:
    """Do what `write_report` does, for a summary that was already made of `runs`."""
    out = Path(out)
    _refuse_foreign(out)
    target = out.resolve()
    temporary = target.with_name(f'.{target.name}.{secrets.token_hex(4)}')
    try:
        temporary.mkdir(parents=True)
        _fill(temporary, summary, runs)
        names = sorted(path.name for path in temporary.iterdir())
        (temporary / _MARKER).write_text(json.dumps(names, indent=1) + '\n', encoding='utf-8')
        _swap(temporary, target)
    except OSError as error:
        raise DataError(f'the report cannot be written to `{out}`: {error}',
                        hint='choose another folder with --out') from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out / 'index.html'


def _refuse_foreign(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise DataError(f'`{out}` is a file', hint='choose a folder with --out')
    if Path.cwd().is_relative_to(out.resolve()):
        # The folder is replaced by renaming: it must not vanish under the one who works in it.
        raise DataError(f'`{out}` is the working folder, or holds it',
                        hint=f'choose a folder inside it: --out {out / "report"}')
    if out.is_dir() and any(out.iterdir()) and not (out / _MARKER).is_file():
        raise DataError(f'`{out}` is not empty and holds no earlier report',
                        hint=f'choose a new folder: --out {out / "report"}')


def _swap(temporary: Path, target: Path) -> None:
    """Put the new folder in the old one's place; what the old report did not write moves along."""
    if not target.exists():
        temporary.rename(target)
        return
    old = target.with_name(f'.{target.name}.{secrets.token_hex(4)}.old')
    marker = target / _MARKER
    try:
        ours = {*json.loads(marker.read_text(encoding='utf-8')), _MARKER}
    except (OSError, ValueError, TypeError):
        ours = {_MARKER}  # an empty folder, or a damaged marker: then keep everything
    target.rename(old)
    try:
        temporary.rename(target)
    except OSError:
        old.rename(target)
        raise
    for path in old.iterdir():
        if path.name not in ours and not (target / path.name).exists():
            path.rename(target / path.name)
    shutil.rmtree(old, ignore_errors=True)


def _fill(folder: Path, summary: Summary, runs: Sequence[StoredRun]) -> None:
    titles = _titles(summary)
    overview = _overview(folder, summary, runs, titles)
    sections = []
    links: dict[str, str] = {}
    for number, run in enumerate(_in_table_order(summary), start=1):
        row, counted = _row_of(summary, run)
        anchor = f'{number:02d}_{slug(titles[run.folder])[:60]}'
        links.setdefault(row.name, anchor)
        sections.append(run_section(run, titles[run.folder], anchor, summary.split, folder,
                                    detailed=counted))
    title = _title(summary)
    stamp = datetime.now(UTC).strftime('%Y-%m-%d %H:%M UTC')
    counted = f'{len(runs)} run{"s" * (len(runs) != 1)}, made {stamp} with amlnn {__version__}'
    finding = _finding(summary)
    notes = _notes(summary)
    page = _page(title, counted, finding, html_table(summary, links), notes, overview, sections)
    (folder / 'index.html').write_text(page, encoding='utf-8')
    text = _markdown(title, counted, finding, markdown_table(summary), notes, overview, sections)
    (folder / 'report.md').write_text(text, encoding='utf-8')


def _overview(folder: Path, summary: Summary, runs: Sequence[StoredRun],
              titles: dict[Path, str]) -> list[Picture]:
    """The figures about all runs, where there is something to compare."""
    pictures = []
    counted = [run for row in summary.rows for run in row.group.runs if run.record.epochs]
    if len(counted) > 1:
        path = folder / 'comparison.png'
        draw_comparison([(titles[run.folder], run.record) for run in counted], path)
        pictures.append(picture(path, f'Validation metric and training loss by epoch of '
                                      f'{len(counted)} runs', wide=True))
    points = [CostPoint(row.name, row.seconds, row.value,
                        row.value if row.low is None else row.low,
                        row.value if row.high is None else row.high, row.status == 'done')
              for row in summary.rows if row.seconds is not None and row.value is not None]
    if len(points) > 1:
        path = folder / 'cost.png'
        draw_cost(points, summary.metric, path)
        pictures.append(picture(path, f'{metric_label(summary.metric)} on {summary.split} against '
                                      f'seconds of training of {len(points)} configurations'))
    return pictures


def _titles(summary: Summary) -> dict[Path, str]:
    """What each run is called: its row, and its seed or folder where the row has several runs."""
    titles = {}
    for row in summary.rows:
        left_out = [run for run, _ in row.group.left_out]
        for run in row.group.runs:
            several = len(row.group.runs) > 1
            titles[run.folder] = f'{row.name}, seed {run.record.seed}' if several else row.name
        for run in left_out:
            titles[run.folder] = f'{row.name}, {run.folder.name}'
    return titles


def _in_table_order(summary: Summary) -> list[StoredRun]:
    return [run for row in summary.rows
            for run in (*row.group.runs, *(other for other, _ in row.group.left_out))]


def _row_of(summary: Summary, run: StoredRun) -> tuple[Row, bool]:
    """The run's row, and whether the row counts it."""
    for row in summary.rows:
        if any(run is counted for counted in row.group.runs):
            return row, True
        if any(run is other for other, _ in row.group.left_out):
            return row, False
    raise ValueError(f'{run.name} is in no row')


def _title(summary: Summary) -> str:
    if len(summary.rows) == 1:
        return summary.rows[0].name
    return f'{len(summary.rows)} configurations compared'


def _finding(summary: Summary) -> str:
    """The table in one or two sentences, as far as it bears any."""
    label = metric_label(summary.metric).removesuffix(' (%)')
    compared = [row for row in summary.rows
                if row.status == 'done' and row.difference is not None
                and row.difference.low is not None]
    if not compared:
        return ''
    clear = [row for row in compared if row.difference.clear]
    name = summary.baseline.name
    if not clear:
        return (f'No configuration differs from {name} in {label} on {summary.split} by more than '
                f'the choice of images explains: every interval holds 0.')
    listed = ', '.join(f'{row.name} {difference_text(row.difference, summary.metric)}'
                       for row in clear)
    verb = 'differs' if len(clear) == 1 else 'differ'
    return (f'{len(clear)} of {len(compared)} {verb} from {name} in {label} on {summary.split} by '
            f'more than the choice of images explains: {listed}.')


def _notes(summary: Summary) -> list[str]:
    notes = []
    rows = summary.rows
    if any(row.low is not None for row in rows):
        notes.append("95 % interval: Wilson's, over the choice of images. Another set of as many "
                     'images would give another accuracy, most likely within it.')
    methods = {row.difference.method for row in rows if row.difference is not None}
    if methods & {'paired', 'paired over seeds'}:
        notes.append('Differences are paired by image: only images on which the two disagree count '
                     '(Agresti and Min 2005; over several seeds the pigeonhole bootstrap).')
    if 'unpaired' in methods:
        notes.append('†: not paired (Newcombe 1998), since the two hold no predictions of the same '
                     'images; the interval is wider than it would be.')
    if len([row for row in rows if row.difference is not None]) > 4:
        notes.append('With many configurations, about one in twenty differs clearly by chance '
                     'alone.')
    if any(row.sd is not None for row in rows):
        notes.append('±: standard deviation over seeds.')
    sources = dict.fromkeys(row.reported.source for row in rows
                            if row.reported is not None and row.reported.source)
    if sources:
        notes.append(f'Reported: {"; ".join(sources)}.')
    return notes + list(dict.fromkeys(summary.notes))


def _page(title: str, counted: str, finding: str, table: str, notes: list[str],
          overview: list[Picture], sections: list[Section]) -> str:
    listed = ''.join(f'<li>{html.escape(note)}</li>' for note in notes)
    parts = [
        '<!DOCTYPE html>', '<html lang="en">', '<head>', '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<title>{html.escape(title)}</title>', f'<style>\n{STYLESHEET}\n</style>', '</head>',
        '<body>', f'<h1>{html.escape(title)}</h1>', f'<p class="quiet">{html.escape(counted)}</p>']
    if finding:
        parts.append(f'<p class="finding">{html.escape(finding)}</p>')
    parts.append(table)
    if listed:
        parts.append(f'<ul class="notes">{listed}</ul>')
    parts += [shown.element for shown in overview]
    parts += [section.element for section in sections]
    parts += ['</body>', '</html>', '']
    return '\n'.join(parts)


def _markdown(title: str, counted: str, finding: str, table: str, notes: list[str],
              overview: list[Picture], sections: list[Section]) -> str:
    lines = [f'# {escape_markdown(title)}', '', escape_markdown(counted), '']
    if finding:
        lines += [escape_markdown(finding), '']
    lines += [table]
    lines += [f'- {escape_markdown(note)}' for note in notes]
    lines += [''] * bool(notes)
    for shown in overview:
        lines += [f'![{escape_markdown(shown.alt)}]({shown.file})', '']
    for section in sections:
        lines += [f'## {escape_markdown(section.title)}', '', escape_markdown(section.state), '']
        lines += [f'- {name}: {escape_markdown(value)}' for name, value in section.facts]
        lines += ['']
        for shown in section.pictures:
            lines += [f'![{escape_markdown(shown.alt)}]({shown.file})', '']
    return '\n'.join(lines).rstrip() + '\n'
