/** A step's public values, named and shortened for a person. */

import type { LaneEntry } from './lanes.ts';

const NAMES: Readonly<Record<string, string>> = {
  secondPort: 'second port',
  kem: 'KEM',
  aead: 'cipher',
  hostKey: 'host key',
  fields: 'profile fields',
  contentType: 'document',
  transaction: 'transaction',
  sequence: 'ledger entry',
  puzzleBits: 'puzzle bits',
};

/** Said already by the step itself, or of no interest to a reader of the method. */
const UNSAID: ReadonlySet<string> = new Set(['again', 'secondHost', 'session', 'bytes', 'reason']);

const MEDIA_PREFIX = 'application/vnd.sallyport.';

export function factsOf(detail: Readonly<Record<string, string | number>>): LaneEntry['facts'] {
  return Object.entries(detail)
    .filter(([name, value]) => !UNSAID.has(name) && value !== '')
    .map(([name, value]) => [NAMES[name] ?? name, shown(name, String(value))]);
}

function shown(name: string, value: string): string {
  if (name === 'transaction') return `${value.slice(0, 8)}…${value.slice(-8)}`;
  if (name === 'hostKey') return `${value.slice(0, 17)}…${value.slice(-10)}`;
  if (name === 'contentType' && value.startsWith(MEDIA_PREFIX)) return value.slice(MEDIA_PREFIX.length);
  return value.replace(/\((\d+) bytes\)$/, (_, bytes: string) => `(${Number(bytes) * 8} bits)`);
}
