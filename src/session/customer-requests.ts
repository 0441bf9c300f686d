/** A customer's requests: sent as soon as there are keys, answered in order (docs/PROTOCOL.md sections 4.2 and 4.3). */

import { assert } from '../errors.ts';
import { decodeAlert } from '../wire/alert.ts';
import { decodeAnswer } from '../wire/answer.ts';
import type { Decoded } from '../wire/decoded.ts';
import type { InnerMessage } from '../wire/inner.ts';
import { encodeQuery } from '../wire/query.ts';
import { decodeReceipt } from '../wire/receipt.ts';
import { decodeRefusal } from '../wire/refusal.ts';
import { encodeTransaction } from '../wire/transaction.ts';
import { type CustomerStep, finish, go, obey, refuse, unanswered } from './customer-ending.ts';
import type {
  CustomerAnswer,
  CustomerConnected,
  CustomerEffect,
  CustomerRequest,
  CustomerState,
} from './customer-interface.ts';
import { hasRoomFor, sealMessage } from './record-channel.ts';
import { TRANSACTIONS_PER_SESSION_MAX, UNANSWERED_MAX } from './request-limits.ts';

/** States in which requests travel. */
export type ConnectedState = Extract<CustomerState, CustomerConnected>;

const NO_CONTENT = new Uint8Array(0);

/** Whether this session takes another request of this kind. */
export function hasRoom(state: CustomerState, kind: CustomerRequest['kind']): boolean {
  if (state.phase === 'closed' || state.phase === 'closing' || state.closeWanted) return false;
  const asked = state.waiting.length + ('unanswered' in state ? state.unanswered.length : 0);
  if (asked >= UNANSWERED_MAX) return false;
  return kind === 'query' || state.transactions < TRANSACTIONS_PER_SESSION_MAX;
}

/** Takes a request. In a session that is over or closing it is answered at once: not sent. */
export function takeRequest(state: CustomerState, request: CustomerRequest): CustomerStep {
  if (state.phase === 'closed' || state.phase === 'closing' || state.closeWanted)
    return go(state, unanswered(request, false));
  assert(hasRoom(state, request.kind), 'the caller asks for room first');
  const transactions = state.transactions + (request.kind === 'transaction' ? 1 : 0);
  const asked = { ...state, waiting: [...state.waiting, request], transactions };
  return 'unanswered' in asked ? sendWaiting(asked) : go(asked);
}

/** Seals what waits, and CLOSE when the caller wants no more. */
export function sendWaiting(state: ConnectedState, before: readonly CustomerEffect[] = []): CustomerStep {
  const effects: CustomerEffect[] = [...before];
  let { channel } = state;
  let count = 0;
  for (const request of state.waiting) {
    const content = encodeRequest(request);
    if (!hasRoomFor(channel, content.length)) break;
    const sealed = sealMessage(channel, request.kind === 'transaction' ? 'TRANSACTION' : 'QUERY', content);
    channel = sealed.channel;
    effects.push({ kind: 'send', bytes: sealed.bytes }, ...sentStep(request));
    count++;
  }
  if (state.unanswered.length === 0 && count > 0) effects.push({ kind: 'setDeadline', name: 'answer' });
  // What does not fit belongs into another session; what was sent is still answered in this one.
  const rest = state.waiting.slice(count);
  effects.push(...rest.map((request) => unanswered(request, false)));
  const sent: ConnectedState = {
    ...state,
    channel,
    unanswered: [...state.unanswered, ...state.waiting.slice(0, count)],
    waiting: [],
    closeWanted: state.closeWanted || rest.length > 0,
  };
  return closeWhenWanted(sent, effects);
}

/**
 * CLOSE travels behind the last request, in the first flight already when that is the last. A server that knows it may send AUTH_RESULT
 * together with the answers (docs/PROTOCOL.md section 4.3), so when answers are owed their deadline alone counts from here.
 */
function closeWhenWanted(state: ConnectedState, effects: readonly CustomerEffect[]): CustomerStep {
  if (!state.closeWanted || state.closeSent) return go(state, ...effects);
  const { channel, bytes } = sealMessage(state.channel, 'CLOSE', NO_CONTENT);
  const closed = { ...state, channel, closeSent: true };
  const sent: CustomerEffect[] = [...effects, { kind: 'send', bytes }];
  if (closed.phase === 'ready') return go({ ...closed, phase: 'closing' }, ...sent, ...awaitClose(closed));
  if (closed.unanswered.length > 0) sent.push({ kind: 'clearDeadline', name: 'ready' });
  return go(closed, ...sent);
}

