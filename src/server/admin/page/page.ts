/** The admin page: one document with style and script inside, and a policy that lets it load nothing and connect to nothing but this server. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PHASES } from '../../session-report.ts';
import { runPage } from './live.ts';
import { createPlots, type PlotPlan } from './plots.ts';
import { createPortMap } from './port-map.ts';
import { ADMIN_STYLE } from './style.ts';

export interface AdminPage {
  readonly markup: string;
  /** Its Content-Security-Policy. */
  readonly policy: string;
}

const PLOTS: readonly PlotPlan[] = [
  {
    id: 'sessions',
    unit: 'a second',
    series: [
      { label: 'completed', from: 'completed', colour: 1 },
      { label: 'ended otherwise', from: 'failed', colour: 2, dash: [6, 3] },
      { label: 'refused at the door', from: 'refused', colour: 4, dash: [2, 3] },
    ],
  },
  {
    id: 'latency',
    unit: 'ms',
    log: true,
    series: PHASES.map((phase, index) => ({ label: phase.replace('-', ' '), from: index, colour: index + 1 })),
  },
  {
    id: 'crypto',
    unit: '',
    series: [
      { label: 'jobs done a second', from: 'cryptoJobs', colour: 1 },
      { label: 'jobs waiting', from: 'cryptoQueue', colour: 2, dash: [6, 3] },
    ],
  },
  {
    id: 'ledger',
    unit: 'a second',
    series: [
      { label: 'transactions', from: 'transactions', colour: 3 },
      { label: 'commits', from: 'commits', colour: 5, dash: [6, 3] },
    ],
  },
];

/** A plot with the same numbers as a table, for whoever cannot see it. All text here is ours; what a server says is set as text. */
function plotMarkup(plan: PlotPlan, title: string): string {
  const heads = ['at', ...plan.series.map(({ label }) => label)]
    .map((label) => `<th scope="col">${label}</th>`)
    .join('');
  return `<figure role="group" aria-label="${title}">
<div class="plot" id="${plan.id}" aria-hidden="true"></div>
<details id="${plan.id}-details"><summary>The last seconds as a table</summary><div class="scroll"><table>
<caption>${title}</caption><thead><tr>${heads}</tr></thead><tbody id="${plan.id}-table"></tbody></table></div></details>
</figure>`;
}

const [SESSIONS, LATENCY, CRYPTO, LEDGER] = PLOTS as readonly [PlotPlan, PlotPlan, PlotPlan, PlotPlan];

