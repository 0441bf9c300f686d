/** The look of the admin page. The colours of series and states differ in lightness too, and after Okabe and Ito for colour-blind eyes. */

export const ADMIN_STYLE = `
:root { color-scheme: light dark; --page: #f4f6f8; --card: #fff; --text: #1b1f27; --muted: #566070; --line: #d9dee5; --grid: #e6e9ee;
  --accent: #0b5fa5; --good: #0b6e4f; --good-back: #e0f3ea; --bad: #a61b1b; --bad-back: #fde8e8; --doubt: #7a4f00; --doubt-back: #fdf1d6;
  --free: #dbe2ea; --leased: #0072b2; --quarantined: #d55e00;
  --series-1: #0072b2; --series-2: #d55e00; --series-3: #009e73; --series-4: #b03a8c; --series-5: #7a5cc7; --series-6: #8a6d00; }
@media (prefers-color-scheme: dark) { :root { --page: #101318; --card: #191d24; --text: #e7eaef; --muted: #a0aab8; --line: #2c323c;
  --grid: #262c35; --accent: #7cc0ff; --good: #6fdcae; --good-back: #12352a; --bad: #ff9a9a; --bad-back: #401c1c; --doubt: #f0c264;
  --doubt-back: #3a2d10; --free: #2e3743; --leased: #56b4e9; --quarantined: #ff8c42;
  --series-1: #56b4e9; --series-2: #ff8c42; --series-3: #2ecc9a; --series-4: #e58cc5; --series-5: #b39bf5; --series-6: #e0b93f; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
.skip { position: absolute; left: -9999px; } .skip:focus { left: 12px; top: 8px; background: var(--card); padding: 6px 12px; z-index: 2; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
header, main, footer { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 16px; padding-top: 18px; padding-bottom: 14px; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 16px; margin: 0 0 10px; } h3 { font-size: 14px; margin: 14px 0 4px; }
#state { border-radius: 99px; padding: 3px 12px; font-weight: 600; font-size: 14px; background: var(--doubt-back); color: var(--doubt); }
#state::before { content: "● " / ""; } #state::first-letter { text-transform: uppercase; }
#state[data-state="serving"] { background: var(--good-back); color: var(--good); }
#state[data-state="lost"], #state[data-state="ledger unavailable"] { background: var(--bad-back); color: var(--bad); }
button { font: inherit; color: var(--text); background: var(--card); border: 1px solid var(--muted); border-radius: 8px; padding: 8px 18px;
  min-height: 44px; margin-left: auto; cursor: pointer; } button[aria-pressed="true"] { background: var(--doubt-back); color: var(--doubt); }
.where { color: var(--muted); width: 100%; font-size: 14px; overflow-wrap: anywhere; margin: 0; } .where b { color: var(--text); font-weight: 500; }
.tiles { display: grid; grid-template-columns: repeat(6, minmax(0, 1fr)); gap: 10px; margin: 0 0 14px; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px; }
.tiles b { display: block; font-size: 26px; line-height: 1.2; font-weight: 600; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--muted); font-size: 13px; display: block; line-height: 1.3; }
.grid { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 14px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 16px 18px; min-width: 0; }
section.wide { grid-column: 1 / -1; }
figure { margin: 0; } .note, .legend { color: var(--muted); font-size: 13px; margin: 0 0 8px; }
.plot { min-height: 180px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--muted); font-size: 13px; padding-bottom: 4px; }
th, td { text-align: right; padding: 5px 0 5px 10px; border-bottom: 1px solid var(--line); font-weight: 400; }
thead th { color: var(--muted); font-size: 13px; } th:first-child { text-align: left; padding-left: 0; overflow-wrap: anywhere; }
tbody tr:last-child > * { border-bottom: 0; }
.scroll { overflow-x: auto; }
details { margin-top: 8px; font-size: 14px; } summary { color: var(--accent); cursor: pointer; min-height: 32px; padding: 5px 0; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 4px 16px; margin: 0 0 10px; font-size: 14px; }
dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
#port-map { width: 100%; display: block; } .legend { display: flex; flex-wrap: wrap; gap: 4px 18px; color: var(--text); }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
.legend .f { background: var(--free); } .legend .l { background: var(--leased); } .legend .q { background: var(--quarantined); }
.look-up { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; margin-top: 10px; font-size: 14px; }
input { font: inherit; color: var(--text); background: var(--page); border: 1px solid var(--muted); border-radius: 8px; padding: 6px 10px; width: 110px; min-height: 44px; }
output, #port-under { min-height: 21px; font-size: 14px; } #port-under { color: var(--muted); margin: 6px 0 0; }
meter { width: 100%; height: 14px; }
.u-wrap { max-width: 100%; } .u-legend { font-size: 13px; width: auto; margin: 0; color: var(--text); text-align: left; }
.u-legend tr, .u-legend th, .u-legend td { border: 0; padding: 1px 6px 1px 0; } .u-legend.u-inline tr { margin-right: 10px; }
/* The time has no line in the plot, so its name needs no mark. */
.u-legend.u-inline tr:first-child .u-marker { display: none; }
.u-legend th { color: var(--text); } .u-legend td { color: var(--muted); }
footer { color: var(--muted); font-size: 13px; padding-top: 14px; padding-bottom: 30px; overflow-wrap: anywhere; }
@media (max-width: 860px) { .tiles { grid-template-columns: repeat(3, minmax(0, 1fr)); } .grid { grid-template-columns: minmax(0, 1fr); } }
@media (max-width: 480px) { header, main, footer { padding-left: 12px; padding-right: 12px; } section { padding: 14px 12px; }
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); } .tiles b { font-size: 22px; } th, td { padding-left: 6px; } }
`;
