import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { measureConfirmed } from '../../bench/ci/confirm.ts';
import { commitsIn, ledgerCommitCounts } from '../../bench/ci/counts/ledger-commits.ts';
import { instrument } from '../../bench/ci/counts/wasm-operations.ts';
import { judge, readGateRules } from '../../bench/ci/gate.ts';
import { measureRatio } from '../../bench/ci/ratio.ts';
import type { BenchPair, Work } from '../../bench/ci/subject.ts';
import { kernelPairs } from '../../bench/ci/subjects/kernels.ts';
import { openBenchLedger } from '../../bench/ci/subjects/ledger.ts';
import { type LeaseTable, portPairs } from '../../bench/ci/subjects/ports.ts';
import { recordPairs } from '../../bench/ci/subjects/records.ts';
import { instantiateCore } from '../../src/crypto/core.ts';
import { createExponentiation } from '../../src/crypto/core-modexp.ts';
import { loadCrypto } from '../../src/crypto/index.ts';
import { readBuild } from '../../src/crypto/kernel.ts';
import type { GateEntry, RatioEntry } from '../../src/load/bench-result.ts';

/** Quick, since other tests run beside these; a benchmark of CI takes three times as many rounds. */
const QUICK = { rounds: 10, noiseRounds: 8, turns: 6, turnMs: 0.3 };
const RULES = readGateRules();
const KERNEL = 'shared value ffdhe2048';

async function kernel(): Promise<BenchPair> {
  return (await kernelPairs()).find((pair) => pair.name === KERNEL)!;
}

/** The same exponentiation, whose exponent is three bytes longer than 29: the time depends on the length alone. */
async function tenPercentSlower(): Promise<Work> {
  const crypto = await loadCrypto();
  const exponent = new Uint8Array(randomBytes(32));
  const peer = crypto.publicValue('ffdhe2048', new Uint8Array(randomBytes(29)));
  return (iterations) => {
    for (let i = 0; i < iterations; i += 1) crypto.sharedValue('ffdhe2048', exponent, peer);
  };
}

/** A table that looks for a free port from the first one on: what a port table must never become. */
class SearchingTable implements LeaseTable {
  readonly #leased: boolean[];
  constructor(slots: number) {
    this.#leased = new Array<boolean>(slots).fill(false);
  }
  lease(): number | undefined {
    const slot = this.#leased.indexOf(false);
    if (slot === -1) return undefined;
    this.#leased[slot] = true;
    return slot;
  }
  release(slot: number): void {
    this.#leased[slot] = false;
  }
}

/** As `bench:ci` decides: measured until the gate passes, and where it does not, twice more. */
async function judged(pair: BenchPair, baseline: { readonly benches: readonly RatioEntry[] }): Promise<GateEntry> {
  for (let opinion = 1; ; opinion += 1) {
    const benches = [await measureConfirmed(pair, QUICK, RULES, { benches: [...baseline.benches] })];
    const [gate] = judge({ benches }, RULES, { benches: [...baseline.benches] });
    if (gate!.passed || opinion === 3) return gate!;
  }
}

describe('an unchanged build', () => {
  it('passes its gates twenty times in a row, on a machine that does other things meanwhile', async () => {
    const pairs = [await kernel(), ...recordPairs(), ...portPairs()];
    for (const pair of pairs) {
      for (let run = 1; run <= 20; run += 1) {
        // As the workflow has it: the base commit is measured right before the head.
        const baseline = { benches: [await measureRatio(pair, QUICK)] };
        const gate = await judged(pair, baseline);
        expect(gate, `run ${run} of ${pair.name}: ${gate.words}`).toMatchObject({ passed: true });
      }
    }
  }, 180_000);
});

describe('a planted slowdown is caught', () => {
  it('a kernel that does 10 % more work, by its time', async () => {
    const pair = await kernel();
    const plantedPair = { ...pair, subject: await tenPercentSlower() };
    // A gate does not judge beyond its noise floor: while other tests keep this machine busy, it may have to be asked again.
    for (let attempt = 1; ; attempt += 1) {
      const baseline = { benches: [await measureRatio(pair, QUICK)] };
      const gate = await judged(plantedPair, baseline);
      if (!gate.passed) {
        expect(gate.words).toMatch(/more, which is worse/);
        break;
      }
      expect(attempt, `not caught: ${gate.words}`).toBeLessThan(5);
    }
  }, 60_000);

  it('a kernel that does a single exponentiation more in ten, by its operations, exactly and on any machine', () => {
    const core = instantiateCore(instrument(readBuild('scalar')));
    const { executedOperations } = core.abi as unknown as { executedOperations(): number };
    const exponentiation = createExponentiation(core, 'none');
    const peer = new Uint8Array(256).fill(0x5a);
    const operations = (exponent: Uint8Array, times: number): number => {
      exponentiation.sharedValue('ffdhe2048', exponent, peer);
      executedOperations();
      for (let i = 0; i < times; i += 1) exponentiation.sharedValue('ffdhe2048', exponent, peer);
      return executedOperations();
    };
    const once = operations(new Uint8Array(29).fill(0xa5), 1);
    expect(once).toBeGreaterThan(1_000_000);
    // The count is exact: ten are ten times one, eleven are not, and it does not depend on the secret.
    expect(operations(new Uint8Array(29).fill(0xa5), 10)).toBe(10 * once);
    expect(operations(new Uint8Array(29).fill(0xa5), 11)).toBe(11 * once);
    expect(operations(new Uint8Array(29).fill(0x01), 1)).toBe(once);
    const name = 'operations, shared value ffdhe3072, scalar';
    const count = (value: number) => ({
      benches: [{ kind: 'count' as const, name, what: '', unit: 'operations', value }],
    });
    expect(judge(count(RULES.counts[name]!), RULES)[0]).toMatchObject({ passed: true });
    expect(judge(count(Math.round(RULES.counts[name]! * 1.1)), RULES)[0]).toMatchObject({ passed: false });
  });

  it('a port table that searches, by its ratio to itself, without any baseline', async () => {
    const [honest] = portPairs();
    const [planted] = portPairs((slots) => new SearchingTable(slots));
    expect(judge({ benches: [await measureConfirmed(honest!, QUICK, RULES, undefined)] }, RULES)[0]).toMatchObject({
      passed: true,
    });
    expect(judge({ benches: [await measureConfirmed(planted!, QUICK, RULES, undefined)] }, RULES)[0]).toMatchObject({
      passed: false,
    });
  });

  it('a flush too many, by the commits in the log', async () => {
    const honest = await ledgerCommitCounts(tmpdir())[0]!.count();
    expect(honest).toBe(1);
    const name = 'flushes, 64 payments at once';
    expect(RULES.counts[name]).toBe(1);
    // Planted: every payment flushed by itself.
    const bench = await openBenchLedger(tmpdir());
    const log = `${bench.directory}/ledger.sqlite-wal`;
    const before = commitsIn(readFileSync(log));
    for (let payment = 0; payment < 64; payment += 1) await bench.pay(1);
    const planted = commitsIn(readFileSync(log)) - before;
    await bench.close();
    expect(planted).toBe(64);
    const judged = judge({ benches: [{ kind: 'count', name, what: '', unit: 'flushes', value: planted }] }, RULES);
    expect(judged[0]).toMatchObject({ passed: false });
  });
});
