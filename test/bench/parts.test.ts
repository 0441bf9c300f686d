import { describe, expect, it } from 'vitest';
import { KIND_CRYPTO, KIND_ENGINE, KIND_LEDGER, KIND_MAIN } from '../../bench/session-cost/thread-times.ts';
import { addRounds, costTable } from '../../bench/session-parts/cost-table.ts';
import { OUTSIDE_JAVASCRIPT, PARTS, type Part } from '../../bench/session-parts/parts.ts';
import { type CpuProfile, countSamples, sharesOf } from '../../bench/session-parts/self-times.ts';

/** A stack as V8 writes it, outermost first, each frame as `function url`, and how many samples fell on its end. */
type Stack = readonly [samples: number, ...frames: string[]];

const ROOT = { id: 1, callFrame: { functionName: '(root)', url: '' } };

function profileOf(...stacks: Stack[]): CpuProfile {
  const nodes: CpuProfile['nodes'][number][] = [];
  const samples: number[] = [];
  const tops: number[] = [];
  let nextId = 2;
  for (const [count, ...frames] of stacks) {
    const ids = frames.map(() => nextId++);
    tops.push(ids[0]!);
    for (const [index, frame] of frames.entries()) {
      const at = frame.lastIndexOf(' ');
      nodes.push({
        id: ids[index]!,
        callFrame: { functionName: frame.slice(0, at), url: frame.slice(at + 1) },
        children: ids.slice(index + 1, index + 2),
      });
    }
    samples.push(...Array<number>(count).fill(ids.at(-1)!));
  }
  return { nodes: [{ ...ROOT, children: tops }, ...nodes], samples };
}

const partsOf = (...stacks: Stack[]): Record<string, number> =>
  Object.fromEntries(countSamples(profileOf(...stacks)).parts);

describe('the part of a session that a function belongs to', () => {
  const cases: readonly (readonly [part: Part, ...frames: string[]])[] = [
    [
      'exponentiation',
      'sharedValues file:///x/src/crypto/core-modexp.ts',
      'call file:///x/node_modules/@assemblyscript/loader/index.js',
      'wasm-function[20] wasm://wasm/0001',
    ],
    ['hashes and key schedule', 'sha256 file:///x/src/crypto/core-hash.ts', 'wasm-function[20] wasm://wasm/0001'],
    ['ML-KEM', 'encapsulateTo file:///x/src/crypto/kem.ts', 'encapsulate node:internal/crypto/kem', 'run '],
    [
      'signatures: offers, receipts',
      'signOffer file:///x/src/crypto/identity.ts',
      'signOneShot node:internal/crypto/sig',
      'run ',
    ],
    [
      'signatures: offers, receipts',
      'sign file:///x/src/ledger/receipts.ts',
      'signOneShot node:internal/crypto/sig',
      'run ',
    ],
    ['records (AEAD)', 'seal file:///x/src/crypto/records.ts', 'CipherBase '],
    [
      'sockets: calls into the system, streams',
      '#flush file:///x/src/server/connection.ts',
      'writeGeneric node:internal/stream_base_commons',
      'writeBuffer ',
    ],
    ['sockets: calls into the system, streams', 'onStreamRead node:internal/stream_base_commons'],
    ['messages between threads', 'post file:///x/src/ledger/ledger-thread.ts', 'postMessage '],
    ['messages between threads', 'postTask file:///x/node_modules/piscina/dist/worker_pool/index.js', 'postMessage '],
    ['SQLite', 'run file:///x/src/ledger/storage/sqlite.ts', 'run '],
    ['ledger besides SQLite', 'commit file:///x/src/ledger/batch.ts', 'hash node:internal/crypto/hash'],
    ['identity', 'verify file:///x/src/server/identity-desk.ts'],
    ['connections, desks, ports', 'accept file:///x/src/server/second-port-desk.ts', 'emit node:events'],
    ['state machines, wire format', 'step file:///x/src/session/second-port.ts', 'set '],
    ['timers, promises, events of Node', 'processTicksAndRejections node:internal/process/task_queues'],
    ['garbage collection', '(garbage collector) '],
    [OUTSIDE_JAVASCRIPT, '(program) '],
  ];

  it.each(cases)('%s', (part, ...frames) => {
    expect(partsOf([3, ...frames])).toEqual({ [part]: 3 });
  });

  it('is the rest when nobody knows the function, and whatever it calls is the rest too', () => {
    const stranger = 'work file:///x/node_modules/stranger/index.js';
    const { parts, unknown } = countSamples(
      profileOf([2, stranger], [1, stranger, 'emit node:events'], [4, 'native ', 'native ']),
    );
    expect(Object.fromEntries(parts)).toEqual({ 'the rest': 7 });
    expect(unknown.get(stranger)).toBe(2);
    expect([...unknown.values()].reduce((sum, count) => sum + count, 0)).toBe(7);
  });

  it('waiting is no part: the idle thread, and a crypto thread that waits for a task', () => {
    const waiting = 'atomicsWaitLoop file:///x/node_modules/piscina/dist/worker.js';
    expect(
      partsOf([9, '(idle) '], [9, waiting], [1, waiting, 'onMessage file:///x/node_modules/piscina/dist/worker.js']),
    ).toEqual({
      'messages between threads': 1,
    });
  });
});

