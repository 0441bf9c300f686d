/** Exponentiation on the core: arguments checked, items of one exponent length sent as batches, secrets wiped from the staging zones. */

import { SallyportError } from '../errors.ts';
import type { Core } from './core.ts';
import { GROUPS, type Group, type GroupName, isGroupName } from './groups.ts';

/** One item of a batch of shared values. */
export interface SharedValueInput {
  readonly exponent: Uint8Array;
  readonly peerPublicValue: Uint8Array;
}

/** A result of a batch: |p| bytes, or the error that the single form would have thrown. */
export type BatchResult = Uint8Array<ArrayBuffer> | SallyportError;

export interface Exponentiation {
  /**
   * g^exponent mod p, |p| bytes big-endian. The exponent is 1 to |p| bytes, big-endian; time depends on its length alone (and is
   * shortest, by a table, up to the group's exponentByteLength). It is plain arithmetic: the zero exponent gives 1, a value that every
   * peer refuses. Errors: BAD_ARGUMENT.
   */
  publicValue(group: GroupName, exponent: Uint8Array): Uint8Array<ArrayBuffer>;
  /**
   * peer^exponent mod p, |p| bytes big-endian, left-padded (RFC 8446 §7.4.1). Errors: BAD_ARGUMENT for a bad group or exponent length;
   * BAD_PUBLIC_VALUE when the peer's value has not |p| bytes or is not in 2 to p-2 (RFC 7919 §5.1), and when the result is 0, 1 or p-1
   * (SP 800-56A r3 §5.7.1.1), which is also what the zero exponent comes to.
   */
  sharedValue(group: GroupName, exponent: Uint8Array, peerPublicValue: Uint8Array): Uint8Array<ArrayBuffer>;
  /** publicValue of many; results in the order of the exponents. Never throws for an item. */
  publicValues(group: GroupName, exponents: readonly Uint8Array[]): BatchResult[];
  /** sharedValue of many; results in the order of the pairs. Never throws for an item. */
  sharedValues(group: GroupName, pairs: readonly SharedValueInput[]): BatchResult[];
}

const STATUS_OK = 0;
const STATUS_PEER_VALUE = 1;

/**
 * How powers of g are made. `windows`: 32 powers for every 5 bits, 0.5, 0.9 and 1.4 MB for the three groups, fastest; `comb`: 64 powers,
 * 20, 30 and 40 KB; `none`: as powers of any base, for a process that makes one or two.
 */
export type FixedBase = 'windows' | 'comb' | 'none';

const TABLE_KINDS: Readonly<Record<FixedBase, number>> = { none: 0, windows: 1, comb: 2 };

