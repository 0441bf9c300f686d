/** An authenticated session at the server: requests taken in order, answers given in order (docs/PROTOCOL.md section 4.2). */

import { assert } from '../errors.ts';
import { encodeAnswer } from '../wire/answer.ts';
import type { InnerMessage } from '../wire/inner.ts';
import { decodeQuery } from '../wire/query.ts';
import { decodeReceipt } from '../wire/receipt.ts';
import { encodeRefusal } from '../wire/refusal.ts';
import { decodeTransaction } from '../wire/transaction.ts';
import { hasRoomFor, type RecordChannel, sealMessage } from './record-channel.ts';
import { TRANSACTIONS_PER_SESSION_MAX, UNANSWERED_BYTES_MAX, UNANSWERED_MAX } from './request-limits.ts';
import { alert, close, drop, go, type SecondPortStep } from './second-port-ending.ts';
import type {
  QueryResult,
  SecondPortEffect,
  SecondPortState,
  Serving,
  TransactionResult,
  UnansweredRequest,
} from './second-port-interface.ts';

export type ServingState = Extract<SecondPortState, Serving>;

export function beginServing(channel: RecordChannel, customerId: string): ServingState {
  return {
    phase: 'serving',
    channel,
    customerId,
    unanswered: [],
    firstRef: 0,
    unansweredBytes: 0,
    transactions: 0,
    writeBlocked: false,
  };
}

/** Whether another request may be read now. */
export function takesRequests(state: ServingState): boolean {
  return (
    state.phase === 'serving' &&
    !state.writeBlocked &&
    state.unanswered.length < UNANSWERED_MAX &&
    state.unansweredBytes < UNANSWERED_BYTES_MAX
  );
}

/** A message of the customer, opened. `state.channel` has counted it. */
export function receiveMessage(state: ServingState, message: InnerMessage): SecondPortStep {
  switch (message.type) {
    case 'TRANSACTION':
      return receiveTransaction(state, message.content);
    case 'QUERY':
      return receiveQuery(state, message.content);
    case 'CLOSE':
      if (message.content.length > 0) return alert(state, 'BAD_FRAME', 'CLOSE is not empty');
      return answerInOrder({ ...state, phase: 'finishing' }, [{ kind: 'clearDeadline', name: 'idle' }]);
    case 'AUTH':
      return alert(state, 'BAD_FRAME', 'a second AUTH');
    case 'FINISHED':
    case 'AUTH_RESULT':
    case 'RECEIPT':
    case 'REFUSAL':
    case 'ANSWER':
    case 'ERROR':
      return alert(state, 'BAD_FRAME', `${message.type} is the server's to send`);
  }
}

function receiveTransaction(state: ServingState, content: Uint8Array): SecondPortStep {
  const decoded = decodeTransaction(content);
  if (!decoded.ok) return alert(state, decoded.code, decoded.what);
  if (state.transactions === TRANSACTIONS_PER_SESSION_MAX)
    return alert(state, 'LIMIT', 'the session has carried all the transactions it may');
  const { transactionId, contentType, body } = decoded.value;
  const asked = ask({ ...state, transactions: state.transactions + 1 }, 'transaction', transactionId, body.length);
  return go(
    asked.state,
    ...asked.effects,
    {
      kind: 'step',
      step: 'transaction-decrypted',
      detail: { transaction: transactionId, contentType, bytes: body.length },
    },
    { kind: 'submit', ref: asked.ref, customerId: state.customerId, transactionId, contentType, body },
  );
}

function receiveQuery(state: ServingState, content: Uint8Array): SecondPortStep {
  const decoded = decodeQuery(content);
  if (!decoded.ok) return alert(state, decoded.code, decoded.what);
  const { queryId, contentType, body } = decoded.value;
  const asked = ask(state, 'query', queryId, body.length);
  return go(asked.state, ...asked.effects, {
    kind: 'query',
    ref: asked.ref,
    customerId: state.customerId,
    contentType,
    body,
  });
}

function ask(
  state: ServingState,
  kind: UnansweredRequest['kind'],
  id: Uint8Array,
  bytes: number,
): { readonly state: ServingState; readonly ref: number; readonly effects: readonly SecondPortEffect[] } {
  const request: UnansweredRequest = { kind, id: new Uint8Array(id), bytes, answer: undefined };
  return {
    ref: state.firstRef + state.unanswered.length,
    state: {
      ...state,
      unanswered: [...state.unanswered, request],
      unansweredBytes: state.unansweredBytes + bytes,
    },
    effects: state.unanswered.length === 0 ? [{ kind: 'clearDeadline', name: 'idle' }] : [],
  };
}

