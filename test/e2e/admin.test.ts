import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { AdminServer } from '../../src/server/admin/admin-server.ts';
import type { Status } from '../../src/server/admin/status-board.ts';
import type { ServerConfiguration } from '../../src/server/settings.ts';
import { openAdminToken } from '../../src/server/state-directory.ts';
import { chromiumPresent, openBrowser } from '../unit/load/page/browser.ts';
import { Stage } from './stage.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A request as it is written: any method, any Host. */
function ask(
  admin: AdminServer,
  path: string,
  options: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { port } = admin.address;
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent: false, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
    })
      .on('error', reject)
      .end();
  });
}

const NO_TOKEN = (): never => {
  throw new Error('no token is asked for on loopback');
};
const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

async function openAdmin(): Promise<AdminServer> {
  const admin = await AdminServer.start({ host: '127.0.0.1', port: 0, token: NO_TOKEN });
  undo.push(() => admin.close());
  return admin;
}

async function openStage(overrides: Partial<ServerConfiguration> = {}): Promise<Stage> {
  const stage = await Stage.open(overrides);
  undo.push(() => stage[Symbol.asyncDispose]());
  return stage;
}

const payment = { from: 'alice.eur', to: 'bob.eur', amount: '1.00', currency: 'EUR' };

/** Three payments, a customer that is not known, one turned away at the door by a quota, and a session that stays open. */
async function openTrade(overrides: Partial<ServerConfiguration> = {}): Promise<{ stage: Stage; admin: AdminServer }> {
  const admin = await openAdmin();
  const stage = await openStage(overrides);
  admin.attach(stage.server);
  const identity = await stage.enroll('alice', 100_00n);
  await stage.enroll('bob');
  for (let count = 0; count < 3; count++) {
    const customer = stage.customer(identity);
    await customer.pay(payment);
    await customer.close();
  }
  await expect(stage.customer({ ...identity, customerId: 'mallory' }).pay(payment)).rejects.toMatchObject({
    code: 'AUTH_FAILED',
  });
  const stays = stage.customer(identity, { idleMs: 600_000 });
  undo.push(() => stays.close());
  await stays.connect();
  // Somebody silent holds the one place that there is for a moment.
  await expect.poll(() => stage.server.gauges.halfOpen).toBe(0);
  const { configuration } = stage.server;
  stage.server.reload({ ...configuration, 'half-open-per-host': 1 });
  const silent = connect(stage.server.address.port, '127.0.0.1');
  await expect.poll(() => stage.server.gauges.halfOpen).toBe(1);
  await expect(stage.customer(identity).connect()).rejects.toMatchObject({ code: 'BUSY' });
  silent.destroy();
  stage.server.reload(configuration);
  return { stage, admin };
}

/** The stream's text up to the end of the nth status: the first comes at once, the others a second apart. */
async function statusEvents(admin: AdminServer, count: number): Promise<string> {
  const events = await fetch(`http://127.0.0.1:${admin.address.port}/events`);
  let text = '';
  for await (const part of events.body!) {
    text += Buffer.from(part).toString('utf8');
    if ((text.match(/event: status\ndata: .*\n\n/g) ?? []).length >= count) break;
  }
  return text;
}

