import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import hdr from 'hdr-histogram-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-codes.ts';
import { main } from '../../src/cli/main.ts';
import { readLoadResult } from '../../src/load/load-result.ts';
import { Stage } from './stage.ts';

const state = {} as { stage: Stage };

beforeAll(async () => {
  state.stage = await Stage.open({ 'second-ports': { kind: 'system', count: 256 } });
});
afterAll(() => state.stage[Symbol.asyncDispose]());

function argumentsFor(...args: string[]): string[] {
  const { stage } = state;
  const target = ['--state', join(stage.folder, 'state'), '--server', `127.0.0.1:${stage.server.address.port}`];
  return [
    'load',
    ...target,
    '--group',
    'ffdhe2048',
    '--kem',
    'none',
    '--customers',
    '3',
    '--warm-up',
    '200ms',
    ...args,
  ];
}

/** Runs the command in this process; the generator's threads are real ones. */
async function load(...args: string[]) {
  return run(argumentsFor(...args));
}

async function run(argv: string[]) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const [exitCode, out, err] = await Promise.all([
    main(argv, { stdout, stderr }).finally(() => {
      stdout.end();
      stderr.end();
    }),
    text(stdout),
    text(stderr),
  ]);
  return { exitCode, out, err };
}

const inFolder = (name: string): string => join(state.stage.folder, name);