/** The server's CLOSE is due once it owes no answer any more. */
export function awaitClose({ unanswered }: Pick<ConnectedState, 'unanswered'>): CustomerEffect[] {
  return unanswered.length === 0 ? [{ kind: 'setDeadline', name: 'close' }] : [];
}

function encodeRequest(request: CustomerRequest): Uint8Array {
  return request.kind === 'transaction' ? encodeTransaction(request) : encodeQuery(request);
}

function sentStep(request: CustomerRequest): CustomerEffect[] {
  if (request.kind !== 'transaction') return [];
  const { transactionId, contentType, body } = request;
  const detail = { transaction: transactionId, contentType, bytes: body.length };
  return [{ kind: 'step', step: 'transaction-sent', detail }];
}

/** A message of the server, opened, after AUTH_RESULT. */
export function receiveMessage(
  state: Extract<ConnectedState, { phase: 'ready' | 'closing' }>,
  message: InnerMessage,
): CustomerStep {
  switch (message.type) {
    case 'RECEIPT':
    case 'REFUSAL':
    case 'ANSWER':
      return receiveAnswer(state, message);
    case 'ERROR': {
      const alert = decodeAlert(message.content);
      return alert.ok ? obey(state, alert.value) : refuse(state, alert.code, alert.what);
    }
    case 'CLOSE':
      if (message.content.length > 0) return refuse(state, 'BAD_FRAME', 'CLOSE is not empty');
      if (state.phase !== 'closing') return refuse(state, 'BAD_FRAME', 'CLOSE before ours');
      if (state.unanswered.length > 0) return refuse(state, 'BAD_FRAME', 'CLOSE before every answer');
      return finish(state, { kind: 'completed' });
    case 'FINISHED':
    case 'AUTH':
    case 'AUTH_RESULT':
    case 'TRANSACTION':
    case 'QUERY':
      return refuse(state, 'BAD_FRAME', `${message.type} out of turn`);
  }
}

function receiveAnswer(
  state: Extract<ConnectedState, { phase: 'ready' | 'closing' }>,
  message: InnerMessage,
): CustomerStep {
  const [request, ...rest] = state.unanswered;
  if (request === undefined) return refuse(state, 'BAD_FRAME', 'an answer to nothing');
  const decoded = decodeAnswerTo(request, message);
  if (!decoded.ok) return refuse(state, decoded.code, decoded.what);
  const answer = decoded.value;
  return go(
    { ...state, unanswered: rest },
    ...(answer.kind === 'receipt' ? [receiptStep(answer)] : []),
    { kind: 'answered', ref: request.ref, answer },
    rest.length > 0 ? { kind: 'setDeadline', name: 'answer' } : { kind: 'clearDeadline', name: 'answer' },
    ...(state.phase === 'closing' ? awaitClose({ unanswered: rest }) : []),
  );
}

/** The answer, when it is one to this request: answers come in the order of what they answer. */
function decodeAnswerTo(request: CustomerRequest, { type, content }: InnerMessage): Decoded<CustomerAnswer> {
  if (request.kind === 'query') {
    if (type !== 'ANSWER') return outOfOrder();
    const answer = decodeAnswer(content);
    if (!answer.ok) return answer;
    const { queryId, status, contentType, body } = answer.value;
    return isSame(queryId, request.queryId)
      ? { ok: true, value: { kind: 'answer', status, contentType, body } }
      : outOfOrder();
  }
  if (type === 'RECEIPT') {
    const receipt = decodeReceipt(content);
    if (receipt === undefined) return { ok: false, code: 'BAD_FRAME', what: 'RECEIPT is malformed' };
    return isSame(receipt.transactionId, request.transactionId)
      ? { ok: true, value: { kind: 'receipt', receipt, bytes: content } }
      : outOfOrder();
  }
  if (type !== 'REFUSAL') return outOfOrder();
  const refusal = decodeRefusal(content);
  if (!refusal.ok) return refusal;
  const { transactionId, code, retryAfterMs, text } = refusal.value;
  return isSame(transactionId, request.transactionId)
    ? { ok: true, value: { kind: 'refusal', code, retryAfterMs, text } }
    : outOfOrder();
}

function outOfOrder(): Decoded<CustomerAnswer> {
  return { ok: false, code: 'BAD_FRAME', what: 'the answer is not to the oldest request' };
}

function receiptStep({ receipt }: Extract<CustomerAnswer, { kind: 'receipt' }>): CustomerEffect {
  const detail = {
    transaction: receipt.transactionId,
    outcome: receipt.outcome,
    sequence: receipt.sequence.toString(),
  };
  return { kind: 'step', step: 'receipt-received', detail };
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
