"""The page's style sheet: system fonts, two colour schemes, phone, paper; nothing is fetched."""

from hanse_server.pictures.markup import Markup

STYLE = Markup(
    """
:root {
  color-scheme: light dark;
  --page: #f7f6f2; --card: #ffffff; --ink: #1b2430; --quiet: #525c6a; --rule: #dcd9d0; --grid: #e6e4dd;
  --league: #0a5aa8; --own: #a94400; --plain: #5a6472; --third: #7a3b86;
  --released: #0b6157; --released-wash: #e3f1ee; --exact: #7d4e00; --exact-wash: #fbf0d9; --alarm: #a61b1b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12161c; --card: #1a2029; --ink: #e8ebef; --quiet: #aab3bf; --rule: #36404d; --grid: #2b333e;
    --league: #79b8ff; --own: #ffa657; --plain: #a3adba; --third: #d7a3e0;
    --released: #6fd3c3; --released-wash: #14302d; --exact: #f0c36a; --exact-wash: #33290f; --alarm: #ff8f8f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  overflow-wrap: break-word;
}
header, main, footer { max-width: 70rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 2.5rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 0 0 .25rem; letter-spacing: -.01em; }
h2 { font-size: 1.5rem; line-height: 1.25; margin: 1.25rem 0 .5rem; }
h3 { font-size: 1.2rem; line-height: 1.3; margin: 2.25rem 0 .5rem; }
h4 { font-size: 1.05rem; margin: 0 0 .5rem; }
.card > h3 { margin-top: 0; }
h3 + p, h2 + p { margin-top: 0; }
p { max-width: 72ch; margin: .5rem 0 1rem; }
a { color: var(--league); }
:focus-visible { outline: 3px solid var(--league); outline-offset: 2px; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; }
small, .note, figcaption, caption { color: var(--quiet); }
small { font-size: .85em; font-weight: 400; }
.note, figcaption, caption { font-size: .92rem; }
.kicker {
  margin: 0 0 .25rem; color: var(--quiet); font-size: .85rem; letter-spacing: .12em; text-transform: uppercase;
}
nav ul { list-style: none; padding: 0; margin: 1.25rem 0 0; display: flex; flex-wrap: wrap; gap: .35rem 1.5rem; }
nav strong { font-weight: 600; }
.answer { font-size: 1.15rem; line-height: 1.6; max-width: 70ch; margin: .5rem 0 1.5rem; }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .75rem; margin: 1.5rem 0 2.5rem;
}
.tiles div { background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; padding: .75rem 1rem; }
.tiles dt { color: var(--quiet); font-size: .85rem; }
.tiles dd { margin: 0; font-size: 1.45rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.block { border-top: .4rem solid; border-radius: .6rem; padding: 0 0 1rem; margin: 3rem 0; }
.banner { max-width: none; margin: 0; padding: .7rem 1rem; border-radius: 0 0 .6rem .6rem; }
.banner strong { letter-spacing: .08em; margin-right: .5rem; }
.released { border-color: var(--released); }
.released .banner, .released .tag { background: var(--released-wash); color: var(--released); }
.oracle { border-color: var(--exact); border-top-style: double; }
.oracle .banner, .oracle .tag { background: var(--exact-wash); color: var(--exact); }
.tag {
  display: inline-block; vertical-align: .15em; padding: .05rem .5rem; border-radius: 1rem;
  font-size: .75rem; font-weight: 600; letter-spacing: .03em;
}
.card {
  background: var(--card); border: 1px solid var(--rule); border-radius: .6rem; padding: 1.25rem; margin: 1.25rem 0;
  min-width: 0;
}
.pair {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem 2.5rem;
  align-items: start;
}
.pair > * { min-width: 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem; }
.grid.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); }
.grid.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); margin-bottom: 1.5rem; }
.grid.small svg { max-width: 17rem; }
.grid > .card { margin: 0; }
.grid > figure.card { display: flex; flex-direction: column; justify-content: space-between; }
.pair > .scroll { margin-top: .4rem; }
.facts { margin: 0 0 1rem; }
.facts div {
  display: grid; grid-template-columns: 9rem 1fr; gap: 0 1rem; padding: .3rem 0; border-bottom: 1px solid var(--grid);
}
.facts dt { color: var(--quiet); }
.facts dd { margin: 0; min-width: 0; font-variant-numeric: tabular-nums; }
code { font: .88em/1.4 ui-monospace, "SF Mono", Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
.pill {
  display: inline-block; border: 1px solid var(--rule); border-radius: 1rem; padding: 0 .55rem;
  margin: 0 .35rem .15rem 0;
}
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .4rem; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--grid); vertical-align: top; text-align: left; }
th:first-child { padding-left: 0; }
thead th {
  vertical-align: bottom; color: var(--quiet); font-weight: 600; font-size: .85rem;
  border-bottom: 1px solid var(--rule);
}
tbody th { font-weight: 500; }
.number { text-align: right; }
.number:not(thead .number) { white-space: nowrap; }
td .none { white-space: normal; }
tbody th.words { white-space: nowrap; }
th small, td .error { display: inline-block; }
.wide td .error, .wide th small { display: block; }
.none { color: var(--quiet); }
.fine { color: var(--released); }
.alarm { color: var(--alarm); }
.not-yet { border-left: .25rem solid var(--own); padding-left: 2rem; }
figure { margin: 0; }
figcaption { margin-bottom: .5rem; }
svg { display: block; width: 100%; max-width: 27rem; height: auto; }
.answer-chart svg { max-width: 35rem; }
svg text { font-size: 12.5px; fill: var(--ink); font-family: inherit; font-variant-numeric: tabular-nums; }
svg .tick { fill: var(--quiet); font-size: 11.5px; }
svg .value { font-size: 12px; }
svg .over { paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round; }
.middle { text-anchor: middle; }
.end { text-anchor: end; }
.gridline, .axis { stroke: var(--grid); stroke-width: 1; }
.axis { stroke: var(--plain); }
.zero { stroke: var(--plain); stroke-width: 1.5; stroke-dasharray: 3 3; }
.whisker { stroke-width: 2; }
.step, .curve { fill: none; stroke-width: 2; stroke: var(--league); stroke-linejoin: round; }
.mark { stroke-width: 2; }
.own { stroke: var(--own); fill: var(--own); }
.league, .run-0 { stroke: var(--league); fill: var(--league); }
.plain, .run-2 { stroke: var(--plain); fill: var(--plain); }
.run-1 { stroke: var(--own); fill: var(--own); }
.run-3 { stroke: var(--third); fill: var(--third); }
.run-1.curve { stroke-dasharray: 7 4; }
.run-2.curve { stroke-dasharray: 2 3; }
.run-3.curve { stroke-dasharray: 9 3 2 3; }
.curve.curve { fill: none; }
.mark.ring { fill: var(--card); }
.swatch { display: inline-block; width: 28px; height: 14px; vertical-align: -.15em; }
.legend {
  display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; max-width: none; color: var(--quiet); font-size: .92rem;
}
footer { color: var(--quiet); font-size: .92rem; padding-bottom: 3rem; }
@media (max-width: 40rem) {
  header, main, footer { padding-left: 1rem; padding-right: 1rem; }
  h1 { font-size: 1.6rem; }
  .answer { font-size: 1.05rem; }
  .card { padding: 1rem .85rem; }
  .facts div { grid-template-columns: 7rem 1fr; }
  table { font-size: .85rem; }
  thead th { font-size: .8rem; }
  th, td { padding: .35rem .2rem .35rem .3rem; }
  td small, td .error, th small { display: block; }
  td .none small { display: inline; }
  .tiles { grid-template-columns: 1fr 1fr; }
}
@media print {
  :root { color-scheme: light; --page: #fff; }
  body { font-size: 10pt; }
  nav, .skip { display: none; }
  .card, figure, tr { break-inside: avoid; }
  h2, h3, h4, caption { break-after: avoid; }
  .scroll { overflow: visible; }
  .number:not(thead .number) { white-space: normal; }
  .banner, .tag, svg { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""
)
