import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../../src/cli/exit-codes.ts';
import { main } from '../../../src/cli/main.ts';
import { ratioEntry, resultOf } from '../../bench/entries.ts';
import { rehearse } from './rehearsal.ts';

const state = {} as { directory: string };
const file = (name: string): string => join(state.directory, name);

beforeAll(async () => {
  state.directory = await mkdtemp(join(tmpdir(), 'sallyport-compare-'));
  await writeFile(file('fast.json'), JSON.stringify(await rehearse({ stages: '200:1500ms' })));
  await writeFile(file('slow.json'), JSON.stringify(await rehearse({ stages: '200:1500ms', settings: { meanMs: 8 } })));
  await writeFile(file('bench.json'), JSON.stringify(resultOf(ratioEntry(1, 1))));
  await writeFile(file('bench-slow.json'), JSON.stringify(resultOf(ratioEntry(1.2, 2))));
  await writeFile(file('other.json'), '{"schema":"somebody/else"}');
});
afterAll(() => rm(state.directory, { recursive: true }));

async function compare(...args: string[]) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const exitCode = main(['compare', ...args], { stdout, stderr }).finally(() => {
    stdout.end();
    stderr.end();
  });
  const [code, out, err] = await Promise.all([exitCode, text(stdout), text(stderr)]);
  return { code, out, err };
}

describe('sallyport compare', () => {
  it('says in words and as a table what became worse, and fails only when asked to', async () => {
    const { code, out } = await compare(file('fast.json'), file('slow.json'));
    expect(code).toBe(EXIT.OK);
    expect(out).toMatch(/whole p50 +[\d.]+ ms +[\d.]+ ms +\+\d+\.\d % +worse/);
    expect(out).toMatch(/whole p50: \d+\.\d % more, which is worse \(lower is better\)/);
    expect((await compare(file('fast.json'), file('slow.json'), '--fail-if-worse')).code).toBe(EXIT.THRESHOLD);
    expect((await compare(file('slow.json'), file('fast.json'), '--fail-if-worse')).code).toBe(EXIT.OK);
  });

  it('reads benchmark results too, with the least effect that one asks for, and writes JSON and a page', async () => {
    const files = [file('bench.json'), file('bench-slow.json')];
    const { code, out } = await compare(...files, '--json', '--html', file('page.html'));
    expect(code).toBe(EXIT.OK);
    expect(JSON.parse(out)).toMatchObject({ measures: [{ name: 'shared value ffdhe3072', verdict: 'worse' }] });
    expect(await readFile(file('page.html'), 'utf8')).toContain('shared value ffdhe3072');
    const lenient = await compare(...files, '--least-effect', '30%', '--fail-if-worse');
    expect(lenient.code).toBe(EXIT.OK);
    expect(lenient.out).toContain('the same to within 30 %');
  });

  it.each([
    ['fast.json', 'bench.json', 'is a sallyport/load-result'],
    ['fast.json', 'nothing.json', 'cannot be read'],
    ['other.json', 'fast.json', 'neither a load result nor a benchmark result'],
  ])('refuses %s against %s', async (before, after, words) => {
    const { code, err } = await compare(file(before), file(after));
    expect(code).toBe(EXIT.USAGE);
    expect(err).toContain(words);
  });
});
