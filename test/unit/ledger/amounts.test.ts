import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatAmount, INT64_MAX, INT64_MIN, parseAmount, quote } from '../../../src/ledger/amounts.ts';
import { CURRENCY_EXPONENTS, currencyExponent } from '../../../src/ledger/currencies.ts';

const minorOf = (text: string, currency: string): bigint | undefined => {
  const parsed = parseAmount(text, currency);
  return parsed.ok ? parsed.minor : undefined;
};

describe('currencies', () => {
  it('are those of ISO 4217 with their exponents', () => {
    expect(['EUR', 'USD', 'JPY', 'ISK', 'KWD', 'TND', 'CLF', 'UYW', 'MGA', 'XCG'].map(currencyExponent)).toEqual([
      2, 2, 0, 0, 3, 3, 4, 4, 2, 2,
    ]);
  });

  it('leave out what was withdrawn and what has no minor unit', () => {
    for (const code of ['HRK', 'CUC', 'ZWL', 'SLL', 'ANG', 'XAU', 'XXX', 'XDR', 'eur', 'EURO', '', '__proto__'])
      expect(currencyExponent(code), code).toBeUndefined();
  });

  it('are three capital letters each, and none is listed twice', () => {
    const codes = [...CURRENCY_EXPONENTS.keys()];
    // List one has 178 codes; 13 of them (metals, units of account, testing) have no minor unit.
    expect(codes.length).toBe(178 - 13);
    expect(codes.every((code) => /^[A-Z]{3}$/.test(code))).toBe(true);
  });
});

describe('parseAmount', () => {
  it.each([
    ['0', 'EUR', 0n],
    ['0.00', 'EUR', 0n],
    ['12.34', 'EUR', 1234n],
    ['12.3', 'EUR', 1230n],
    ['12', 'EUR', 1200n],
    ['12', 'JPY', 12n],
    ['0.001', 'KWD', 1n],
    ['1.0001', 'CLF', 10001n],
    ['92233720368547758.07', 'EUR', INT64_MAX],
    ['92233720368547758.08', 'EUR', INT64_MAX + 1n],
  ])('%s %s', (text, currency, minor) => {
    expect(minorOf(text, currency)).toBe(minor);
  });

  it.each([
    '',
    '.',
    '.5',
    '5.',
    '-1',
    '+1',
    '1e2',
    '1E2',
    '01',
    '00',
    '1,5',
    '1 ',
    ' 1',
    '1_0',
    '0x10',
    '1.234',
    '1.2.3',
    '١',
    'NaN',
    'Infinity',
    '1\n',
    '1\0',
    '9'.repeat(41),
  ])('refuses %j with a sentence', (text) => {
    const parsed = parseAmount(text, 'EUR');
    expect(parsed.ok).toBe(false);
    expect(!parsed.ok && parsed.reason.length).toBeGreaterThan(10);
  });

  it('allows as many decimals as the currency has and not one more', () => {
    for (const [currency, exponent] of CURRENCY_EXPONENTS) {
      if (exponent > 0)
        expect(minorOf(`1.${'1'.repeat(exponent)}`, currency), currency).toBe(BigInt('1'.repeat(exponent + 1)));
      expect(minorOf(`1.${'1'.repeat(exponent + 1)}`, currency), currency).toBeUndefined();
    }
  });

  it('refuses a currency that is none', () => {
    expect(parseAmount('1', 'ABC')).toEqual({ ok: false, reason: '"ABC" is not an active ISO 4217 currency code' });
  });
});

describe('formatAmount', () => {
  it.each([
    [0n, 'EUR', '0.00'],
    [5n, 'EUR', '0.05'],
    [-5n, 'EUR', '-0.05'],
    [123456n, 'EUR', '1234.56'],
    [123456n, 'JPY', '123456'],
    [-1n, 'JPY', '-1'],
    [1n, 'KWD', '0.001'],
    [INT64_MIN, 'EUR', '-92233720368547758.08'],
  ])('%s %s', (minor, currency, text) => {
    expect(formatAmount(minor, currency)).toBe(text);
  });

  it('is undone by parseAmount in every currency', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, INT64_MAX), fc.constantFrom(...CURRENCY_EXPONENTS.keys()), (minor, currency) => {
        expect(minorOf(formatAmount(minor, currency), currency)).toBe(minor);
      }),
    );
  });
});

describe('quoting a stranger', () => {
  it.each([
    ['an escape sequence', '\u001b[2J', '"\\u001b[2J"'],
    ['DEL', 'a\u007fb', '"a\\u007fb"'],
    ['CSI in one character', '\u009b2J', '"\\u009b2J"'],
    ['a change of direction', 'a\u202eb', '"a\\u202eb"'],
    ['a lone surrogate', '\ud800', '"\\ud800"'],
    ['letters of any script', 'Zoë Алиса', '"Zoë Алиса"'],
  ])('makes %s visible', (_, text, quoted) => {
    expect(quote(text)).toBe(quoted);
  });
});
