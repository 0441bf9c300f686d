/**
 * The server's side of a connection to a second port (docs/PROTOCOL.md section 4).
 *
 * ```
 * awaitingCustomerKey -> awaitingLease -> awaitingSession -> awaitingKeys -> awaitingAuth -> awaitingIdentity
 *   -> serving -> finishing | draining -> lingering -> closed
 * ```
 */

import type { Hashing } from '../crypto/core-hash.ts';
import { wipeSessionKeys } from '../crypto/key-schedule.ts';
import { decodeAuth } from '../wire/auth.ts';
import { encodeAuthResult } from '../wire/auth-result.ts';
import { decodeCustomerKey } from '../wire/customer-key.ts';
import type { Frame } from '../wire/frame.ts';
import { isRightClaim } from './claim.ts';
import { type LeasedSession, wipeLeasedSession } from './leased-session.ts';
import { type Expectation, frames, IGNORE, type Machine, NOTHING, PAUSE } from './machine.ts';
import { openChannel, openMessage, sealMessage } from './record-channel.ts';
import { alert, close, drop, go, type SecondPortStep } from './second-port-ending.ts';
import type {
  SecondPortDeadline,
  SecondPortEffect,
  SecondPortEvent,
  SecondPortPhase,
  SecondPortState,
} from './second-port-interface.ts';
import {
  beginServing,
  receiveMessage,
  receiveQueryResult,
  receiveTransactionResult,
  type ServingState,
  stepServing,
  takesRequests,
} from './serving.ts';
import { joinTranscript, keep } from './transcript.ts';

export interface SecondPortContext {
  /** For the claim. */
  readonly hashing: Pick<Hashing, 'sha256'>;
}

export type SecondPortMachine = Machine<SecondPortState, SecondPortEvent, SecondPortEffect>;

type In<Phase extends SecondPortPhase> = Extract<SecondPortState, { phase: Phase }>;
type Closing = In<'lingering' | 'closed'>;
type Open = Exclude<SecondPortState, Closing>;

export function createSecondPort(context: SecondPortContext): SecondPortMachine {
  return {
    initial: { phase: 'awaitingCustomerKey' },
    step: (state, event) => step(context, state, event),
    expects,
  };
}

const CUSTOMER_KEY = frames('CUSTOMER_KEY');
const RECORD = frames('RECORD');

function expects(state: SecondPortState): Expectation {
  switch (state.phase) {
    case 'awaitingCustomerKey':
      return CUSTOMER_KEY;
    case 'awaitingLease':
    case 'awaitingSession':
    case 'awaitingKeys':
    case 'awaitingIdentity':
    case 'draining':
      return PAUSE;
    case 'awaitingAuth':
      return RECORD;
    case 'serving':
      return takesRequests(state) ? RECORD : PAUSE;
    case 'finishing':
      return NOTHING;
    case 'lingering':
    case 'closed':
      return IGNORE;
  }
}

