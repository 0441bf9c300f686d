/** The parts of one operation, in the order in which a customer waits for them. All durations are nanoseconds. */

export interface PhaseDescription {
  readonly name: string;
  readonly title: string;
  readonly meaning: string;
}

export const PHASES = [
  { name: 'connect', title: 'first connect', meaning: 'TCP connection to the first port' },
  { name: 'offer', title: 'offer', meaning: 'HELLO sent until OFFER received whole' },
  {
    name: 'connect2',
    title: 'second connect',
    meaning: 'OFFER checked and TCP connection to the second port, while the customer computes its keys',
  },
  { name: 'exchange', title: 'key exchange', meaning: 'CUSTOMER_KEY sent until FINISHED, the first record, verified' },
  { name: 'identity', title: 'identity', meaning: 'first record until AUTH_RESULT' },
  {
    name: 'commit',
    title: 'commit',
    meaning: 'one transaction sent (or identity verified, when it travelled ahead) until its receipt verified',
  },
  { name: 'whole', title: 'whole', meaning: 'intended start until the last answer' },
  { name: 'lag', title: 'start lag', meaning: "intended start until real start: the generator's own delay" },
] as const satisfies readonly PhaseDescription[];

export type Phase = (typeof PHASES)[number]['name'];

export const PHASE_NAMES: readonly Phase[] = PHASES.map((phase) => phase.name);

export function titleOf(phase: Phase): string {
  return PHASES.find((each) => each.name === phase)!.title;
}

export function isPhase(text: string): text is Phase {
  return PHASES.some((phase) => phase.name === text);
}
