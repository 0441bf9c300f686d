import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { AdminServer } from '../../src/server/admin/admin-server.ts';
import { Stage } from '../e2e/stage.ts';
import { findTool } from './tool.ts';

/** What Prometheus is given, read by Prometheus' own tool. */

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const promtool = findTool(['promtool'], '--version');
const folder = mkdtempSync(join(tmpdir(), 'sallyport-prometheus-'));

afterAll(() => rmSync(folder, { recursive: true, force: true }));

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describe.skipIf(!promtool.present)(`what Prometheus reads, ${promtool.where}`, () => {
  it('the configuration, and the rules it names', () => {
    const { exitCode, text } = promtool.run('check', 'config', join(DEPLOY, 'prometheus/prometheus.yaml'));
    expect(text).toMatch(/SUCCESS: 1 rule files found[\s\S]+SUCCESS: 12 rules found/);
    expect(exitCode).toBe(0);
    const wrong = readFileSync(join(DEPLOY, 'prometheus/prometheus.yaml'), 'utf8').replace(
      'metrics_path',
      'metric_path',
    );
    expect(promtool.run('check', 'config', written('wrong.yaml', wrong)).text).toContain('metric_path');
  });

  it('the alerts, which come when they should and not before', () => {
    const { exitCode, text } = promtool.run('test', 'rules', join(DEPLOY, 'prometheus/alerts.test.yaml'));
    expect([exitCode, text]).toEqual([0, expect.stringContaining('SUCCESS')]);
    const rules = readFileSync(join(DEPLOY, 'prometheus/alerts.yaml'), 'utf8');
    const tests = readFileSync(join(DEPLOY, 'prometheus/alerts.test.yaml'), 'utf8');
    const names = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name]) => name!);
    expect(names.filter((name) => !tests.includes(`alertname: ${name}\n`))).toEqual([]);
    // The check of the check: a threshold that is never reached fails these tests.
    written('alerts.yaml', rules.replace('sallyport_ready == 0', 'sallyport_ready == 7'));
    expect(promtool.run('test', 'rules', written('alerts.test.yaml', tests)).text).toContain('SallyportNotReady');
  });

  it('every expression of the dashboard', () => {
    interface Panel {
      readonly targets: readonly { readonly expr: string }[];
    }
    const { panels } = JSON.parse(readFileSync(join(DEPLOY, 'grafana/sallyport.json'), 'utf8')) as {
      readonly panels: readonly Panel[];
    };
    const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
    expect(expressions.length).toBeGreaterThan(20);
    // What Grafana puts in for its variables.
    const filled = expressions.map((expr) => expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'));
    expect(filled.filter((expr) => expr.includes('$'))).toEqual([]);
    const rules = (of: readonly string[]): string =>
      JSON.stringify({
        groups: [{ name: 'dashboard', rules: of.map((expr, index) => ({ record: `panel:${index}`, expr })) }],
      });
    const { exitCode, text } = promtool.run('check', 'rules', written('dashboard.json', rules(filled)));
    expect([exitCode, text]).toEqual([0, expect.stringContaining(`SUCCESS: ${filled.length} rules found`)]);
    expect(promtool.run('check', 'rules', written('wrong.json', rules(['sum by (rate(x[5m]))']))).exitCode).not.toBe(0);
  });

  it('the metrics of a server that was at work, without a word of blame', async () => {
    await using stage = await Stage.open();
    const admin = await AdminServer.start({ host: '127.0.0.1', port: 0, token: () => expect.fail('loopback') });
    try {
      admin.attach(stage.server);
      await using customer = stage.customer(await stage.enroll('alice'));
      await customer.connect();
      await customer.close();
      await expect.poll(() => stage.server.gauges).toMatchObject({ live: 0, ended: { completed: 1 } });
      const metrics = await (await fetch(`http://127.0.0.1:${admin.address.port}/metrics`)).text();
      expect(metrics).toMatch(/^sallyport_sessions_ended_total\{port="second",reason="completed",code=""\} 1$/m);
      // What alerts ask for is there before it happens: an increase from nothing is none to Prometheus.
      for (const nothing of [
        'sallyport_connections_refused_total{reason="rate-host"} 0',
        'sallyport_sessions_ended_total{port="second",reason="alertSent",code="INTERNAL"} 0',
      ])
        expect(metrics.split('\n')).toContain(nothing);
      expect(promtool.feed(metrics, 'check', 'metrics')).toEqual({ exitCode: 0, text: '' });
      const wrong = `${metrics}# TYPE sallyport_speed_total gauge\nsallyport_speed_total 1\n`;
      expect(promtool.feed(wrong, 'check', 'metrics').text).toContain('sallyport_speed_total');
    } finally {
      await admin.close();
    }
  });
});
