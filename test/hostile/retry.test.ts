import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { solvePuzzle, solvesPuzzle } from '../interop/peer-keys.ts';
import { decodeRetry, encodeHello, FRAME, type Hello } from '../interop/peer-wire.ts';
import { Arena, expectReaction } from './arena.ts';
import { type Preparation, prepareHello } from './attacker.ts';
import { RawLink } from './raw-link.ts';

/** RETRY end to end: a server whose half-open room fills asks for a cookie and work; who cheats with either is told BAD_COOKIE. */

const BAD_COOKIE = ['plain ERROR BAD_COOKIE', 'fin'];
const OFFERED = ['OFFER', 'fin'];
const CROWD = 12;

const crowds: RawLink[][] = [];

afterEach(() => {
  vi.restoreAllMocks();
  for (const crowd of crowds.splice(0)) for (const link of crowd) link.reset();
});

/** A server that is `CROWD` of 16 full; with the one who asks it is 13, where a puzzle of 15 bits is due. */
async function crowded(): Promise<Arena> {
  const arena = await Arena.open({ 'half-open-max': 16, 'hello-timeout-ms': 60_000, 'lease-ms': 300 });
  const crowd = await Promise.all(Array.from({ length: CROWD }, () => RawLink.to(arena.port)));
  crowds.push(crowd);
  await expect.poll(() => arena.stage.server.gauges.halfOpen, { interval: 5 }).toBe(CROWD);
  return arena;
}

async function leave(arena: Arena): Promise<void> {
  for (const link of crowds.pop()!) link.reset();
  await arena.unharmed();
  await arena[Symbol.asyncDispose]();
}

interface Asked extends Preparation {
  readonly cookie: Buffer;
  readonly bits: number;
}

async function asked(arena: Arena, from = '127.0.0.1'): Promise<Asked> {
  const prepared = prepareHello();
  const link = await RawLink.to(arena.port, { from });
  const frame = await link.write(prepared.frame).frame();
  expect(frame?.[0]).toBe(FRAME.RETRY);
  expectReaction(await link.reaction(), ['fin']);
  const { puzzleBits: bits, cookie } = decodeRetry(frame!.subarray(4));
  return { ...prepared, cookie, bits };
}

async function comeBack(
  arena: Arena,
  { hello, cookie, bits }: Asked,
  changes: Partial<Hello> = {},
  from = '127.0.0.1',
): Promise<string[]> {
  const solved = { ...hello, cookie, puzzleSolution: solvePuzzle(cookie, bits), ...changes };
  const link = await RawLink.to(arena.port, { from });
  return link.write(encodeHello(solved)).reaction();
}

/** Eight bytes that solve nothing. */
function wrongSolution({ cookie, bits }: Asked): Buffer {
  for (;;) {
    const solution = randomBytes(8);
    if (!solvesPuzzle(cookie, bits, solution)) return solution;
  }
}

const flip = (bytes: Uint8Array, at: number): Buffer => {
  const changed = Buffer.from(bytes);
  changed[at]! ^= 1;
  return changed;
};

describe('a server under load', () => {
  it('asks everyone for a cookie and work, once, and gives an OFFER for it', async () => {
    const arena = await crowded();
    const first = await asked(arena);
    expect(first.bits).toBe(15);
    expectReaction(await comeBack(arena, first), OFFERED);
    await leave(arena);
  });

  it('serves honest customers, who pay as always', async () => {
    const arena = await crowded();
    await arena.goodPayment();
    await arena.goodPayment();
    await leave(arena);
  });

  it('keeps nothing of who was asked: four hundred HELLOs that never come back leave no trace', async () => {
    const arena = await crowded();
    for (let count = 0; count < 400; count += 4) {
      const four = await Promise.all(Array.from({ length: 4 }, () => RawLink.to(arena.port)));
      const reactions = await Promise.all(four.map((link) => link.write(prepareHello().frame).reaction()));
      for (const lines of reactions) expect(['RETRY', 'plain ERROR BUSY']).toContain(lines[0]);
    }
    await expect
      .poll(() => arena.stage.server.gauges, { interval: 5 })
      .toMatchObject({ halfOpen: CROWD, live: 0, ports: { leased: 0 } });
    expect(arena.stage.server.gauges.crypto.jobs).toBe(0);
    await leave(arena);
  });

  it('says BUSY when its room is full', async () => {
    const arena = await crowded();
    const rest = await Promise.all(Array.from({ length: 4 }, () => RawLink.to(arena.port)));
    crowds[0]!.push(...rest);
    await expect.poll(() => arena.stage.server.gauges.halfOpen, { interval: 5 }).toBe(16);
    const link = await RawLink.to(arena.port);
    expectReaction(await link.write(prepareHello().frame).reaction(), ['plain ERROR BUSY', 'fin']);
    await leave(arena);
  });
});

