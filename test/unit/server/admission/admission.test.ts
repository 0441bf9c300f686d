import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefixesOf } from '../../../../src/server/admission/address-prefix.ts';
import { retryDemand } from '../../../../src/server/admission/puzzle-policy.ts';
import { type QuotaPlace, Quotas } from '../../../../src/server/admission/quotas.ts';
import { puzzleSolved, RetryCookies } from '../../../../src/server/admission/retry-cookie.ts';

const HELLO = Buffer.from('a hello without its last two fields');
const NONE = Buffer.alloc(0);
const START_MS = 1_700_000_000_000;

function solve(cookie: Buffer, bits: number): Buffer {
  const solution = Buffer.alloc(8);
  for (let count = 0n; ; count++) {
    solution.writeBigUInt64BE(count);
    if (puzzleSolved(cookie, solution, bits)) return solution;
  }
}

describe('prefixes', () => {
  it('counts IPv4 by /32 and /24, mapped or not', () => {
    expect(prefixesOf('192.0.2.7')).toEqual({ host: 'c0000207', network: 'c00002' });
    expect(prefixesOf('::ffff:192.0.2.7')).toEqual(prefixesOf('192.0.2.7'));
  });

  it('counts IPv6 by /64 and /48, without the zone', () => {
    const prefixes = prefixesOf('2001:db8:1:2:3:4:5:6');
    expect(prefixes).toEqual({ host: '20010db800010002', network: '20010db80001' });
    expect(prefixesOf('2001:db8:1:2::9')).toEqual(prefixes);
    expect(prefixesOf('2001:db8:1:3::9').network).toBe(prefixes.network);
    expect(prefixesOf('fe80::1%eth0')).toEqual(prefixesOf('fe80::1'));
  });

  it('has one key for what is no address', () => {
    expect(prefixesOf(undefined)).toEqual(prefixesOf('not an address'));
  });
});

describe('quotas', () => {
  const limits = { halfOpenMax: 6, halfOpenPerHostMax: 2, halfOpenPerNetworkMax: 3, ratePerHost: 0, burstPerHost: 1 };

  it('refuses by host, network and in all, each at its limit, and admits again after a release', () => {
    const quotas = new Quotas(limits);
    const places: QuotaPlace[] = [];
    const admit = (address: string): string => {
      const decision = quotas.admit(address, START_MS);
      if (decision.ok) places.push(decision.place);
      return decision.ok ? 'ok' : decision.refusal;
    };
    expect(['192.0.2.1', '192.0.2.1', '192.0.2.1', '192.0.2.2', '192.0.2.3'].map(admit)).toEqual([
      'ok',
      'ok',
      'half-open-host',
      'ok',
      'half-open-network',
    ]);
    expect(['198.51.100.1', '198.51.100.2', '203.0.113.1', '203.0.113.2'].map(admit)).toEqual([
      'ok',
      'ok',
      'ok',
      'half-open',
    ]);
    places[0]!.release();
    expect(admit('192.0.2.1')).toBe('ok');
    expect(() => places[0]!.release()).toThrow(/once/);
  });

  it('gives every place back whatever the order', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ address: fc.ipV4(), keep: fc.boolean() }), { maxLength: 60 }), (visits) => {
        const quotas = new Quotas(limits);
        const held: QuotaPlace[] = [];
        for (const { address, keep } of visits) {
          const decision = quotas.admit(address, START_MS);
          if (decision.ok) held.push(decision.place);
          if (!keep) held.pop()?.release();
        }
        expect(quotas.held).toBe(held.length);
        for (const place of held) place.release();
        expect(quotas.held).toBe(0);
        expect(quotas.admit('192.0.2.1', START_MS).ok).toBe(true);
      }),
    );
  });

  it('limits the rate of a host and tells it when to come back', () => {
    const quotas = new Quotas({
      ...limits,
      halfOpenMax: 1000,
      halfOpenPerHostMax: 1000,
      halfOpenPerNetworkMax: 1000,
      ratePerHost: 10,
      burstPerHost: 3,
    });
    const at = (offsetMs: number) => quotas.admit('192.0.2.1', START_MS + offsetMs);
    expect([at(0), at(0), at(0)].map((decision) => decision.ok)).toEqual([true, true, true]);
    expect(at(0)).toMatchObject({ ok: false, refusal: 'rate-host', retryAfterMs: 100 });
    expect(at(60)).toMatchObject({ ok: false, retryAfterMs: 40 });
    expect(at(100).ok).toBe(true);
    expect(at(-5_000).ok).toBe(false); // a clock that jumped back gives nothing
    expect(quotas.admit('192.0.2.2', START_MS).ok).toBe(true);
  });

  it('stays bounded under a flood of addresses', () => {
    const quotas = new Quotas({
      ...limits,
      halfOpenMax: 1e6,
      halfOpenPerHostMax: 10,
      halfOpenPerNetworkMax: 1e6,
      ratePerHost: 1,
      burstPerHost: 1,
    });
    for (let count = 0; count < 70_000; count++) {
      const decision = quotas.admit(`10.${(count >> 16) & 255}.${(count >> 8) & 255}.${count & 255}`, START_MS + count);
      if (decision.ok) decision.place.release();
    }
    expect(quotas.held).toBe(0);
    expect(quotas.admit('10.0.0.0', START_MS).ok).toBe(true); // dropped as the longest known, it starts anew
  });
});