function step(context: SecondPortContext, state: SecondPortState, event: SecondPortEvent): SecondPortStep {
  if (state.phase === 'lingering' || state.phase === 'closed') return stepClosing(state, event);
  switch (event.kind) {
    case 'accepted':
      return go(
        state,
        { kind: 'step', step: 'customer-moved', detail: {} },
        { kind: 'setDeadline', name: 'customerKey' },
      );
    case 'frame':
      return receiveFrame(state, event.frame);
    case 'frameRefused':
      return alert(state, event.code, event.what);
    case 'unexpectedBytes':
      return alert(state, 'BAD_FRAME', 'bytes where the customer must wait');
    case 'lost':
      return drop(state, { kind: 'lost', phase: state.phase });
    case 'displaced':
      return state.phase === 'awaitingCustomerKey' ? drop(state, { kind: 'displaced' }) : go(state);
    case 'end':
    case 'shutdown':
      if (isServing(state)) return stepServing(state, event);
      return event.kind === 'end'
        ? drop(state, { kind: 'truncated', phase: state.phase })
        : alert(state, 'SHUTDOWN', 'the server stops', { retryAfterMs: event.retryAfterMs });
    case 'writeBlocked':
    case 'writeDrained':
      return isServing(state) ? stepServing(state, event) : go(state);
    case 'deadline':
      return passDeadline(state, event.name);
    case 'leaseFound':
      if (state.phase !== 'awaitingLease') return go(state);
      if (!isRightClaim(context.hashing, event.terms, state.customerKey))
        return alert(state, 'BAD_CLAIM', 'a wrong claim');
      return go({ ...state, phase: 'awaitingSession' }, { kind: 'takeLease', sessionId: state.customerKey.sessionId });
    case 'leaseTaken':
      if (state.phase === 'awaitingSession') return takeSession(state, event.session);
      return tooLate(state, event);
    case 'keysMade':
      if (state.phase === 'awaitingKeys') return takeKeys(state, event);
      return tooLate(state, event);
    case 'keysRefused':
      if (state.phase !== 'awaitingKeys') return go(state);
      return alert(state, event.code, 'no keys were made', { retryAfterMs: event.retryAfterMs });
    case 'identity':
      return state.phase === 'awaitingIdentity' ? takeIdentity(state, event.verified) : go(state);
    case 'identityUnknown':
      if (state.phase !== 'awaitingIdentity') return go(state);
      return alert(state, event.code, 'the identity could not be looked up', { retryAfterMs: event.retryAfterMs });
    case 'submitted':
      return isServing(state) ? receiveTransactionResult(state, event.ref, event.result) : go(state);
    case 'queried':
      return isServing(state) ? receiveQueryResult(state, event.ref, event.result) : go(state);
  }
}

function receiveFrame(state: Open, frame: Frame): SecondPortStep {
  if (state.phase === 'awaitingCustomerKey') return receiveCustomerKey(state, frame);
  if (state.phase !== 'awaitingAuth' && state.phase !== 'serving')
    return alert(state, 'BAD_FRAME', 'a frame out of turn');
  const opened = openMessage(state.channel, frame.bytes);
  if (opened.kind === 'refused') {
    // A record that does not decrypt is answered by nothing: whoever altered it learns nothing.
    if (opened.code === 'DECRYPT_FAILED')
      return drop(state, { kind: 'refused', code: opened.code, phase: state.phase, what: opened.what });
    return alert(state, opened.code, opened.what);
  }
  const { channel, message } = opened;
  if (state.phase === 'serving') return receiveMessage({ ...state, channel }, message);
  if (message.type !== 'AUTH') return alert({ ...state, channel }, 'NOT_AUTHENTICATED', `${message.type} before AUTH`);
  return receiveAuth({ ...state, channel }, message.content);
}

function receiveCustomerKey(state: In<'awaitingCustomerKey'>, frame: Frame): SecondPortStep {
  const bytes = keep(frame.bytes);
  const decoded = decodeCustomerKey(bytes.subarray(frame.bytes.length - frame.body.length));
  if (!decoded.ok) return alert(state, decoded.code, decoded.what);
  return go(
    { phase: 'awaitingLease', frame: bytes, customerKey: decoded.value },
    { kind: 'clearDeadline', name: 'customerKey' },
    { kind: 'findLease', sessionId: decoded.value.sessionId },
  );
}

function takeSession(state: In<'awaitingSession'>, session: LeasedSession | undefined): SecondPortStep {
  if (session === undefined) return alert(state, 'BAD_CLAIM', 'the lease is over');
  const { customerKey, frame } = state;
  const { suite, exponent, publicValue, kemSecret } = session;
  return go(
    { phase: 'awaitingKeys', sessionId: customerKey.sessionId, aead: suite.aead },
    { kind: 'step', step: 'claim-accepted', detail: { session: customerKey.sessionId } },
    { kind: 'step', step: 'customer-value-received', detail: { Yc: customerKey.publicValue } },
    {
      kind: 'makeKeys',
      job: {
        group: suite.group,
        exponent,
        publicValue,
        peerPublicValue: customerKey.publicValue,
        kemSecret,
        transcript: joinTranscript(session.transcript, frame),
      },
    },
  );
}

