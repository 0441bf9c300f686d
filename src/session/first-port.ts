/**
 * The server's side of a connection to the first port: HELLO in, OFFER out, closed (docs/PROTOCOL.md section 3).
 *
 * ```
 * awaitingHello -> awaitingAdmission -> awaitingLease -> awaitingOffer -> lingering -> closed
 * ```
 */

import { GROUPS, type Group, type GroupName } from '../crypto/groups.ts';
import { KEM_CIPHERTEXT_BYTES } from '../crypto/kem.ts';
import { AEAD_IDS, groupId, KEM_IDS, type Suite, type SuitePolicy } from '../crypto/suite.ts';
import type { AlertCode } from '../errors.ts';
import { encodeAlertFrame } from '../wire/alert.ts';
import { type Frame, PROTOCOL_VERSION } from '../wire/frame.ts';
import { decodeHello } from '../wire/hello.ts';
import { encodeSignedOffer, encodeUnsignedOffer, offsetsInOffer } from '../wire/offer.ts';
import { encodeRetry } from '../wire/retry.ts';
import type {
  AdmissionVerdict,
  FirstPortEffect,
  FirstPortEvent,
  FirstPortPhase,
  FirstPortState,
  SecondPortLease,
} from './first-port-interface.ts';
import { type Expectation, frames, IGNORE, type Machine, NOTHING, type Step } from './machine.ts';
import { chooseSuite } from './negotiate.ts';
import type { SessionEnd } from './session-end.ts';
import { joinTranscript, keep } from './transcript.ts';

export interface FirstPortContext {
  /** What the server accepts, in its order of preference. */
  readonly policy: SuitePolicy;
  /** Ed25519 public key, 32 bytes, of the key that `makeOffer` signs with. */
  readonly hostKey: Uint8Array;
  /** The announced next one. */
  readonly nextHostKey?: Uint8Array | undefined;
}

type PublicNumbers = Readonly<Record<'g' | 'p' | 'publicValue', Uint8Array>>;
type FirstPortStep = Step<FirstPortState, FirstPortEffect>;
type Closing = Extract<FirstPortState, { phase: 'lingering' | 'closed' }>;
type Open = Exclude<FirstPortState, Closing>;
type In<Phase extends FirstPortPhase> = Extract<FirstPortState, { phase: Phase }>;

const NO_KEY = new Uint8Array(0);
/** What the pool fills in, and constants of a group: read only, so that one of each serves every session. */
const NO_CIPHERTEXT = new Uint8Array(KEM_CIPHERTEXT_BYTES);
const numbersOf = (group: Group): PublicNumbers => ({
  g: Uint8Array.of(group.g),
  p: group.p(),
  publicValue: new Uint8Array(group.byteLength),
});
const PUBLIC_NUMBERS = {
  ffdhe2048: numbersOf(GROUPS.ffdhe2048),
  ffdhe3072: numbersOf(GROUPS.ffdhe3072),
  ffdhe4096: numbersOf(GROUPS.ffdhe4096),
} as const satisfies Record<GroupName, PublicNumbers>;

export type FirstPortMachine = Machine<FirstPortState, FirstPortEvent, FirstPortEffect>;

export function createFirstPort(context: FirstPortContext): FirstPortMachine {
  return {
    initial: { phase: 'awaitingHello' },
    step: (state, event) => step(context, state, event),
    expects,
  };
}

const HELLO = frames('HELLO');

function expects(state: FirstPortState): Expectation {
  switch (state.phase) {
    case 'awaitingHello':
      return HELLO;
    case 'awaitingAdmission':
    case 'awaitingLease':
    case 'awaitingOffer':
      return NOTHING;
    case 'lingering':
    case 'closed':
      return IGNORE;
  }
}

