/**
 * The customer's side of a session, from HELLO to CLOSE, over both connections (docs/PROTOCOL.md sections 3 and 4).
 *
 * ```
 * idle -> connectingFirst -> awaitingOffer [-> solvingPuzzle -> connectingFirst -> awaitingOffer] [-> decidingHostKey]
 *   -> verifyingOffer -> joining -> awaitingFinished -> awaitingAuthResult -> ready -> closing -> closed
 * ```
 */

import { timingSafeEqual } from 'node:crypto';
import type { CustomerKeys } from '../crypto/customer-keys.ts';
import { wipeSessionKeys } from '../crypto/key-schedule.ts';
import { decodeAlert } from '../wire/alert.ts';
import { encodeAuth } from '../wire/auth.ts';
import { decodeAuthResult } from '../wire/auth-result.ts';
import { FINISHED_BYTES } from '../wire/customer-key.ts';
import type { Frame } from '../wire/frame.ts';
import type { InnerMessage } from '../wire/inner.ts';
import {
  type CustomerStep,
  finish,
  go,
  type OpenCustomer,
  obey,
  refuse,
  wipeIdentity,
  wipeMaterial,
} from './customer-ending.ts';
import type {
  CustomerDeadline,
  CustomerEffect,
  CustomerEvent,
  CustomerPhase,
  CustomerState,
} from './customer-interface.ts';
import {
  type CustomerContext,
  comeBack,
  judgeOffer,
  receiveOffer,
  receiveRetry,
  start,
  verify,
  wishesOf,
} from './customer-opening.ts';
import { awaitClose, type ConnectedState, receiveMessage, sendWaiting, takeRequest } from './customer-requests.ts';
import { type Expectation, frames, IGNORE, type Machine } from './machine.ts';
import { openChannel, openMessage, sealMessage } from './record-channel.ts';

export type CustomerMachine = Machine<CustomerState, CustomerEvent, CustomerEffect>;
type In<Phase extends CustomerPhase> = Extract<CustomerState, { phase: Phase }>;

export function createCustomer(context: CustomerContext): CustomerMachine {
  return {
    initial: { phase: 'idle', waiting: [], closeWanted: false, transactions: 0 },
    step: (state, event) => step(context, state, event),
    expects,
  };
}

const OFFER_OR_WHY_NOT = frames('OFFER', 'RETRY', 'ERROR');
const ERROR = frames('ERROR');
const RECORD_OR_WHY_NOT = frames('RECORD', 'ERROR');
const RECORD = frames('RECORD');

function expects(state: CustomerState): Expectation {
  switch (state.phase) {
    case 'awaitingOffer':
      return OFFER_OR_WHY_NOT;
    case 'joining':
      // Until our flight has left, the server can only say that it will not have us.
      return ERROR;
    case 'awaitingFinished':
      // The plain ERROR may come in place of the first record, and never after it.
      return RECORD_OR_WHY_NOT;
    case 'awaitingAuthResult':
    case 'ready':
    case 'closing':
      return RECORD;
    case 'idle':
    case 'connectingFirst':
    case 'solvingPuzzle':
    case 'decidingHostKey':
    case 'verifyingOffer':
    case 'closed':
      return IGNORE;
  }
}

function step(context: CustomerContext, state: CustomerState, event: CustomerEvent): CustomerStep {
  if (event.kind === 'request') return takeRequest(state, event.request);
  if (state.phase === 'closed') return tooLate(state, event);
  switch (event.kind) {
    case 'start':
      return state.phase === 'idle' ? start(context, state, event.identity, event.material) : go(state);
    case 'connected':
      return connect(state);
    case 'frame':
      return receiveFrame(context, state, event.frame);
    case 'frameRefused':
      return refuse(state, event.code, event.what);
    case 'unexpectedBytes':
      return refuse(state, 'BAD_FRAME', 'bytes where the server must wait');
    case 'end':
      return refuseEnd(state);
    case 'lost':
      return hasConnection(state) ? finish(state, { kind: 'lost', phase: state.phase }) : go(state);
    case 'deadline':
      return passDeadline(state, event.name);
    case 'puzzleSolved':
      return state.phase === 'solvingPuzzle' ? comeBack(state, event.solution) : go(state);
    case 'hostKeyDecided':
      if (state.phase !== 'decidingHostKey') return go(state);
      return event.accepted ? verify(state) : refuse(state, 'HOST_KEY_MISMATCH', 'the host key was not accepted');
    case 'offerVerified':
      return state.phase === 'verifyingOffer' ? judgeOffer(context, state, event.valid) : go(state);
    case 'keysMade':
      return state.phase === 'joining' ? takeKeys(state, event.result) : tooLate(state, event);
    case 'close':
      return wantClose(state);
    case 'cancel':
      return finish(state, { kind: 'cancelled', phase: state.phase });
  }
}

