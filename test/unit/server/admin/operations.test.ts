import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ServerMetrics } from '../../../../src/server/admin/metrics.ts';
import { resolveConfiguration } from '../../../../src/server/configuration.ts';
import { RELOADABLE } from '../../../../src/server/reload.ts';
import { PHASES } from '../../../../src/server/session-report.ts';
import { environmentName, SETTING_NAMES, SETTINGS } from '../../../../src/server/settings.ts';
import { Stage } from '../../../e2e/stage.ts';

/** docs/OPERATIONS.md and deploy/ say what the code does: every list of them is compared with it. */

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const manual = read('docs/OPERATIONS.md');

/** First and last cells of the rows of the table that follows a heading. */
function tableAfter(heading: string): string[][] {
  const section = manual.slice(manual.indexOf(`\n${heading}\n`) + heading.length);
  const rows = /\n\|[^\n]*\|\n\|[-| ]+\|\n((?:\|[^\n]*\|\n)+)/.exec(section)![1]!;
  return rows
    .trim()
    .split('\n')
    .map((row) =>
      row
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

const unquoted = (cell: string): string => cell.replaceAll('`', '');

const state = {} as { stage: Stage; metrics: { name: string; help: string }[]; text: string };
beforeAll(async () => {
  state.stage = await Stage.open({ 'second-ports': { kind: 'system', count: 2 } });
  const metrics = new ServerMetrics(() => true);
  metrics.attach(state.stage.server);
  state.metrics = metrics.describe();
  state.text = await metrics.render();
});
afterAll(() => state.stage[Symbol.asyncDispose]());

describe('the operator’s manual', () => {
  it('has every metric of the server, with its help', () => {
    const ours = state.metrics.filter(({ name }) => name.startsWith('sallyport_'));
    expect(ours.length).toBeGreaterThan(20);
    const rows = tableAfter('### Metrics');
    expect(rows.map(([name]) => unquoted(name!))).toEqual(ours.map(({ name }) => name));
    expect(rows.map((row) => row.at(-1))).toEqual(ours.map(({ help }) => help));
    for (const phase of PHASES) expect(manual).toContain(`\`${phase}\`, `);
  });

  it('has every setting, with what it means and how it changes', () => {
    expect(tableAfter('## Settings, and when they change')).toEqual(
      SETTING_NAMES.map((name) => [
        `\`${name}\``,
        SETTINGS[name].meaning,
        RELOADABLE.includes(name) ? 'reload' : 'restart',
      ]),
    );
  });

  it('has every event of the log, and none that is not logged', () => {
    const files = [
      'src/cli/operate.ts',
      ...readdirSync(join(ROOT, 'src/server'), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => `src/server/${name}`),
    ];
    const logged = new Set(
      files.flatMap((file) => [...read(file).matchAll(/\bevent: '([a-z-]+)'/g)].map(([, name]) => name!)),
    );
    const failures = /export type Failure =([^;]+);/.exec(read('src/server/session-report.ts'))![1]!;
    for (const [, name] of failures.matchAll(/'([a-z-]+)'/g)) logged.add(name!);
    const client = read('src/ledger/ledger-client.ts');
    const ledger = client.slice(client.indexOf('export type LedgerEvent =')).split('\n\n', 1)[0]!;
    for (const [, kind] of ledger.matchAll(/kind: '([a-z-]+)'/g)) logged.add(`ledger-${kind}`);
    expect(logged.size).toBeGreaterThan(15);
    const documented = tableAfter('## Log').map(([event]) => unquoted(event!));
    expect([...documented].sort()).toEqual([...logged].sort());
  });

  it('names files and commands that exist', () => {
    for (const [, path] of manual.matchAll(/`((?:deploy|docs)\/[\w./-]+)`/g))
      expect(() => read(path!), path).not.toThrow();
    const commands = read('docs/CLI.md');
    for (const [, command] of manual.matchAll(
      /`sallyport ([a-z]+(?: (?:backup|verify|export|rotate|show|pepper))?)\b/g,
    ))
      expect(commands, command).toContain(`sallyport ${command}`);
  });
});

describe('what is deployed', () => {
  const dashboard = JSON.parse(read('deploy/grafana/sallyport.json')) as {
    readonly panels: readonly {
      readonly id: number;
      readonly title: string;
      readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
      readonly targets: readonly { readonly expr: string }[];
    }[];
  };

  it('asks Prometheus for metrics that exist, by labels that they have', () => {
    const known = new Set(state.metrics.map(({ name }) => name));
    const expressions = [
      ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
      ...[...read('deploy/prometheus/alerts.yaml').matchAll(/^\s+expr: (.+)$/gm)].map(([, expr]) => expr!),
    ];
    expect(expressions.length).toBeGreaterThan(30);
    const asked = expressions.flatMap((expr) =>
      [...expr.matchAll(/\b(?:sallyport|nodejs|process)_\w+/g)].map(([name]) => name),
    );
    expect(
      new Set(asked.map((name) => name.replace(/_(bucket|sum|count)$/, '')).filter((name) => !known.has(name))),
    ).toEqual(new Set());
    for (const [, label] of expressions.join('\n').matchAll(/(?:by|without|ignoring) \(([a-z_, ]+)\)/g))
      for (const name of label!.split(', '))
        expect(['instance', 'le', 'phase', 'reason', 'code', 'state', 'kind'], name).toContain(name);
  });

  it('is a dashboard whose panels have names of their own and do not overlap', () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)}:${y + Math.floor(index / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
  });

  it('says in every alert what it is and what to do', () => {
    const alerts = read('deploy/prometheus/alerts.yaml').split('      - alert: ').slice(1);
    expect(alerts.length).toBeGreaterThan(8);
    for (const alert of alerts)
      for (const key of ['expr', 'for', 'labels', 'annotations', 'summary', 'action'])
        expect(alert, alert.split('\n')[0]).toMatch(new RegExp(`^ +${key}: *\\S*`, 'm'));
  });

  it('is a configuration that the server takes, in file, image and compose file', () => {
    const { configuration } = resolveConfiguration({ file: join(ROOT, 'deploy/sallyport.toml') });
    expect(configuration).toMatchObject({ host: '0.0.0.0', 'admin-host': '127.0.0.1', 'admin-port': 7920 });
    const pairs = [
      ...read('deploy/Dockerfile').matchAll(/\b(SALLYPORT_[A-Z_]+)=(\S+)/g),
      ...read('deploy/kubernetes/sallyport.yaml').matchAll(/name: (SALLYPORT_[A-Z_]+), value: "([^"]*)"/g),
      ...read('deploy/compose.yaml').matchAll(/^ +(SALLYPORT_[A-Z_]+): "([^"]*)"/gm),
    ].map(([, name, value]) => [name!, value!] as const);
    expect(pairs.length).toBeGreaterThan(8);
    const environment = Object.fromEntries(pairs);
    expect(Object.keys(environment).filter((name) => !SETTING_NAMES.map(environmentName).includes(name))).toEqual([]);
    const image = resolveConfiguration({ file: join(ROOT, 'deploy/sallyport.toml'), environment }).configuration;
    expect(image).toMatchObject({ 'port-mode': 'shared', 'second-ports': { first: 20_000, last: 20_003 } });
    expect(read('deploy/compose.yaml')).toContain('"20000-20003:20000-20003"');
    expect(read('deploy/Dockerfile')).toMatch(/^USER 7919:7919$/m);
    expect(read('deploy/compose.yaml')).toMatch(/^ +read_only: true$/m);
  });

  it('is a unit that leaves a stop the time it needs', () => {
    const unit = read('deploy/systemd/sallyport.service');
    const seconds = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)![1]);
    const { configuration } = resolveConfiguration({ file: join(ROOT, 'deploy/sallyport.toml') });
    expect(seconds * 1_000).toBeGreaterThan(configuration['drain-ms'] + 2 * configuration['linger-timeout-ms']);
    expect(unit).toMatch(/^Type=notify$/m);
    expect(unit).toMatch(/^NotifyAccess=all$/m);
    expect(read('deploy/systemd/sallyport.socket')).toContain(`ListenStream=${configuration['first-port']}\n`);
  });
});
