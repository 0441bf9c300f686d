import { readFileSync } from 'node:fs';
import { descriptorLimits } from './doctor/host-facts.ts';

/** A session needs two descriptors, its listener and its connection: idle listeners may hold a quarter, so that three quarters are left. */
const IDLE_LISTENERS_SHARE = 1 / 4;
/** Where the limit is not known: the usual hard limit of a Linux process. */
const DESCRIPTORS_ASSUMED = 4_096;

/** How many listeners of second ports that nobody holds may stay open, given how many files this process may open. */
export function idleListenersMax(descriptors: number | undefined): number {
  const limit = descriptors ?? DESCRIPTORS_ASSUMED;
  return Number.isFinite(limit) ? Math.floor(limit * IDLE_LISTENERS_SHARE) : Number.MAX_SAFE_INTEGER;
}

/** The soft limit in force (Node raises it to the hard one at start); undefined where the system does not say. */
export function readDescriptorLimit(path = '/proc/self/limits'): number | undefined {
  try {
    return descriptorLimits(readFileSync(path, 'utf8'))[0];
  } catch {
    return undefined; // not Linux
  }
}