function connect(state: OpenCustomer): CustomerStep {
  if (state.phase === 'connectingFirst') {
    const detail = { bytes: state.helloFrame.length, again: state.hello.cookie.length > 0 ? 'yes' : 'no' };
    return go(
      { ...state, phase: 'awaitingOffer' },
      { kind: 'send', bytes: state.helloFrame },
      { kind: 'step', step: 'hello-sent', detail },
    );
  }
  return state.phase === 'joining' ? joinWhenReady({ ...state, connected: true }) : go(state);
}

function receiveFrame(context: CustomerContext, state: OpenCustomer, frame: Frame): CustomerStep {
  switch (frame.type) {
    case 'ERROR': {
      const alert = decodeAlert(frame.body);
      return alert.ok ? obey(state, alert.value) : refuse(state, alert.code, alert.what);
    }
    case 'RETRY':
      return state.phase === 'awaitingOffer'
        ? receiveRetry(state, frame)
        : refuse(state, 'BAD_FRAME', 'RETRY out of turn');
    case 'OFFER':
      return state.phase === 'awaitingOffer'
        ? receiveOffer(context, state, frame)
        : refuse(state, 'BAD_FRAME', 'OFFER out of turn');
    case 'RECORD':
      return 'channel' in state ? receiveRecord(state, frame) : refuse(state, 'BAD_FRAME', 'RECORD out of turn');
    case 'HELLO':
    case 'CUSTOMER_KEY':
      return refuse(state, 'BAD_FRAME', `${frame.type} is the customer's to send`);
  }
}

function takeKeys(state: In<'joining'>, result: CustomerKeys): CustomerStep {
  if (!result.ok) return refuse(state, result.code, 'the shared value came to 0, 1 or p-1');
  const { keys, publicValue, transcript } = result;
  const customerKeyFrame = transcript.subarray(state.customerKeyOffset);
  return joinWhenReady({ ...state, made: { customerKeyFrame, publicValue, keys } });
}

/** Both the connection and the keys are there: CUSTOMER_KEY, AUTH, the first requests, and CLOSE if it is wanted, leave in one flight. */
function joinWhenReady(state: In<'joining'>): CustomerStep {
  const { connected, made, identity, suite } = state;
  if (!connected || made === undefined) return go(state);
  const auth = encodeAuth(identity);
  const sealed = sealMessage(openChannel('customer', suite.aead, made.keys), 'AUTH', auth);
  auth.fill(0);
  const fields = identity.profile.length;
  wipeIdentity(identity);
  const connectedState = { ...wishesOf(state), channel: sealed.channel, unanswered: [], closeSent: false };
  return sendWaiting({ phase: 'awaitingFinished', ...connectedState }, [
    { kind: 'send', bytes: made.customerKeyFrame },
    { kind: 'step', step: 'customer-value-sent', detail: { Yc: made.publicValue } },
    { kind: 'step', step: 'shared-value-made', detail: {} },
    { kind: 'step', step: 'keys-made', detail: { aead: suite.aead } },
    { kind: 'send', bytes: sealed.bytes },
    { kind: 'step', step: 'profile-sent', detail: { customer: identity.customerId, fields } },
  ]);
}

