/**
 * When a HELLO must come back with a cookie, and how hard its puzzle is. `load` is the fuller of the crypto queue and the half-open
 * room, 0 to 1.
 *
 * Below half full nobody pays anything. From there the puzzle grows by the load: a solution costs 2^bits hashes on average, and a hash of
 * the puzzle takes about a third of a microsecond, so 10 bits (0.3 ms) are felt by nobody and 18 bits (about 90 ms) cost an attacker more
 * than a hundred times what the answer costs the server.
 */
export interface RetryDemand {
  readonly puzzleBits: number;
}

const RETRY_FROM_LOAD = 0.5;
const PUZZLE_BITS_MIN = 10;
const PUZZLE_BITS_MAX = 18;

export function retryDemand(load: number): RetryDemand | undefined {
  if (load < RETRY_FROM_LOAD) return undefined;
  const beyond = Math.min(1, (load - RETRY_FROM_LOAD) / (1 - RETRY_FROM_LOAD));
  return { puzzleBits: PUZZLE_BITS_MIN + Math.round(beyond * (PUZZLE_BITS_MAX - PUZZLE_BITS_MIN)) };
}