function step(context: FirstPortContext, state: FirstPortState, event: FirstPortEvent): FirstPortStep {
  if (state.phase === 'lingering' || state.phase === 'closed') return stepClosing(state, event);
  switch (event.kind) {
    case 'accepted':
      return go(
        state,
        { kind: 'step', step: 'customer-connected', detail: {} },
        { kind: 'setDeadline', name: 'hello' },
      );
    case 'frame':
      return state.phase === 'awaitingHello'
        ? receiveHello(context, event.frame)
        : alert(state, 'BAD_FRAME', 'a frame after HELLO');
    case 'frameRefused':
      return alert(state, event.code, event.what);
    case 'unexpectedBytes':
      return alert(state, 'BAD_FRAME', 'bytes after HELLO');
    case 'end':
      // A customer that has said its HELLO may close its own direction and still read the OFFER.
      return state.phase === 'awaitingHello' ? drop(state, { kind: 'truncated', phase: state.phase }) : go(state);
    case 'lost':
      return drop(state, { kind: 'lost', phase: state.phase });
    case 'deadline':
      return event.name === 'hello' && state.phase === 'awaitingHello'
        ? alert(state, 'TIMEOUT', 'HELLO did not come in time', {
            kind: 'timeout',
            phase: state.phase,
            deadline: 'hello',
          })
        : go(state);
    case 'shutdown':
      return alert(state, 'SHUTDOWN', 'the server stops', undefined, event.retryAfterMs);
    case 'admission':
      return state.phase === 'awaitingAdmission' ? takeVerdict(state, event.verdict) : go(state);
    case 'leased':
      return state.phase === 'awaitingLease'
        ? makeOffer(context, state, event.lease)
        : go(state, { kind: 'releaseLease', lease: event.lease });
    case 'leaseRefused':
      return state.phase === 'awaitingLease'
        ? alert(state, event.code, 'no second port', undefined, event.retryAfterMs)
        : go(state);
    case 'offerMade':
      if (state.phase === 'awaitingOffer') return sendOffer(state, event);
      return tooLate(state, event);
    case 'offerRefused':
      return state.phase === 'awaitingOffer'
        ? alert(state, event.code, 'no offer was made', undefined, event.retryAfterMs)
        : go(state);
  }
}

function receiveHello(context: FirstPortContext, frame: Frame): FirstPortStep {
  const before: Open = { phase: 'awaitingHello' };
  const helloFrame = keep(frame.bytes);
  const decoded = decodeHello(helloFrame.subarray(frame.bytes.length - frame.body.length));
  if (!decoded.ok) return alert(before, decoded.code, decoded.what);
  const hello = decoded.value;
  const suite = chooseSuite(context.policy, hello);
  if (suite === undefined)
    return alert(before, 'NO_COMMON_PARAMETERS', 'the lists of both sides have nothing in common');
  return go(
    { phase: 'awaitingAdmission', helloFrame, hello, suite },
    { kind: 'clearDeadline', name: 'hello' },
    { kind: 'step', step: 'hello-received', detail: { ...suite } },
    { kind: 'admit', boundHello: hello.bound, cookie: hello.cookie, puzzleSolution: hello.puzzleSolution },
  );
}

function takeVerdict(state: In<'awaitingAdmission'>, verdict: AdmissionVerdict): FirstPortStep {
  switch (verdict.kind) {
    case 'admitted':
      return go({ ...state, phase: 'awaitingLease' }, { kind: 'lease' });
    case 'retry':
      // A customer is asked at most once a session: one that comes with a cookie has been.
      if (state.hello.cookie.length > 0) return alert(state, 'BUSY', 'load, after a retry');
      return answerAndClose(
        { kind: 'retryAsked' },
        encodeRetry({ puzzleBits: verdict.puzzleBits, cookie: verdict.cookie }),
        {
          kind: 'step',
          step: 'retry-sent',
          detail: { puzzleBits: verdict.puzzleBits },
        },
      );
    case 'refused':
      return alert(state, verdict.code, 'not admitted', undefined, verdict.retryAfterMs);
  }
}

function makeOffer(context: FirstPortContext, state: In<'awaitingLease'>, lease: SecondPortLease): FirstPortStep {
  const { suite, hello, helloFrame } = state;
  const withKem = suite.kem !== 'none';
  const offer = {
    serverRandom: lease.serverRandom,
    sessionId: lease.sessionId,
    version: PROTOCOL_VERSION,
    group: groupId(suite.group),
    kem: KEM_IDS[suite.kem],
    aead: AEAD_IDS[suite.aead],
    secondPort: lease.secondPort,
    secondHost: lease.secondHost,
    leaseMs: lease.leaseMs,
    leaseToken: lease.leaseToken,
    ...PUBLIC_NUMBERS[suite.group],
    kemCiphertext: withKem ? NO_CIPHERTEXT : NO_KEY,
    hostKey: context.hostKey,
    nextHostKey: context.nextHostKey ?? NO_KEY,
  };
  const offsets = offsetsInOffer(offer);
  return go(
    { ...state, phase: 'awaitingOffer', lease },
    {
      kind: 'makeOffer',
      job: {
        group: suite.group,
        kemKey: withKem ? hello.kemKey : NO_KEY,
        helloFrame,
        unsignedOffer: encodeUnsignedOffer(offer),
        publicValueOffset: offsets.publicValue,
        kemCiphertextOffset: offsets.kemCiphertext,
      },
    },
  );
}

