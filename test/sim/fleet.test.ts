import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { GROUP_NAMES } from '../../src/crypto/groups.ts';
import type { Crypto } from '../../src/crypto/index.ts';
import { loadCachedCrypto } from './cached-crypto.ts';
import { type Bugs, type FleetResult, runFleet } from './fleet.ts';
import { PLANTED_BUGS } from './planted-bugs.ts';
import { fleetSeed } from './simulation-run.ts';

/** Sessions of the part of the simulation that every run of the tests goes through; `npm run sim` goes through millions. */
const SESSIONS = 10_000;
/** Any number: what it was when the fleets below were last looked at. */
const RUN_SEED = 7;

interface KeptSeed {
  readonly seed: number;
  /** What it had found. */
  readonly found: string;
}

const KEPT_SEEDS = JSON.parse(readFileSync(new URL('./kept-seeds.json', import.meta.url), 'utf8')) as KeptSeed[];

let crypto: Crypto;
beforeAll(async () => {
  crypto = await loadCachedCrypto();
});

/** Fleets one after the other until so many sessions have begun, or a violation of this kind is found. */
async function fleetsUntil(
  sessions: number,
  seedOf: (index: number) => number,
  found: RegExp,
  bugs: Bugs = {},
): Promise<FleetResult[]> {
  const results: FleetResult[] = [];
  for (let begun = 0, index = 0; begun < sessions; index++) {
    const result = await runFleet(crypto, seedOf(index), { bugs });
    results.push(result);
    begun += result.counts.sessions ?? 0;
    if (result.violations.some((violation) => found.test(violation))) break;
  }
  return results;
}

const again = ({ seed, violations }: FleetResult): string => `npm run sim -- --fleet ${seed} --trace: ${violations[0]}`;

describe('fleets of sessions, with everything that can go wrong', () => {
  it('keep every promise, and meet all of it', async () => {
    const results = await fleetsUntil(SESSIONS, (index) => fleetSeed(RUN_SEED, index), /./);
    expect(results.filter(({ violations }) => violations.length > 0).map(again)).toEqual([]);
    const met = new Set(results.flatMap(({ counts }) => Object.keys(counts)));
    expect([...met]).toEqual(expect.arrayContaining(WHAT_HAPPENS));
  });

  it.each(KEPT_SEEDS)('fleet $seed, which had found: $found', async ({ seed }) => {
    const result = await runFleet(crypto, seed);
    expect(result.violations).toEqual([]);
  });

  it('are the same for the same seed, to the last byte on the disk', async () => {
    for (const seed of [1, 2, 3, 4]) {
      const first = await runFleet(crypto, seed);
      expect(await runFleet(crypto, seed)).toEqual(first);
    }
    expect((await runFleet(crypto, 1)).digest).not.toBe((await runFleet(crypto, 2)).digest);
  });
});

describe('fleets of every suite', () => {
  const suites = GROUP_NAMES.flatMap((group) =>
    (['ML-KEM-768', 'none'] as const).flatMap((kem) =>
      (['AES-256-GCM', 'ChaCha20-Poly1305'] as const).map((aead) => [group, kem, aead] as const),
    ),
  );
  it.each(suites)('%s, %s, %s', async (group, kem, aead) => {
    const policy = { groups: [group], kems: [kem], aeads: [aead] };
    const result = await runFleet(crypto, 8, { policy });
    expect(result.violations).toEqual([]);
    expect(result.counts['keys compared']).toBeGreaterThan(10);
  });
});

describe('the checkers find a planted bug:', () => {
  it.each(PLANTED_BUGS)('$name, within $sessionsMax sessions', async ({ bugs, found, sessionsMax }) => {
    const results = await fleetsUntil(sessionsMax, (index) => index + 1, found, bugs);
    expect(results.at(-1)!.violations.join('\n')).toMatch(found);
    // The same seed finds the same again.
    const { seed, digest } = results.at(-1)!;
    expect((await runFleet(crypto, seed, { bugs })).digest).toBe(digest);
  });
});

/** What the checkers would be blind to if it never came about. */
const WHAT_HAPPENS = [
  'candidate displaced',
  'customer: alertReceived',
  'customer: cancelled',
  'customer: completed',
  'customer: lost',
  'customer: refused',
  'customer: timeout',
  'customer: truncated',
  'fault: bit flipped',
  'fault: clock jumped',
  'fault: connection reset',
  'fault: connection silent',
  'fault: customer gave up',
  'fault: disk full',
  'fault: disk read failed',
  'fault: disk slow',
  'fault: disk stuck',
  'fault: disk sync failed',
  'fault: disk write failed',
  'fault: flight replayed',
  'fault: impostor',
  'fault: late segment',
  'fault: killed while its ledger was opening',
  'fault: ledger thread killed',
  'fault: not reachable',
  'fault: partial write',
  'fault: pool job failed',
  'fault: port in use by others',
  'fault: power failed',
  'fault: server drained',
  'fault: server killed',
  'fault: stranger at a second port',
  'fault: stranger at the first port',
  'fault: write repeated',
  'fault: write withheld',
  'fault: writes swapped',
  'keys compared',
  'leases expired',
  'ledger recovered',
  'ledgers verified by the product',
  'no port free',
  'receipts',
  'receipts replayed',
  'replays',
  'retries asked',
  'second port: displaced',
  'second port: timeout',
  'server stopped with nothing left',
  'torn commit discarded',
];
