/** One self-contained page: style, plots, data and script inside; it loads nothing, and its policy lets it load nothing. */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Chart } from './chart.ts';
import { drawCharts } from './draw-charts.ts';
import { escapeHtml, type Html, scriptJson } from './html.ts';
import { PAGE_STYLE } from './style.ts';

export interface PageContent {
  readonly title: string;
  readonly body: Html;
  readonly charts: readonly Chart[];
}

/** The page as text of HTML. It can be opened from a disk, mailed, or kept as a build's artifact. */
export function renderPage(content: PageContent): string {
  const { code, style } = plottingLibrary();
  const script = `${code}\n(${drawCharts.toString()})(window);`;
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src '${integrity(script)}'`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${escapeHtml(content.title)}</title>
<link rel="icon" href="data:,">
<style>${style}${PAGE_STYLE}</style>
</head>
<body>
<main>
${content.body.markup}
</main>
<script type="application/json" id="charts">${scriptJson(content.charts)}</script>
<script>${script}</script>
</body>
</html>
`;
}

/** uPlot's own distribution, as installed. */
function plottingLibrary(): { readonly code: string; readonly style: string } {
  const require = createRequire(import.meta.url);
  const read = (file: string): string => readFileSync(require.resolve(`uplot/dist/${file}`), 'utf8');
  return { code: read('uPlot.iife.min.js').trim(), style: read('uPlot.min.css') };
}

function integrity(script: string): string {
  return `sha256-${createHash('sha256').update(script).digest('base64')}`;
}
