/**
 * Builds every target of asconfig.json into build/. With --check it builds into a temporary directory instead and compares: the
 * committed binaries must be, byte for byte, what the sources give.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const compiler = join(createRequire(import.meta.url).resolve('assemblyscript/package.json'), '..', 'bin', 'asc.js');
const config = JSON.parse(readFileSync(join(root, 'asconfig.json'), 'utf8')) as {
  targets: Record<string, { outFile: string }>;
};

const check = process.argv.includes('--check');
const directory = check ? mkdtempSync(join(tmpdir(), 'sallyport-wasm-')) : join(root, 'build');
try {
  execFileSync(process.execPath, [join(root, 'scripts', 'generate-quad-kernel.ts'), ...(check ? ['--check'] : [])], {
    stdio: 'inherit',
  });
  const differing: string[] = [];
  const built = Object.entries(config.targets).map(([target, { outFile }]) => {
    const name = basename(outFile);
    const outPath = join(directory, name);
    execFileSync(process.execPath, [compiler, '--config', 'asconfig.json', '--target', target, '--outFile', outPath], {
      cwd: root,
      stdio: 'inherit',
    });
    if (check && !sameBytes(outPath, join(root, outFile))) differing.push(outFile);
    return name;
  });
  for (const name of readdirSync(join(root, 'build'))) {
    if (name.endsWith('.wasm') && !built.includes(name)) differing.push(`build/${name} (which no target builds)`);
  }
  if (differing.length > 0) {
    console.error(
      `Not what the sources give: ${differing.join(', ')}. Run "npm run build:wasm" and commit the result.`,
    );
    process.exitCode = 1;
  } else {
    console.log(`${check ? 'build/ is what the sources give' : 'built'}: ${built.join(', ')}`);
  }
} finally {
  if (check) rmSync(directory, { recursive: true });
}

function sameBytes(path: string, otherPath: string): boolean {
  try {
    return readFileSync(path).equals(readFileSync(otherPath));
  } catch {
    return false; // the committed one is missing
  }
}
