import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { instantiateCore } from '../../../src/crypto/core.ts';
import { createHashing } from '../../../src/crypto/core-hash.ts';
import { createExponentiation } from '../../../src/crypto/core-modexp.ts';
import { GROUP_NAMES, GROUPS } from '../../../src/crypto/groups.ts';

const NAMES = ['scalar', 'fma', 'fma-quad'];

describe.each(NAMES)('%s.wasm', (name) => {
  const bytes = new Uint8Array(readFileSync(new URL(`../../../build/${name}.wasm`, import.meta.url)));

  test('imports nothing and exports its one memory, which cannot grow', () => {
    const module = new WebAssembly.Module(bytes);
    expect(WebAssembly.Module.imports(module)).toEqual([]);
    const memories = WebAssembly.Module.exports(module).filter((entry) => entry.kind === 'memory');
    expect(memories).toEqual([{ name: 'memory', kind: 'memory' }]);
    const { memory } = new WebAssembly.Instance(module).exports as { memory: WebAssembly.Memory };
    expect(() => memory.grow(1)).toThrow(RangeError);
  });

  test('an argument out of range traps instead of reading elsewhere', () => {
    const { abi, batchMax, input } = instantiateCore(bytes);
    expect(() => abi.fixedBase(3, 1, 29)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.fixedBase(-1, 1, 29)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.fixedBase(0, 1, 257)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.variableBase(0, batchMax + 1, 29)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.variableBase(0, 0, 29)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.hkdfExpand(32, 0, 8161)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.sha256(0x10001)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.hmac(0x10000, 1)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.hmac(-1, 1)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.sha256Prefixes(5)).toThrow(WebAssembly.RuntimeError);
    expect(() => abi.hkdfExpandEach(65, 1)).toThrow(WebAssembly.RuntimeError);
    const lengths = (...values: number[]) => new Uint8Array(Uint32Array.from(values).buffer);
    for (const [prefix, length] of [
      [2, 1],
      [0, 0x3fc1],
      [-1, 5],
    ] as const) {
      input.set(lengths(prefix, length));
      expect(() => abi.sha256Prefixes(1)).toThrow(WebAssembly.RuntimeError);
    }
    input.set(lengths(111), 128);
    expect(() => abi.hkdfExpandEach(32, 1)).toThrow(WebAssembly.RuntimeError);
  });

  test('a call leaves in memory what it found there: every secret byte is gone', () => {
    const core = instantiateCore(bytes);
    const memory = new Uint8Array(core.abi.memory.buffer);
    const exponentiation = createExponentiation(core, 'windows');
    const hashing = createHashing(core);
    for (const group of GROUP_NAMES) exponentiation.publicValue(group, Uint8Array.of(1)); // makes the public tables
    const before = memory.slice();

    for (const group of GROUP_NAMES) {
      const { byteLength, exponentByteLength } = GROUPS[group];
      for (const length of [exponentByteLength, byteLength]) {
        const exponents = [randomBytes(length), randomBytes(length), randomBytes(length)];
        const peerPublicValue = randomBytes(byteLength).fill(0x55, 0, 1);
        exponentiation.publicValues(group, exponents);
        exponentiation.sharedValues(group, [...exponents.map((exponent) => ({ exponent, peerPublicValue }))]);
        exponentiation.sharedValues(group, [{ exponent: exponents[0]!, peerPublicValue }]);
        exponentiation.sharedValues(group, [{ exponent: exponents[0]!, peerPublicValue: new Uint8Array(byteLength) }]);
      }
    }
    const long = randomBytes(70_000);
    hashing.sha256(long);
    hashing.sha256(long.subarray(0, 5000));
    hashing.hmacSha256(long, long);
    hashing.hmacSha256(long.subarray(0, 99), long.subarray(99, 5000));
    hashing.hkdfExpand(long.subarray(0, 32), long.subarray(32, 64), 8160);
    hashing.hkdfExpand(long.subarray(0, 32), long, 100);
    hashing.sha256Prefixes([300, 16_320, 20_000].map((n) => ({ data: long.subarray(0, n), prefixLength: n - 70 })));
    hashing.sha256Prefixes([{ data: long.subarray(0, 100), prefixLength: 64 }]);
    hashing.hkdfExpandEach(
      long.subarray(0, 64),
      [0, 50, 110, 110, 9].map((n) => long.subarray(0, n)),
    );
    expect(Buffer.compare(memory, before)).toBe(0);
  });

  test('the wipe test sees what is not wiped', () => {
    const core = instantiateCore(bytes);
    const memory = new Uint8Array(core.abi.memory.buffer);
    const before = memory.slice();
    core.input.set(Buffer.from('a secret'));
    core.abi.sha256(8); // without the caller's wipe of the staging zones
    expect(Buffer.compare(memory, before)).not.toBe(0);
  });
});
