/** The ways a customer's session ends: secrets wiped, every request that has no answer told so. */

import { wipeSessionKeys } from '../crypto/key-schedule.ts';
import type { ErrorCode } from '../errors.ts';
import type { Alert } from '../wire/alert.ts';
import type { Auth } from '../wire/auth.ts';
import type {
  CustomerEffect,
  CustomerMaterial,
  CustomerPhase,
  CustomerRequest,
  CustomerState,
} from './customer-interface.ts';
import type { Step } from './machine.ts';
import { wipeChannel } from './record-channel.ts';
import type { SessionEnd } from './session-end.ts';

export type CustomerStep = Step<CustomerState, CustomerEffect>;
export type CustomerEnd = SessionEnd<CustomerPhase>;
export type OpenCustomer = Exclude<CustomerState, { phase: 'closed' }>;

export function go(state: CustomerState, ...effects: CustomerEffect[]): CustomerStep {
  return { state, effects };
}

/** Ends the session now. A customer tells its peer nothing but CLOSE, so there is no last word. */
export function finish(state: OpenCustomer, end: CustomerEnd, before: readonly CustomerEffect[] = []): CustomerStep {
  wipeSecrets(state);
  const sent: readonly CustomerRequest[] = 'unanswered' in state ? state.unanswered : [];
  return go(
    { phase: 'closed' },
    ...before,
    { kind: 'destroy' },
    ...sent.map((request) => unanswered(request, true)),
    ...state.waiting.map((request) => unanswered(request, false)),
    { kind: 'step', step: 'closed', detail: { reason: end.kind } },
    { kind: 'ended', end },
  );
}

/** What the customer found wrong. */
export function refuse(
  state: OpenCustomer,
  code: ErrorCode,
  what: string,
  before: readonly CustomerEffect[] = [],
): CustomerStep {
  return finish(state, { kind: 'refused', code, phase: state.phase, what }, before);
}

/** What the server said. */
export function obey(state: OpenCustomer, { code, retryAfterMs }: Alert): CustomerStep {
  return finish(state, { kind: 'alertReceived', code, phase: state.phase, retryAfterMs });
}

export function unanswered(request: CustomerRequest, sent: boolean): CustomerEffect {
  return { kind: 'answered', ref: request.ref, answer: { kind: 'unanswered', sent } };
}

export function wipeIdentity(identity: Auth): void {
  identity.credential.fill(0);
  for (const { value } of identity.profile) value.fill(0);
}

export function wipeMaterial(material: CustomerMaterial): void {
  material.exponentBytes.fill(0);
  material.claimSecret.fill(0);
}

function wipeSecrets(state: OpenCustomer): void {
  if ('identity' in state) wipeIdentity(state.identity);
  if ('material' in state) wipeMaterial(state.material);
  if ('made' in state && state.made !== undefined) wipeSessionKeys(state.made.keys);
  if ('channel' in state) wipeChannel(state.channel);
}
