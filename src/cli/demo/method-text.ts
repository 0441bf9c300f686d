/** Every step of the method in a person's words, and whether something crosses the wire with it. */

import type { CustomerMethodStep, ServerMethodStep } from '../../session/method-steps.ts';

export interface StepText {
  readonly title: string;
  /** Drawn between the lanes: the bytes leave with this step. */
  readonly sends?: true;
  /** What a reader should know about a value that is not shown. */
  readonly remark?: string;
}

const SECRET = 'Z = •••••••• (never leaves this process)';

export const CUSTOMER_STEPS: Readonly<Record<CustomerMethodStep, StepText>> = {
  connecting: { title: 'connects to the first port' },
  'hello-sent': { title: 'HELLO: what it accepts, a fresh random, an ML-KEM-768 key', sends: true },
  'retry-received': { title: 'is asked to come again with a cookie' },
  'offer-received': { title: 'receives the second port, g, p and Ys' },
  'offer-checked': { title: 'checks host key, signature, g and p against its own constants, range of Ys' },
  moving: { title: 'switches to the second port' },
  'customer-value-sent': { title: 'its intermediate value: Yc = g^b mod p', sends: true },
  'shared-value-made': { title: 'computes the shared value Z = Ys^b mod p', remark: SECRET },
  'keys-made': { title: 'makes the keys from Z with the one-way function (HKDF-SHA-256)' },
  'profile-sent': { title: 'sends its profile, encrypted', sends: true },
  'server-finished-checked': { title: 'the server holds the same keys: its MAC over every byte so far is right' },
  'identity-verified': { title: 'is told that its identity is verified' },
  'transaction-sent': { title: 'sends the transaction, encrypted', sends: true },
  'receipt-received': { title: 'receives the receipt and verifies its signature' },
  closed: { title: 'closes the session' },
};

export const SERVER_STEPS: Readonly<Record<ServerMethodStep, StepText>> = {
  'customer-connected': { title: 'accepts a customer on the first port' },
  'hello-received': { title: 'reads HELLO, chooses group, KEM and cipher' },
  'retry-sent': { title: 'is under load: asks for a cookie first', sends: true },
  'offer-sent': { title: 'OFFER: a second port for this customer alone, g, p, Ys = g^a mod p; signed', sends: true },
  'customer-moved': { title: 'accepts a connection on the second port' },
  'claim-accepted': { title: 'token and claim are right: it is the same customer' },
  'customer-value-received': { title: 'receives and checks Yc' },
  'shared-value-made': { title: 'computes the shared value Z = Yc^a mod p', remark: SECRET },
  'keys-made': { title: 'makes the same keys with the same one-way function: the MAC of the customer is right' },
  'profile-received': { title: 'decrypts the profile' },
  'profile-compared': { title: 'compares profile and credential with what was stored', sends: true },
  'transaction-decrypted': { title: 'decrypts the transaction' },
  'transaction-processed': { title: 'processes it; when it is durable, sends the signed receipt', sends: true },
  'query-answered': { title: 'answers a question', sends: true },
  closed: { title: 'frees the second port' },
};

/** A step that this program has no words for still shows, by its name. */
export function textOfStep(side: 'customer' | 'server', step: string): StepText {
  const table: Readonly<Record<string, StepText>> = side === 'customer' ? CUSTOMER_STEPS : SERVER_STEPS;
  return table[step] ?? { title: step.replaceAll('-', ' ') };
}
