/** Compiles AssemblyScript sources of the core with texts replaced or added, for what the shipped builds do not export. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';

const ROOT = join(import.meta.dirname, '..', '..', '..');

/** The module of `entry`, built with the fused multiply-add kernels; `change` gives a file's text from its own, or null for none. */
export async function compile(
  entry: string,
  change: (name: string, text: string | null) => string | null,
): Promise<Uint8Array<ArrayBuffer>> {
  let binary: Uint8Array | undefined;
  const { error, stderr } = await asc.main(
    [
      ...[entry, '--outFile', 'built.wasm', '--runtime', 'stub', '-O2', '--noAssert', '--memoryBase', '1024'],
      ...['--initialMemory', '71', '--use', 'BUILD_LANES=4', '--enable', 'simd', '--enable', 'relaxed-simd'],
    ],
    {
      readFile: (name) => change(name, readText(name)),
      writeFile: (_, contents) => {
        binary = contents as Uint8Array;
      },
    },
  );
  if (error !== null || binary === undefined) throw new Error(`${entry} does not compile: ${stderr.toString()}`);
  return new Uint8Array(binary);
}

function readText(name: string): string | null {
  try {
    return readFileSync(join(ROOT, name), 'utf8');
  } catch {
    return null; // the compiler asks for candidates that need not exist
  }
}
