/** What a program sees of a security server: events, gauges and options. */

import type { Logger } from 'pino';
import type { CryptoPoolGauges } from '../pool/crypto-pool.ts';
import type { PortGauges } from '../ports/port-table.ts';
import type { ServerMethodStep, StepDetail } from '../session/method-steps.ts';
import type { Phase } from './session-report.ts';
import type { ServerConfiguration } from './settings.ts';

/** One visible step of the method, as the server saw it. */
export interface ServerStep {
  readonly timeMs: number;
  /** Numbers connections of this server from 1: the first port's and the second port's are different ones. */
  readonly connection: number;
  /** The session's id in hex, from the OFFER on. */
  readonly session: string | undefined;
  readonly step: ServerMethodStep;
  /** Public values, abbreviated. */
  readonly detail: StepDetail;
}

/** How a session, or a connection that became none, ended: what the log's one line says. */
export interface EndedSession {
  readonly connection: number;
  readonly port: 'first' | 'second';
  /** Of the peer. Undefined when nobody came. */
  readonly address: string | undefined;
  readonly session: string | undefined;
  /** Once it was verified. */
  readonly customer: string | undefined;
  /** A SessionEnd's kind, or `expired`: nobody claimed the lease. */
  readonly reason: string;
  readonly code: string | undefined;
  readonly phase: string | undefined;
  /** What exactly, for the operator: which rule was broken, or which deadline passed. Never a byte that came from the peer. */
  readonly detail: string | undefined;
  readonly transactions: number;
  readonly queries: number;
  readonly durationMs: number;
}

export interface SecurityServerEvents {
  step: [ServerStep];
  'session-end': [EndedSession];
  /** Turned away at the door, before a byte was read: a quota was full, or the server drains. */
  refused: [{ readonly reason: string }];
  /** A phase of a session came to its end. */
  phase: [{ readonly phase: Phase; readonly durationMs: number }];
}

export interface SecurityServerGauges {
  readonly ports: PortGauges;
  /** First-port connections, unclaimed leases, and sessions whose customer is not verified yet. */
  readonly halfOpen: number;
  /** Claimed and not ended. */
  readonly live: number;
  readonly crypto: CryptoPoolGauges;
  /** What waits for the ledger's thread or is with it; what it committed since the start; whether it takes work. */
  readonly ledger: {
    readonly transactions: number;
    readonly calls: number;
    readonly commits: number;
    readonly committed: number;
    readonly available: boolean;
  };
  /** Sessions ended since the start, by reason and code: `completed`, `alertSent BAD_CLAIM`. */
  readonly ended: Readonly<Record<string, number>>;
  readonly refused: Readonly<Record<string, number>>;
}

export interface SecurityServerOptions {
  /** Settings that differ from the defaults (docs/CLI.md, serve). */
  readonly configuration?: Partial<ServerConfiguration>;
  /** Where log lines go; silent when left out. */
  readonly logger?: Logger;
  /** A descriptor that listens already, for the first port: from a service manager, or from the server before this one. */
  readonly firstPortDescriptor?: number | undefined;
  /** Awaited when all is warm, before the first customer is taken; gives second ports that somebody holds still. */
  readonly beforeServing?: (() => Promise<readonly number[]>) | undefined;
}
