import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** The house rules of docs/ARCHITECTURE.md, kept by a machine. Every rule is a function, so that a planted breach can prove it bites. */

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');

interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Files that everyone may import: the error table, the limits, and the one suggestion for a mistyped word. */
const OPEN = ['errors', 'limits', 'nearest'];

/** Which rooms of src/ a room may import from (itself always).  */
const MAY_IMPORT: Record<string, readonly string[]> = {
  errors: [],
  limits: [],
  nearest: [],
  wire: [],
  crypto: [],
  session: ['wire', 'crypto'],
  pool: ['crypto'],
  ports: [],
  // A receipt is stored in its wire form and signed by the host key: one codec and one idea of that key for all.
  ledger: ['wire', 'crypto'],
  server: ['session', 'wire', 'pool', 'ports', 'ledger', 'crypto'],
  customer: ['session', 'wire', 'crypto'],
  load: ['customer', 'session', 'wire', 'crypto'],
  cli: ['server', 'customer', 'load', 'ledger', 'crypto', 'wire', 'session', 'ports', 'pool'],
};

/** Modules that only some places may touch. Paths are prefixes below the root. */
const CONFINED: readonly { readonly module: RegExp; readonly places: readonly string[] }[] = [
  {
    module: /^node:(net|dgram|tls|http|https)$/,
    places: ['src/ports/', 'src/server/', 'src/customer/', 'src/load/', 'src/cli/'],
  },
  { module: /^node:sqlite$/, places: ['src/ledger/storage/'] },
  { module: /^piscina$/, places: ['src/pool/'] },
  { module: /^(commander|cli-table3|cli-progress)$/, places: ['src/cli/'] },
  { module: /^@assemblyscript\/loader$/, places: ['src/crypto/'] },
];

const VAGUE_NAMES = /^(utils?|helpers?|common|types|manager|misc|shared)\.ts$/;
const LINES_MAX = 500;

function trackedFiles(...patterns: string[]): SourceFile[] {
  const listed = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...patterns],
    { cwd: ROOT, encoding: 'utf8' },
  );
  return listed
    .split('\0')
    .filter((path) => path !== '')
    .flatMap((path) => {
      try {
        return [{ path, text: readFileSync(join(ROOT, path), 'utf8') }];
      } catch {
        return []; // deleted in the working tree
      }
    });
}

function importsOf(file: SourceFile): string[] {
  const specifiers: string[] = [];
  for (const match of file.text.matchAll(
    /^\s*(?:import|export)\b[^'"`;]*?from\s+['"]([^'"]+)['"]|^\s*import\s+['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm,
  )) {
    specifiers.push((match[1] ?? match[2] ?? match[3])!);
  }
  return specifiers;
}

/** The room of a file below src/: its folder, or its own name at the top. */
function roomOf(path: string): string {
  const inside = path.slice('src/'.length);
  return inside.includes('/') ? inside.slice(0, inside.indexOf('/')) : inside.replace(/\.ts$/, '');
}

function breachesOfDirection(file: SourceFile): string[] {
  const room = roomOf(file.path);
  const allowed = MAY_IMPORT[room];
  if (allowed === undefined) return [`${file.path}: room "${room}" is not in the list of rooms`];
  return importsOf(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => posix.normalize(posix.join(posix.dirname(file.path), specifier)))
    .filter((target) => target.startsWith('src/'))
    .filter((target) => ![room, ...OPEN, ...allowed].includes(roomOf(target)))
    .map((target) => `${file.path} imports ${target}: ${room} may import only ${[...OPEN, ...allowed].join(', ')}`);
}

function breachesOfConfinement(file: SourceFile): string[] {
  return importsOf(file).flatMap((specifier) =>
    CONFINED.filter(
      (rule) => rule.module.test(specifier) && !rule.places.some((place) => file.path.startsWith(place)),
    ).map(() => `${file.path} imports ${specifier}, which belongs elsewhere`),
  );
}

