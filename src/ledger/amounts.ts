import { assert } from '../errors.ts';
import { currencyExponent } from './currencies.ts';

/** Amounts and balances are integers of the currency's minor unit in the signed 64-bit range, as every SQL database stores them. */
export const INT64_MAX = 2n ** 63n - 1n;
export const INT64_MIN = -(2n ** 63n);

/** 19 digits hold every 64-bit integer; a longer text is no amount anybody meant, and the cap bounds the work of reading it. */
const AMOUNT_TEXT_LENGTH_MAX = 40;

export type ParsedAmount =
  | { readonly ok: true; readonly minor: bigint }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads a decimal of the major unit ("12.34", "0.5", "1000"): digits with at most as many decimals as the currency has; no sign, no
 * exponent, no grouping, no superfluous leading zero, no bare point. The result may exceed 64 bits: the engine says so by its outcome.
 */
export function parseAmount(text: string, currency: string): ParsedAmount {
  const exponent = currencyExponent(currency);
  if (exponent === undefined)
    return { ok: false, reason: `${quote(currency)} is not an active ISO 4217 currency code` };
  const match = text.length <= AMOUNT_TEXT_LENGTH_MAX ? /^(0|[1-9][0-9]*)(?:\.([0-9]+))?$/.exec(text) : null;
  if (match === null)
    return {
      ok: false,
      reason: `${quote(text)} is not an amount; write digits and at most one point, such as "12.50"`,
    };
  const decimals = match[2] ?? '';
  if (decimals.length > exponent)
    return { ok: false, reason: `${quote(text)} has more decimals than the ${exponent} that ${currency} has` };
  return { ok: true, minor: BigInt(match[1]! + decimals.padEnd(exponent, '0')) };
}

/** The decimal of the major unit with exactly the currency's decimals; negative values carry a minus sign. */
export function formatAmount(minor: bigint, currency: string): string {
  const exponent = currencyExponent(currency);
  assert(exponent !== undefined, 'amounts are formatted in known currencies only');
  const digits = (minor < 0n ? -minor : minor).toString().padStart(exponent + 1, '0');
  const sign = minor < 0n ? '-' : '';
  if (exponent === 0) return sign + digits;
  return `${sign}${digits.slice(0, -exponent)}.${digits.slice(-exponent)}`;
}

/** DEL, the C1 controls (0x9b begins a terminal's commands as ESC [ does), and what turns the direction of writing. */
const UNPRINTABLE = /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** A text of a stranger, quoted and shortened for a sentence: nothing in it moves a terminal's cursor. */
export function quote(text: string): string {
  const quoted = JSON.stringify(text.length > 48 ? `${text.slice(0, 48)}…` : text);
  return quoted.replace(UNPRINTABLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
