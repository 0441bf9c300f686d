/**
 * When a HELLO must come back with a cookie, and how hard its puzzle is.
 *
 * A solution costs 2^bits hashes on average, and a hash of the puzzle takes about a third of a microsecond: 10 bits (0.3 ms) are felt by
 * nobody, 18 bits (about 90 ms) cost an attacker more than a hundred times what the answer costs the server.
 */
export interface RetryDemand {
  readonly puzzleBits: number;
}

/** How full the server is, each from 0 to 1. */
export interface ServerLoad {
  /** Of the crypto queue: what a customer waits in. */
  readonly queue: number;
  /** Of the room for half-open sessions: what a customer may be refused by. */
  readonly room: number;
}

/** Below it nobody is refused, so nobody need pay. */
const ROOM_FROM = 0.5;
/**
 * Of the default queue 64 exponentiations, some 60 ms. A flood that ignores its RETRY is let in up to here: from half the queue on, as it once
 * was, every honest customer waited more than a second behind it (bench/dheat).
 */
const QUEUE_FROM = 1 / 16;
/** Every doubling of the queue makes the puzzle four times as hard. */
const QUEUE_BITS_A_DOUBLING = 2;
const PUZZLE_BITS_MIN = 10;
const PUZZLE_BITS_MAX = 18;

/** Undefined: let in without. */
export function retryDemand(load: ServerLoad): RetryDemand | undefined {
  const bits = Math.max(bitsOfRoom(load.room), bitsOfQueue(load.queue));
  return bits === 0 ? undefined : { puzzleBits: Math.min(PUZZLE_BITS_MAX, bits) };
}

function bitsOfRoom(room: number): number {
  if (room < ROOM_FROM) return 0;
  return PUZZLE_BITS_MIN + Math.round(((room - ROOM_FROM) / (1 - ROOM_FROM)) * (PUZZLE_BITS_MAX - PUZZLE_BITS_MIN));
}

function bitsOfQueue(queue: number): number {
  if (queue < QUEUE_FROM) return 0;
  return PUZZLE_BITS_MIN + Math.floor(QUEUE_BITS_A_DOUBLING * Math.log2(queue / QUEUE_FROM));
}
