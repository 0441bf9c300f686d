/** `npm run bench:report [HISTORY [PAGE]]`: the trend page of the benchmark history. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readHistory } from './history.ts';
import { renderTrendPage } from './trend-page.ts';

const DIRECTORY = join(import.meta.dirname, '..', '..', 'bench-results');
const [history = join(DIRECTORY, 'history.jsonl'), page = join(DIRECTORY, 'trend.html')] = process.argv.slice(2);

const runs = readHistory(history);
writeFileSync(page, renderTrendPage(runs));
console.log(`${runs.length} runs of ${history} are drawn in ${page}`);