function breachesOfText(file: SourceFile): string[] {
  const breaches: string[] = [];
  const lines = file.text.split('\n');
  if (lines.length > LINES_MAX) breaches.push(`${file.path} has ${lines.length} lines (at most ${LINES_MAX})`);
  if (VAGUE_NAMES.test(posix.basename(file.path))) breaches.push(`${file.path}: the name does not say what is in it`);
  lines.forEach((line, index) => {
    const at = `${file.path}:${index + 1}`;
    if (/^let\s/.test(line)) breaches.push(`${at} module-level let`);
    if (/^export default\b/.test(line)) breaches.push(`${at} default export`);
    if (/@ts-(ignore|nocheck|expect-error)|biome-ignore/.test(line)) breaches.push(`${at} a check is turned off`);
    if (/:\s*any\b|\bas any\b|<any>/.test(line) && !/^\s*(\/\/|\*|\/\*)/.test(line)) breaches.push(`${at} any`);
    if (/\b(TODO|FIXME|XXX|HACK)\b/.test(line)) breaches.push(`${at} left for later`);
    if (/catch\s*(\([^)]*\))?\s*\{\s*\}/.test(line)) breaches.push(`${at} empty catch`);
    if (/\bprocess\.env\b/.test(line) && !/^src\/(server\/configuration|cli\/)/.test(file.path))
      breaches.push(`${at} process.env outside configuration`);
    if (/\bMath\.random\b/.test(line)) breaches.push(`${at} Math.random`);
  });
  return breaches;
}

const sources = trackedFiles('src/**/*.ts', 'src/*.ts');

describe('the rules of the house', () => {
  it('finds the sources', () => {
    expect(sources.length).toBeGreaterThan(20);
  });

  it('imports run one way', () => {
    expect(sources.flatMap(breachesOfDirection)).toEqual([]);
  });

  it('sockets, SQL, the pool and the screen stay in their rooms', () => {
    expect(sources.flatMap(breachesOfConfinement)).toEqual([]);
  });

  it('files are one idea, and no check is turned off', () => {
    expect(sources.flatMap(breachesOfText)).toEqual([]);
  });

  it('the core imports nothing from outside', () => {
    const outside = trackedFiles('assembly/*.ts', 'assembly/**/*.ts').flatMap((file) =>
      importsOf(file)
        .filter((specifier) => !specifier.startsWith('./') && !specifier.startsWith('../'))
        .map((specifier) => `${file.path} imports ${specifier}`),
    );
    expect(outside).toEqual([]);
  });

  it('every dependency has its reason', () => {
    const manifest = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Record<
      string,
      Record<string, string>
    >;
    const reasons = readFileSync(join(ROOT, 'docs/DEPENDENCIES.md'), 'utf8');
    const names = [...Object.keys(manifest.dependencies!), ...Object.keys(manifest.devDependencies!)];
    expect(names.filter((name) => !reasons.includes(`\`${name}\``))).toEqual([]);
    const loose = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }).filter(
      ([, range]) => !/^\d+\.\d+\.\d+$/.test(range),
    );
    expect(loose).toEqual([]);
  });

  it('no test is skipped for good or asserts nothing', () => {
    const idle = trackedFiles('test/**/*.ts', 'test/*.ts')
      .filter((file) => file.path !== 'test/tidy.test.ts')
      .flatMap((file) =>
        file.text
          .split('\n')
          .flatMap((line, index) =>
            /\b(it|test|describe)\.(only|todo|fails)\b|expect\((true|1)\)\.to(Be|Equal)\((true|1)\)/.test(line)
              ? [`${file.path}:${index + 1}`]
              : [],
          ),
      );
    expect(idle).toEqual([]);
  });
});

describe('the rules bite', () => {
  const planted = (path: string, text: string): SourceFile => ({ path, text });

  it('catches a breach of direction', () => {
    expect(breachesOfDirection(planted('src/wire/x.ts', "import { y } from '../server/y.ts';\n"))).toHaveLength(1);
    expect(
      breachesOfDirection(planted('src/customer/x.ts', "import type { Y } from '../ledger/y.ts';\n")),
    ).toHaveLength(1);
    expect(breachesOfDirection(planted('src/attic/x.ts', ''))).toHaveLength(1);
    expect(breachesOfDirection(planted('src/session/x.ts', "import {\n  y,\n} from '../wire/y.ts';\n"))).toEqual([]);
  });

  it('catches a breach of confinement', () => {
    expect(breachesOfConfinement(planted('src/session/x.ts', "import { connect } from 'node:net';\n"))).toHaveLength(1);
    expect(
      breachesOfConfinement(planted('src/server/x.ts', "import { DatabaseSync } from 'node:sqlite';\n")),
    ).toHaveLength(1);
  });

  it('catches each breach of text', () => {
    const lines = [
      'let count = 0;',
      'export default count;',
      '// @ts-ignore',
      'const x = y as any;',
      '// TODO later',
      'try { f(); } catch {}',
      'const e = process.env.HOME;',
      'const r = Math.random();',
    ];
    for (const line of lines) expect(breachesOfText(planted('src/wire/x.ts', line)), line).toHaveLength(1);
    expect(breachesOfText(planted('src/wire/utils.ts', ''))).toHaveLength(1);
    expect(breachesOfText(planted('src/wire/x.ts', '\n'.repeat(LINES_MAX)))).toHaveLength(1);
  });
});