describe('the cookie of RETRY', () => {
  it('is accepted once, for the same address and HELLO, in time', () => {
    const cookies = new RetryCookies(START_MS);
    const issue = () => cookies.issue('192.0.2.1', HELLO, 0, START_MS);
    const accept = (cookie: Uint8Array, address = '192.0.2.1', hello: Uint8Array = HELLO, nowMs = START_MS + 10) =>
      cookies.accept(address, hello, cookie, NONE, nowMs);
    const cookie = issue();
    expect(accept(cookie)).toBe(true);
    expect(accept(cookie)).toBe(false);
    expect(accept(issue(), '192.0.2.2')).toBe(false);
    expect(accept(issue(), '192.0.2.1', Buffer.from('another hello'))).toBe(false);
    expect(accept(issue(), '192.0.2.1', HELLO, START_MS + 30_000)).toBe(true);
    expect(accept(issue(), '192.0.2.1', HELLO, START_MS + 30_001)).toBe(false);
    expect(accept(issue(), '192.0.2.1', HELLO, START_MS - 1_001)).toBe(false);
    expect(accept(new Uint8Array(31))).toBe(false);
  });

  it('refuses every single-bit flip', () => {
    const cookies = new RetryCookies(START_MS);
    const cookie = cookies.issue('192.0.2.1', HELLO, 0, START_MS);
    for (let bit = 0; bit < cookie.length * 8; bit++) {
      const flipped = Buffer.from(cookie);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(cookies.accept('192.0.2.1', HELLO, flipped, NONE, START_MS)).toBe(false);
    }
    expect(cookies.accept('192.0.2.1', HELLO, cookie, NONE, START_MS)).toBe(true);
  });

  it('outlives one change of key and not two', () => {
    const cookies = new RetryCookies(START_MS);
    const before = cookies.issue('192.0.2.1', HELLO, 0, START_MS + 599_990);
    expect(cookies.accept('192.0.2.1', HELLO, before, NONE, START_MS + 600_010)).toBe(true);
    const old = cookies.issue('192.0.2.1', HELLO, 0, START_MS + 1_199_999);
    cookies.issue('192.0.2.1', HELLO, 0, START_MS + 1_300_000);
    expect(cookies.accept('192.0.2.1', HELLO, old, NONE, START_MS + 2_000_000)).toBe(false);
  });

  it('wants its puzzle solved, by the number of bits it says', () => {
    const cookies = new RetryCookies(START_MS);
    const cookie = cookies.issue('192.0.2.1', HELLO, 8, START_MS);
    const solution = solve(cookie, 8);
    const digest = createHash('sha256')
      .update('sallyport/1 puzzle\0')
      .update(Buffer.of(0, 32))
      .update(cookie)
      .update(solution)
      .digest();
    expect(digest[0]).toBe(0);
    const wrong = Buffer.from(solution);
    do wrong.writeBigUInt64BE(wrong.readBigUInt64BE() + 1n);
    while (puzzleSolved(cookie, wrong, 8));
    expect(cookies.accept('192.0.2.1', HELLO, cookie, wrong, START_MS)).toBe(false);
    expect(cookies.accept('192.0.2.1', HELLO, cookie, NONE, START_MS)).toBe(false);
    expect(cookies.accept('192.0.2.1', HELLO, cookie, solution, START_MS)).toBe(true);
    expect(cookies.accept('192.0.2.1', HELLO, cookie, solution, START_MS)).toBe(false);
  });
});

describe('when a puzzle is asked for', () => {
  const bits = (queue: number, room: number): number | undefined => retryDemand({ queue, room })?.puzzleBits;

  it('asks nothing of anybody while the queue is short and half the room is free', () => {
    expect(bits(0, 0)).toBeUndefined();
    expect(bits(0.062, 0.499)).toBeUndefined();
  });

  it('asks for four times the work with every doubling of the queue', () => {
    expect([1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2].map((queue) => bits(queue, 0))).toEqual([10, 12, 14, 16, 18, 18]);
  });

  it('asks for more as the room fills, and for the harder of both', () => {
    expect([0.5, 0.625, 0.75, 1, 2].map((room) => bits(0, room))).toEqual([10, 12, 14, 18, 18]);
    expect(bits(1 / 4, 0.5)).toBe(14);
    expect(bits(1 / 16, 0.75)).toBe(14);
  });
});
