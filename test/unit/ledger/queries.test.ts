import { describe, expect, it } from 'vitest';
import type { Ledger } from '../../../src/ledger/ledger.ts';
import { answerQuery, BALANCES_CONTENT_TYPE, HISTORY_CONTENT_TYPE } from '../../../src/ledger/queries.ts';
import { formatTimeUs } from '../../../src/ledger/times.ts';
import { newLedger, payment, withAliceAndBob } from './fixtures.ts';

async function ask(
  ledger: Ledger,
  customer: string,
  contentType: string,
  query: object | string,
): Promise<Record<string, unknown>> {
  const body = Buffer.from(typeof query === 'string' ? query : JSON.stringify(query));
  const answer = await answerQuery(ledger, customer, contentType, body);
  if (answer.kind === 'malformed') return { malformed: answer.reason };
  expect(answer.contentType).toBe(contentType);
  expect(answer.body.length).toBeLessThanOrEqual(61_440);
  return JSON.parse(Buffer.from(answer.body).toString('utf8')) as Record<string, unknown>;
}

interface Entry {
  readonly sequence: string;
  readonly amount: string;
}

async function withPayments(count: number, reference = ''): Promise<Ledger> {
  const ledger = await withAliceAndBob(newLedger());
  await ledger.submit(
    Array.from({ length: count }, (_, id) =>
      payment('alice', id, { from: 'alice.eur', to: 'bob.eur', amount: '0.01', reference }),
    ),
  );
  return ledger;
}

describe('balances', () => {
  it("are the customer's own accounts", async () => {
    const ledger = await withAliceAndBob(newLedger());
    expect(await ask(ledger, 'alice', BALANCES_CONTENT_TYPE, {})).toEqual({
      accounts: [{ id: 'alice.eur', currency: 'EUR', balance: '100.00', limit: '0.00' }],
    });
    expect(await ask(ledger, 'ghost', BALANCES_CONTENT_TYPE, {})).toEqual({ accounts: [] });
    expect(await ask(ledger, 'alice', BALANCES_CONTENT_TYPE, { owner: 'bob' })).toHaveProperty('malformed');
  });
});

describe('history', () => {
  it('is newest first, signed as the account saw it', async () => {
    const ledger = await withPayments(1, 'Tea');
    const entry = {
      sequence: '7',
      time: '2023-11-14T22:13:20.000006Z',
      from: 'alice.eur',
      to: 'bob.eur',
      currency: 'EUR',
      reference: 'Tea',
      transactionId: '00'.repeat(16),
    };
    expect(await ask(ledger, 'alice', HISTORY_CONTENT_TYPE, { account: 'alice.eur', limit: 1 })).toEqual({
      entries: [{ ...entry, amount: '-0.01', balance: '99.99' }],
      more: true,
      next: '7.0',
    });
    expect(await ask(ledger, 'bob', HISTORY_CONTENT_TYPE, { account: 'bob.eur' })).toEqual({
      entries: [{ ...entry, amount: '0.01', balance: '0.01' }],
      more: false,
    });
  });

  it('goes on where a page ended, to the end, without gap or repetition', async () => {
    const ledger = await withPayments(25);
    const seen: string[] = [];
    let query: object = { account: 'alice.eur', limit: 10 };
    for (let pages = 0; pages < 3; pages++) {
      const page = await ask(ledger, 'alice', HISTORY_CONTENT_TYPE, query);
      seen.push(...(page.entries as Entry[]).map(({ sequence }) => sequence));
      expect(page.more).toBe(pages < 2);
      query = { account: 'alice.eur', limit: 10, before: page.next };
    }
    expect(seen).toEqual(Array.from({ length: 26 }, (_, index) => String(31 - index)));
  });

  it('takes a bare sequence as the place before it', async () => {
    const ledger = await withPayments(3);
    const page = await ask(ledger, 'alice', HISTORY_CONTENT_TYPE, { account: 'alice.eur', before: '8' });
    expect((page.entries as Entry[]).map(({ sequence }) => sequence)).toEqual(['7', '6']);
  });

  it('ends a page earlier when it would not fit an answer, and says where it goes on', async () => {
    // The longest ids, and references of quotation marks, which double in JSON.
    const ledger = await withAliceAndBob(newLedger());
    const [from, to] = ['a'.repeat(64), 'b'.repeat(64)] as const;
    await ledger.openAccount({ id: from, owner: 'alice', currency: 'EUR', limit: -(10n ** 18n) });
    await ledger.openAccount({ id: to, owner: 'bob', currency: 'EUR' });
    const reference = '"'.repeat(140);
    await ledger.submit(
      Array.from({ length: 100 }, (_, id) =>
        payment('alice', id, { from, to, amount: '10000000000000.00', reference }),
      ),
    );
    const page = await ask(ledger, 'alice', HISTORY_CONTENT_TYPE, { account: from, limit: 100 });
    const entries = page.entries as Entry[];
    expect(entries.length).toBeLessThan(100);
    expect([page.more, page.next]).toEqual([true, `${entries.at(-1)!.sequence}.0`]);
    const next = await ask(ledger, 'alice', HISTORY_CONTENT_TYPE, {
      account: from,
      limit: 1,
      before: page.next,
    });
    expect(Number((next.entries as Entry[])[0]!.sequence)).toBe(Number(entries.at(-1)!.sequence) - 1);
  });

  it.each([
    ["somebody else's account", { account: 'bob.eur' }, 'no account'],
    ['an account that is not there', { account: 'ghost' }, 'no account'],
    ['no account', {}, '"account"'],
    ['an account id that cannot be', { account: 'A B' }, '"A B"'],
    ['limit 0', { account: 'alice.eur', limit: 0 }, '1 to 100'],
    ['limit 101', { account: 'alice.eur', limit: 101 }, '1 to 100'],
    ['a fractional limit', '{"account":"alice.eur","limit":1.5}', 'whole number'],
    ['a limit with an exponent', '{"account":"alice.eur","limit":1e1}', 'whole number'],
    ['a place that is none', { account: 'alice.eur', before: 'yesterday' }, '"yesterday"'],
    ['a number for a place', '{"account":"alice.eur","before":7}', 'string'],
    ['a place beyond 64 bits', { account: 'alice.eur', before: '9'.repeat(19) }, 'no place'],
  ])('refuses %s', async (_what, query, hint) => {
    const ledger = await withAliceAndBob(newLedger());
    expect((await ask(ledger, 'alice', HISTORY_CONTENT_TYPE, query)).malformed).toContain(hint);
  });

  it('does not tell a foreign account from none', async () => {
    const ledger = await withAliceAndBob(newLedger());
    const [foreign, none] = [
      await ask(ledger, 'alice', HISTORY_CONTENT_TYPE, { account: 'bob.eur' }),
      await ask(ledger, 'alice', HISTORY_CONTENT_TYPE, { account: 'bob.xxx' }),
    ];
    expect(String(foreign.malformed).replace('bob.eur', '')).toBe(String(none.malformed).replace('bob.xxx', ''));
  });
});

it('an unknown question is refused', async () => {
  expect((await ask(newLedger(), 'alice', 'text/plain', {})).malformed).toContain('text/plain');
});

it('times are RFC 3339 with microseconds', () => {
  expect(formatTimeUs(0n)).toBe('1970-01-01T00:00:00.000000Z');
  expect(formatTimeUs(1_769_860_800_123_456n)).toBe('2026-01-31T12:00:00.123456Z');
});
