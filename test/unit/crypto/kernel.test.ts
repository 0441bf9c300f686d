import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Core, instantiateCore } from '../../../src/crypto/core.ts';
import { createExponentiation } from '../../../src/crypto/core-modexp.ts';
import { GROUPS } from '../../../src/crypto/groups.ts';
import type { KernelReport } from '../../../src/crypto/kernel.ts';
import { chooseKernel } from '../../../src/crypto/kernel.ts';
import { modPow, toBigInt } from '../../equivalence/bigint-reference.ts';

/** What a process of its own, with these V8 flags, chooses and computes: the report, and 3^65537 in ffdhe2048. */
function inProcess(flags: string[], options = {}): { kernel: KernelReport; value: string } {
  const script = `
    const { loadCrypto } = await import(${JSON.stringify(new URL('../../../src/crypto/index.ts', import.meta.url).href)});
    const crypto = await loadCrypto(${JSON.stringify(options)});
    const three = new Uint8Array(256).fill(3, 255);
    const value = crypto.sharedValue('ffdhe2048', Uint8Array.of(1, 0, 1), three);
    process.stdout.write(JSON.stringify({ kernel: crypto.kernel, value: Buffer.from(value).toString('hex') }));`;
  const output = execFileSync(process.execPath, [...flags, '--input-type=module', '--eval', script], {
    encoding: 'utf8',
  });
  return JSON.parse(output) as { kernel: KernelReport; value: string };
}

const EXPECTED = modPow(3n, 65537n, toBigInt(GROUPS.ffdhe2048.p())).toString(16).padStart(512, '0');

// The flags are those of V8 on x86-64.
describe.skipIf(process.arch !== 'x64')('the choice of a kernel in real processes', () => {
  test('without fused multiply-add, scalar runs and the report says why', () => {
    const { kernel, value } = inProcess(['--no-enable-fma3']);
    expect(kernel).toEqual({
      name: 'scalar',
      lanes: 1,
      rejected: [{ name: 'fma', reason: 'multiply-add is not fused on this host' }],
    });
    expect(value).toBe(EXPECTED);
  });

  test('without SIMD, scalar runs and the report says why', () => {
    const { kernel, value } = inProcess(['--no-enable-sse4-1']);
    expect(kernel.name).toBe('scalar');
    expect(kernel.rejected[0]).toMatchObject({
      name: 'fma',
      reason: expect.stringContaining('this engine cannot run it'),
    });
    expect(value).toBe(EXPECTED);
  });

  test('with quads allowed, they run or the report says why not, and the value is right', () => {
    const { kernel, value } = inProcess([], { quads: true });
    expect(value).toBe(EXPECTED);
    if (kernel.name === 'fma-quad') expect(kernel).toMatchObject({ lanes: 4, rejected: [] });
    else
      expect(kernel.rejected[0]).toMatchObject({
        name: 'fma-quad',
        reason: expect.stringMatching(/faster|fused|engine/),
      });
  });

  test('with 256-bit instructions off, quads are measured and found no gain', () => {
    const { kernel, value } = inProcess(['--no-enable-avx2'], { quads: true });
    expect(kernel.name).not.toBe('fma-quad');
    expect(kernel.rejected[0]?.name).toBe('fma-quad');
    expect(value).toBe(EXPECTED);
  });

  test('with the flags of this machine, whatever runs is right', () => {
    expect(inProcess([]).value).toBe(EXPECTED);
  });
});

describe('the choice of a kernel in acted engines', () => {
  /** An engine that has SIMD but not relaxed SIMD: V8 has no flag for that any more. */
  const withoutRelaxedSimd = (bytes: Uint8Array<ArrayBuffer>): Core => {
    const core = instantiateCore(bytes);
    if (core.abi.FEATURES.value & 2) throw new WebAssembly.CompileError('invalid numeric opcode 0xfd107');
    return core;
  };

  test('without relaxed SIMD, scalar runs', () => {
    const { report } = chooseKernel({ quads: true, instantiate: withoutRelaxedSimd });
    expect(report.name).toBe('scalar');
    expect(report.rejected.map(({ name }) => name)).toEqual(['fma-quad', 'fma']);
  });

  test('a kernel that is asked for and cannot run is BAD_CONFIGURATION, never another in its place', () => {
    expect(() => chooseKernel({ only: 'fma', instantiate: withoutRelaxedSimd })).toThrow(
      expect.objectContaining({
        code: 'BAD_CONFIGURATION',
        message: expect.stringContaining('invalid numeric opcode'),
      }),
    );
  });

  test('a kernel that gets one bit wrong is never used', () => {
    const oneBitWrong = (bytes: Uint8Array<ArrayBuffer>): Core => {
      const core = instantiateCore(bytes);
      if (core.lanes === 1) return core;
      const variableBase = (group: number, count: number, length: number): void => {
        core.abi.variableBase(group, count, length);
        core.output[(count - 1) * 256 + 131]! ^= 1;
      };
      return { ...core, abi: { ...core.abi, variableBase } };
    };
    const { report, core } = chooseKernel({ instantiate: oneBitWrong });
    expect(report).toEqual({
      name: 'scalar',
      lanes: 1,
      rejected: [{ name: 'fma', reason: 'a known exponentiation came out wrong' }],
    });
    const exponent = randomBytes(29);
    const { publicValue } = createExponentiation(core, 'none');
    expect(toBigInt(publicValue('ffdhe2048', exponent))).toBe(
      modPow(2n, toBigInt(exponent), toBigInt(GROUPS.ffdhe2048.p())),
    );
  });

  test('a kernel that throws inside is not used', () => {
    const trapping = (bytes: Uint8Array<ArrayBuffer>): Core => {
      const core = instantiateCore(bytes);
      const trap = (): never => {
        throw new WebAssembly.RuntimeError('unreachable');
      };
      return core.lanes === 1 ? core : { ...core, abi: { ...core.abi, prepare: trap } };
    };
    expect(chooseKernel({ instantiate: trapping }).report.name).toBe('scalar');
  });
});
