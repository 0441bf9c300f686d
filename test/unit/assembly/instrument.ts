/**
 * Instruments a WebAssembly module so that it reports everything an observer of time could see of its control flow and memory: the
 * condition of each branch and select, the address of each memory access, the lengths of bulk ones, and the operands of divisions,
 * whose time depends on them. Two runs with one trace took the same branches and touched the same addresses in the same order.
 *
 * Works on Binaryen's folded text: every operand is wrapped where it stands in a call of an imported function that returns it.
 */

import binaryen from 'binaryen';

type Node = string | Node[];

/** One s-expression tree of the text; strings and comments are kept whole or dropped. */
function parse(text: string): Node[] {
  const stack: Node[][] = [[]];
  for (const [token] of text.matchAll(/;;[^\n]*|\(;[\s\S]*?;\)|"(?:[^"\\]|\\.)*"|\(|\)|[^\s()"]+/g)) {
    if (token.startsWith(';;') || token.startsWith('(;')) continue;
    if (token === '(') stack.push([]);
    else if (token === ')') {
      const done = stack.pop()!;
      stack.at(-1)!.push(done);
    } else stack.at(-1)!.push(token);
  }
  return stack[0]!;
}

function print(node: Node): string {
  return typeof node === 'string' ? node : `(${node.map(print).join(' ')})`;
}

/** Which operands of an instruction are watched, counted among its operands; -1 is the last. */
function watchedOperands(instruction: string): readonly number[] {
  if (instruction === 'if') return [0];
  if (['br_if', 'br_table', 'select', 'call_indirect'].includes(instruction)) return [-1];
  if (instruction === 'memory.fill') return [0, 2];
  if (instruction === 'memory.copy' || instruction === 'memory.init') return [0, 1, 2];
  if (/^i(32|64)\.(div|rem)_/.test(instruction)) return [0, 1];
  if (/^(i32|i64|f32|f64|v128)\.(load|store)/.test(instruction)) return [0];
  return [];
}

const ANNOTATIONS = ['result', 'param', 'type', 'then', 'else', 'local', 'export', 'import'];

export interface Instrumented {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How many operands are watched. */
  readonly sites: number;
}

export function instrument(bytes: Uint8Array): Instrumented {
  const module = binaryen.readBinary(bytes);
  module.setFeatures(binaryen.Features.All);
  const tree = parse(module.emitText());
  module.dispose();
  let sites = 0;

  const wrap = (node: Node[], index: number, width: 'i32' | 'i64'): void => {
    node[index] = ['call', `$watch_${width}`, ['i32.const', String(sites++)], node[index]!];
  };
  const visit = (node: Node): void => {
    if (typeof node === 'string') return;
    for (const child of node) visit(child);
    const instruction = node[0];
    if (typeof instruction !== 'string') return;
    const operands = node
      .map((child, index) => ({ child, index }))
      .filter(({ child }) => Array.isArray(child) && !(typeof child[0] === 'string' && ANNOTATIONS.includes(child[0])))
      .map(({ index }) => index);
    for (const place of watchedOperands(instruction)) {
      const index = operands.at(place);
      if (index === undefined) throw new Error(`no operand ${place} in ${print(node).slice(0, 80)}`);
      wrap(node, index, instruction.startsWith('i64.div') || instruction.startsWith('i64.rem') ? 'i64' : 'i32');
    }
  };

  const root = tree[0] as Node[];
  for (const child of root) if (Array.isArray(child) && child[0] === 'func') visit(child);
  const firstDefinition = root.findIndex((child) => Array.isArray(child) && child[0] !== 'type');
  const imports = (['i32', 'i64'] as const).map((width): Node => {
    const type: Node[] = ['func', `$watch_${width}`, ['param', 'i32', width], ['result', width]];
    return ['import', '"trace"', `"watch_${width}"`, type];
  });
  root.splice(firstDefinition, 0, ...imports);

  const result = binaryen.parseText(print(root));
  result.setFeatures(binaryen.Features.All);
  const output = new Uint8Array(result.emitBinary());
  result.dispose();
  return { bytes: output, sites };
}

/** A running digest of everything watched, and how much that was. */
export class Trace {
  #low = 0x811c9dc5;
  #high = 0x9747b28c;
  #events = 0;

  readonly imports = {
    trace: {
      watch_i32: (site: number, value: number): number => {
        this.#mix(site);
        this.#mix(value);
        return value;
      },
      watch_i64: (site: number, value: bigint): bigint => {
        this.#mix(site);
        this.#mix(Number(BigInt.asIntN(32, value)));
        this.#mix(Number(BigInt.asIntN(32, value >> 32n)));
        return value;
      },
    },
  };

  #mix(value: number): void {
    this.#events++;
    this.#low = Math.imul(this.#low ^ value, 0x01000193);
    this.#high = Math.imul((this.#high << 13) | (this.#high >>> 19), 5) + (value ^ this.#low);
  }

  /** Digest and length of the trace since the last call. */
  take(): string {
    const taken = `${this.#low >>> 0}:${this.#high >>> 0}:${this.#events}`;
    [this.#low, this.#high, this.#events] = [0x811c9dc5, 0x9747b28c, 0];
    return taken;
  }
}
