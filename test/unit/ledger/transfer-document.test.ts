import { describe, expect, it } from 'vitest';
import type { Plan } from '../../../src/ledger/processor.ts';
import { transferProcessor } from '../../../src/ledger/transfer-processor.ts';

const CONTEXT = { customerId: 'alice', transactionId: new Uint8Array(16) };
const plan = (text: string | Uint8Array): Plan =>
  transferProcessor.plan(typeof text === 'string' ? Buffer.from(text, 'utf8') : text, CONTEXT);
const DOCUMENT = '{"from":"alice.eur","to":"bob.eur","amount":"12.50","currency":"EUR","reference":"Invoice 7"}';
const reasonOf = (text: string | Uint8Array): string => {
  const made = plan(text);
  return made.kind === 'malformed' ? made.reason : 'understood';
};

describe('the transfer document', () => {
  it('is one transfer', () => {
    expect(plan(DOCUMENT)).toEqual({
      kind: 'transfers',
      atomic: true,
      transfers: [
        { debitAccount: 'alice.eur', creditAccount: 'bob.eur', amount: 1250n, currency: 'EUR', reference: 'Invoice 7' },
      ],
    });
  });

  it('may leave out its reference, have blanks, escapes and any order', () => {
    const made = plan(' {\n"currency" : "\\u0045UR",\t"amount":"1","to":"b","from":"a" } \r\n');
    expect(made).toMatchObject({ transfers: [{ debitAccount: 'a', creditAccount: 'b', amount: 100n, reference: '' }] });
  });

  it.each([
    ['not an object', '[]', 'not one JSON object'],
    ['nothing', '', 'not one JSON object'],
    ['an empty object', '{}', '"from"'],
    ['two objects', `${DOCUMENT}${DOCUMENT}`, 'not one JSON object'],
    ['a byte order mark', `\ufeff${DOCUMENT}`, 'not one JSON object'],
    ['a trailing comma', DOCUMENT.replace('}', ',}'), 'not one JSON object'],
    ['a comment', DOCUMENT.replace('{', '{/*x*/'), 'not one JSON object'],
    ['single quotes', DOCUMENT.replaceAll('"', "'"), 'not one JSON object'],
    ['a raw line break in a string', DOCUMENT.replace('Invoice 7', 'a\nb'), 'not one JSON object'],
    ['a bad escape', DOCUMENT.replace('Invoice 7', '\\x41'), 'not one JSON object'],
    ['an unknown member', DOCUMENT.replace('{', '{"extra":"1",'), '"extra"'],
    ['__proto__', DOCUMENT.replace('{', '{"__proto__":"x",'), '"__proto__"'],
    ['constructor', DOCUMENT.replace('{', '{"constructor":"x",'), '"constructor"'],
    ['a member twice', DOCUMENT.replace('{', '{"amount":"1",'), 'twice'],
    ['a member twice, once in escapes', DOCUMENT.replace('{', '{"\\u0061mount":"1",'), 'twice'],
    ['a number for an amount', DOCUMENT.replace('"12.50"', '12.50'), 'must be a string'],
    ['null', DOCUMENT.replace('"Invoice 7"', 'null'), 'must be a string'],
    ['an object for a member', DOCUMENT.replace('"Invoice 7"', '{}'), 'must be a string'],
    ['a missing amount', DOCUMENT.replace('"amount":"12.50",', ''), '"amount"'],
    ['NUL', DOCUMENT.replace('Invoice 7', '\\u0000'), 'NUL'],
    ['half a character', DOCUMENT.replace('Invoice 7', '\\ud800'), 'half a character'],
    ['a control character', DOCUMENT.replace('Invoice 7', '\\n'), 'control'],
    ['a long reference', DOCUMENT.replace('Invoice 7', 'x'.repeat(141)), '140'],
    ['a bad account id', DOCUMENT.replace('alice.eur', 'Alice'), '"Alice"'],
    ['no account id', DOCUMENT.replace('bob.eur', ''), '""'],
    ['a long account id', DOCUMENT.replace('bob.eur', 'b'.repeat(65)), 'account id'],
    ['a currency that is none', DOCUMENT.replace('EUR', 'EU'), '"EU"'],
    ['a negative amount', DOCUMENT.replace('12.50', '-12.50'), '"-12.50"'],
    ['too many decimals', DOCUMENT.replace('12.50', '12.505'), 'decimals'],
  ])('refuses %s', (_what, text, hint) => {
    expect(reasonOf(text)).toContain(hint);
  });

  it('refuses what is not UTF-8', () => {
    for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
      const at = DOCUMENT.indexOf('Invoice');
      const broken = Buffer.concat([
        Buffer.from(DOCUMENT.slice(0, at)),
        Buffer.from(bytes),
        Buffer.from(DOCUMENT.slice(at)),
      ]);
      expect(reasonOf(broken)).toContain('UTF-8');
    }
  });

  it('refuses every document that was cut off', () => {
    for (let length = 0; length < DOCUMENT.length; length++)
      expect(plan(DOCUMENT.slice(0, length)).kind, String(length)).toBe('malformed');
  });

  it('reads the largest body in no time that grows with its square', () => {
    const long = `{"from":"${'\\\\'.repeat(30_000)}"}`;
    expect(reasonOf(long)).toContain('"to"');
  });
});