const BODY = `
<a class="skip" href="#main">To the figures</a>
<header>
<h1>Sallyport</h1>
<span id="state" role="status" aria-live="polite" data-state="starting">connecting</span>
<button type="button" id="pause" aria-pressed="false">Pause</button>
<p class="where">First port <b id="first-port">–</b> · up <b id="uptime">–</b></p>
</header>
<main id="main" tabindex="-1">
<ul class="tiles" aria-label="Now">
<li><b id="per-second">–</b><span>sessions completed in the last second</span></li>
<li><b id="transactions">–</b><span>transactions in the last second</span></li>
<li><b id="failed">–</b><span>failed or refused in the last second</span></li>
<li><b id="live">–</b><span>sessions live</span></li>
<li><b id="half-open">–</b><span id="half-open-of">half open</span></li>
<li><b id="ports-leased">–</b><span id="ports-of">second ports leased</span></li>
</ul>
<div class="grid">
<section aria-labelledby="h-sessions"><h2 id="h-sessions">Sessions a second</h2>
${plotMarkup(SESSIONS, 'Sessions a second, the last five minutes')}
</section>
<section aria-labelledby="h-latency"><h2 id="h-latency">Phases: 99th percentile, milliseconds</h2>
${plotMarkup(LATENCY, '99th percentile of each phase in milliseconds, the last five minutes')}
</section>
<section class="wide" aria-labelledby="h-ports"><h2 id="h-ports">Second ports</h2>
<p class="legend"><span><i class="f"></i>free <b id="free">–</b></span><span><i class="l"></i>leased <b id="leased">–</b></span>
<span><i class="q"></i>in quarantine <b id="quarantined">–</b></span></p>
<canvas id="port-map" role="img" aria-label="Map of the second ports" height="10"></canvas>
<p id="port-under" aria-hidden="true"></p>
<div class="look-up"><label for="port-number">Look up a port</label>
<input id="port-number" type="number" inputmode="numeric" min="1" max="65535" autocomplete="off">
<output id="port-found" for="port-number" aria-live="polite"></output></div>
<div id="quarantine" hidden><h3>In quarantine</h3><div class="scroll"><table>
<caption>Ports that another process holds or that may not be bound; they are tried again by themselves.</caption>
<thead><tr><th scope="col">port</th><th scope="col">reason</th><th scope="col">for another</th></tr></thead>
<tbody id="quarantine-table"></tbody></table></div></div>
</section>
<section aria-labelledby="h-phases"><h2 id="h-phases">Phases in the last ten seconds</h2>
<div class="scroll"><table><caption>How long the parts of a session took at the server</caption>
<thead><tr><th scope="col">phase</th><th scope="col">count</th><th scope="col">median</th><th scope="col">p99</th><th scope="col">longest</th></tr></thead>
<tbody id="phase-table"></tbody></table></div>
</section>
<section aria-labelledby="h-ended"><h2 id="h-ended">Ends and refusals since the start</h2>
<div class="scroll"><table><caption>Sessions and connections by how they ended</caption>
<thead><tr><th scope="col">reason</th><th scope="col">count</th></tr></thead><tbody id="ended-table"></tbody></table></div>
<h3>Refused at the door</h3><div class="scroll"><table><caption>By the quota that was full, before a byte was read</caption>
<thead><tr><th scope="col">quota</th><th scope="col">count</th></tr></thead><tbody id="refused-table"></tbody></table></div>
</section>
<section aria-labelledby="h-crypto"><h2 id="h-crypto">Crypto</h2>
<dl><dt>kernel</dt><dd id="kernel">–</dd><dt>rejected kernels</dt><dd id="rejected">–</dd><dt>threads</dt><dd id="threads">–</dd>
<dt>jobs a batch</dt><dd id="per-batch">–</dd><dt>queue</dt><dd><span id="queue">–</span></dd></dl>
<meter id="queue-meter" aria-label="Crypto queue" min="0" max="1" value="0"></meter>
${plotMarkup(CRYPTO, 'Crypto jobs, the last five minutes')}
</section>
<section aria-labelledby="h-ledger"><h2 id="h-ledger">Ledger</h2>
<dl><dt>state</dt><dd id="ledger-state">–</dd><dt>pending</dt><dd id="ledger-pending">–</dd><dt>commits</dt><dd id="ledger-commits">–</dd>
<dt>transactions</dt><dd id="ledger-committed">–</dd><dt>transactions a commit</dt><dd id="per-commit">–</dd></dl>
${plotMarkup(LEDGER, 'Ledger: transactions and commits a second, the last five minutes')}
</section>
</div>
</main>
<footer>Version <span id="version">–</span> · memory <span id="memory">–</span> · event loop delay, p99 of a second: <span id="event-loop">–</span>
<br>Host key <span id="fingerprint">–</span></footer>
`;

export function renderAdminPage(): AdminPage {
  const require = createRequire(import.meta.url);
  const library = (file: string): string => readFileSync(require.resolve(`uplot/dist/${file}`), 'utf8').trim();
  const script = `${library('uPlot.iife.min.js')}
(${runPage.toString()})(window, {
plots: (${createPlots.toString()})(window, ${JSON.stringify(PLOTS)}),
portMap: (${createPortMap.toString()})(window) });`;
  const style = `${library('uPlot.min.css')}${ADMIN_STYLE}`;
  return {
    markup: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sallyport</title>
<link rel="icon" href="data:,">
<style>${style}</style>
</head>
<body>${BODY}<script>${script}</script>
</body>
</html>
`,
    policy:
      `default-src 'none'; script-src ${integrity(script)}; style-src ${integrity(style)}; img-src data:; ` +
      "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  };
}

function integrity(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
