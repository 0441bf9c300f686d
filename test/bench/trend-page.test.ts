import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { appendHistory, readHistory } from '../../bench/ci/history.ts';
import { renderTrendPage } from '../../bench/ci/trend-page.ts';
import { chromiumPresent, openBrowser } from '../unit/load/page/browser.ts';
import { ratioEntry, resultOf } from './entries.ts';

const directory = mkdtempSync(join(tmpdir(), 'sallyport-trend-'));
afterAll(() => rmSync(directory, { recursive: true }));

const path = join(directory, 'history.jsonl');
for (let run = 0; run < 12; run += 1) {
  const count = { kind: 'count', name: 'bytes sent', what: '', unit: 'bytes', value: 2_000 } as const;
  appendHistory(path, resultOf(ratioEntry(run < 11 ? 1 : 1.2, run + 1), count));
}

describe('the history', () => {
  it('is kept as JSON lines, one run a line', () => {
    const history = readHistory(path);
    expect(history).toHaveLength(12);
    expect(history[0]!.values['bytes sent']).toBe(2_000);
    expect(history[11]!.values['shared value ffdhe3072']).toBeCloseTo(1.2, 1);
    expect(readHistory(join(directory, 'nothing.jsonl'))).toEqual([]);
  });

  it('names the line that is not right', () => {
    const broken = join(directory, 'broken.jsonl');
    writeFileSync(broken, '\n');
    appendFileSync(broken, '{"measuredAt":"yesterday"}\n');
    expect(() => readHistory(broken)).toThrow('broken.jsonl:2');
  });

  it.skipIf(!chromiumPresent)(
    `is drawn as a page in Chromium${chromiumPresent ? '' : ': LEFT OUT, chromium is not installed'}`,
    async () => {
      const page = join(directory, 'trend.html');
      writeFileSync(page, renderTrendPage(readHistory(path)));
      await using browser = await openBrowser();
      const tab = await browser.newPage({ viewport: { width: 390, height: 800 } });
      const complaints: string[] = [];
      tab.on('console', (message) => complaints.push(message.text()));
      tab.on('pageerror', (error) => complaints.push(error.message));
      await tab.goto(`file://${page}`);
      expect(await tab.locator('canvas').count()).toBe(2);
      expect(await tab.innerText('main')).toMatch(
        /1\.(19|2|20|21), \+(1[89]|2[012])\.\d % against the median of the 10 runs before/,
      );
      expect(await tab.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
      expect(complaints).toEqual([]);
    },
  );
});
