"""The report: one page of HTML that needs nothing else, the same in Markdown, and its figures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from amlnn.report.blocks import Picture, Table, picture
from amlnn.report.figures import CostPoint, draw_comparison, draw_cost, metric_label
from amlnn.report.kinds import kind_of
from amlnn.report.letters import noted_letters, unseen_note
from amlnn.report.parts import Part, table_part, write_parts
from amlnn.report.report_folder import new_report
from amlnn.report.sections import run_section, slug
from amlnn.report.tables import html_table, markdown_table
from amlnn.results.grouping import titles
from amlnn.results.store import StoredRun
from amlnn.results.summary import Row, Summary, compare

__all__ = ['Extra', 'write_report', 'write_summaries']


@dataclass(frozen=True)
class Extra:
    """A table on the page that is no comparison of runs."""

    heading: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    finding: str = ''
    text_columns: int = 1
    """The first columns, which are no numbers."""


def write_report(runs: Sequence[StoredRun], out: Path | str, split: str | None = None,
                 baseline: StoredRun | None = None) -> Path:
    """Write `index.html`, `report.md` and the figures of a comparison into a folder.

    The folder appears whole or not at all. An earlier report in it is replaced; files that somebody
    else put beside that report are kept.

    Args:
        runs: At least one.
        out: A folder that does not exist, is empty, or holds an earlier report.
        split: 'val' or 'test'; see `amlnn.results.summary.compare`.
        baseline: A run of the configuration to compare with; by default the first.

    Returns:
        The path of `index.html`.

    Raises:
        DataError: the folder holds something else or cannot be written, or the baseline is not
            among the runs.
    """
    return write_summaries(compare(runs, split, baseline), runs, out)


def write_summaries(summaries: Sequence[Summary], runs: Sequence[StoredRun], out: Path | str,
                    extras: Sequence[Extra] = (), title: str | None = None) -> Path:
    """Do what `write_report` does, for what `compare` already made of `runs`.

    Args:
        summaries: The comparisons.
        runs: All runs of them.
        out: See `write_report`.
        extras: Tables behind the comparisons.
        title: Of the page; by default it says what is compared.
    """
    with new_report(Path(out)) as new, noted_letters() as noted:
        _fill(new, summaries, runs, noted, extras, title)
    return Path(out) / 'index.html'


def _fill(folder: Path, summaries: Sequence[Summary], runs: Sequence[StoredRun],
          noted: dict[str, str], extras: Sequence[Extra], given_title: str | None) -> None:
    parts, sections = [], []
    for place, summary in enumerate(summaries, start=1):
        named = titles([row.group for row in summary.rows])
        pictures = _overview(folder, summary, f'_{place}' if place > 1 else '')
        links: dict[str, str] = {}
        for run in summary.runs:
            row, counted = _row_of(summary, run)
            anchor = f'{len(sections) + 1:02d}_{slug(named[run.folder])[:60]}'
            links.setdefault(row.name, anchor)
            sections.append(run_section(run, named[run.folder], anchor, summary.split, folder,
                                        detailed=counted))
        kind = kind_of(summary.kind)
        parts.append(Part(f'table_{place}',
                          summary.title or kind.heading(summary, len(summaries)),
                          kind.finding(summary), html_table(summary, links),
                          markdown_table(summary), _notes(summary), pictures))
    parts += [table_part(place, extra.heading, Table(extra.head, extra.rows, extra.text_columns),
                         extra.finding, extra.notes)
              for place, extra in enumerate(extras, start=len(summaries) + 1)]
    write_parts(folder, given_title or _title(summaries),
                f'{len(runs)} run{"s" * (len(runs) != 1)}', unseen_note(noted), parts, sections)


def _overview(folder: Path, summary: Summary, ending: str) -> list[Picture]:
    """The figures about all runs, where there is something to compare."""
    pictures, kind = [], kind_of(summary.kind)
    counted = [run for row in summary.rows for run in row.group.runs if run.record.epochs]
    if len(counted) > 1:
        draw = partial(draw_comparison, [(row.name, row.records) for row in summary.rows])
        pictures.append(picture(
            folder / f'comparison{ending}.png', draw,
            f'Validation metric and training loss by epoch of {len(counted)} runs'))
    points = [CostPoint(row.name, row.seconds, row.value, *_bars(row), row.status == 'done')
              for row in summary.rows if row.seconds is not None and row.value is not None]
    if len(points) > 1:
        draw = partial(draw_cost, points, summary.metric, **kind.cost_options(summary))
        pictures.append(picture(
            folder / f'cost{ending}.png', draw,
            f'{metric_label(summary.metric)} on {summary.split} against seconds of training of '
            f'{len(points)} configurations'))
    return pictures + kind.pictures(summary, folder, ending)


def _bars(row: Row) -> tuple[float, float]:
    """Lower and upper end of the bar in the figure of cost."""
    if row.low is not None:
        return row.low, row.high
    spread = row.sd or 0.0
    return row.value - spread, row.value + spread


def _row_of(summary: Summary, run: StoredRun) -> tuple[Row, bool]:
    """The run's row, and whether the row counts it."""
    for row in summary.rows:
        if any(run is counted for counted in row.group.runs):
            return row, True
        if any(run is other for other, _ in row.group.left_out):
            return row, False
    raise ValueError(f'{run.name} is in no row')


def _title(summaries: Sequence[Summary]) -> str:
    rows = [row for summary in summaries for row in summary.rows]
    if len(rows) == 1:
        return rows[0].name
    return f'{len(rows)} configurations {"compared" if len(summaries) == 1 else "in tables"}'


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
