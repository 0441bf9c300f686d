import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What another project gets: the tarball of `npm pack`, installed, imported with its types, and run. */

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
const INSTALL_TIMEOUT_MS = 240_000;
const workshop = mkdtempSync(join(tmpdir(), 'sallyport-package-'));
const consumer = join(workshop, 'consumer');

function run(command: string, args: string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

const CONSUMER_SOURCE = `
import { loadCrypto, type Crypto } from 'sallyport/crypto';
import { SecurityServer } from 'sallyport/server';
import { Customer } from 'sallyport/customer';

const crypto: Crypto = await loadCrypto();
const a = new Uint8Array(29).fill(7);
const b = new Uint8Array(29).fill(9);
const left: Uint8Array = crypto.sharedValue('ffdhe2048', a, crypto.publicValue('ffdhe2048', b));
const right: Uint8Array = crypto.sharedValue('ffdhe2048', b, crypto.publicValue('ffdhe2048', a));
if (Buffer.compare(left, right) !== 0) throw new Error('the two sides differ');
console.log(typeof SecurityServer.start, typeof Customer, left.length);
`;

beforeAll(() => {
  run('npm', ['pack', '--silent', '--pack-destination', workshop], ROOT);
  const tarball = readdirSync(workshop).find((name) => name.endsWith('.tgz'))!;
  mkdirSync(consumer);
  writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }));
  // The consumer's Node is the one this test runs on; npm itself may run on an older one and would only warn of that.
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefer-offline', join(workshop, tarball)], consumer);
}, INSTALL_TIMEOUT_MS);

afterAll(() => rmSync(workshop, { recursive: true, force: true }));

describe('the package', () => {
  it('holds the compiled product and its documents, not the sources or the tests', () => {
    const files = readdirSync(join(consumer, 'node_modules/sallyport'), { recursive: true, encoding: 'utf8' });
    expect(files).toEqual(
      expect.arrayContaining([
        'bin/sallyport.js',
        'dist/server/index.js',
        'dist/customer/index.d.ts',
        'docs/PROTOCOL.md',
        'deploy/systemd/sallyport.service',
        'LICENSE',
        'README.md',
      ]),
    );
    expect(files.some((file) => file.endsWith('.wasm'))).toBe(true);
    expect(files.filter((file) => /^(src|test|bench|assembly|node_modules)\//.test(file))).toEqual([]);
  });

  it('is imported and run by a project that has never seen the sources', () => {
    writeFileSync(
      join(consumer, 'main.mjs'),
      CONSUMER_SOURCE.replaceAll(', type Crypto', '').replaceAll(/: (Crypto|Uint8Array) =/g, ' ='),
    );
    expect(run(process.execPath, ['main.mjs'], consumer).trim()).toBe('function function 256');
  });

  it('has types that a strict consumer compiles against', () => {
    writeFileSync(join(consumer, 'main.ts'), CONSUMER_SOURCE);
    writeFileSync(
      join(consumer, 'tsconfig.json'),
      JSON.stringify({
        compilerOptions: {
          module: 'nodenext',
          target: 'es2024',
          lib: ['es2024', 'esnext.disposable'],
          strict: true,
          noEmit: true,
          types: ['node'],
          typeRoots: [join(ROOT, 'node_modules/@types')],
        },
        files: ['main.ts'],
      }),
    );
    expect(run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', '.'], consumer)).toBe('');
  });

  it('has a command that runs', () => {
    const version = run(process.execPath, ['node_modules/sallyport/bin/sallyport.js', '--version'], consumer).trim();
    expect(version).toMatch(/\d+\.\d+\.\d+/);
  });
});

describe('a Node that is too old', () => {
  it('is told in one sentence', () => {
    const script = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' }); await import(${JSON.stringify(join(ROOT, 'bin/sallyport.js'))});`;
    let message = '';
    try {
      run(process.execPath, ['--input-type=module', '--eval', script], workshop);
    } catch (error) {
      message = (error as { stderr: string }).stderr;
    }
    expect(message.trim().split('\n')).toHaveLength(1);
    expect(message).toContain('needs Node.js 26 or newer and this is 20.20.2');
  });
});
