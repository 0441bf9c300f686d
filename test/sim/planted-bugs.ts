import type { SecondPortMachine } from '../../src/session/second-port.ts';
import type { Bugs } from './fleet.ts';

/** A bug that somebody could write, and how soon the checkers must have found it. */
export interface PlantedBug {
  readonly name: string;
  readonly bugs: Bugs;
  /** What the violation says. */
  readonly found: RegExp;
  /** Sessions within which it is found, from seed 1 on. */
  readonly sessionsMax: number;
}

type Step = SecondPortMachine['step'];

function secondPort(change: (step: Step) => Step): Bugs {
  return { server: { secondPort: (machine) => ({ ...machine, step: change(machine.step) }) } };
}

const takesAnyClaim = secondPort((step) => (state, event) => {
  if (state.phase !== 'awaitingLease' || event.kind !== 'leaseFound' || event.terms === undefined)
    return step(state, event);
  return {
    state: { ...state, phase: 'awaitingSession' },
    effects: [{ kind: 'takeLease', sessionId: event.terms.sessionId }],
  };
});

const keepsKeysOfTheLost = secondPort((step) => (state, event) => {
  if (state.phase !== 'serving' || event.kind !== 'lost') return step(state, event);
  return {
    state: { phase: 'closed' },
    effects: [{ kind: 'destroy' }, { kind: 'ended', end: { kind: 'lost', phase: state.phase } }],
  };
});

const forgetsKeysTooLate = secondPort((step) => (state, event) => {
  if (state.phase !== 'closed' || event.kind !== 'keysMade') return step(state, event);
  return { state, effects: [] };
});

const losesAnswers = secondPort(
  (step) => (state, event) =>
    event.kind === 'submitted' && event.ref === 1 ? { state, effects: [] } : step(state, event),
);

const endsTwice = secondPort((step) => (state, event) => {
  const { state: next, effects } = step(state, event);
  return { state: next, effects: [...effects, ...effects.filter(({ kind }) => kind === 'ended')] };
});

const readsOn: Bugs = {
  server: {
    secondPort: (machine) => ({
      ...machine,
      expects: (state) => (state.phase === 'serving' ? { kind: 'frames', types: ['RECORD'] } : machine.expects(state)),
    }),
  },
};

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'takes-any-claim',
    bugs: takesAnyClaim,
    found: /claimed by somebody without its secret/,
    sessionsMax: 20_000,
  },
  { name: 'keeps-keys-of-the-lost', bugs: keepsKeysOfTheLost, found: /secrets are not wiped/, sessionsMax: 20_000 },
  { name: 'forgets-keys-too-late', bugs: forgetsKeysTooLate, found: /secrets are not wiped/, sessionsMax: 20_000 },
  { name: 'loses-answers', bugs: losesAnswers, found: /in fair weather|long after the storm/, sessionsMax: 20_000 },
  { name: 'ends-twice', bugs: endsTwice, found: /ended 2 times/, sessionsMax: 20_000 },
  { name: 'reads-on', bugs: readsOn, found: /bytes of documents unanswered/, sessionsMax: 20_000 },
  {
    name: 'forgets-leases',
    bugs: { server: { forgetsLeases: true } },
    found: /the server has something left/,
    sessionsMax: 20_000,
  },
  { name: 'shares-a-number', bugs: { server: { sharesANumber: true } }, found: /is offered to/, sessionsMax: 20_000 },
  {
    name: 'evicts-the-claimed',
    bugs: { server: { evictsTheClaimed: true } },
    found: /gave its place to a stranger/,
    sessionsMax: 20_000,
  },
  { name: 'spoils-keys', bugs: { server: { spoilsKeys: true } }, found: /different keys/, sessionsMax: 20_000 },
  {
    name: 'acknowledges-early',
    bugs: { storage: { acknowledgesEarly: true } },
    found: /and the disk has no such transaction/,
    sessionsMax: 20_000,
  },
  {
    name: 'trusts-what-it-finds',
    bugs: { storage: { trustsWhatItFinds: true } },
    found: /and the disk has no such transaction/,
    sessionsMax: 50_000,
  },
  {
    name: 'forgets-ids',
    bugs: { storage: { forgetsIds: true } },
    found: /took effect twice|has two receipts/,
    sessionsMax: 20_000,
  },
  { name: 'changes-ids', bugs: { customer: { changesIds: true } }, found: /nobody asked for/, sessionsMax: 20_000 },
];
