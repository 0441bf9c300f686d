/**
 * Secrets change neither a branch nor an address: the built modules, instrumented, leave identical traces for different secrets of one
 * length. What WebAssembly engines make of the code below this level is not in anybody's promise (docs/KERNELS.md).
 */

import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { GROUP_NAMES, GROUPS, type GroupName } from '../../../src/crypto/groups.ts';
import { type KernelName, readBuild } from '../../../src/crypto/kernel.ts';
import { modPow, toBigInt } from '../../equivalence/bigint-reference.ts';
import { compile } from './compile.ts';
import { type Instrumented, instrument, Trace } from './instrument.ts';

interface Watched {
  readonly sites: number;
  /** The trace of a call of the ABI with these bytes in the staging zone. */
  run(name: string, args: readonly number[], input: Uint8Array): string;
  output(length: number): Uint8Array;
}

function watch({ bytes, sites }: Instrumented): Watched {
  const trace = new Trace();
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), trace.imports);
  const abi = instance.exports as Record<string, (...args: number[]) => void> & { memory: WebAssembly.Memory };
  const globals = instance.exports as Record<string, { value: number }>;
  return {
    sites,
    run: (name, args, input) => {
      new Uint8Array(abi.memory.buffer, globals.stagingIn!.value).set(input);
      trace.take();
      abi[name]!(...args);
      return trace.take();
    },
    output: (length) => new Uint8Array(abi.memory.buffer, globals.stagingOut!.value, length).slice(),
  };
}

const TABLES = { none: 0, windows: 1, comb: 2 } as const;

function prepare(core: Watched, name: GroupName, table: keyof typeof TABLES): void {
  const group = GROUPS[name];
  core.run('prepare', [group.index], group.p());
  core.run('prepareTable', [group.index, TABLES[table]], new Uint8Array(0));
}

/** Exponents that a leaky exponentiation treats differently: sparse, dense, random. */
function secrets(length: number): Uint8Array[] {
  const sparse = new Uint8Array(length);
  sparse[0] = 0x80;
  return [sparse, new Uint8Array(length).fill(0xff), randomBytes(length)];
}

/** `count` exponents, the secret one in the given place and a fixed one elsewhere. */
function batch(secret: Uint8Array, count: number, place: number): Uint8Array {
  const all = Array.from({ length: count }, (_, item) =>
    item === place ? secret : new Uint8Array(secret.length).fill(0x11),
  );
  return Buffer.concat(all);
}

function fixedBaseTraces(core: Watched, name: GroupName, length: number, count: number): Set<string> {
  const { index } = GROUPS[name];
  const run = (secret: Uint8Array, place: number): string => {
    return core.run('fixedBase', [index, count, length], batch(secret, count, place));
  };
  return new Set(
    secrets(length).flatMap((secret) => (count === 1 ? [run(secret, 0)] : [run(secret, 0), run(secret, count - 1)])),
  );
}

function variableBaseTraces(core: Watched, name: GroupName, length: number, count: number): Set<string> {
  const { index, byteLength } = GROUPS[name];
  const peers = Buffer.alloc(count * byteLength, 0x5a);
  const run = (secret: Uint8Array, place: number): string => {
    return core.run('variableBase', [index, count, length], Buffer.concat([batch(secret, count, place), peers]));
  };
  return new Set(
    secrets(length).flatMap((secret) => (count === 1 ? [run(secret, 0)] : [run(secret, 0), run(secret, count - 1)])),
  );
}

