import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { validate } from 'dockerfile-utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { findTool } from './tool.ts';

/** Image, compose file and Kubernetes manifest. No engine runs here: what can be read without one is read. */

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-containers-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the Dockerfile', () => {
  it('has no line that a linter objects to', () => {
    const dockerfile = read('deploy/Dockerfile');
    const objections = (text: string): string[] =>
      validate(text).map(({ message }) => (typeof message === 'string' ? message : message.value));
    expect(objections(dockerfile)).toEqual([]);
    expect(objections(`${dockerfile}\nMAINTAINER nobody\nCOPPY a b\n`)).toEqual([
      'MAINTAINER has been deprecated',
      'Unknown instruction: COPPY',
    ]);
  });

  it('copies what the repository has and the package names', () => {
    const copied = [...read('deploy/Dockerfile').matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names]) =>
      names!.split(' '),
    );
    expect(copied).toContain('src');
    for (const name of copied) expect(execFileSync('git', ['ls-files', name], { cwd: ROOT }).length, name).not.toBe(0);
    const { files } = JSON.parse(read('package.json')) as { files: string[] };
    // Compiled inside; the operator's files are beside the image, not in it.
    expect(files.filter((name) => !copied.includes(name))).toEqual(['dist', 'deploy']);
  });
});

const compose = [findTool(['docker', 'compose'], 'version'), findTool(['docker-compose'], 'version')];
const composer = compose.find(({ present }) => present) ?? compose[1]!;

describe.skipIf(!composer.present)(`the compose file, ${composer.where}`, () => {
  it('is what it should be, and says what was meant', () => {
    const { exitCode, text } = composer.run('-f', join(ROOT, 'deploy/compose.yaml'), 'config');
    expect(exitCode, text).toBe(0);
    const { services } = parse(text) as { services: { sallyport: Record<string, unknown> } };
    expect(services.sallyport).toMatchObject({ read_only: true, cap_drop: ['ALL'], init: true });
    const wrong = join(folder, 'compose.yaml');
    writeFileSync(wrong, read('deploy/compose.yaml').replace('read_only:', 'readonly:'));
    expect(composer.run('-f', wrong, 'config').exitCode).not.toBe(0);
  });
});

/** Kinds of the manifest, and where their types are. */
const KINDS: Readonly<Record<string, string>> = { Service: 'core/v1', StatefulSet: 'apps/v1' };

describe('the Kubernetes manifest', () => {
  beforeAll(() => {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(join(ROOT, 'node_modules/kubernetes-types'), join(folder, 'node_modules/kubernetes-types'));
  });

  /** What the compiler says of these documents, held against Kubernetes' own types: a member nobody knows is an error as well. */
  function objections(manifest: string): string {
    const documents = parseAllDocuments(manifest).map((document) => document.toJS() as { kind: string });
    const lines = documents.map((document, index) => {
      const type = `import('kubernetes-types/${KINDS[document.kind]}.js').${document.kind}`;
      return `export const document${index}: ${type} = ${JSON.stringify(document)};\n`;
    });
    writeFileSync(join(folder, 'manifest.ts'), lines.join(''));
    const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
    const flags = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', 'manifest.ts'];
    try {
      return execFileSync(process.execPath, [tsc, '--ignoreConfig', ...flags], { cwd: folder, encoding: 'utf8' });
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  }

  it('has the members and types that Kubernetes has', () => {
    const manifest = read('deploy/kubernetes/sallyport.yaml');
    expect(objections(manifest)).toBe('');
    expect(objections(manifest.replace('readinessProbe', 'readynessProbe'))).toContain('"readynessProbe"');
    expect(objections(manifest.replace('containerPort: 7919', 'containerPort: first'))).toContain("'string'");
    expect(objections(manifest.replace('serviceName: sallyport', ''))).toContain("'serviceName'");
  });

  it('leads every port and volume to one that is there', () => {
    const [service, set] = parseAllDocuments(read('deploy/kubernetes/sallyport.yaml')).map((each) => each.toJS());
    const { template, selector, volumeClaimTemplates } = set.spec;
    expect(service.spec.selector).toEqual(template.metadata.labels);
    expect(selector.matchLabels).toEqual(template.metadata.labels);
    expect(set.spec.serviceName).toBe(service.metadata.name);
    const [container] = template.spec.containers;
    const named = container.ports.map(({ name }: { name: string }) => name);
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      expect(named).toContain(container[probe].httpGet.port);
    const volumes = [
      ...template.spec.volumes,
      ...volumeClaimTemplates.map((each: { metadata: unknown }) => each.metadata),
    ];
    expect(volumes.map(({ name }) => name).sort()).toEqual(
      container.volumeMounts.map(({ name }: { name: string }) => name).sort(),
    );
    // Inside as outside: the server tells customers the number.
    for (const { port, targetPort } of service.spec.ports) expect(targetPort).toBe(port);
  });
});