function takeKeys(state: In<'awaitingKeys'>, { keys }: Extract<SecondPortEvent, { kind: 'keysMade' }>): SecondPortStep {
  const sealed = sealMessage(openChannel('server', state.aead, keys), 'FINISHED', keys.serverFinished);
  return go(
    { phase: 'awaitingAuth', channel: sealed.channel },
    { kind: 'step', step: 'shared-value-made', detail: {} },
    { kind: 'step', step: 'keys-made', detail: { aead: state.aead } },
    { kind: 'send', bytes: sealed.bytes },
    { kind: 'setDeadline', name: 'auth' },
    { kind: 'setDeadline', name: 'session' },
  );
}

function receiveAuth(state: In<'awaitingAuth'>, content: Uint8Array): SecondPortStep {
  const decoded = decodeAuth(content);
  if (!decoded.ok) {
    content.fill(0);
    return alert(state, decoded.code, decoded.what);
  }
  const presented = decoded.value;
  return go(
    { phase: 'awaitingIdentity', channel: state.channel, customerId: presented.customerId },
    { kind: 'clearDeadline', name: 'auth' },
    {
      kind: 'step',
      step: 'profile-received',
      detail: { customer: presented.customerId, fields: presented.profile.length },
    },
    { kind: 'verifyIdentity', presented },
  );
}

function takeIdentity(state: In<'awaitingIdentity'>, verified: boolean): SecondPortStep {
  const { channel, bytes } = sealMessage(state.channel, 'AUTH_RESULT', encodeAuthResult(verified));
  const effects: SecondPortEffect[] = [
    { kind: 'step', step: 'profile-compared', detail: { verified: verified ? 'yes' : 'no' } },
    { kind: 'send', bytes },
  ];
  if (!verified) {
    const what = 'the identity was not verified';
    return close(channel, effects, { kind: 'alertSent', code: 'AUTH_FAILED', phase: state.phase, what });
  }
  return go(beginServing(channel, state.customerId), ...effects, { kind: 'setDeadline', name: 'idle' });
}

function passDeadline(state: Open, name: SecondPortDeadline): SecondPortStep {
  const timeout = { kind: 'timeout', phase: state.phase, deadline: name } as const;
  switch (name) {
    case 'customerKey':
      if (state.phase !== 'awaitingCustomerKey') return go(state);
      return alert(state, 'TIMEOUT', 'CUSTOMER_KEY did not come in time', { end: timeout });
    case 'auth':
      if (state.phase !== 'awaitingAuth') return go(state);
      return alert(state, 'TIMEOUT', 'AUTH did not come in time', { end: timeout });
    case 'idle':
      if (state.phase !== 'serving' || state.unanswered.length > 0) return go(state);
      return alert(state, 'TIMEOUT', 'no request came in time', { end: timeout });
    case 'session':
      return alert(state, 'LIMIT', 'the session lasted as long as it may', { end: timeout });
    case 'linger':
      return go(state);
  }
}

function stepClosing(state: Closing, event: SecondPortEvent): SecondPortStep {
  const late = event.kind === 'deadline' && event.name === 'linger';
  if (state.phase === 'lingering' && (late || event.kind === 'end' || event.kind === 'lost'))
    return go({ phase: 'closed' }, { kind: late ? 'reset' : 'destroy' }, { kind: 'ended', end: state.end });
  return tooLate(state, event);
}

/** What a worker or the ledger says to a session that no longer waits for it; the secrets in it end here. */
function tooLate(state: SecondPortState, event: SecondPortEvent): SecondPortStep {
  if (event.kind === 'keysMade') wipeSessionKeys(event.keys);
  if (event.kind === 'leaseTaken' && event.session !== undefined) wipeLeasedSession(event.session);
  return go(state);
}

function isServing(state: SecondPortState): state is ServingState {
  return state.phase === 'serving' || state.phase === 'finishing' || state.phase === 'draining';
}