describe.each([
  ['scalar', 1],
  ['fma', 2],
  ['fma-quad', 4],
] as const)('%s', (kernel: KernelName, lanes: number) => {
  let core: Watched;
  beforeAll(() => {
    core = watch(instrument(readBuild(kernel)));
  });

  test('the instrumented module still computes, and is watched all over', () => {
    prepare(core, 'ffdhe2048', 'windows');
    core.run('fixedBase', [0, 1, 2], Uint8Array.of(0x12, 0x34));
    expect(toBigInt(core.output(256))).toBe(modPow(2n, 0x1234n, toBigInt(GROUPS.ffdhe2048.p())));
    expect(core.sites).toBeGreaterThan(200);
  });

  test.each(GROUP_NAMES)('%s: one trace for all secrets, fixed base by windows, comb and without a table', (name) => {
    // Making the windows is most of the time here; the larger groups' differ in nothing but counts.
    const tables = name === 'ffdhe2048' ? (['windows', 'comb', 'none'] as const) : (['comb', 'none'] as const);
    for (const table of tables) {
      prepare(core, name, table);
      const length = table === 'none' ? 2 : 3;
      for (let count = 1; count <= lanes; count *= 2) {
        expect(fixedBaseTraces(core, name, length, count).size, `${table}, ${count} at once`).toBe(1);
      }
    }
  });

  test.each(GROUP_NAMES)('%s: one trace for all secrets, variable base', (name) => {
    prepare(core, name, 'none');
    for (let count = 1; count <= lanes; count *= 2) {
      expect(variableBaseTraces(core, name, 2, count).size, `${count} at once`).toBe(1);
    }
  });

  test('one trace for all keys and data, SHA-256, HMAC and HKDF', () => {
    const inputs = [new Uint8Array(150), new Uint8Array(150).fill(0xff), randomBytes(150), randomBytes(150)];
    for (const [name, args] of [
      ['sha256', [150]],
      ['hmac', [32, 118]],
      ['hmac', [100, 50]],
      ['hkdfExpand', [32, 118, 77]],
    ] as const) {
      expect(new Set(inputs.map((input) => core.run(name, args, input))).size).toBe(1);
    }
  });

  test('one trace for all keys and data, several hashes at once', () => {
    // Lengths, which are public, and secret bytes: messages in slots of 0x4000, infos in slots of 128.
    const messages = (secret: Uint8Array): Uint8Array => {
      const input = new Uint8Array(0x10000);
      [
        [70, 102],
        [0, 150],
        [128, 128],
      ].forEach((lengths, slot) => {
        input.set(new Uint8Array(Uint32Array.from(lengths).buffer), slot * 0x4000);
        input.set(secret, slot * 0x4000 + 64);
      });
      return input;
    };
    const infos = (secret: Uint8Array): Uint8Array => {
      const input = new Uint8Array(128 * 6);
      input.set(secret.subarray(0, 32));
      [55, 64, 1, 0, 110].forEach((length, info) => {
        input.set(new Uint8Array(Uint32Array.of(length).buffer), (info + 1) * 128);
        input.set(secret.subarray(0, length), (info + 1) * 128 + 4);
      });
      return input;
    };
    const secrets = [new Uint8Array(150), new Uint8Array(150).fill(0xff), randomBytes(150), randomBytes(150)];
    for (const count of [1, 3]) {
      expect(new Set(secrets.map((secret) => core.run('sha256Prefixes', [count], messages(secret)))).size).toBe(1);
    }
    expect(new Set(secrets.map((secret) => core.run('hkdfExpandEach', [32, 5], infos(secret)))).size).toBe(1);
  });

  test('the trace does see the length', () => {
    prepare(core, 'ffdhe2048', 'none');
    const traces = [2, 3].map((length) => [...variableBaseTraces(core, 'ffdhe2048', length, 1)]);
    expect(traces[0]![0]).not.toBe(traces[1]![0]);
  });
});

describe('canaries: kernels with a leak are caught', () => {
  /** The core built from sources in which one text is replaced by another. */
  async function mutant(file: string, from: string, to: string): Promise<Watched> {
    const bytes = await compile('assembly/index.ts', (name, text) => {
      if (!name.endsWith(file) || text === null) return text;
      expect(text.split(from).length, `${from} once in ${file}`).toBe(2);
      return text.replace(from, to);
    });
    return watch(instrument(bytes));
  }

  test('a variable base that skips zero windows', async () => {
    const core = await mutant(
      'assembly/modexp.ts',
      'for (let s = 0; s < WINDOW_BITS; s++) square(lanes, ACCUMULATOR, ACCUMULATOR, p, n);\n    multiply(',
      'for (let s = 0; s < WINDOW_BITS; s++) square(lanes, ACCUMULATOR, ACCUMULATOR, p, n);\n' +
        '    if (exponentBits(0, w * WINDOW_BITS, WINDOW_BITS) != 0) multiply(',
    );
    prepare(core, 'ffdhe2048', 'none');
    expect(variableBaseTraces(core, 'ffdhe2048', 2, 1).size).toBeGreaterThan(1);
    expect(variableBaseTraces(core, 'ffdhe2048', 2, 2).size).toBeGreaterThan(1);
  });

  test('a fixed base that looks its table up by address', async () => {
    const core = await mutant(
      'assembly/modexp.ts',
      'if (lanes == 1) return selectVectors(table, stride, count, i0, i0);',
      'if (lanes == 1) return memory.copy(SELECTED, table + i0 * stride, stride);',
    );
    prepare(core, 'ffdhe2048', 'windows');
    core.run('fixedBase', [0, 1, 2], Uint8Array.of(0x12, 0x34));
    expect(toBigInt(core.output(256))).toBe(modPow(2n, 0x1234n, toBigInt(GROUPS.ffdhe2048.p()))); // it is right, and leaks
    expect(fixedBaseTraces(core, 'ffdhe2048', 3, 1).size).toBeGreaterThan(1);
    expect(fixedBaseTraces(core, 'ffdhe2048', 3, 2).size).toBe(1);
  });
});
