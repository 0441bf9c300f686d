import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readLoadCustomers, writeLoadCustomers } from '../../../src/cli/load/load-customers.ts';
import { liveLines, plainLine, RecentRates } from '../../../src/cli/load/load-display.ts';
import { parseSources } from '../../../src/cli/load/load-sources.ts';
import { DEFAULT_POLICY } from '../../../src/customer/index.ts';
import type { LoadCustomer } from '../../../src/load/driver.ts';
import { toCsv } from '../../../src/load/load-export.ts';
import { RowWriter } from '../../../src/load/rows.ts';
import { RunRecord } from '../../../src/load/run-record.ts';
import { rehearse } from './rehearsal.ts';

describe('source addresses', () => {
  it('are read one by one, as ranges and as lists', () => {
    expect(parseSources('127.0.0.2')).toEqual(['127.0.0.2']);
    expect(parseSources('127.0.0.9-127.0.0.11, ::1')).toEqual(['127.0.0.9', '127.0.0.10', '127.0.0.11', '::1']);
  });
  it.each(['', '127.0.0', '127.0.0.9-127.0.0.2', '127.0.0.2-127.0.1.4', 'localhost'])('%j is none', (text) => {
    expect(() => parseSources(text)).toThrow();
  });
});

describe('the display', () => {
  const record = new RunRecord({ beginNs: 0, warmupNs: 0, intervalNs: 1e9, keepIntervalHistograms: false });
  const writer = new RowWriter((batch) => record.add(batch));
  for (let index = 0; index < 99; index += 1) {
    writer.write({ index, intendedNs: 0, startNs: 0 }, { endNs: 5e6, phases: [], payments: 1 });
  }
  writer.write({ index: 99, intendedNs: 0, startNs: 0 }, { endNs: 5e6, phases: [], payments: 0, error: 'BUSY' });
  writer.flush();
  const status = { secondsPlanned: 20, rateAsked: 50, held: 3, inFlight: 7, record };
  const rates = new RecentRates();
  rates.add({ seconds: 4, started: 200, inFlight: 5 });
  rates.add({ seconds: 5, started: 250, inFlight: 7 });

  it('says how far it is, what is offered and reached, latency, sessions and errors', () => {
    const lines = liveLines('load payment', { ...status, seconds: 5, started: 250 }, rates).join('\n');
    expect(lines).toContain('███████░');
    expect(lines).toContain('25 %   5 s of 20 s');
    expect(lines).toContain('asked 50/s   offered 50/s   reached 48/s');
    expect(lines).toContain('7 open, 3 of them held');
    expect(lines).toMatch(/p50 5 ms\s+p90 5 ms\s+p99 5 ms\s+max 5 ms/);
    expect(lines).toContain('errors     BUSY 1');
  });

  it('is one line where nobody watches', () => {
    const line = plainLine('load payment', { ...status, seconds: 5, started: 250 }, rates);
    expect(line).not.toContain('\n');
    expect(line).toMatch(/^load payment: 5 s of 20 s, offered 50\/s, reached 48\/s, 7 open, p50 5 ms/);
  });

  it('forgets rates after a second', () => {
    const recent = new RecentRates();
    expect(recent.offered).toBe(0);
    for (let second = 0; second < 10; second += 1)
      recent.add({ seconds: second, started: second < 5 ? 0 : (second - 4) * 100, inFlight: 0 });
    expect(recent.offered).toBe(100);
  });
});

describe('a file of load customers', () => {
  const state = {} as { directory: string };
  beforeAll(async () => {
    state.directory = await mkdtemp(join(tmpdir(), 'sallyport-customers-'));
  });
  afterAll(() => rm(state.directory, { recursive: true }));

  const customers: LoadCustomer[] = ['a', 'b'].map((customerId) => ({
    identity: {
      customerId,
      profile: { purpose: 'load test' },
      credential: new Uint8Array(32).fill(0xc7),
      server: { host: '127.0.0.1', port: 7_919 },
      hostKey: new Uint8Array(32).fill(2),
      policy: { ...DEFAULT_POLICY, groups: ['ffdhe2048'] },
    },
    from: `${customerId}.account`,
    to: 'payee',
  }));

  it('comes back as it was, is private, and replaces nothing', async () => {
    const path = join(state.directory, 'customers.json');
    await writeLoadCustomers(path, customers);
    expect(await readLoadCustomers(path)).toEqual(customers);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await expect(writeLoadCustomers(path, customers)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('that others can read, or that is not right, is refused without a word of what is in it', async () => {
    const path = join(state.directory, 'open.json');
    await writeLoadCustomers(path, customers);
    await chmod(path, 0o644);
    await expect(readLoadCustomers(path)).rejects.toMatchObject({ code: 'BAD_FILE' });
    const text = await readFile(path, 'utf8');
    await writeFile(path, text.replace('c7c7', 'c7zz'));
    await chmod(path, 0o600);
    const refusal = await readLoadCustomers(path).catch((error: Error) => error.message);
    expect(refusal).toContain('customers.0.credential');
    expect(refusal).not.toContain('c7');
  });
});

describe('a result as CSV', () => {
  it('has a row an interval and a column a phase and an error', async () => {
    const result = await rehearse({ stages: '100:400ms', settings: { failEvery: 10 } });
    const [header, ...rows] = toCsv(result)
      .trimEnd()
      .split('\r\n')
      .map((line) => line.split(','));
    expect(header).toEqual(expect.arrayContaining(['at_s', 'due', 'commit_p99_ms', 'whole_max_ms', 'error_BUSY']));
    expect(rows).toHaveLength(result.intervals.length);
    const column = (name: string): number => rows.reduce((sum, row) => sum + Number(row[header!.indexOf(name)]), 0);
    expect(column('completed')).toBe(result.completed);
    expect(column('error_BUSY')).toBe(result.errors.BUSY);
  });
});
