import * as crypto from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import {
  type CustomerRecord,
  digestIdentity,
  type PepperRing,
  type PresentedIdentity,
  verifyIdentity,
} from '../../../src/ledger/identity.ts';

vi.mock('node:crypto', async (original) => {
  const actual = await original<typeof crypto>();
  return { ...actual, createHmac: vi.fn(actual.createHmac), timingSafeEqual: vi.fn(actual.timingSafeEqual) };
});

const PEPPERS: PepperRing = {
  current: 2,
  byVersion: new Map([
    [1, new Uint8Array(32).fill(1)],
    [2, new Uint8Array(32).fill(2)],
  ]),
};
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const ALICE: PresentedIdentity = {
  customerId: 'alice',
  profile: [
    { tag: 'birth-date', value: bytes('1990-01-31') },
    { tag: 'name', value: bytes('Alice Ångström') },
    { tag: 'phone', value: bytes('') },
  ],
  credential: new Uint8Array(32).fill(0xcc),
};
const record = (changes: Partial<CustomerRecord> = {}, peppers = PEPPERS): CustomerRecord => ({
  id: 'alice',
  status: 'active',
  createdTimeUs: 1n,
  ...digestIdentity(peppers, ALICE),
  ...changes,
});

/** How many HMACs and comparisons a verification makes. */
function workOf(known: CustomerRecord | undefined, presented: PresentedIdentity): [number, number] {
  vi.mocked(crypto.createHmac).mockClear();
  vi.mocked(crypto.timingSafeEqual).mockClear();
  verifyIdentity(PEPPERS, known, presented);
  return [vi.mocked(crypto.createHmac).mock.calls.length, vi.mocked(crypto.timingSafeEqual).mock.calls.length];
}

describe('identity', () => {
  it('verifies what was enrolled', () => {
    expect(verifyIdentity(PEPPERS, record(), ALICE)).toBe(true);
    const bare = { ...ALICE, profile: [] };
    expect(verifyIdentity(PEPPERS, { ...record(), ...digestIdentity(PEPPERS, bare) }, bare)).toBe(true);
  });

  it('stores nothing of the values but keyed digests', () => {
    const stored = JSON.stringify(record().fields.map(({ digest }) => Buffer.from(digest).toString('hex')));
    expect(stored).not.toContain(Buffer.from('1990').toString('hex'));
    expect(record().fields.every(({ digest }) => digest.length === 32)).toBe(true);
  });

  const wrong: [string, CustomerRecord | undefined, PresentedIdentity][] = [
    ['an unknown customer', undefined, ALICE],
    ['a disabled customer', record({ status: 'disabled' }), ALICE],
    ['a wrong credential', record(), { ...ALICE, credential: new Uint8Array(32).fill(0xcd) }],
    ...ALICE.profile.map((field, index): [string, CustomerRecord, PresentedIdentity] => [
      `a wrong ${field.tag}`,
      record(),
      { ...ALICE, profile: ALICE.profile.with(index, { ...field, value: bytes(`${index}`) }) },
    ]),
    ['a renamed tag', record(), { ...ALICE, profile: ALICE.profile.with(1, { ...ALICE.profile[1]!, tag: 'namf' }) }],
    ['a field too few', record(), { ...ALICE, profile: ALICE.profile.slice(0, 2) }],
    ['a field too many', record(), { ...ALICE, profile: [...ALICE.profile, { tag: 'zip', value: bytes('1') }] }],
    ['no profile', record(), { ...ALICE, profile: [] }],
    ['the record of somebody else', record({ id: 'bob' }), ALICE],
    ["another customer's name on the same facts", record(), { ...ALICE, customerId: 'bob' }],
    ['a pepper that is gone', record({ pepperVersion: 9 }), ALICE],
    ['another pepper than its version says', record({ pepperVersion: 1 }), ALICE],
  ];

  it.each(wrong)('refuses %s', (_what, known, presented) => {
    expect(verifyIdentity(PEPPERS, known, presented)).toBe(false);
  });

  it('does the same work for everyone who presents as much', () => {
    expect(workOf(record(), ALICE)).toEqual([4, 4]);
    for (const [what, known, presented] of wrong)
      expect(workOf(known, presented), what).toEqual(Array(2).fill(presented.profile.length + 1));
  });

  it('goes on verifying records of an earlier pepper', () => {
    expect(verifyIdentity(PEPPERS, record({}, { ...PEPPERS, current: 1 }), ALICE)).toBe(true);
  });

  it('gives equal values of two customers, and under two tags, unrelated digests', () => {
    const digests = (identity: PresentedIdentity): string[] => {
      const made = digestIdentity(PEPPERS, identity);
      return [...made.fields.map(({ digest }) => digest), made.credentialDigest].map((digest) =>
        Buffer.from(digest).toString('hex'),
      );
    };
    const same: PresentedIdentity = { ...ALICE, profile: ['a', 'b'].map((tag) => ({ tag, value: bytes('x') })) };
    const all = [...digests(same), ...digests({ ...same, customerId: 'bob' })];
    expect(new Set(all).size).toBe(6);
  });

  it('is digested as documented', () => {
    const expected = crypto
      .createHmac('sha256', new Uint8Array(32).fill(2))
      .update('sallyport/1 profile field\0\x05alice\x04name\0\x10', 'latin1')
      .update(bytes('Alice Ångström'))
      .digest();
    expect(record().fields[1]!.digest).toEqual(new Uint8Array(expected));
  });

  it('takes canonical profiles, whole credentials and real peppers only', () => {
    expect(() => digestIdentity(PEPPERS, { ...ALICE, profile: ALICE.profile.toReversed() })).toThrow('ascending');
    expect(() => digestIdentity(PEPPERS, { ...ALICE, profile: [ALICE.profile[0]!, ALICE.profile[0]!] })).toThrow(
      'unique',
    );
    expect(() => digestIdentity(PEPPERS, { ...ALICE, credential: new Uint8Array(31) })).toThrow('32 bytes');
    expect(() => digestIdentity({ current: 1, byVersion: new Map([[1, new Uint8Array(31)]]) }, ALICE)).toThrow(
      'pepper',
    );
  });
});
