import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { INNER } from '../interop/peer-wire.ts';
import type { Arena } from './arena.ts';
import { customerKey, openSession, prepareHello, Session } from './attacker.ts';
import { RawLink } from './raw-link.ts';

/** Good customers and bad ones together, for a while, with the server's memory, descriptors and leases looked at between the rounds. */

export interface SoakSample {
  readonly heapBytes: number;
  /** Buffers and WebAssembly memory, outside V8's heap. */
  readonly externalBytes: number;
  readonly descriptors: number;
  readonly leased: number;
  readonly sessions: number;
}

/** What strangers do in a round, each once. */
const CRUELTIES: readonly ((arena: Arena) => Promise<void>)[] = [
  async (arena) => (await RawLink.to(arena.port)).write(prepareHello().frame.subarray(0, 300)).reset(),
  async (arena) => void (await (await RawLink.to(arena.port)).write(Buffer.alloc(2_000)).reaction()),
  async (arena) => {
    const opening = await openSession(arena.port);
    const link = await RawLink.to(opening.offer.secondPort);
    await link.write(customerKey(opening, { leaseToken: randomBytes(32) }).frame).reaction();
    (await Session.claim(opening)).link.reset();
  },
  async (arena) => {
    const session = await Session.claim(await openSession(arena.port));
    session.authenticate({ ...arena.credentials, customerId: 'nobody' });
    await session.reaction();
  },
  async (arena) => {
    const session = await Session.authenticated(arena.port, arena.credentials);
    session.link.write(randomBytes(500)).finish();
    await session.reaction();
  },
  async (arena) => {
    const session = await Session.authenticated(arena.port, arena.credentials);
    for (let count = 0; count < 5; count++) session.transact('{}');
    session.send(INNER.CLOSE);
    await session.reaction();
  },
];

/** Rounds of two good payments and every cruelty for `seconds`; a sample after each of `samples` equal parts of it. */
export async function soak(arena: Arena, seconds: number, samples: number): Promise<SoakSample[]> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const taken: SoakSample[] = [];
  const begun = performance.now();
  for (let part = 1; part <= samples; part++) {
    let sessions = 0;
    const until = begun + (part * seconds * 1_000) / samples;
    do {
      await Promise.all([...CRUELTIES.map((cruelty) => cruelty(arena)), arena.goodPayment(), arena.goodPayment()]);
      sessions += CRUELTIES.length + 2;
    } while (performance.now() < until);
    await arena.quiet();
    // Twice: what a finalizer frees is collected by the second.
    collect();
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    const { heapUsed, external } = process.memoryUsage();
    taken.push({
      heapBytes: heapUsed,
      externalBytes: external,
      descriptors: readdirSync('/proc/self/fd').length,
      leased: arena.stage.server.gauges.ports.leased,
      sessions,
    });
  }
  return taken;
}
