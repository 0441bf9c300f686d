/** The look of report pages. Colours of the series are distinguishable with the common kinds of colour blindness (after Okabe and Ito). */

export const PAGE_STYLE = `
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1b1f27; --muted: #5a6372; --line: #dde1e7; --grid: #e6e9ee;
  --good: #0b6e4f; --good-back: #e3f4ec; --bad: #a61b1b; --bad-back: #fdeaea; --doubt: #7a4f00; --doubt-back: #fdf3dc;
  --series-1: #0072b2; --series-2: #d55e00; --series-3: #009e73; --series-4: #b03a8c; --series-5: #56a4d8; --series-6: #b8860b;
  --series-7: #5a6372; --series-8: #a61b1b; }
@media (prefers-color-scheme: dark) { :root { --page: #12151a; --card: #1a1e25; --text: #e6e9ee; --muted: #9aa4b2; --line: #2c323c;
  --grid: #262c35; --good: #5fd3a4; --good-back: #12352a; --bad: #ff8f8f; --bad-back: #401c1c; --doubt: #f0c264; --doubt-back: #3a2d10;
  --series-1: #56b4e9; --series-2: #ff8c42; --series-3: #2ecc9a; --series-4: #e58cc5; --series-5: #8ab6ff; --series-6: #e0b93f;
  --series-7: #9aa4b2; --series-8: #ff8f8f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 24px 20px 48px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 16px; margin: 0 0 8px; }
p { margin: 0 0 8px; }
.sub { color: var(--muted); margin-bottom: 20px; overflow-wrap: anywhere; }
.note { color: var(--muted); font-size: 13px; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; margin: 0 0 16px; min-width: 0; }
.grid { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 16px; }
.grid > .card { margin: 0; }
.grid + .card, .tiles + .card, .tiles + .grid, .grid + .grid { margin-top: 16px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 10px; margin-bottom: 16px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px; }
.tile b { display: block; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
.tile span { color: var(--muted); font-size: 13px; }
.banner { border-radius: 10px; padding: 12px 16px; margin-bottom: 16px; border: 1px solid currentColor; }
.banner ul { margin: 4px 0 0; padding-left: 20px; }
.good { color: var(--good); } .banner.good { background: var(--good-back); }
.bad { color: var(--bad); } .banner.bad { background: var(--bad-back); }
.doubt { color: var(--doubt); } .banner.doubt { background: var(--doubt-back); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--muted); font-weight: 500; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td.words { white-space: normal; text-align: left; min-width: 220px; }
tr:last-child td { border-bottom: 0; } .names td:first-child, .u-legend th { white-space: normal; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 16px; margin: 0; font-size: 14px; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
.bars { display: grid; gap: 6px; font-size: 14px; } .bar { display: grid; grid-template-columns: 112px 1fr 150px; gap: 2px 12px; align-items: center; }
.bars .track { position: relative; height: 16px; border-radius: 4px; background: var(--grid); overflow: hidden; }
.bars .p99, .bars .p50 { position: absolute; inset: 0 auto 0 0; border-radius: 4px; }
.bars .p99 { background: var(--series-5); opacity: .55; } .bars .p50 { background: var(--series-1); }
.bars .number { font-variant-numeric: tabular-nums; text-align: right; white-space: nowrap; }
.u-legend { font-size: 13px; text-align: left; width: auto; } .u-legend tr, .u-legend th, .u-legend td { border: 0; padding: 1px 6px; }
.u-legend.u-inline tr { margin-right: 6px; } .u-title, .u-legend { color: var(--text); } .u-legend th { color: var(--text); font-weight: 500; } .u-legend td:first-child, .u-legend th:first-child { padding-left: 0; }
.u-wrap { max-width: 100%; }
@media (max-width: 720px) { main { padding: 16px 12px 32px; } .grid { grid-template-columns: minmax(0, 1fr); } h1 { font-size: 20px; }
  .tiles { grid-template-columns: repeat(2, 1fr); } .card { padding: 12px; } .tile b { font-size: 19px; } dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 6px; } .bar { grid-template-columns: 1fr max-content; } .bar .track { grid-column: 1 / -1; grid-row: 2; } }
@media print { body { background: #fff; } .card, .tile { break-inside: avoid; } }
`;