describe('what the admin address answers', () => {
  it('lives before the server does, and is ready while it serves', async () => {
    const admin = await openAdmin();
    expect(await ask(admin, '/health/live')).toMatchObject({ status: 200, body: 'live\n' });
    expect(await ask(admin, '/health/ready')).toMatchObject({ status: 503, body: 'not ready\n' });
    expect((JSON.parse((await ask(admin, '/status.json')).body) as Status).state).toBe('starting');
    const stage = await openStage();
    admin.attach(stage.server);
    expect(await ask(admin, '/health/ready')).toMatchObject({ status: 200, body: 'ready\n' });
    await stage.server.ledger.close();
    expect(await ask(admin, '/health/ready')).toMatchObject({ status: 503 });
    await stage.server.stop({ drainMs: 0 });
    expect(await ask(admin, '/health/ready')).toMatchObject({ status: 503 });
    expect(await ask(admin, '/health/live')).toMatchObject({ status: 200 });
  });

  it('is metrics that count what happened, and name no customer', async () => {
    const { admin } = await openTrade();
    const { status, headers, body } = await ask(admin, '/metrics');
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    const value = (series: string): number => {
      const line = body.split('\n').find((each) => each.startsWith(`${series} `));
      return Number(line?.slice(series.length + 1) ?? Number.NaN);
    };
    expect(value('sallyport_sessions_ended_total{port="second",reason="completed",code=""}')).toBe(3);
    expect(value('sallyport_sessions_ended_total{port="second",reason="alertSent",code="AUTH_FAILED"}')).toBe(1);
    expect(value('sallyport_connections_refused_total{reason="half-open-host"}')).toBe(1);
    expect(value('sallyport_session_requests_total{kind="transaction"}')).toBe(3);
    expect(value('sallyport_phase_duration_seconds_count{phase="offer"}')).toBe(5);
    expect(value('sallyport_phase_duration_seconds_count{phase="key-exchange"}')).toBe(5);
    expect(value('sallyport_phase_duration_seconds_count{phase="identity"}')).toBe(5);
    expect(value('sallyport_phase_duration_seconds_count{phase="commit"}')).toBe(3);
    expect(value('sallyport_phase_duration_seconds_count{phase="session"}')).toBe(4);
    expect(value('sallyport_phase_duration_seconds_sum{phase="key-exchange"}')).toBeGreaterThan(0);
    expect(value('sallyport_second_ports{state="leased"}')).toBe(1);
    expect(value('sallyport_second_ports{state="free"}')).toBe(31);
    expect(value('sallyport_sessions_live')).toBe(1);
    expect(value('sallyport_ledger_transactions_total')).toBe(3);
    expect(value('sallyport_ledger_commits_total')).toBe(3);
    expect(value('sallyport_crypto_jobs_total')).toBe(10);
    expect(value('sallyport_ready')).toBe(1);
    expect(body).toMatch(/^sallyport_kernel_info\{kernel="[a-z-]+",lanes="\d"\} 1$/m);
    expect(body).toContain('nodejs_eventloop_lag_p99_seconds');
    expect(body).toContain('process_resident_memory_bytes');
    expect(body).not.toMatch(/alice|mallory|example\.com|127\.0\.0\.1/);
  });

  it('streams what a page shows, every second', async () => {
    const { admin } = await openTrade();
    const text = await statusEvents(admin, 3);
    const last = JSON.parse(/event: status\ndata: (.*)\n\n$/.exec(text)![1]!) as Status;
    expect(last).toMatchObject({ state: 'serving', server: { live: 1, ports: { leased: 1, free: 31 } } });
    expect(last.phases.find(({ phase }) => phase === 'commit')).toMatchObject({ count: 3 });
    expect(last.server!.ended).toContainEqual({ reason: 'completed', count: 3 });
    expect(last.server!.refused).toEqual([{ reason: 'half-open-host', count: 1 }]);
    expect(text).not.toMatch(/alice|mallory/);
  });

  it('can only be read', async () => {
    const admin = await openAdmin();
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])
      expect(await ask(admin, '/metrics', { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    expect(await ask(admin, '/metrics', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    expect(await ask(admin, '/events', { method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
    for (const path of ['/x', '/__proto__', '/constructor', '//', '/status.json/', '/../metrics'])
      expect(await ask(admin, path)).toMatchObject({ status: 404 });
  });

  it('on loopback is nobody else’s name', async () => {
    const admin = await openAdmin();
    for (const host of ['localhost', 'localhost:1', '127.0.0.1:80', '[::1]:7920', 'LOCALHOST'])
      expect(await ask(admin, '/status.json', { headers: { host } }), host).toMatchObject({ status: 200 });
    for (const host of [
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      '10.0.0.1',
      '[::2]',
      'localhost,evil',
    ])
      expect(await ask(admin, '/status.json', { headers: { host } }), host).toMatchObject({ status: 421 });
  });

  it('asks for a token when it is not on loopback; health is open', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-admin-'));
    undo.push(async () => rmSync(folder, { recursive: true }));
    const token = openAdminToken(folder);
    expect(statSync(join(folder, 'admin-token')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'admin-token'), 'utf8')).toBe(`${token}\n`);
    expect(openAdminToken(folder)).toBe(token);
    const admin = await AdminServer.start({ host: '0.0.0.0', port: 0, token: () => openAdminToken(folder) });
    undo.push(() => admin.close());
    const basic = (password: string): string => `Basic ${Buffer.from(`me:${password}`).toString('base64')}`;
    for (const authorization of [`Bearer ${token}`, `bearer ${token}`, basic(token)])
      for (const path of ['/', '/metrics', '/status.json'])
        expect(await ask(admin, path, { headers: { authorization } })).toMatchObject({ status: 200 });
    const wrong = [
      undefined,
      '',
      'Bearer',
      `Bearer ${token}x`,
      `Bearer ${token.slice(1)}`,
      token,
      basic('x'),
      'Basic !',
    ];
    for (const authorization of wrong)
      for (const path of ['/', '/metrics', '/status.json', '/events', '/nothing'])
        expect(
          await ask(admin, path, authorization === undefined ? {} : { headers: { authorization } }),
          `${authorization} ${path}`,
        ).toMatchObject({ status: 401, headers: { 'www-authenticate': expect.stringContaining('Basic realm=') } });
    expect(await ask(admin, '/health/live')).toMatchObject({ status: 200 });
    expect(await ask(admin, '/health/ready')).toMatchObject({ status: 503 });
  });

  it('holds a page that may load nothing and talk to nobody else', async () => {
    const admin = await openAdmin();
    const { headers, body } = await ask(admin, '/');
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; script-src 'sha256-[^']+'; style-src 'sha256-[^']+'; img-src data:; connect-src 'self'; frame-ancestors 'none'/,
    );
    expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' });
    expect(body).not.toMatch(/(?:src|href)="(?!data:|#)/);
    expect(body).not.toContain('__vi');
  });
});

const where = chromiumPresent ? 'in Chromium' : 'in Chromium: LEFT OUT, chromium is not installed';

describe.skipIf(!chromiumPresent)(`the admin page ${where}`, () => {
  const state = {} as { browser: Browser };
  beforeAll(async () => {
    state.browser = await openBrowser();
  });
  afterAll(() => state.browser.close());

  async function look(
    admin: AdminServer,
    options: { width: number; height: number; colorScheme: 'light' | 'dark'; touch?: boolean },
    check: (page: Page) => Promise<void>,
  ): Promise<void> {
    const { width, height, colorScheme, touch = false } = options;
    const page = await state.browser.newPage({ viewport: { width, height }, colorScheme, hasTouch: touch });
    const complaints: string[] = [];
    const requests: string[] = [];
    // The test itself reads the canvas back, and one ends the server: no fault of the page.
    page.on('console', (message) => {
      if (!/willReadFrequently|net::ERR_/.test(message.text())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (each) => requests.push(each.url()));
    const origin = `http://127.0.0.1:${admin.address.port}`;
    await page.goto(`${origin}/`);
    await page.getByText('serving', { exact: true }).waitFor();
    await check(page);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    expect(complaints).toEqual([]);
    expect(requests.filter((url) => !url.startsWith('data:') && !url.startsWith(`${origin}/`))).toEqual([]);
    await page.close();
  }

  /** Colours of the middle of the map's first squares, as the page's own names for them. */
  const MAP = `(() => {
    const canvas = document.getElementById('port-map');
    const style = getComputedStyle(document.documentElement);
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const counts = {};
    for (const name of ['free', 'leased', 'quarantined']) {
      const [r, g, b] = style.getPropertyValue('--' + name).trim().slice(1).match(/../g).map((part) => parseInt(part, 16));
      counts[name] = 0;
      for (let i = 0; i < data.length; i += 4) if (data[i] === r && data[i + 1] === g && data[i + 2] === b && data[i + 3] === 255) counts[name] += 1;
    }
    return counts;
  })()`;

  it('shows what happened, follows what happens, and can be paused', async () => {
    const { stage, admin } = await openTrade();
    await look(admin, { width: 1280, height: 900, colorScheme: 'light' }, async (page) => {
      await expect.poll(() => page.innerText('#ended-table'), { timeout: 5_000 }).toContain('completed\t3');
      expect(await page.innerText('#ended-table')).toContain('alertSent AUTH_FAILED\t1');
      expect(await page.innerText('#refused-table')).toContain('half-open-host\t1');
      expect(await page.innerText('#live')).toBe('1');
      expect(await page.innerText('#ports-of')).toContain('of 32');
      expect(await page.innerText('#phase-table')).toMatch(/commit\t3\t[\d.]+ ms/);
      expect(await page.innerText('#kernel')).toContain(stage.server.kernel.name);
      expect(await page.locator('.plot canvas').count()).toBe(4);
      expect(await page.innerText('#sessions .u-legend')).toMatch(/completed:?\s*\d/);
      const { free, leased, quarantined } = (await page.evaluate(MAP)) as Record<string, number>;
      expect(Math.round(free! / leased!)).toBe(31);
      expect(quarantined).toBe(0);
      // A customer comes while the page is paused: what is shown stays, until it goes on.
      await page.getByRole('button', { name: 'Pause' }).click();
      const stays = stage.customer(await stage.enroll('carol'), { idleMs: 600_000, retryForMs: 10_000 });
      undo.push(() => stays.close());
      await stays.connect();
      const before = await page.innerText('#event-loop');
      await statusEvents(admin, 3);
      expect(await page.innerText('#live')).toBe('1');
      expect(await page.innerText('#event-loop')).toBe(before);
      await page.getByRole('button', { name: 'Go on' }).click();
      await expect.poll(() => page.innerText('#live'), { timeout: 5_000 }).toBe('2');
      await expect.poll(async () => ((await page.evaluate(MAP)) as Record<string, number>).leased).toBe(2 * leased!);
    });
  });

  it('can be read and used with a keyboard and a screen reader', async () => {
    const first = randomInt(20_000, 29_900);
    const { stage, admin } = await openTrade({ 'second-ports': { kind: 'range', first, last: first + 49 } });
    await look(admin, { width: 1024, height: 800, colorScheme: 'dark' }, async (page) => {
      const tree = await page.locator('body').ariaSnapshot();
      for (const part of [
        'banner',
        'main',
        'contentinfo',
        'status: serving',
        'link "To the figures"',
        'button "Pause"',
      ])
        expect(tree).toContain(part);
      for (const heading of [
        'Sessions a second',
        'Second ports',
        'Crypto',
        'Ledger',
        'Ends and refusals since the start',
      ])
        expect(tree).toContain(`heading "${heading}" [level=2]`);
      expect(tree).toMatch(/img "Map of the second ports: \d+ free, 1 leased, \d+ in quarantine\."/);
      // From the top: skip link, pause, then the tables behind the plots.
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('To the figures');
      await page.keyboard.press('Enter');
      expect(await page.evaluate('document.activeElement.id')).toBe('main');
      await page.keyboard.press('Tab');
      await page.keyboard.press('Enter');
      expect(await page.evaluate('document.getElementById("sessions-details").open')).toBe(true);
      await expect.poll(() => page.innerText('#sessions-table'), { timeout: 5_000 }).toMatch(/\d\d:\d\d:\d\d\t\d/);
      const leasedPort = stage.server.portMap.indexOf('leased');
      await page.getByLabel('Look up a port').fill(String(first + leasedPort));
      expect(await page.innerText('#port-found')).toBe(`Port ${first + leasedPort} is leased.`);
      await page.getByLabel('Look up a port').fill('99');
      expect(await page.innerText('#port-found')).toBe('Port 99 is not in the range.');
      // Only what matters is announced by itself: the state, and the answer to one's own question.
      expect(await page.evaluate('[...document.querySelectorAll("[aria-live]")].map(({ id }) => id)')).toEqual([
        'state',
        'port-found',
      ]);
    });
  });

  it('fits a phone, and says when the server stops and when it is gone', async () => {
    const { stage, admin } = await openTrade();
    await look(admin, { width: 360, height: 740, colorScheme: 'light', touch: true }, async (page) => {
      const button = await page.getByRole('button', { name: 'Pause' }).boundingBox();
      expect(button!.height).toBeGreaterThanOrEqual(44);
      await page.getByText('The last seconds as a table').first().tap();
      await page.locator('#sessions-table tr').first().waitFor();
      const stopping = stage.server.stop({ drainMs: 2_500 });
      await expect.poll(() => page.innerText('#state'), { timeout: 5_000 }).toMatch(/draining/i);
      await stopping;
      await admin.close();
      await expect.poll(() => page.innerText('#state'), { timeout: 5_000 }).toMatch(/no connection to the server/i);
    });
  });
});