export function createExponentiation(core: Core, fixedBase: FixedBase): Exponentiation {
  const { abi, input, output } = core;
  const prepared = new Set<GroupName>();
  const tables = new Set<GroupName>();

  /** Constants and table of a group are made on its first use: a process that uses one group pays for one. */
  const prepare = (group: Group): void => {
    if (prepared.has(group.name)) return;
    input.set(group.p());
    abi.prepare(group.index);
    input.fill(0, 0, group.byteLength);
    prepared.add(group.name);
  };
  const prepareTable = (group: Group): void => {
    prepare(group);
    if (tables.has(group.name)) return;
    abi.prepareTable(group.index, TABLE_KINDS[fixedBase]);
    tables.add(group.name);
  };

  const publicValues = (groupName: GroupName, exponents: readonly Uint8Array[]): BatchResult[] => {
    const group = findGroup(groupName);
    if (group instanceof SallyportError) return exponents.map(() => group);
    const results = exponents.map((exponent): BatchResult | undefined => checkExponent(group, exponent));
    prepareTable(group);
    for (const { length, indices } of batches(results, (index) => exponents[index]!.length, core)) {
      indices.forEach((index, item) => {
        input.set(exponents[index]!, item * length);
      });
      abi.fixedBase(group.index, indices.length, length);
      input.fill(0, 0, indices.length * length);
      indices.forEach((index, item) => {
        results[index] = output.slice(item * group.byteLength, (item + 1) * group.byteLength);
      });
      output.fill(0, 0, indices.length * group.byteLength);
    }
    return results as BatchResult[];
  };

  const sharedValues = (groupName: GroupName, pairs: readonly SharedValueInput[]): BatchResult[] => {
    const group = findGroup(groupName);
    if (group instanceof SallyportError) return pairs.map(() => group);
    const results = pairs.map(
      (pair): BatchResult | undefined =>
        checkExponent(group, pair.exponent) ?? checkLength(group, pair.peerPublicValue),
    );
    prepare(group);
    const { byteLength } = group;
    for (const { length, indices } of batches(results, (index) => pairs[index]!.exponent.length, core)) {
      const count = indices.length;
      indices.forEach((index, item) => {
        input.set(pairs[index]!.exponent, item * length);
        input.set(pairs[index]!.peerPublicValue, count * length + item * byteLength);
      });
      abi.variableBase(group.index, count, length);
      input.fill(0, 0, count * (length + byteLength));
      indices.forEach((index, item) => {
        const status = output[count * byteLength + item]!;
        results[index] =
          status === STATUS_OK
            ? output.slice(item * byteLength, (item + 1) * byteLength)
            : badPublicValue(group, status);
      });
      output.fill(0, 0, count * (byteLength + 1));
    }
    return results as BatchResult[];
  };

  return {
    publicValues,
    sharedValues,
    publicValue: (group, exponent) => orThrow(publicValues(group, [exponent])),
    sharedValue: (group, exponent, peerPublicValue) => orThrow(sharedValues(group, [{ exponent, peerPublicValue }])),
  };
}

function orThrow(results: BatchResult[]): Uint8Array<ArrayBuffer> {
  const result = results[0]!;
  if (result instanceof SallyportError) throw result;
  return result;
}

function findGroup(name: unknown): Group | SallyportError {
  if (isGroupName(name)) return GROUPS[name];
  return new SallyportError('BAD_ARGUMENT', `no such group; there are ${Object.keys(GROUPS).join(', ')}`);
}

function checkExponent(group: Group, exponent: unknown): SallyportError | undefined {
  if (!(exponent instanceof Uint8Array)) return new SallyportError('BAD_ARGUMENT', 'the exponent must be a Uint8Array');
  if (exponent.length >= 1 && exponent.length <= group.byteLength) return undefined;
  return new SallyportError(
    'BAD_ARGUMENT',
    `an exponent of ${group.name} has 1 to ${group.byteLength} bytes; got ${exponent.length}`,
  );
}

function checkLength(group: Group, peer: unknown): SallyportError | undefined {
  if (!(peer instanceof Uint8Array)) return new SallyportError('BAD_ARGUMENT', 'the peer value must be a Uint8Array');
  if (peer.length === group.byteLength) return undefined;
  return new SallyportError(
    'BAD_PUBLIC_VALUE',
    `a public value of ${group.name} has ${group.byteLength} bytes; got ${peer.length}`,
  );
}

function badPublicValue(group: Group, status: number): SallyportError {
  return new SallyportError(
    'BAD_PUBLIC_VALUE',
    status === STATUS_PEER_VALUE
      ? `the public value is not in 2 to p-2 of ${group.name}`
      : `the shared value of ${group.name} is 0, 1 or p-1`,
  );
}

/**
 * The items without a result yet, as batches of one exponent length, in order. Where a pass carries four, three left over go as four,
 * the last of them twice: a pass of four costs what a pass of two does.
 */
function batches(
  results: readonly (BatchResult | undefined)[],
  lengthOf: (index: number) => number,
  { batchMax, lanes }: Core,
): { length: number; indices: number[] }[] {
  const open = new Map<number, number[]>();
  const all: { length: number; indices: number[] }[] = [];
  results.forEach((result, index) => {
    if (result !== undefined) return;
    const length = lengthOf(index);
    let indices = open.get(length);
    if (indices === undefined || indices.length === batchMax) {
      indices = [];
      open.set(length, indices);
      all.push({ length, indices });
    }
    indices.push(index);
  });
  for (const { indices } of all) if (lanes === 4 && indices.length % 4 === 3) indices.push(indices.at(-1)!);
  return all;
}
