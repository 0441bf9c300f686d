/** Compiles AssemblyScript sources of the core with texts replaced or added, for what the shipped builds do not export. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The part of asc that is used here. Its own types declare AssemblyScript's globals, `console` among them, for the whole program. */
interface Compiler {
  main(
    options: readonly string[],
    host: {
      readonly readFile: (name: string) => string | null;
      readonly writeFile: (name: string, contents: Uint8Array | string) => void;
    },
  ): Promise<{ readonly error: Error | null; readonly stderr: { toString(): string } }>;
}

const COMPILER: string = 'assemblyscript/asc';
const { default: asc } = (await import(COMPILER)) as { readonly default: Compiler };

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
