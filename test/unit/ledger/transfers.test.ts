import { describe, expect, it } from 'vitest';
import type { Account } from '../../../src/ledger/accounts.ts';
import { INT64_MAX, INT64_MIN } from '../../../src/ledger/amounts.ts';
import {
  applyTransfers,
  isReference,
  judgeTransfer,
  TRANSFER_OUTCOMES,
  type TransferOutcome,
  type TransferRequest,
} from '../../../src/ledger/transfers.ts';

const account = (id: string, owner: string, changes: Partial<Account> = {}): Account => ({
  id,
  owner,
  currency: 'EUR',
  limit: 0n,
  status: 'open',
  balance: 100n,
  openedTimeUs: 1n,
  ...changes,
});

interface Scene {
  debit: Account | undefined;
  credit: Account | undefined;
  request: TransferRequest;
  disabled: boolean;
}

const scene = (): Scene => ({
  debit: account('a', 'alice'),
  credit: account('b', 'bob'),
  request: { debitAccount: 'a', creditAccount: 'b', amount: 1n, currency: 'EUR', reference: '' },
  disabled: false,
});

function judge({ debit, credit, request, disabled }: Scene): TransferOutcome {
  const accounts = new Map(
    [debit, credit].flatMap((known) => (known === undefined ? [] : [[known.id, known] as const])),
  );
  return judgeTransfer(accounts, { customerId: 'alice', disabled }, request);
}

/** One fault for each refusal that a single transfer can meet, in the documented order. */
const FAULTS: Readonly<Partial<Record<TransferOutcome, (s: Scene) => void>>> = {
  'customer-disabled': (s) => {
    s.disabled = true;
  },
  'debit-account-not-found': (s) => {
    s.debit = undefined;
  },
  'credit-account-not-found': (s) => {
    s.credit = undefined;
  },
  'same-account': (s) => {
    s.request = { ...s.request, creditAccount: 'a' };
  },
  'debit-account-closed': (s) => {
    s.debit = s.debit && { ...s.debit, status: 'closed' };
  },
  'credit-account-closed': (s) => {
    s.credit = s.credit && { ...s.credit, status: 'closed' };
  },
  'currency-mismatch': (s) => {
    s.request = { ...s.request, currency: 'USD' };
  },
  'amount-zero': (s) => {
    s.request = { ...s.request, amount: 0n };
  },
  'amount-out-of-range': (s) => {
    s.request = { ...s.request, amount: INT64_MAX + 1n };
  },
  'insufficient-funds': (s) => {
    if (s.request.amount > 0n && s.request.amount < 101n) s.request = { ...s.request, amount: 101n };
  },
  'balance-overflow': (s) => {
    s.credit = s.credit && { ...s.credit, balance: INT64_MAX };
  },
};

