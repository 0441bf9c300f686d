/** What every state machine of this room is: states in, states and effects out, and nothing else touched. */

import type { FrameType } from '../wire/frame.ts';

export interface Step<State, Effect> {
  readonly state: State;
  /** To be carried out in order. */
  readonly effects: readonly Effect[];
}

/**
 * What may come in now. `frames`: frames of these types, and nothing else is let past its header. `pause`: leave what comes unread.
 * `nothing`: the peer must wait for us, so any byte is a fault. `ignore`: the session is over, bytes are thrown away.
 */
export type Expectation =
  | { readonly kind: 'frames'; readonly types: readonly FrameType[] }
  | { readonly kind: 'pause' }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'ignore' };

/** Asked for at every event, so there is one of each. */
export const PAUSE: Expectation = { kind: 'pause' };
export const NOTHING: Expectation = { kind: 'nothing' };
export const IGNORE: Expectation = { kind: 'ignore' };
export function frames(...types: readonly FrameType[]): Expectation {
  return { kind: 'frames', types };
}

/**
 * A protocol without I/O. `step` is synchronous and has no clock, socket or randomness; a state is consumed by it and must not be used
 * again (secrets whose use has ended are wiped in place). Events that come too late for a state, such as a worker's answer after the
 * connection was lost, are taken in every state and change nothing.
 */
export interface Machine<State, Event, Effect> {
  readonly initial: State;
  step(state: State, event: Event): Step<State, Effect>;
  expects(state: State): Expectation;
}