describe('sallyport load', () => {
  it('makes real payments: every phase is measured, and the ledger holds every acknowledged one', async () => {
    const files = [
      '--save',
      inFolder('a.json'),
      '--html',
      inFolder('a.html'),
      '--csv',
      inFolder('a.csv'),
      '--hdr',
      inFolder('a.hdr'),
    ];
    const { exitCode, out, err } = await load(
      '--rate',
      '30',
      '--duration',
      '2s',
      '--threshold',
      'errors<1',
      '--threshold',
      'commit.p99<30s',
      ...files,
    );
    expect(err).not.toContain('error:');
    // A machine that is busy with other tests may make the generator doubt itself; nothing else may go wrong.
    expect([EXIT.OK, EXIT.UNTRUSTED]).toContain(exitCode);
    expect(out).toMatch(
      /✓ All \d+ acknowledged payments are in the ledger, and the ledger of \d+ transactions verifies/,
    );
    expect(out).toContain('✓ errors<1: it was 0');

    const result = readLoadResult(JSON.parse(readFileSync(inFolder('a.json'), 'utf8')), 'a.json');
    expect(Object.keys(result.phases)).toEqual([
      'connect',
      'offer',
      'connect2',
      'exchange',
      'identity',
      'commit',
      'whole',
      'lag',
    ]);
    const means = Object.fromEntries(Object.entries(result.phases).map(([phase, latency]) => [phase, latency.meanNs]));
    const parts = ['lag', 'connect', 'offer', 'connect2', 'exchange', 'identity', 'commit'].reduce(
      (sum, phase) => sum + means[phase]!,
      0,
    );
    // The parts are the whole: what lies between them is the generator's own bookkeeping.
    expect(parts / means.whole!).toBeGreaterThan(0.9);
    expect(parts / means.whole!).toBeLessThan(1.01);
    expect(result.completed).toBe(result.due);
    expect(result.payments).toBe(result.completed);
    expect(result.verification!.found).toBe(result.verification!.acknowledged);
    expect(result.verification!.found).toBeGreaterThanOrEqual(result.payments);

    expect(readFileSync(inFolder('a.html'), 'utf8')).toContain('<!doctype html>');
    const rows = readFileSync(inFolder('a.csv'), 'utf8').trimEnd().split('\r\n');
    expect(rows).toHaveLength(result.intervals.length + 1);
    expect(new Set(rows.map((row) => row.split(',').length)).size).toBe(1);
    // The HDR log is read back by the library's own reader.
    const reader = new hdr.HistogramLogReader(readFileSync(inFolder('a.hdr'), 'utf8'));
    const logged = { whole: 0, commit: 0 } as Record<string, number>;
    for (
      let histogram = reader.nextIntervalHistogram();
      histogram !== null && histogram !== undefined;
      histogram = reader.nextIntervalHistogram()
    ) {
      logged[histogram.tag] = (logged[histogram.tag] ?? 0) + histogram.totalCount;
    }
    expect(logged.whole).toBe(result.intervals.reduce((sum, interval) => sum + (interval.phases.whole?.count ?? 0), 0));
    expect(logged.commit).toBeGreaterThanOrEqual(result.payments);
  });

  it('compares two stored runs', async () => {
    await load('--rate', '30', '--duration', '2s', '--save', inFolder('b.json'));
    const { exitCode, out } = await run([
      'compare',
      inFolder('b.json'),
      inFolder('b.json'),
      '--html',
      inFolder('c.html'),
    ]);
    expect(exitCode).toBe(EXIT.OK);
    expect(out).toMatch(/whole p50: the same to within 5 %|whole p50: not decided/);
    expect(out).not.toContain('worse');
    expect(existsSync(inFolder('c.html'))).toBe(true);
  });

  it('exits with 99 and names the threshold that failed, in a run of several payments a session from several addresses', async () => {
    const { exitCode, out } = await load(
      ...['--workload', 'payments:3', '--closed', '2', '--count', '20', '--duration', '30s', '--warm-up', '0ms'],
      ...['--source', '127.0.0.2-127.0.0.3', '--threshold', 'p50<1us', '--threshold', 'commit.max<60s', '--json'],
    );
    const result = readLoadResult(JSON.parse(out), 'stdout');
    expect(result.payments).toBe(60);
    expect(result.phases.commit!.count).toBe(60);
    expect(result.thresholds.map(({ passed }) => passed)).toEqual([false, true]);
    expect(result.verification).toMatchObject({ acknowledged: 60, found: 60, ledgerVerified: true });
    expect(exitCode).toBe(result.rejections.length > 0 ? EXIT.UNTRUSTED : EXIT.THRESHOLD);
  });

  it('holds many sessions at once, each on a port of its own, and gives all of them back', async () => {
    const seen = { leased: 0 };
    const timer = setInterval(() => {
      seen.leased = Math.max(seen.leased, state.stage.server.gauges.ports.leased);
    }, 20);
    const { out } = await load(
      '--workload',
      'hold:2s',
      '--rate',
      '60',
      '--duration',
      '2s',
      '--warm-up',
      '0ms',
      '--json',
    );
    clearInterval(timer);
    const result = readLoadResult(JSON.parse(out), 'stdout');
    expect(result.errors).toEqual({});
    expect(seen.leased).toBeGreaterThan(60);
    // The time of holding is nobody's latency.
    expect(result.phases.whole!.percentiles.p50! / 1e9).toBeLessThan(2);
    await expect.poll(() => state.stage.server.gauges).toMatchObject({ ports: { leased: 0 } });
  });

  it('keeps its customers in one private file, for a mix of loads from elsewhere', async () => {
    const kept = inFolder('customers.json');
    await load('--rate', '20', '--duration', '300ms', '--keep-customers', kept);
    const { out } = await run([
      ...['load', '--customers-file', kept, '--workload', 'mix:handshake=1,payment=1', '--warm-up', '0ms'],
      ...['--closed', '2', '--count', '40', '--duration', '30s', '--json'],
    ]);
    const result = readLoadResult(JSON.parse(out), 'stdout');
    expect(result.completed).toBe(40);
    expect(result.payments).toBeGreaterThan(5);
    expect(result.payments).toBeLessThan(35);
    expect(result.verification).toBeNull();
  });

  it('finds a capacity between what is kept and what is not', async () => {
    const { out, exitCode } = await load(
      ...['--workload', 'handshake', '--find-capacity', '--rate', '20', '--rate-max', '40', '--probe', '500ms'],
      ...['--threshold', 'errors<50%', '--json'],
    );
    const { capacity } = readLoadResult(JSON.parse(out), 'stdout');
    expect(capacity!.curve.length).toBeGreaterThan(0);
    expect([EXIT.OK, EXIT.UNTRUSTED]).toContain(exitCode);
    expect(capacity!.rate).toBeGreaterThanOrEqual(1);
    expect(capacity!.rate).toBeLessThanOrEqual(40);
  });

  it('rejects its result, by name and exit code, when it has no address to connect from', async () => {
    // An address of documentation (RFC 5737) that no machine has: binding to it fails before anything is sent.
    const { exitCode, out } = await load(
      ...['--source', '192.0.2.1', '--closed', '1', '--count', '3', '--duration', '30s', '--warm-up', '0ms', '--json'],
    );
    const result = readLoadResult(JSON.parse(out), 'stdout');
    expect(exitCode).toBe(EXIT.UNTRUSTED);
    expect(result.errors).toEqual({ EADDRNOTAVAIL: 3 });
    expect(result.rejections.map(({ code }) => code)).toContain('SOURCE_PORTS');
  });

  it('rejects its result when it runs out of descriptors', async () => {
    const bin = new URL('../../bin/sallyport.js', import.meta.url).pathname;
    const args = argumentsFor(
      '--workload',
      'hold:1s',
      '--closed',
      '200',
      '--count',
      '200',
      '--duration',
      '20s',
      '--warm-up',
      '0ms',
    );
    const child = spawn('/bin/sh', [
      '-c',
      'ulimit -n 120; exec "$0" "$@"',
      process.execPath,
      bin,
      ...args,
      '--json',
      '--no-verify',
    ]);
    const output = text(child.stdout);
    const errors = text(child.stderr);
    const exitCode = await new Promise((resolve) => child.on('exit', resolve));
    expect(await errors).toBe('');
    const result = readLoadResult(JSON.parse(await output), 'stdout');
    expect(result.errors.EMFILE).toBeGreaterThan(0);
    expect(result.rejections.map(({ code }) => code)).toContain('DESCRIPTORS');
    expect(exitCode).toBe(EXIT.UNTRUSTED);
  });

  it('outlives the server: what was acknowledged before it went is in its ledger, and the rest is counted by code', async () => {
    await using stage = await Stage.open({ 'second-ports': { kind: 'system', count: 64 } });
    const began = expect
      .poll(() => stage.server.gauges.ledger.committed, { timeout: 30_000, interval: 5 })
      .toBeGreaterThan(20);
    const stopped = began.then(() => stage.server.stop({ drainMs: 0 }));
    const { exitCode, out } = await run([
      ...['load', '--state', join(stage.folder, 'state'), '--server', `127.0.0.1:${stage.server.address.port}`],
      ...[
        '--group',
        'ffdhe2048',
        '--kem',
        'none',
        '--customers',
        '2',
        '--warm-up',
        '0ms',
        '--workload',
        'mix:payments:3=3,hold:1s=1',
      ],
      ...['--rate', '40', '--duration', '4s', '--threshold', 'errors<1', '--json'],
    ]);
    await stopped;
    const result = readLoadResult(JSON.parse(out), 'stdout');
    expect(result.completed).toBeGreaterThan(0);
    expect(result.failed).toBeGreaterThan(0);
    // LIMIT is what the customer library says when the session was over before the next payment was asked for.
    const possible = ['SHUTDOWN', 'LIMIT', 'TRUNCATED', 'UNREACHABLE', 'BAD_CLAIM', 'BUSY'];
    expect(Object.keys(result.errors).filter((code) => !possible.includes(code))).toEqual([]);
    expect(result.thresholds[0]).toMatchObject({ passed: false });
    expect(result.verification).toMatchObject({ ledgerVerified: true, found: result.verification!.acknowledged });
    expect(result.verification!.acknowledged).toBeGreaterThan(10);
    expect([EXIT.THRESHOLD, EXIT.UNTRUSTED]).toContain(exitCode);
  });

  it('reports what was done when it is interrupted', async () => {
    const bin = new URL('../../bin/sallyport.js', import.meta.url).pathname;
    const child = spawn(process.execPath, [bin, ...argumentsFor('--rate', '20', '--duration', '60s', '--json')]);
    const errors = text(child.stderr);
    const output = text(child.stdout);
    const exited = new Promise((resolve) => child.on('exit', resolve));
    // Started for certain: its customers are at the server.
    await expect.poll(() => state.stage.server.gauges.live, { timeout: 30_000, interval: 5 }).toBeGreaterThan(0);
    child.kill('SIGINT');
    expect(await exited).toBe(EXIT.INTERRUPTED);
    const result = readLoadResult(JSON.parse(await output), 'stdout');
    expect(result.interrupted).toBe(true);
    expect(result.settings.stages[0]!.seconds).toBe(60.2);
    expect(await errors).toBe('');
  });

  it.each([
    [['--rate', '5', '--closed', '5'], 'say different things'],
    [['--workload', 'nothing'], 'is no workload'],
    [['--threshold', 'p99<50'], 'needs its unit'],
    [['--stages', '5:1s', '--duration', '5s'], 'have their own durations'],
    [['--find-capacity', '--closed', '5'], 'chooses its rates itself'],
    [['--source', 'nowhere'], 'addresses of this machine'],
    [['--customers-file', '/nowhere/at/all'], 'cannot be read'],
  ])('refuses %j before anything is done', async (args, words) => {
    const { exitCode, err } = await load(...args);
    expect(exitCode).toBe(EXIT.USAGE);
    expect(err).toContain(words);
  });
});
