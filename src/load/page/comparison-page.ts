/** The page of a comparison. */

import { type Comparison, change, type MeasureComparison } from '../comparison.ts';
import type { StoredResult } from '../stored-result.ts';
import { formatNumber } from '../wording.ts';
import { renderPage } from './document.ts';
import { type Html, html } from './html.ts';

const CLASS_OF = { better: 'good', worse: 'bad', same: '', unclear: 'doubt' } as const;

export function renderComparisonPage(before: StoredResult, after: StoredResult, comparison: Comparison): string {
  const title = `${before.name} against ${after.name}`;
  const tile = (verdict: keyof typeof CLASS_OF, label: string): Html =>
    html`<div class="tile"><b class="${CLASS_OF[verdict]}">${comparison.measures.filter((measure) => measure.verdict === verdict).length}</b><span>${label}</span></div>`;
  const doubts = [before, after].flatMap((each) => each.doubts.map((words) => html`<li>${each.name}: ${words}</li>`));
  const body = html`
<h1>Comparison</h1>
<p class="sub">before: ${before.name} (${before.measuredAt}) · after: ${after.name} (${after.measuredAt})</p>
${doubts.length === 0 ? html`` : html`<div class="banner doubt" role="alert"><strong>A result that rejects itself is compared.</strong><ul>${doubts}</ul></div>`}
<div class="tiles">${tile('worse', 'worse')}${tile('better', 'better')}${tile('same', 'the same')}${tile('unclear', 'not decided')}</div>
<section class="card"><h2>Measures</h2>
<p class="note">Latencies are those of the typical interval of a run (the median), rates and errors the mean. Changes below ${(comparison.rules.leastEffect * 100).toFixed(0)} % do not matter. Intervals at 95 % by bootstrap; p by Mann-Whitney, corrected for all measures (Holm).</p>
<div class="scroll"><table><tr><th>measure</th><th>before</th><th>after</th><th>change</th><th>interval</th><th>p</th><th>verdict</th></tr>
${comparison.measures.map(row)}
</table></div>
${onlyOneSide('Only before', comparison.onlyBefore)}${onlyOneSide('Only after', comparison.onlyAfter)}</section>
<section class="card"><h2>In words</h2>${comparison.measures.map((measure) => html`<p><strong>${measure.name}</strong>: <span class="${CLASS_OF[measure.verdict]}">${measure.words}</span></p>`)}</section>`;
  return renderPage({ title, body, charts: [] });
}

function row(measure: MeasureComparison): Html {
  const range = Number.isFinite(measure.interval.low)
    ? `${change(measure.interval.low)} to ${change(measure.interval.high)}`
    : '–';
  return html`<tr><td>${measure.name}</td><td>${formatNumber(measure.before)} ${measure.unit}</td><td>${formatNumber(measure.after)} ${measure.unit}</td><td>${change(measure.ratio)}</td><td>${range}</td><td>${measure.p < 0.0001 ? '<0.0001' : measure.p.toPrecision(2)}</td><td class="${CLASS_OF[measure.verdict]}">${measure.verdict}</td></tr>
`;
}

function onlyOneSide(title: string, names: readonly string[]): Html {
  return names.length === 0 ? html`` : html`<p class="note">${title}: ${names.join(', ')}</p>`;
}