describe('judgeTransfer', () => {
  it('commits what has no fault', () => {
    expect(judge(scene())).toBe('committed');
  });

  it.each(Object.entries(FAULTS))('%s alone', (name, fault) => {
    const s = scene();
    fault!(s);
    expect(judge(s)).toBe(name);
  });

  it('names the earlier of any two faults, in the order of the table', () => {
    const order = TRANSFER_OUTCOMES.map(([name]) => name).filter((name) => FAULTS[name] !== undefined);
    expect(order).toEqual(Object.keys(FAULTS));
    for (const [index, first] of order.entries())
      for (const second of order.slice(index + 1)) {
        // One account cannot be two, and one amount cannot have two values: those pairs do not exist.
        if (first === 'credit-account-not-found' && second === 'same-account') continue;
        if (first === 'same-account' && second.startsWith('credit')) continue;
        if (first.startsWith('amount') && (second.startsWith('amount') || second === 'insufficient-funds')) continue;
        const s = scene();
        FAULTS[second]!(s);
        FAULTS[first]!(s);
        expect(judge(s), `${first} and ${second}`).toBe(first);
      }
  });

  it("does not tell another customer's account from one that is not there", () => {
    const s = scene();
    s.debit = account('a', 'mallory', { status: 'closed', currency: 'USD' });
    expect(judge(s)).toBe('debit-account-not-found');
  });

  it.each([
    [99n, 'committed'],
    [100n, 'committed'],
    [101n, 'insufficient-funds'],
  ])('a balance of 100 with limit 0 pays %s: %s', (amount, outcome) => {
    const s = scene();
    s.request = { ...s.request, amount };
    expect(judge(s)).toBe(outcome);
  });

  it('lets an overdraft go to its limit and not beyond', () => {
    const s = scene();
    s.debit = account('a', 'alice', { balance: 0n, limit: -50n });
    for (const [amount, outcome] of [
      [50n, 'committed'],
      [51n, 'insufficient-funds'],
    ] as const)
      expect(judge({ ...s, request: { ...s.request, amount } })).toBe(outcome);
  });

  it('keeps balances within 64 bits on both sides', () => {
    const s = scene();
    s.credit = account('b', 'bob', { balance: INT64_MAX - 10n });
    for (const [amount, outcome] of [
      [9n, 'committed'],
      [10n, 'committed'],
      [11n, 'balance-overflow'],
    ] as const)
      expect(judge({ ...s, request: { ...s.request, amount } })).toBe(outcome);
    const t = scene();
    t.debit = account('a', 'alice', { limit: undefined, balance: INT64_MIN + 10n });
    for (const [amount, outcome] of [
      [9n, 'committed'],
      [10n, 'committed'],
      [11n, 'balance-overflow'],
    ] as const)
      expect(judge({ ...t, request: { ...t.request, amount } })).toBe(outcome);
  });

  it('takes amounts up to 2^63 - 1 and none that is negative', () => {
    const s = scene();
    s.debit = account('a', 'alice', { balance: INT64_MAX });
    s.credit = account('b', 'bob', { balance: 0n });
    for (const [amount, outcome] of [
      [INT64_MAX - 1n, 'committed'],
      [INT64_MAX, 'committed'],
      [INT64_MAX + 1n, 'amount-out-of-range'],
      [-1n, 'amount-out-of-range'],
    ] as const)
      expect(judge({ ...s, request: { ...s.request, amount } })).toBe(outcome);
  });

  it('refuses when only one side has the currency', () => {
    for (const side of ['debit', 'credit'] as const) {
      const s = scene();
      s[side] = { ...s[side]!, currency: 'USD' };
      expect(judge(s)).toBe('currency-mismatch');
    }
  });
});

describe('applyTransfers', () => {
  const accounts = (): Map<string, Account> =>
    new Map([
      ['a', account('a', 'alice')],
      ['b', account('b', 'bob', { balance: 0n })],
    ]);
  const request = (amount: bigint): TransferRequest => ({ ...scene().request, amount });
  const alice = { customerId: 'alice', disabled: false };

  it('lets each transfer see those before it', () => {
    const working = accounts();
    const { outcomes, committed } = applyTransfers(working, alice, [request(60n), request(41n), request(40n)], false);
    expect(outcomes).toEqual(['committed', 'insufficient-funds', 'committed']);
    expect(committed.map(({ debitBalance, creditBalance }) => [debitBalance, creditBalance])).toEqual([
      [40n, 60n],
      [0n, 100n],
    ]);
    expect([working.get('a')!.balance, working.get('b')!.balance]).toEqual([0n, 100n]);
  });

  it('undoes an atomic list whole, and says which transfer was at fault', () => {
    const working = accounts();
    const { outcomes, committed } = applyTransfers(working, alice, [request(60n), request(41n), request(1n)], true);
    expect(outcomes).toEqual(['linked-transfer-refused', 'insufficient-funds', 'linked-transfer-refused']);
    expect(committed).toEqual([]);
    expect(working).toEqual(accounts());
  });

  it('gives what undoes it', () => {
    const working = accounts();
    const { before } = applyTransfers(working, alice, [request(60n), request(40n)], false);
    for (const [id, known] of before) working.set(id, known);
    expect(working).toEqual(accounts());
  });
});

describe('isReference', () => {
  it('is text of at most 140 bytes without control characters', () => {
    for (const good of ['', 'Invoice 7', 'a'.repeat(140), 'ä'.repeat(70), '🙂'.repeat(35)])
      expect(isReference(good), good).toBe(true);
    for (const bad of ['a'.repeat(141), 'ä'.repeat(71), 'a\nb', 'a\0', '\x7f', '\x85', '\ud800'])
      expect(isReference(bad), bad).toBe(false);
  });
});
