/** Steps of the method on their way from one process to another: JSON lines with the machine's monotonic clock, so that they merge. */

import { writeSync } from 'node:fs';
import type { Customer } from '../customer/index.ts';

export interface TracedStep {
  /** Nanoseconds of CLOCK_MONOTONIC, the same for all processes of a machine. */
  readonly at: bigint;
  readonly side: 'customer' | 'server';
  readonly step: string;
  readonly detail: Readonly<Record<string, string | number>>;
}

export function encodeTracedStep(step: TracedStep): string {
  return `${JSON.stringify({ ...step, at: step.at.toString() })}\n`;
}

/** Undefined when the line is none of ours. */
export function decodeTracedStep(line: string): TracedStep | undefined {
  try {
    const value = JSON.parse(line) as Partial<Record<keyof TracedStep, unknown>> | null;
    if (typeof value?.at !== 'string' || typeof value.step !== 'string' || typeof value.detail !== 'object')
      return undefined;
    if (value.side !== 'customer' && value.side !== 'server') return undefined;
    return { ...(value as TracedStep), at: BigInt(value.at) };
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Writes a customer's steps to an inherited descriptor. */
export function traceSteps(customer: Customer, descriptor: number): void {
  customer.on('step', ({ step, detail }) => {
    writeSync(descriptor, encodeTracedStep({ at: process.hrtime.bigint(), side: 'customer', step, detail }));
  });
}
