/** What a decoder gives: a value, or why the bytes are none. Bytes of a peer never throw. */

import type { AlertCode } from '../errors.ts';

export interface Refused {
  readonly ok: false;
  /** What the peer is told. */
  readonly code: AlertCode;
  /** Which field or rule, for the log: never the bytes themselves. */
  readonly what: string;
}

export type Decoded<Value> = { readonly ok: true; readonly value: Value } | Refused;

export function refuse(code: AlertCode, what: string): Refused {
  return { ok: false, code, what };
}
