/** The ways a connection to a second port ends: the one place where a code becomes an alert and a close. */

import type { AlertCode } from '../errors.ts';
import { encodeAlert, encodeAlertFrame } from '../wire/alert.ts';
import type { Step } from './machine.ts';
import { type RecordChannel, sealMessage, wipeChannel } from './record-channel.ts';
import type { SecondPortEffect, SecondPortPhase, SecondPortState } from './second-port-interface.ts';
import type { SessionEnd } from './session-end.ts';

export type SecondPortStep = Step<SecondPortState, SecondPortEffect>;
export type SecondPortEnd = SessionEnd<SecondPortPhase>;

const NO_CONTENT = new Uint8Array(0);

export function go(state: SecondPortState, ...effects: SecondPortEffect[]): SecondPortStep {
  return { state, effects };
}

/** The channel of a state that has one. */
export function channelOf(state: SecondPortState): RecordChannel | undefined {
  return 'channel' in state ? state.channel : undefined;
}

/** Says why, in a record when there are keys, in the plain before, and ends. */
export function alert(
  state: SecondPortState,
  code: AlertCode,
  what: string,
  options: { readonly retryAfterMs?: number; readonly end?: SecondPortEnd } = {},
): SecondPortStep {
  const mayRetry = code === 'BUSY' || code === 'SHUTDOWN';
  const body = { code, retryAfterMs: mayRetry ? (options.retryAfterMs ?? 0) : 0 };
  const channel = channelOf(state);
  const bytes = channel === undefined ? encodeAlertFrame(body) : sealMessage(channel, 'ERROR', encodeAlert(body)).bytes;
  const end = options.end ?? { kind: 'alertSent', code, phase: state.phase, what };
  return linger(channel, [{ kind: 'send', bytes }], end);
}

/** Our CLOSE, and the end: at once when the customer has said its own, after which it may send nothing. */
export function close(channel: RecordChannel, before: readonly SecondPortEffect[], end: SecondPortEnd): SecondPortStep {
  const { bytes } = sealMessage(channel, 'CLOSE', NO_CONTENT);
  return linger(
    channel,
    [...before, { kind: 'send', bytes }, { kind: 'step', step: 'closed', detail: { reason: end.kind } }],
    end,
    end.kind === 'completed' ? 'close' : 'end',
  );
}

/** Ends at once and without a word. */
export function drop(state: SecondPortState, end: SecondPortEnd): SecondPortStep {
  const channel = channelOf(state);
  if (channel !== undefined) wipeChannel(channel);
  return go({ phase: 'closed' }, { kind: 'destroy' }, { kind: 'ended', end });
}

function linger(
  channel: RecordChannel | undefined,
  effects: readonly SecondPortEffect[],
  end: SecondPortEnd,
  how: 'end' | 'close' = 'end',
): SecondPortStep {
  if (channel !== undefined) wipeChannel(channel);
  return go({ phase: 'lingering', end }, ...effects, { kind: how }, { kind: 'setDeadline', name: 'linger' });
}