describe('shares of a thread’s CPU', () => {
  const profile = profileOf(
    [6, 'step file:///x/src/session/a.ts'],
    [2, 'run file:///x/src/ledger/storage/a.ts'],
    [8, '(idle) '],
  );
  const counts = countSamples(profile);
  const sharesFor = (cpuUs: number, sampleUs?: number): Record<string, number> =>
    Object.fromEntries(sharesOf(counts, cpuUs, sampleUs).shares);

  it('are the samples’ where nothing else is known, without the idle ones', () => {
    expect(sharesFor(1_000)).toEqual({ 'state machines, wire format': 0.75, SQLite: 0.25 });
  });

  it('leave to the event loop what no sample explains', () => {
    expect(sharesFor(1_000, 100)).toEqual({
      'state machines, wire format': expect.closeTo(0.6),
      SQLite: expect.closeTo(0.2),
      [OUTSIDE_JAVASCRIPT]: expect.closeTo(0.2),
    });
  });

  it('take waiting for the disk off SQLite, and never more than it has', () => {
    expect(sharesFor(1_000, 1_000 / 7)).toEqual({
      'state machines, wire format': expect.closeTo(6 / 7),
      SQLite: expect.closeTo(1 / 7),
    });
    expect(sharesFor(1_000, 1_000)).toEqual({ 'state machines, wire format': expect.closeTo(1), SQLite: 0 });
  });
});

describe('the table', () => {
  const reading = (sessions: number, main: number, crypto: number, ledger: number, engine: number, other: number) => ({
    sessions,
    threadsUs: {
      [KIND_MAIN]: main,
      [KIND_CRYPTO]: crypto,
      [KIND_LEDGER]: ledger,
      [KIND_ENGINE]: engine,
      'a kind': other,
    },
  });
  const table = costTable(reading(100, 0, 0, 0, 0, 0), reading(300, 80_000, 40_000, 20_000, 6_000, 2_000), [
    {
      thread: 'main',
      cpuUs: 4_000,
      profile: profileOf([30, 'step file:///x/src/session/a.ts'], [5, 'f file:///x/y.ts']),
    },
    { thread: 'crypto', cpuUs: 2_000, profile: profileOf([20, 'seal file:///x/src/crypto/kem.ts']) },
    { thread: 'ledger', cpuUs: 1_000, profile: profileOf([10, 'run file:///x/src/ledger/storage/a.ts']) },
  ]);

  it('adds up to the CPU of a session, which is read without the profiler', () => {
    const sum = PARTS.reduce(
      (all, part) => all + Object.values(table.parts[part] ?? {}).reduce((some, value) => some + value, 0),
      0,
    );
    expect(sum).toBeCloseTo((80_000 + 40_000 + 20_000 + 6_000 + 2_000) / 200);
    expect(table.threadsUs).toEqual({ main: 400, crypto: 200, ledger: 100, engine: 30, other: 10 });
    expect(table.parts['ML-KEM']).toEqual({ crypto: expect.closeTo(200) });
    // A sample stands for 100 µs by the crypto thread: 35 of them are 3,500 of the main thread's 4,000.
    expect(table.parts[OUTSIDE_JAVASCRIPT]).toEqual({ main: expect.closeTo(400 / 8) });
    expect(table.unknownUs).toEqual({ 'f file:///x/y.ts': expect.closeTo((400 * 5) / 40) });
  });

  it('is the mean of its rounds', () => {
    const other = costTable(reading(0, 0, 0, 0, 0, 0), reading(100, 20_000, 10_000, 0, 0, 0), [
      { thread: 'main', cpuUs: 1_000, profile: profileOf([10, 'step file:///x/src/session/a.ts']) },
      { thread: 'crypto', cpuUs: 1_000, profile: profileOf([10, 'seal file:///x/src/crypto/kem.ts']) },
    ]);
    const both = addRounds([table, other]);
    expect(both.sessions).toBe(300);
    expect(both.threadsUs.main).toBeCloseTo(300);
    expect(both.parts['ML-KEM']).toEqual({ crypto: expect.closeTo(150) });
    expect(both.samples).toEqual({ main: 45, crypto: 30, ledger: 10 });
  });
});
