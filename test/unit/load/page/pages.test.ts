import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compareMeasures } from '../../../../src/load/comparison.ts';
import type { LoadResult } from '../../../../src/load/load-result.ts';
import { renderComparisonPage } from '../../../../src/load/page/comparison-page.ts';
import { html, scriptJson } from '../../../../src/load/page/html.ts';
import { renderLoadPage } from '../../../../src/load/page/load-page.ts';
import { storedResultOf } from '../../../../src/load/stored-result.ts';
import { rehearse } from '../rehearsal.ts';
import { chromiumPresent, openBrowser } from './browser.ts';

const HOSTILE = '</script><script>window.owned = 1</script><img src=x onerror="window.owned = 1">';

describe('text in pages', () => {
  it('is escaped, unless it is markup', () => {
    expect(html`<p title="${'"\''}">${HOSTILE}${html`<b>${1}</b>`}</p>`.markup).toBe(
      '<p title="&quot;&#39;">&lt;/script&gt;&lt;script&gt;window.owned = 1&lt;/script&gt;&lt;img src=x onerror=&quot;window.owned = 1&quot;&gt;<b>1</b></p>',
    );
    expect(scriptJson({ a: HOSTILE })).not.toContain('<');
    expect(JSON.parse(scriptJson({ a: `${HOSTILE}\u2028` }))).toEqual({ a: `${HOSTILE}\u2028` });
  });
});

const where = chromiumPresent ? 'in Chromium' : 'in Chromium: LEFT OUT, chromium is not installed';

describe.skipIf(!chromiumPresent)(`pages ${where}`, () => {
  const state = {} as { browser: Browser; directory: string; result: LoadResult };

  beforeAll(async () => {
    state.result = await rehearse({ stages: '200:1500ms', settings: { failEvery: 25 }, warmupSeconds: 0.2 });
    state.directory = await mkdtemp(join(tmpdir(), 'sallyport-page-'));
    state.browser = await openBrowser();
  });
  afterAll(async () => {
    await state.browser.close();
    await rm(state.directory, { recursive: true });
  });

  /** Opens a page as a person would, with no network, and fails on anything the browser complains about. */
  async function look(
    markup: string,
    width: number,
    colorScheme: 'light' | 'dark',
    check: (page: Page) => Promise<void>,
  ) {
    const file = join(state.directory, 'page.html');
    await writeFile(file, markup);
    const page = await state.browser.newPage({ viewport: { width, height: 900 }, colorScheme });
    const complaints: string[] = [];
    const requests: string[] = [];
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`file://${file}`);
    await check(page);
    // Never wider than the screen: nothing is scrolled sideways but tables within their own box.
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith('data:'))).toEqual([`file://${file}`]);
    await page.close();
  }

  /** How many pixels of a canvas were drawn, and in how many different colours. */
  const INK = `[...document.querySelectorAll('canvas')].map((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const colours = new Set();
    let drawn = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 200) { drawn += 1; colours.add(data[i] + ',' + data[i + 1] + ',' + data[i + 2]); }
    return [canvas.clientWidth, drawn, colours.size];
  })`;

  it.each([
    [1280, 'light'],
    [390, 'dark'],
  ] as const)(
    'a load report at %d pixels, %s: every plot is drawn, and the figures are those of the result',
    async (width, scheme) => {
      await look(renderLoadPage(state.result), width, scheme, async (page) => {
        const ink = (await page.evaluate(INK)) as [number, number, number][];
        expect(ink).toHaveLength(5);
        for (const [canvasWidth, drawn, colours] of ink) {
          expect(canvasWidth).toBeGreaterThan(width === 390 ? 280 : 400);
          expect(drawn).toBeGreaterThan(500);
          expect(colours).toBeGreaterThan(3);
        }
        const text = await page.innerText('main');
        expect(text).toContain('1 of 2 thresholds failed');
        expect(text).toContain(`BUSY\t${state.result.errors.BUSY}`);
        expect(await page.locator('.bars .bar').count()).toBe(7);
        // Moving over a plot shows values.
        await page.hover('#latency .u-over');
        expect(await page.innerText('#latency .u-legend')).toMatch(/p99:?\s*[\d.]+ ms/);
      });
    },
  );

  it('says in front when a result rejects itself, and does not run what a name contains', async () => {
    const result: LoadResult = {
      ...state.result,
      settings: { ...state.result.settings, target: HOSTILE, workload: HOSTILE },
      errors: { [HOSTILE]: 3 },
      rejections: [{ code: 'SOURCE_PORTS', words: `no ports ${HOSTILE}` }],
    };
    await look(renderLoadPage(result), 800, 'light', async (page) => {
      expect(await page.innerText('.banner.doubt')).toContain('Do not trust this result');
      expect(await page.evaluate('window.owned')).toBeUndefined();
      expect(await page.locator('main img, main script').count()).toBe(0);
    });
  });

  it('a comparison of two runs', async () => {
    // Made, not measured: what the page shows of a difference must not hang on how busy this machine is.
    const measured = storedResultOf(state.result, 'before.json');
    const steady = (factor: number) =>
      measured.measures.map((measure) => ({
        ...measure,
        value: factor,
        samples: Array.from({ length: 20 }, (_, index) => factor * (1 + index / 1_000)),
      }));
    const before = { ...measured, measures: steady(4) };
    const after = { ...measured, name: 'after.json', measures: steady(12) };
    const comparison = compareMeasures(before.measures, after.measures);
    await look(renderComparisonPage(before, after, comparison), 390, 'light', async (page) => {
      const row = page.locator('tr', { hasText: 'whole p50' });
      expect(await row.innerText()).toContain('worse');
      expect(await page.innerText('main')).toMatch(/whole p50: \d+\.\d % more, which is worse/);
    });
  });
});