export function receiveTransactionResult(state: ServingState, ref: number, result: TransactionResult): SecondPortStep {
  const { id } = requestOf(state, ref, 'transaction');
  if (result.kind === 'receipt') {
    const receipt = decodeReceipt(result.receipt);
    assert(receipt !== undefined && Buffer.compare(receipt.transactionId, id) === 0, 'a receipt is of its transaction');
    return answer(state, ref, { type: 'RECEIPT', content: result.receipt }, processedStep(id, receipt.outcome));
  }
  const { code, retryAfterMs, text } = result;
  const content = encodeRefusal({ transactionId: id, code, retryAfterMs, text });
  return answer(state, ref, { type: 'REFUSAL', content }, processedStep(id, code));
}

export function receiveQueryResult(state: ServingState, ref: number, result: QueryResult): SecondPortStep {
  const { id } = requestOf(state, ref, 'query');
  const detail = { query: id, status: result.status ?? 'answered', bytes: result.body.length };
  return answer(
    state,
    ref,
    { type: 'ANSWER', content: encodeAnswer({ queryId: id, ...result }) },
    { kind: 'step', step: 'query-answered', detail },
  );
}

function processedStep(id: Uint8Array, outcome: string): SecondPortEffect {
  return { kind: 'step', step: 'transaction-processed', detail: { transaction: id, outcome } };
}

function requestOf(state: ServingState, ref: number, kind: UnansweredRequest['kind']): UnansweredRequest {
  const request = state.unanswered[ref - state.firstRef];
  assert(request?.kind === kind && request.answer === undefined, 'a result belongs to a request that waits for it');
  return request;
}

function answer(state: ServingState, ref: number, message: InnerMessage, shown: SecondPortEffect): SecondPortStep {
  const at = ref - state.firstRef;
  const unanswered = state.unanswered.with(at, { ...state.unanswered[at]!, answer: message });
  return answerInOrder({ ...state, unanswered }, [shown]);
}

/** Sends what is ready at the head of the line; with nothing owed any more, goes where the phase leads. */
export function answerInOrder(state: ServingState, before: readonly SecondPortEffect[] = []): SecondPortStep {
  const effects: SecondPortEffect[] = [...before];
  let { channel, unansweredBytes } = state;
  let sent = 0;
  for (const request of state.unanswered) {
    if (request.answer === undefined) break;
    if (!hasRoomFor(channel, request.answer.content.length)) {
      const ended = alert({ ...state, channel }, 'LIMIT', 'the session has carried all it may');
      return go(ended.state, ...effects, ...ended.effects);
    }
    const sealed = sealMessage(channel, request.answer.type, request.answer.content);
    channel = sealed.channel;
    effects.push({ kind: 'send', bytes: sealed.bytes });
    unansweredBytes -= request.bytes;
    sent++;
  }
  const next: ServingState = {
    ...state,
    channel,
    unansweredBytes,
    unanswered: state.unanswered.slice(sent),
    firstRef: state.firstRef + sent,
  };
  return next.unanswered.length === 0 ? nothingOwed(next, effects, sent > 0) : go(next, ...effects);
}

function nothingOwed(state: ServingState, effects: readonly SecondPortEffect[], answered: boolean): SecondPortStep {
  switch (state.phase) {
    case 'serving':
      return go(state, ...effects, ...(answered ? [{ kind: 'setDeadline', name: 'idle' } as const] : []));
    case 'finishing':
      return close(state.channel, effects, { kind: 'completed' });
    case 'draining': {
      const ended = alert(state, 'SHUTDOWN', 'the server stops', { retryAfterMs: state.retryAfterMs });
      return go(ended.state, ...effects, ...ended.effects);
    }
  }
}

/** What else can happen while requests are served: the connection, the clock, the socket's buffer, a shutdown. */
export function stepServing(
  state: ServingState,
  event:
    | { readonly kind: 'writeBlocked' | 'writeDrained' | 'end' }
    | { readonly kind: 'shutdown'; readonly retryAfterMs: number },
): SecondPortStep {
  switch (event.kind) {
    case 'writeBlocked':
      return go({ ...state, writeBlocked: true });
    case 'writeDrained':
      return go({ ...state, writeBlocked: false });
    case 'end':
      // After its CLOSE the customer may end; before it, its end is a truncation.
      return state.phase === 'finishing' ? go(state) : drop(state, { kind: 'truncated', phase: state.phase });
    case 'shutdown':
      return state.phase === 'serving'
        ? answerInOrder({ ...state, phase: 'draining', retryAfterMs: event.retryAfterMs })
        : go(state);
  }
}
