/**
 * Writes assembly/montgomery-quad.ts, the kernel of four numbers, from assembly/montgomery-pair.ts, the kernel of two.
 *
 * V8's --experimental-wasm-revectorize turns two 128-bit operations into one of 256 bits when both sides of a pair of statements are
 * the same operation in one basic block, ending in stores to neighbouring addresses. So every vector statement is written twice, A for
 * the lower and B for the upper half of 32 bytes, inlined functions are expanded (each would be a block of its own), shifts go by shared
 * variables, and constants come from memory. Run with --check to compare with the committed file.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const directory = join(import.meta.dirname, '..', 'assembly');
const target = join(directory, 'montgomery-quad.ts');

/** Vector variables of the pair kernel; everything else is a scalar and stays single. */
const VECTORS = 'H0 L0 H1 L1 H2 L2 g h a0 a1 a2 a3 b0 b1 carry c1 c2 nextH nextL'.split(' ');
const VECTOR = new RegExp(`\\b(${VECTORS.join('|')})\\b`, 'g');
const HALVES = ['A', 'B'] as const;

/** The arguments of the call whose parenthesis opens at `open`, and where it ends. */
function callArguments(text: string, open: number): { list: string[]; end: number } {
  const list: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let at = open; at < text.length; at++) {
    const letter = text[at];
    if (letter === '(') depth++;
    if (letter === ')') depth--;
    if (depth === 0 || (letter === ',' && depth === 1)) {
      list.push(text.slice(start, at).trim());
      start = at + 1;
    }
    if (depth === 0) return { list, end: at + 1 };
  }
  throw new Error(`no end of a call in: ${text}`);
}

/** The inlined functions of fma.ts, as expressions. */
const EXPRESSIONS: Record<string, (args: string[], constant: (index: number) => string) => string> = {
  fma: ([a, b, c]) => `f64x2.relaxed_madd(${a}, ${b}, ${c})`,
  low: ([a, b, high, c2]) => `f64x2.relaxed_madd(${a}, ${b}, f64x2.sub(${c2}, ${high}))`,
  add: ([a, b]) => `i64x2.add(${a}, ${b})`,
  columnDigit: ([H, sum], constant) => {
    const bits = `v128.and(i64x2.add(${sum}, i64x2.shl(${H}, shift51)), ${constant(2)})`;
    return `f64x2.sub(v128.or(${bits}, ${constant(3)}), ${constant(4)})`;
  },
  columnCarry: ([H, sum]) => `i64x2.shr_u(i64x2.add(i64x2.shr_u(${sum}, shift51), ${H}), shift1)`,
};
const CALL = /(?<![\w.])(fma|low|add|columnDigit|columnCarry)\(/;

/** One half of a vector statement. */
function half(statement: string, suffix: (typeof HALVES)[number]): string {
  const offset = suffix === 'A' ? 0 : 16;
  const constant = (index: number): string => `v128.load(constants, ${32 * index + offset})`;
  let text = statement
    .replaceAll(VECTOR, `$1${suffix}`)
    .replaceAll(/i64x2\.splat\(0\)/g, constant(6))
    .replaceAll(/i64x2\.splat\(CARRY_BIAS\)/g, constant(5))
    .replaceAll(/v128\.load\((\w+)(?:, (\d+))?\)/g, (whole, address: string, at = '0') => {
      if (address === 'constants') return whole;
      if (address === 'CONSTANTS') return constant(Number(at) / 16);
      return `v128.load(${address}, ${2 * Number(at) + offset})`;
    })
    .replaceAll(/v128\.store\((\w+), (\w+)(?:, (\d+))?\)/g, (_, address: string, value: string, at = '0') => {
      return `v128.store(${address}, ${value}, ${2 * Number(at) + offset})`;
    });
  for (let call = CALL.exec(text); call !== null; call = CALL.exec(text)) {
    const { list, end } = callArguments(text, call.index + call[0].length - 1);
    text = text.slice(0, call.index) + EXPRESSIONS[call[1]!]!(list, constant) + text.slice(end);
  }
  return text;
}

function widenLine(line: string): string[] {
  const indent = /^ */.exec(line)![0];
  const statement = line.trim();
  if (statement.startsWith('//') || statement.startsWith('/**') || statement === '') return [line];
  if (statement === 'const size = <usize>n * DIGIT;') {
    return [line, ...['shift1', 'shift51'].map((name) => `${indent}let ${name}: i32 = ${name.slice(5)};`)];
  }
  if (/^let .*: v128/.test(statement)) {
    return [indent + statement.replaceAll(/(\w+): v128/g, '$1A: v128, $1B: v128')];
  }
  if (/^(for|if|let [ij])\b/.test(statement) || !statement.match(VECTOR)) return [line];
  return statement
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '' && !part.startsWith('//'))
    .flatMap((part) => {
      // A chain of assignments of zero becomes one statement a variable.
      const chain = /^((?:\w+ = )+)(i64x2\.splat\(0\))$/.exec(part);
      const parts = chain === null ? [part] : chain[1]!.match(/\w+/g)!.map((name) => `${name} = ${chain[2]}`);
      return parts.flatMap((one) => HALVES.map((suffix) => `${indent}${half(one, suffix)};`));
    });
}

const source = readFileSync(join(directory, 'montgomery-pair.ts'), 'utf8');
const body = source.slice(source.indexOf('/** out = x y / R for both lanes;'));
const lines = body
  .replaceAll('for both lanes', 'for four lanes')
  .replaceAll('in both lanes', 'in four lanes')
  .replaceAll(/(multiply|square)Pair/g, '$1Quad')
  .replaceAll('PAIR_', 'QUAD_')
  .split('\n')
  .flatMap(widenLine)
  .flatMap((line) =>
    line.startsWith('export function') ? [line, '  let constants: usize = QUAD_CONSTANTS;'] : [line],
  );

const generated = `// GENERATED by scripts/generate-quad-kernel.ts from montgomery-pair.ts: do not edit.
//
// Montgomery arithmetic on four numbers at once: montgomery-pair.ts, each vector statement twice, for V8's revectorization to 256 bits.
// Digit i of the four numbers lies at 32 i.

import { QUAD_MULTIPLE, QUAD_STARTS, QUOTIENT, COLUMNS as SUMS } from './memory';

/** Bytes of one digit of all lanes. */
const DIGIT: usize = 32;

// Each constant of fma.ts, four times; then the bias of a first carry, and zero.
const QUAD_CONSTANTS = memory.data<u64>([
  0x4668000000000000, 0x4668000000000000, 0x4668000000000000, 0x4668000000000000,
  0x4668000000000003, 0x4668000000000003, 0x4668000000000003, 0x4668000000000003,
  0x000fffffffffffff, 0x000fffffffffffff, 0x000fffffffffffff, 0x000fffffffffffff,
  0x4330000000000000, 0x4330000000000000, 0x4330000000000000, 0x4330000000000000,
  0x4338000000000000, 0x4338000000000000, 0x4338000000000000, 0x4338000000000000,
  0x0800000000000100, 0x0800000000000100, 0x0800000000000100, 0x0800000000000100,
  0x0000000000000000, 0x0000000000000000, 0x0000000000000000, 0x0000000000000000,
], 32);

${lines.join('\n')}`;

if (!process.argv.includes('--check')) {
  writeFileSync(target, generated);
} else if (readFileSync(target, 'utf8') !== generated) {
  console.error(
    'assembly/montgomery-quad.ts is not what montgomery-pair.ts gives. Run "node scripts/generate-quad-kernel.ts".',
  );
  process.exitCode = 1;
}
