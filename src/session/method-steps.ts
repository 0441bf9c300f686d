/** The visible steps of the method, in order, as each side sees them: what the demo shows and the log can. Never a secret. */

export type ServerMethodStep =
  | 'customer-connected'
  | 'hello-received'
  | 'retry-sent'
  | 'offer-sent'
  | 'customer-moved'
  | 'claim-accepted'
  | 'customer-value-received'
  | 'shared-value-made'
  | 'keys-made'
  | 'profile-received'
  | 'profile-compared'
  | 'transaction-decrypted'
  | 'transaction-processed'
  | 'query-answered'
  | 'closed';

export type CustomerMethodStep =
  | 'connecting'
  | 'hello-sent'
  | 'retry-received'
  | 'offer-received'
  | 'offer-checked'
  | 'moving'
  | 'customer-value-sent'
  | 'shared-value-made'
  | 'keys-made'
  | 'profile-sent'
  | 'server-finished-checked'
  | 'identity-verified'
  | 'transaction-sent'
  | 'receipt-received'
  | 'closed';

/** Abbreviated, public values by name: `{ secondPort: 20117, g: '02', p: 'ffffffff…ffffffff (384 bytes)' }`. */
export type StepDetail = Readonly<Record<string, string | number>>;

export interface StepEffect<Name extends string> {
  readonly kind: 'step';
  readonly step: Name;
  readonly detail: StepFacts;
}

/** What a step is about, for a machine to state: public values as they are. */
export type StepFacts = Readonly<Record<string, string | number | Uint8Array>>;

/** The same for a person or a log. */
export function presentFacts(facts: StepFacts): StepDetail {
  return Object.fromEntries(
    Object.entries(facts).map(([name, fact]) => [name, fact instanceof Uint8Array ? abbreviate(fact) : fact]),
  );
}

/** Ids are shown whole: people look for them. */
const SHOWN_WHOLE_BYTES_MAX = 16;
const SHOWN_BYTES = 4;

/** A public value for a person: a long one by its first and last bytes and its length. Never called with a secret. */
function abbreviate(bytes: Uint8Array): string {
  const hex = (part: Uint8Array): string => Buffer.from(part).toString('hex');
  if (bytes.length <= SHOWN_WHOLE_BYTES_MAX) return hex(bytes);
  return `${hex(bytes.subarray(0, SHOWN_BYTES))}…${hex(bytes.subarray(-SHOWN_BYTES))} (${bytes.length} bytes)`;
}