function receiveRecord(state: ConnectedState, frame: Frame): CustomerStep {
  const opened = openMessage(state.channel, frame.bytes);
  if (opened.kind === 'refused') return refuse(state, opened.code, opened.what);
  const { channel, message } = opened;
  switch (state.phase) {
    case 'awaitingFinished':
      return receiveFinished({ ...state, channel }, message);
    case 'awaitingAuthResult':
      return receiveAuthResult({ ...state, channel }, message);
    case 'ready':
    case 'closing':
      return receiveMessage({ ...state, channel }, message);
  }
}

function receiveFinished(state: In<'awaitingFinished'>, { type, content }: InnerMessage): CustomerStep {
  if (type !== 'FINISHED' || content.length !== FINISHED_BYTES)
    return refuse(state, 'KEY_EXCHANGE_FAILED', 'the first record is not FINISHED');
  if (!timingSafeEqual(content, state.channel.keys.serverFinished))
    return refuse(state, 'KEY_EXCHANGE_FAILED', 'server_finished is wrong');
  return go({ ...state, phase: 'awaitingAuthResult' }, { kind: 'step', step: 'server-finished-checked', detail: {} });
}

function receiveAuthResult(state: In<'awaitingAuthResult'>, message: InnerMessage): CustomerStep {
  if (message.type === 'ERROR') {
    const alert = decodeAlert(message.content);
    return alert.ok ? obey(notLookedAt(state), alert.value) : refuse(state, alert.code, alert.what);
  }
  if (message.type !== 'AUTH_RESULT') return refuse(state, 'BAD_FRAME', `${message.type} before AUTH_RESULT`);
  const verified = decodeAuthResult(message.content);
  if (!verified.ok) return refuse(state, verified.code, verified.what);
  if (!verified.value) return obey(notLookedAt(state), { code: 'AUTH_FAILED', retryAfterMs: 0 });
  const effects: CustomerEffect[] = [
    { kind: 'clearDeadline', name: 'ready' },
    { kind: 'step', step: 'identity-verified', detail: {} },
    { kind: 'ready' },
  ];
  return state.closeSent
    ? go({ ...state, phase: 'closing' }, ...effects, ...awaitClose(state))
    : sendWaiting({ ...state, phase: 'ready' }, effects);
}

/**
 * The server says, under its keys, that it did not verify the identity: what was sent ahead was not looked at (docs/PROTOCOL.md section 4.3),
 * so its outcome is known, as if it had never been sent.
 */
function notLookedAt(state: In<'awaitingAuthResult'>): In<'awaitingAuthResult'> {
  return { ...state, waiting: [...state.unanswered, ...state.waiting], unanswered: [] };
}

function wantClose(state: OpenCustomer): CustomerStep {
  const wanted = { ...state, closeWanted: true };
  switch (wanted.phase) {
    case 'idle':
      return finish(wanted, { kind: 'cancelled', phase: wanted.phase });
    case 'awaitingFinished':
    case 'awaitingAuthResult':
    case 'ready':
      return sendWaiting(wanted);
    default:
      return go(wanted);
  }
}

function refuseEnd(state: OpenCustomer): CustomerStep {
  return hasConnection(state) ? finish(state, { kind: 'truncated', phase: state.phase }) : go(state);
}

/** Whether this state stands on a connection; in the others the first one has been left behind. */
function hasConnection(state: OpenCustomer): boolean {
  switch (state.phase) {
    case 'idle':
    case 'solvingPuzzle':
    case 'decidingHostKey':
    case 'verifyingOffer':
      return false;
    case 'connectingFirst':
    case 'awaitingOffer':
    case 'joining':
    case 'awaitingFinished':
    case 'awaitingAuthResult':
    case 'ready':
    case 'closing':
      return true;
  }
}

function passDeadline(state: OpenCustomer, name: CustomerDeadline): CustomerStep {
  return finish(state, { kind: 'timeout', phase: state.phase, deadline: name });
}

/** Keys for a session that is over. */
function tooLate(state: CustomerState, event: CustomerEvent): CustomerStep {
  if (event.kind === 'keysMade' && event.result.ok) wipeSessionKeys(event.result.keys);
  if (event.kind === 'start') {
    wipeIdentity(event.identity);
    wipeMaterial(event.material);
  }
  return go(state);
}
