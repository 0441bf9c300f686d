/**
 * Reads what `perf record` saw: stacks of threads while they were on a processor, kernel and native code included. V8 writes the names of
 * compiled functions to a map that perf reads (--perf-basic-prof), so a frame is a JavaScript function with its file, or a native symbol.
 */

import { IDLE, OUTSIDE_JAVASCRIPT, type Part, partOf } from './parts.ts';
import type { SampleCounts } from './self-times.ts';

/** Of one sample, innermost first. */
export interface PerfSample {
  /** As the kernel calls the thread. */
  readonly comm: string;
  readonly tid: number;
  readonly frames: readonly string[];
}

/** Tiers are marked ~ ^ + *, code made for one place '. `JS:*step file:///x/src/session/a.ts:12:3`: tier, function, file, place. */
const JAVASCRIPT = /^(?:JS|Script|Function|Eval):?[~^+*']*(\S*) ((?:file:\/|node:|\/)\S*?)(?::\d+){0,2}$/;
/** Native symbols that tell more than the function that called them, which may have been compiled into another one's code. */
const NATIVE: readonly (readonly [symbol: RegExp, part: Part])[] = [
  [/ml_kem|Keccak|SHA3|node::crypto::KEM/i, 'ML-KEM'],
  [/ed25519|sha512|fe51|node::crypto::Sign/i, 'signatures: offers, receipts'],
  [/aes_?gcm|aesni|gcm_|node::crypto::CipherBase/i, 'records (AEAD)'],
  [/^sqlite3/, 'SQLite'],
];
const COLLECTION = /Scaveng|MarkCompact|Heap::(CollectGarbage|PerformGarbage)|Sweeper|GCTracer/;
const MESSAGE = /Deserializ|MessagePort::|worker::Message/;
/** The loop, and what the system does for it. */
const LOOP = /\buv_|\buv__|epoll|accept4|node::(ConnectionWrap|LibuvStreamWrap|SpinEventLoop)|syscall|do_sys/;

/** Lines of `perf script -F comm,tid,ip,sym`: a sample's head, its frames indented, an empty line. */
export function* readPerfScript(lines: Iterable<string>): Generator<PerfSample> {
  let head: RegExpExecArray | null = null;
  let frames: string[] = [];
  for (const line of lines) {
    if (line.trim() === '') {
      if (head !== null) yield { comm: head[1]!.trim(), tid: Number(head[2]), frames };
      head = null;
      frames = [];
    } else if (/^\s+[0-9a-f]+ /.test(line) && head !== null) {
      frames.push(line.trim().replace(/^[0-9a-f]+ /, ''));
    } else {
      head = /^(.*?)\s+(\d+)\s*$/.exec(line);
    }
  }
  if (head !== null) yield { comm: head[1]!.trim(), tid: Number(head[2]), frames };
}

/** The part that a stack belongs to; undefined when it could not be unwound: nobody can say. */
export function partOfStack(frames: readonly string[]): { readonly part: Part; readonly name: string } | undefined {
  const name = frames[0] ?? '';
  if (frames.some((frame) => COLLECTION.test(frame))) return { part: 'garbage collection', name };
  const native = NATIVE.find(([symbol]) => frames.some((frame) => symbol.test(frame) && !JAVASCRIPT.test(frame)));
  if (native !== undefined) return { part: native[1], name };
  if (!frames.some((frame) => JAVASCRIPT.test(frame))) {
    if (frames.some((frame) => MESSAGE.test(frame))) return { part: 'messages between threads', name };
    return frames.some((frame) => LOOP.test(frame)) ? { part: OUTSIDE_JAVASCRIPT, name } : undefined;
  }
  let part: Part | undefined;
  let last = '';
  for (const frame of frames.toReversed()) {
    const [, functionName, url] = JAVASCRIPT.exec(frame) ?? [];
    // What is below the first function only brought it about.
    if (url === undefined && part === undefined) continue;
    const callers = part;
    const found = partOf(functionName ?? frame, url ?? '', () => callers);
    // Going to sleep and waking up again is on the processor, and is what a message costs.
    part = found === IDLE ? 'messages between threads' : found;
    if (url !== undefined) last = `${functionName} ${url}`;
  }
  return { part: part!, name: last };
}

/** Counts of some samples, and how many could not be unwound. */
export class StackCounter {
  readonly #parts = new Map<Part, number>();
  readonly #unknown = new Map<string, number>();
  #busy = 0;
  #lost = 0;

  add(frames: readonly string[]): void {
    const found = partOfStack(frames);
    if (found === undefined) {
      this.#lost += 1;
      return;
    }
    this.#busy += 1;
    this.#parts.set(found.part, (this.#parts.get(found.part) ?? 0) + 1);
    if (found.part === 'the rest') this.#unknown.set(found.name, (this.#unknown.get(found.name) ?? 0) + 1);
  }

  get counts(): SampleCounts {
    return { parts: this.#parts, unknown: this.#unknown, busy: this.#busy };
  }

  get lost(): number {
    return this.#lost;
  }
}
