/** The customer's side up to the second port: HELLO, RETRY, and the OFFER with its five checks (docs/PROTOCOL.md section 3). */

import type { Hashing } from '../crypto/core-hash.ts';
import { GROUPS, type GroupName } from '../crypto/groups.ts';
import { hostKeyFingerprint, hostKeyId } from '../crypto/identity.ts';
import type { SuitePolicy } from '../crypto/suite.ts';
import type { Auth } from '../wire/auth.ts';
import { CUSTOMER_PUBLIC_VALUE_OFFSET, encodeCustomerKey, FINISHED_BYTES } from '../wire/customer-key.ts';
import { type Frame, HEADER_BYTES } from '../wire/frame.ts';
import { encodeHello, type Hello } from '../wire/hello.ts';
import { decodeOffer, unsignedOffer } from '../wire/offer.ts';
import { decodeRetry } from '../wire/retry.ts';
import { commitClaim } from './claim.ts';
import { type CustomerStep, go, refuse, wipeMaterial } from './customer-ending.ts';
import type {
  CustomerEffect,
  CustomerMaterial,
  CustomerOffered,
  CustomerPhase,
  CustomerState,
  CustomerWishes,
} from './customer-interface.ts';
import { offeredLists } from './negotiate.ts';
import { checkHostKey, checkOffer, type HostKeyPins } from './offer-check.ts';
import { PUZZLE_BITS_ACCEPTED_MAX } from './puzzle.ts';
import { joinTranscript, keep } from './transcript.ts';

export interface CustomerContext {
  /** For the claim's commitment. */
  readonly hashing: Pick<Hashing, 'sha256'>;
  /** What the customer accepts. */
  readonly policy: SuitePolicy;
  readonly pins: HostKeyPins;
  /** Whether a host key may be accepted by a person when none is pinned. */
  readonly trustOnFirstUse: boolean;
  /** Hosts other than the first port's that an offer may name. */
  readonly secondHosts: readonly string[];
}

type In<Phase extends CustomerPhase> = Extract<CustomerState, { phase: Phase }>;

const EMPTY = new Uint8Array(0);

export function start(
  context: CustomerContext,
  state: In<'idle'>,
  identity: Auth,
  material: CustomerMaterial,
): CustomerStep {
  const { pins, policy, hashing } = context;
  const hello: Hello = {
    customerRandom: material.customerRandom,
    claimCommitment: commitClaim(hashing, material.claimSecret),
    ...offeredLists(policy),
    kemKey: material.kemKeys?.publicKey ?? EMPTY,
    hostKeyHint: pins.hostKey === undefined ? EMPTY : hostKeyId(pins.hostKey),
    cookie: EMPTY,
    puzzleSolution: EMPTY,
  };
  return go(
    { ...state, phase: 'connectingFirst', identity, material, hello, helloFrame: encodeHello(hello) },
    { kind: 'step', step: 'connecting', detail: {} },
    { kind: 'connectFirst' },
    { kind: 'setDeadline', name: 'offer' },
  );
}

export function receiveRetry(state: In<'awaitingOffer'>, frame: Frame): CustomerStep {
  const decoded = decodeRetry(frame.body);
  if (!decoded.ok) return refuse(state, decoded.code, decoded.what);
  if (state.hello.cookie.length > 0) return refuse(state, 'BUSY', 'the server asked to come back a second time');
  const { puzzleBits } = decoded.value;
  if (puzzleBits > PUZZLE_BITS_ACCEPTED_MAX)
    return refuse(state, 'BUSY', `the server asked for a puzzle of ${puzzleBits} bits`);
  const cookie = new Uint8Array(decoded.value.cookie);
  const told = { kind: 'step', step: 'retry-received', detail: { puzzleBits } } as const;
  const waiting = { ...state, hello: { ...state.hello, cookie } };
  if (puzzleBits === 0) {
    const again = comeBack({ ...waiting, phase: 'solvingPuzzle' }, EMPTY);
    return go(again.state, told, { kind: 'destroy' }, ...again.effects);
  }
  return go(
    { ...waiting, phase: 'solvingPuzzle' },
    told,
    { kind: 'destroy' },
    { kind: 'solvePuzzle', cookie, bits: puzzleBits },
    // `destroy` made every deadline void: this one counts on for the work.
    { kind: 'setDeadline', name: 'offer' },
  );
}

/** The same HELLO with cookie and solution, on a new connection. */
export function comeBack(state: In<'solvingPuzzle'>, puzzleSolution: Uint8Array): CustomerStep {
  const hello = { ...state.hello, puzzleSolution };
  return go(
    { ...state, phase: 'connectingFirst', hello, helloFrame: encodeHello(hello) },
    { kind: 'connectFirst' },
    { kind: 'setDeadline', name: 'offer' },
  );
}

