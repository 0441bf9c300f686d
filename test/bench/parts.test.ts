import { describe, expect, it } from 'vitest';
import { KIND_CRYPTO, KIND_ENGINE, KIND_LEDGER, KIND_MAIN } from '../../bench/session-cost/thread-times.ts';
import { addRounds, costTable, countedProfiles } from '../../bench/session-parts/cost-table.ts';
import { OUTSIDE_JAVASCRIPT, PARTS, type Part } from '../../bench/session-parts/parts.ts';
import { readPerfScript, StackCounter } from '../../bench/session-parts/perf-stacks.ts';
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
    Object.fromEntries(sharesOf(counts, sampleUs === undefined ? undefined : { cpuUs, sampleUs }).shares);

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
  const table = costTable(
    reading(100, 0, 0, 0, 0, 0),
    reading(300, 80_000, 40_000, 20_000, 6_000, 2_000),
    countedProfiles([
      {
        thread: 'main',
        cpuUs: 4_000,
        profile: profileOf([30, 'step file:///x/src/session/a.ts'], [5, 'f file:///x/y.ts']),
      },
      { thread: 'crypto', cpuUs: 2_000, profile: profileOf([20, 'seal file:///x/src/crypto/kem.ts']) },
      { thread: 'ledger', cpuUs: 1_000, profile: profileOf([10, 'run file:///x/src/ledger/storage/a.ts']) },
    ]),
  );

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
    const other = costTable(
      reading(0, 0, 0, 0, 0, 0),
      reading(100, 20_000, 10_000, 0, 0, 0),
      countedProfiles([
        { thread: 'main', cpuUs: 1_000, profile: profileOf([10, 'step file:///x/src/session/a.ts']) },
        { thread: 'crypto', cpuUs: 1_000, profile: profileOf([10, 'seal file:///x/src/crypto/kem.ts']) },
      ]),
    );
    const both = addRounds([table, other]);
    expect(both.sessions).toBe(300);
    expect(both.threadsUs.main).toBeCloseTo(300);
    expect(both.parts['ML-KEM']).toEqual({ crypto: expect.closeTo(150) });
    expect(both.samples).toEqual({ main: 45, crypto: 30, ledger: 10 });
  });
});

describe('stacks that perf saw', () => {
  const script = `node-MainThread  4711
\t    7f01 tcp_sendmsg
\t    7f02 __libc_write
\t    7f03 JS:*writeGeneric node:internal/stream_base_commons:120:22
\t    7f04 JS:^#flush file:///x/src/server/connection.ts:150:3
\t    7f05 Builtins_JSEntryTrampoline
\t    7f06 uv_run

node-MainThread  4711
\t    7f07 accept4
\t    7f08 uv__server_io
\t    7f09 uv_run

ledger  4715
\t    7f0a sqlite3VdbeExec
\t    7f0b node::sqlite::StatementSync::Run
\t    7f0c JS:~run file:///x/src/ledger/storage/sqlite.ts:9:1

WorkerThread  4716
\t    7f0d futex_wait
\t    7f0e JS:*atomicsWaitLoop /x/node_modules/piscina/dist/worker.js:90:25

WorkerThread  4716
\t    7f0f wasm-function[20]
\t    7f10 Builtins_JSToWasmWrapperAsm
\t    7f11 JS:*sharedValues file:///x/src/crypto/core-modexp.ts:10:3

node-MainThread  4711
\t    7f12 v8::internal::Scavenger::ScavengePage
\t    7f13 JS:*step file:///x/src/session/a.ts:1:1

node-MainThread  4711
\t    7f14 v8::ValueDeserializer::ReadValue
\t    7f15 node::worker::MessagePort::OnMessage
\t    7f16 uv_run

WorkerThread  4716
\t    7f19 __KeccakF1600
\t    7f1a JS:*'makeOffers file:///x/src/crypto/offer-keys.ts:41:1

WorkerThread  4716
\t    7f1b JS:*'makeOffers file:///x/src/crypto/offer-keys.ts:41:1

node-MainThread  4711
\t    7f1c JS:*processTicksAndRejections node:internal/process/task_queues:72:35
\t    7f1d Builtins_JSEntry
\t    7f1e uv_run

node-MainThread  4711
\t    7f17 malloc
\t    7f18 [unknown]
`;
  const samples = [...readPerfScript(script.split('\n'))];

  it('are read with their threads, innermost frame first', () => {
    expect(samples.map(({ comm, tid }) => `${comm} ${tid}`)).toEqual([
      'node-MainThread 4711',
      'node-MainThread 4711',
      'ledger 4715',
      'WorkerThread 4716',
      'WorkerThread 4716',
      'node-MainThread 4711',
      'node-MainThread 4711',
      'WorkerThread 4716',
      'WorkerThread 4716',
      'node-MainThread 4711',
      'node-MainThread 4711',
    ]);
    expect(samples[1]!.frames).toEqual(['accept4', 'uv__server_io', 'uv_run']);
  });

  it('belong to the innermost function that tells, native code to who called it; what was not unwound to nobody', () => {
    const counter = new StackCounter();
    for (const { frames } of samples) counter.add(frames);
    expect(Object.fromEntries(counter.counts.parts)).toEqual({
      'sockets: calls into the system, streams': 1,
      [OUTSIDE_JAVASCRIPT]: 1,
      SQLite: 1,
      'messages between threads': 2,
      exponentiation: 1,
      'garbage collection': 1,
      'ML-KEM': 1,
      'signatures: offers, receipts': 1,
      'timers, promises, events of Node': 1,
    });
    expect(counter.counts.busy).toBe(10);
    expect(counter.lost).toBe(1);
  });
});
