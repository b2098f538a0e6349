"""The style sheet of the report's page: light and dark, wide and narrow, screen and paper."""

__all__ = ['STYLESHEET']

STYLESHEET = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --panel: #f6f8fa; --ink: #1f2933; --muted: #5b6774; --line: #dfe4e9;
  --link: #005a94; --good: #00704f; --warn: #8a5a00; --bad: #b00020; --info: #005a94;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181d; --panel: #1d232a; --ink: #e6eaee; --muted: #9aa7b4; --line: #323b45;
    --link: #7cc4f2; --good: #5fd0a8; --warn: #f0bd5e; --bad: #ff8a94; --info: #7cc4f2;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 2rem clamp(1rem, 4vw, 3rem) 4rem; max-width: 96rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial,
    "Noto Sans", "Noto Sans CJK SC", sans-serif;
}
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; line-height: 1.25; margin: 3rem 0 .75rem; overflow-wrap: anywhere; }
h3 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .5rem 0; max-width: 48rem; }
a { color: var(--link); }
.quiet { color: var(--muted); font-size: .92rem; }
.finding { font-size: 1.08rem; }
ul.notes { padding-left: 1.2rem; max-width: 54rem; color: var(--muted); font-size: .92rem; }
ul.notes li { margin: .2rem 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .87rem; font-variant-numeric: tabular-nums; }
th, td {
  padding: .38rem .48rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: baseline;
}
thead th {
  color: var(--muted); font-weight: 600; border-bottom-width: 2px; vertical-align: bottom;
}
tbody th { font-weight: 600; }
thead th, tbody th { white-space: nowrap; }
.number { text-align: right; }
td.number { white-space: nowrap; }
tr.baseline > * { background: var(--panel); }
tr.simple > * { color: var(--muted); font-weight: 400; }
tbody tr:last-child > * { border-bottom-width: 2px; }
section.run { border-top: 1px solid var(--line); margin-top: 3.5rem; }
section.run h2 { margin-top: 1.5rem; }
.status {
  display: inline-block; padding: .05rem .6rem; border: 1px solid currentColor;
  border-radius: 1rem; font-size: .85rem; font-weight: 600; margin-left: .6rem;
  vertical-align: .15em; white-space: nowrap;
}
.status.done { color: var(--good); } .status.running { color: var(--info); }
.status.interrupted { color: var(--warn); } .status.failed { color: var(--bad); }
.error {
  border-left: 4px solid var(--bad); padding: .5rem 1rem; background: var(--panel);
  overflow-wrap: anywhere; white-space: pre-wrap; font-family: ui-monospace, monospace;
  font-size: .88rem;
}
dl.facts {
  display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem; margin: 1rem 0;
  font-size: .92rem;
}
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .92em; }
figure { margin: 1rem 0; }
figure img {
  display: block; max-width: 100%; height: auto; background: #fff;
  border: 1px solid var(--line); border-radius: 6px;
}
figcaption { color: var(--muted); font-size: .88rem; margin-top: .3rem; max-width: 48rem; }
.pair { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; align-items: flex-start; }
.pair figure { flex: 1 1 20rem; max-width: 38rem; min-width: 0; }
details { margin: .5rem 0; }
summary { cursor: pointer; color: var(--link); }
@media (min-width: 92rem) { wbr { display: none; } }
@media (max-width: 40rem) {
  body { padding-top: 1.2rem; }
  dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dd { margin-bottom: .45rem; }
  th, td { padding: .35rem .55rem; }
  tbody th, thead th:first-child { position: sticky; left: 0; background: var(--paper); }
  tbody th { max-width: 10rem; white-space: normal; overflow-wrap: break-word; }
  /* Wide figures scroll sideways rather than shrink until nothing can be read. */
  figure.scroll { overflow-x: auto; }
  figure.scroll img { max-width: none; width: 44rem; }
}
@media print {
  :root {
    color-scheme: light; --paper: #fff; --panel: #f6f8fa; --ink: #000; --muted: #444;
    --line: #ccc; --link: #000; --good: #00704f; --warn: #8a5a00; --bad: #b00020; --info: #005a94;
  }
  body { max-width: none; padding: 0; font-size: 10pt; }
  .wide { overflow: visible; }
  table { font-size: 7.5pt; }
  th, td { padding: .15rem .3rem; }
  tbody th { white-space: normal; }
  figure, tr, dl.facts { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  a { text-decoration: none; }
}
""".strip()