export function receiveOffer(context: CustomerContext, state: In<'awaitingOffer'>, frame: Frame): CustomerStep {
  const offerFrame = keep(frame.bytes);
  const decoded = decodeOffer(offerFrame.subarray(frame.bytes.length - frame.body.length));
  if (!decoded.ok) return refuse(state, decoded.code, decoded.what);
  const offer = decoded.value;
  const offered: In<'decidingHostKey'> = { ...state, phase: 'decidingHostKey', offer, offerFrame };
  const told: CustomerEffect[] = [
    {
      kind: 'step',
      step: 'offer-received',
      detail: {
        secondPort: offer.secondPort,
        g: offer.g,
        p: offer.p,
        Ys: offer.publicValue,
      },
    },
    // The first port has said all it had to say.
    { kind: 'destroy' },
  ];
  const found = checkHostKey(context.pins, offer.hostKey);
  if (found === 'mismatch' || (found === 'unknown' && !context.trustOnFirstUse))
    return refuse(offered, 'HOST_KEY_MISMATCH', `the server's host key is ${hostKeyFingerprint(offer.hostKey)}`, told);
  if (found === 'unknown') {
    const fingerprint = hostKeyFingerprint(offer.hostKey);
    return go(offered, ...told, { kind: 'decideHostKey', hostKey: offer.hostKey, fingerprint });
  }
  const verifying = verify(offered);
  return go(verifying.state, ...told, ...verifying.effects);
}

export function verify(state: In<'decidingHostKey'>): CustomerStep {
  const { helloFrame, offerFrame, offer } = state;
  const { hostKey, signature } = offer;
  const signed = { helloFrame, unsignedOffer: unsignedOffer(offerFrame.subarray(HEADER_BYTES), offer) };
  return go({ ...state, phase: 'verifyingOffer' }, { kind: 'verifyOffer', hostKey, offer: signed, signature });
}

export function judgeOffer(context: CustomerContext, state: In<'verifyingOffer'>, valid: boolean): CustomerStep {
  if (!valid) return refuse(state, 'BAD_OFFER_SIGNATURE', 'the signature is not that of the host key');
  const { offer } = state;
  const check = checkOffer(context.policy, context.secondHosts, offer);
  if (!check.ok) return refuse(state, check.code, check.what);
  const found = checkHostKey(context.pins, offer.hostKey);
  return go(
    {
      phase: 'joining',
      ...wishesOf(state),
      identity: state.identity,
      suite: check.suite,
      connected: false,
      made: undefined,
      customerKeyOffset: state.helloFrame.length + state.offerFrame.length,
    },
    { kind: 'step', step: 'offer-checked', detail: { ...check.suite, hostKey: hostKeyFingerprint(offer.hostKey) } },
    {
      kind: 'learnedHostKeys',
      hostKey: offer.hostKey,
      nextHostKey: offer.nextHostKey.length === 0 ? undefined : offer.nextHostKey,
      by: found === 'pin' || found === 'succession' ? found : 'first-use',
    },
    { kind: 'step', step: 'moving', detail: { secondPort: offer.secondPort, secondHost: offer.secondHost } },
    { kind: 'connectSecond', host: offer.secondHost, port: offer.secondPort },
    { kind: 'setDeadline', name: 'ready' },
    makeKeysOf(state, check.suite.group),
  );
}

/** The exponentiations; the job takes over the session's secrets. */
function makeKeysOf(state: CustomerOffered, group: GroupName): CustomerEffect {
  const { material, offer, helloFrame, offerFrame } = state;
  const customerKeyFrame = encodeCustomerKey({
    sessionId: offer.sessionId,
    leaseToken: offer.leaseToken,
    claimSecret: material.claimSecret,
    publicValue: new Uint8Array(GROUPS[group].byteLength),
    finished: new Uint8Array(FINISHED_BYTES),
  });
  const exponent = material.exponentBytes.slice(0, GROUPS[group].exponentByteLength);
  wipeMaterial(material);
  return {
    kind: 'makeKeys',
    job: {
      group,
      exponent,
      peerPublicValue: offer.publicValue,
      kemPrivateKey: offer.kemCiphertext.length === 0 ? undefined : material.kemKeys?.privateKey,
      kemCiphertext: offer.kemCiphertext,
      transcript: joinTranscript(helloFrame, offerFrame, customerKeyFrame),
      publicValueOffset: helloFrame.length + offerFrame.length + CUSTOMER_PUBLIC_VALUE_OFFSET,
    },
  };
}

export function wishesOf({ waiting, closeWanted, transactions }: CustomerWishes): CustomerWishes {
  return { waiting, closeWanted, transactions };
}