describe('a cookie or a solution that is not right', () => {
  const CHEATS: readonly (readonly [string, (arena: Arena, own: Asked) => Promise<string[]>])[] = [
    [
      'is forged',
      (arena, own) => comeBack(arena, { ...own, cookie: randomBytes(32), bits: 0 }, { puzzleSolution: randomBytes(8) }),
    ],
    ['is cut short', (arena, own) => comeBack(arena, { ...own, cookie: own.cookie.subarray(1) })],
    ['is longer', (arena, own) => comeBack(arena, { ...own, cookie: Buffer.concat([own.cookie, Buffer.alloc(1)]) })],
    ['has its key id changed', (arena, own) => comeBack(arena, { ...own, cookie: flip(own.cookie, 0) })],
    [
      'has its puzzle made easier',
      (arena, own) =>
        comeBack(arena, {
          ...own,
          cookie: Buffer.concat([own.cookie.subarray(0, 1), Buffer.of(0), own.cookie.subarray(2)]),
          bits: 0,
        }),
    ],
    ['has its time changed', (arena, own) => comeBack(arena, { ...own, cookie: flip(own.cookie, 7) })],
    ['has its MAC changed', (arena, own) => comeBack(arena, { ...own, cookie: flip(own.cookie, 31) })],
    ['is another one’s', async (arena, own) => comeBack(arena, { ...(await asked(arena)), hello: own.hello })],
    ['came to another address', (arena, own) => comeBack(arena, own, {}, '127.0.0.2')],
    ['comes with another random', (arena, own) => comeBack(arena, own, { customerRandom: randomBytes(32) })],
    ['comes with another claim', (arena, own) => comeBack(arena, own, { claimCommitment: randomBytes(32) })],
    ['comes with another list', (arena, own) => comeBack(arena, own, { groups: [0x0101, 0x0100] })],
    ['comes with another key', (arena, own) => comeBack(arena, own, { kemKey: prepareHello().hello.kemKey })],
    ['comes with a hint it had not', (arena, own) => comeBack(arena, own, { hostKeyHint: randomBytes(8) })],
    ['has no solution', (arena, own) => comeBack(arena, own, { puzzleSolution: Buffer.alloc(0) })],
    ['has a wrong solution', (arena, own) => comeBack(arena, own, { puzzleSolution: wrongSolution(own) })],
    [
      'is replayed',
      async (arena, own) => {
        expectReaction(await comeBack(arena, own), OFFERED);
        return comeBack(arena, own);
      },
    ],
    [
      'is expired',
      async (arena, own) => {
        const now = Date.now.bind(Date);
        vi.spyOn(Date, 'now').mockImplementation(() => now() + 31_000);
        return comeBack(arena, own);
      },
    ],
    [
      'is of the future',
      async (arena, own) => {
        const now = Date.now.bind(Date);
        vi.spyOn(Date, 'now').mockImplementation(() => now() - 5_000);
        return comeBack(arena, own);
      },
    ],
  ];

  it('because of any of its parts', async () => {
    const arena = await crowded();
    for (const [what, cheat] of CHEATS) {
      const reaction = await cheat(arena, await asked(arena));
      vi.restoreAllMocks();
      expect([what, ...reaction]).toEqual([what, ...BAD_COOKIE]);
      await arena.goodPayment();
    }
    await leave(arena);
  });

  it('is checked when the load is gone, too, and a right one is still good then', async () => {
    const arena = await crowded();
    const [one, other] = [await asked(arena), await asked(arena)];
    for (const link of crowds[0]!) link.reset();
    await expect.poll(() => arena.stage.server.gauges.halfOpen, { interval: 5 }).toBe(0);
    expectReaction(await comeBack(arena, one, { puzzleSolution: wrongSolution(one) }), BAD_COOKIE);
    expectReaction(await comeBack(arena, other), OFFERED);
    await leave(arena);
  });

  it('is nothing to another server, nor to the same one started again', async () => {
    const arena = await crowded();
    const own = await asked(arena);
    for (const link of crowds[0]!) link.reset();
    await arena.stage.restart();
    expectReaction(await comeBack(arena, own), BAD_COOKIE);
    await leave(arena);
  });
});
