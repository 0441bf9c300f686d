import { beforeAll, describe, expect, it } from 'vitest';
import { GROUP_NAMES } from '../../src/crypto/groups.ts';
import type { Crypto } from '../../src/crypto/index.ts';
import type { SecondPortMachine } from '../../src/session/second-port.ts';
import { loadCachedCrypto } from './cached-crypto.ts';
import { type Fault, simulate } from './simulation.ts';

/** Seeds of each kind of fault; a run has three customers. */
const SEEDS = 120;
let crypto: Crypto;
beforeAll(async () => {
  crypto = await loadCachedCrypto();
});

function violationsOf(fault: Fault, plantBug?: (machine: SecondPortMachine) => SecondPortMachine): string[] {
  return Array.from({ length: SEEDS }, (_, index) => index + 1).flatMap((seed) =>
    simulate(crypto, seed, fault, plantBug === undefined ? {} : { plantBug }).violations.map(
      (violation) => `${fault}, seed ${seed}: ${violation}`,
    ),
  );
}

describe('whole sessions of both machines, every order of events chosen by a seed', () => {
  const faults = [
    'none',
    'cut',
    'flip',
    'repeat',
    'swap',
    'withhold',
    'timeouts',
    'failures',
    'cancel',
    'stranger',
  ] as const;
  it.each(faults)('hold what they promise under: %s', (fault) => {
    expect(violationsOf(fault)).toEqual([]);
  });

  it('are the same for the same seed', () => {
    expect(simulate(crypto, 41, 'cut')).toEqual(simulate(crypto, 41, 'cut'));
  });

  it('reach the ends they are about', () => {
    const endsOf = (fault: Fault): Set<string> =>
      new Set(Array.from({ length: 40 }, (_, seed) => simulate(crypto, seed, fault).ends).flat());
    expect(endsOf('none')).toEqual(new Set(['completed', 'offered', 'retryAsked']));
    expect(endsOf('flip')).toContain('refused');
    expect(endsOf('cut')).toContain('lost');
    expect(endsOf('timeouts')).toContain('timeout');
    expect(endsOf('stranger')).toContain('displaced');
    expect(endsOf('cancel')).toContain('cancelled');
    expect(endsOf('failures')).toContain('alertReceived');
  });
});

describe('sessions of every suite', () => {
  const suites = GROUP_NAMES.flatMap((group) =>
    (['ML-KEM-768', 'none'] as const).flatMap((kem) =>
      (['AES-256-GCM', 'ChaCha20-Poly1305'] as const).map((aead) => [group, kem, aead] as const),
    ),
  );
  it.each(suites)('%s, %s, %s', (group, kem, aead) => {
    const policy = { groups: [group], kems: [kem], aeads: [aead] };
    expect(simulate(crypto, 7, 'none', { policy }).violations).toEqual([]);
  });
});

describe('the checkers catch a planted bug:', () => {
  const wrap =
    (change: (machine: SecondPortMachine) => SecondPortMachine['step']) =>
    (machine: SecondPortMachine): SecondPortMachine => ({ ...machine, step: change(machine) });

  it('a server that takes any claim', () => {
    const bug = wrap(
      ({ step }) =>
        (state, event) =>
          state.phase === 'awaitingLease' && event.kind === 'leaseFound'
            ? {
                state: { ...state, phase: 'awaitingSession' },
                effects: [{ kind: 'takeLease', sessionId: state.customerKey.sessionId }],
              }
            : step(state, event),
    );
    expect(violationsOf('stranger', bug).length).toBeGreaterThan(0);
  });

  it('a server that keeps its keys when a connection is lost', () => {
    const bug = wrap(
      ({ step }) =>
        (state, event) =>
          state.phase === 'serving' && event.kind === 'lost'
            ? {
                state: { phase: 'closed' },
                effects: [{ kind: 'destroy' }, { kind: 'ended', end: { kind: 'lost', phase: state.phase } }],
              }
            : step(state, event),
    );
    expect(violationsOf('cut', bug)).toContainEqual(expect.stringContaining('left a secret'));
  });

  it('a server that forgets keys which come too late', () => {
    const bug = wrap(
      ({ step }) =>
        (state, event) =>
          state.phase === 'closed' && event.kind === 'keysMade' ? { state, effects: [] } : step(state, event),
    );
    expect(violationsOf('cut', bug)).toContainEqual(expect.stringContaining('left a secret'));
  });

  it('a server that loses an answer', () => {
    const bug = wrap(
      ({ step }) =>
        (state, event) =>
          event.kind === 'queried' && event.ref === 1 ? { state, effects: [] } : step(state, event),
    );
    expect(violationsOf('none', bug)).toContainEqual(expect.stringContaining('unanswered'));
  });

  it('a server that says its last effect twice', () => {
    const bug = wrap(({ step }) => (state, event) => {
      const { state: next, effects } = step(state, event);
      return { state: next, effects: [...effects, ...effects.filter(({ kind }) => kind === 'ended')] };
    });
    expect(violationsOf('none', bug)).toContainEqual(expect.stringContaining('ended 2 times'));
  });
});