function sendOffer(state: In<'awaitingOffer'>, made: Extract<FirstPortEvent, { kind: 'offerMade' }>): FirstPortStep {
  const { lease, hello, suite } = state;
  const offerFrame = encodeSignedOffer(made.unsignedOffer, made.signature);
  const session = {
    terms: {
      sessionId: lease.sessionId,
      leaseToken: lease.leaseToken,
      claimCommitment: new Uint8Array(hello.claimCommitment),
    },
    suite,
    transcript: joinTranscript(state.helloFrame, offerFrame),
    publicValue: made.publicValue,
    exponent: made.exponent,
    kemSecret: made.kemSecret,
  };
  const closing = answerAndClose({ kind: 'offered' }, offerFrame, offerSentStep(lease, suite, made.publicValue));
  return { state: closing.state, effects: [{ kind: 'openLease', lease, session }, ...closing.effects] };
}

function offerSentStep(lease: SecondPortLease, suite: Suite, publicValue: Uint8Array): FirstPortEffect {
  const { g, p } = PUBLIC_NUMBERS[suite.group];
  const detail = { secondPort: lease.secondPort, ...suite, g, p, Ys: publicValue };
  return { kind: 'step', step: 'offer-sent', detail };
}

function stepClosing(state: Closing, event: FirstPortEvent): FirstPortStep {
  if (event.kind === 'leased') return go(state, { kind: 'releaseLease', lease: event.lease });
  if (event.kind === 'offerMade') return tooLate(state, event);
  const late = event.kind === 'deadline' && event.name === 'linger';
  if (state.phase === 'closed' || !(late || event.kind === 'end' || event.kind === 'lost')) return go(state);
  return go({ phase: 'closed' }, { kind: late ? 'reset' : 'destroy' }, { kind: 'ended', end: state.end });
}

/** Keys for a session that is over. */
function tooLate(state: FirstPortState, made: Extract<FirstPortEvent, { kind: 'offerMade' }>): FirstPortStep {
  made.exponent.fill(0);
  made.kemSecret.fill(0);
  return go(state);
}

/** Answers a HELLO that was in order, behind which the customer may send nothing, and closes. */
function answerAndClose(end: SessionEnd<FirstPortPhase>, bytes: Uint8Array, shown: FirstPortEffect): FirstPortStep {
  return linger(end, bytes, shown, { kind: 'close' });
}

/** Says one word, and waits until the peer has read it or the linger time is over. */
function linger(end: SessionEnd<FirstPortPhase>, bytes: Uint8Array, ...then: FirstPortEffect[]): FirstPortStep {
  return go({ phase: 'lingering', end }, { kind: 'send', bytes }, ...then, { kind: 'setDeadline', name: 'linger' });
}

function alert(
  state: Open,
  code: AlertCode,
  what: string,
  end: SessionEnd<FirstPortPhase> = { kind: 'alertSent', code, phase: state.phase, what },
  retryAfterMs = 0,
): FirstPortStep {
  const mayRetry = code === 'BUSY' || code === 'SHUTDOWN';
  const word = encodeAlertFrame({ code, retryAfterMs: mayRetry ? retryAfterMs : 0 });
  return linger(end, word, ...givenBack(state), { kind: 'end' });
}

/** Ends without a word: nobody is left to hear it. */
function drop(state: Open, end: SessionEnd<FirstPortPhase>): FirstPortStep {
  return go({ phase: 'closed' }, ...givenBack(state), { kind: 'destroy' }, { kind: 'ended', end });
}

function givenBack(state: Open): FirstPortEffect[] {
  return state.phase === 'awaitingOffer' ? [{ kind: 'releaseLease', lease: state.lease }] : [];
}

function go(state: FirstPortState, ...effects: FirstPortEffect[]): FirstPortStep {
  return { state, effects };
}
