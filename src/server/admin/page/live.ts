/**
 * Keeps the page up to date. `runPage` runs in the browser: its source is put into the page as it stands, so it refers to nothing outside
 * itself but its parameters.
 */

import type { Sample, Status, Tally } from '../status-board.ts';
import type { Browser, PageElement } from './browser.ts';
import type { Plots } from './plots.ts';
import type { PortMap } from './port-map.ts';

export function runPage(browser: Browser, parts: { readonly plots: Plots; readonly portMap: PortMap }): void {
  const { document } = browser;
  const HISTORY_MAX = 300;
  const page = { history: [] as Sample[], status: undefined as Status | undefined, paused: false, said: '' };

  const element = (id: string): PageElement => document.getElementById(id)!;
  const set = (id: string, text: string): void => {
    const target = element(id);
    if (target.textContent !== text) target.textContent = text;
  };
  const count = (value: number): string => value.toLocaleString('en-US').replaceAll(',', '\u202f');
  const ms = (value: number | null): string => {
    if (value === null) return '–';
    if (value >= 1_000) return `${(value / 1_000).toPrecision(3)} s`;
    return `${value >= 100 ? Math.round(value) : +value.toPrecision(2)} ms`;
  };
  const duration = (seconds: number): string => {
    const days = Math.floor(seconds / 86_400);
    const hours = Math.floor((seconds % 86_400) / 3_600);
    const minutes = Math.floor((seconds % 3_600) / 60);
    if (days > 0) return `${days} d ${hours} h`;
    if (hours > 0) return `${hours} h ${minutes} min`;
    return minutes > 0 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
  };
  const row = (cells: readonly string[]): PageElement => {
    const tr = document.createElement('tr');
    cells.forEach((text, index) => {
      const cell = document.createElement(index === 0 ? 'th' : 'td');
      if (index === 0) cell.setAttribute('scope', 'row');
      cell.textContent = text;
      tr.append(cell);
    });
    return tr;
  };
  /** Said by a screen reader when it changes, and only then. */
  const say = (state: string, words: string): void => {
    element('state').dataset.state = state;
    if (page.said === words) return;
    page.said = words;
    set('state', words);
    document.title = `${words} – Sallyport`;
  };
  const tallyRows = (tallies: readonly Tally[], none: string): PageElement[] =>
    tallies.length === 0 ? [row([none, ''])] : tallies.map(({ reason, count: many }) => row([reason, count(many)]));

  const showServer = (status: Status): void => {
    const { server } = status;
    if (server === null) return;
    const { ports, crypto, ledger, kernel } = server;
    set(
      'first-port',
      `${server.firstPort.host.includes(':') ? `[${server.firstPort.host}]` : server.firstPort.host}:${server.firstPort.port}`,
    );
    set('fingerprint', server.fingerprint);
    set('live', count(server.live));
    set('half-open', count(server.halfOpen));
    set('half-open-of', `half open, of ${count(server.halfOpenMax)}`);
    set('ports-leased', count(ports.leased));
    set('ports-of', `second ports leased, of ${count(ports.slots)}`);
    set('free', count(ports.free));
    set('leased', count(ports.leased));
    set('quarantined', count(ports.quarantined));
    element('port-map').setAttribute(
      'aria-label',
      `Map of the second ports: ${ports.free} free, ${ports.leased} leased, ${ports.quarantined} in quarantine.`,
    );
    parts.portMap.update(ports.map, ports.first);
    element('quarantine').hidden = ports.quarantine.length === 0;
    element('quarantine-table').replaceChildren(
      ...ports.quarantine.map(({ port, reason, forSeconds }) =>
        row([port === null ? 'chosen by the system' : String(port), reason, `${forSeconds} s`]),
      ),
    );
    set('kernel', `${kernel.name}, ${kernel.lanes} ${kernel.lanes === 1 ? 'number' : 'numbers'} a pass`);
    set('rejected', kernel.rejected.map(({ name, reason }) => `${name}: ${reason}`).join('; ') || 'none');
    set('threads', `${crypto.running} of ${crypto.threads} busy`);
    set('queue', `${count(crypto.queued)} of ${count(crypto.queueMax)}`);
    const meter = element('queue-meter');
    meter.max = String(crypto.queueMax);
    meter.value = String(crypto.queued);
    set('per-batch', crypto.batches === 0 ? '–' : (crypto.jobs / crypto.batches).toFixed(1));
    set('ledger-state', ledger.available ? 'takes work' : 'unavailable');
    set('ledger-pending', `${count(ledger.transactions)} transactions, ${count(ledger.calls)} look-ups`);
    set('ledger-commits', count(ledger.commits));
    set('ledger-committed', count(ledger.committed));
    set('per-commit', ledger.commits === 0 ? '–' : (ledger.committed / ledger.commits).toFixed(1));
    element('ended-table').replaceChildren(...tallyRows(server.ended, 'none yet'));
    element('refused-table').replaceChildren(...tallyRows(server.refused, 'none yet'));
  };

  const show = (): void => {
    const { status } = page;
    if (status === undefined || page.paused) return;
    say(status.state, status.state === 'ledger unavailable' ? 'serving, but the ledger is unavailable' : status.state);
    const { sample } = status;
    set('per-second', count(sample.completed));
    set('transactions', count(sample.transactions));
    set('failed', count(sample.failed + sample.refused));
    set('version', `${status.version} on Node.js ${status.node}`);
    set('uptime', duration(status.uptimeSeconds));
    set('memory', `${Math.round(status.residentBytes / 1_048_576)} MiB`);
    set('event-loop', ms(status.eventLoopP99Ms));
    element('phase-table').replaceChildren(
      ...status.phases.map(({ phase, count: many, p50Ms, p99Ms, maxMs }) =>
        row([phase.replace('-', ' '), count(many), ms(p50Ms), ms(p99Ms), ms(maxMs)]),
      ),
    );
    showServer(status);
    parts.plots.update(page.history);
  };

  const pause = element('pause');
  pause.addEventListener('click', () => {
    page.paused = !page.paused;
    pause.setAttribute('aria-pressed', String(page.paused));
    set('pause', page.paused ? 'Go on' : 'Pause');
    show();
  });
  const lookUp = element('port-number');
  lookUp.addEventListener('input', () => {
    set('port-found', lookUp.value === '' ? '' : parts.portMap.describe(Number(lookUp.value)));
  });

  const events = new browser.EventSource('/events');
  events.addEventListener('history', ({ data }) => {
    page.history = JSON.parse(data) as Sample[];
  });
  events.addEventListener('status', ({ data }) => {
    const status = JSON.parse(data) as Status;
    page.status = status;
    if (page.history.at(-1)?.timeMs !== status.sample.timeMs) page.history.push(status.sample);
    if (page.history.length > HISTORY_MAX) page.history.shift();
    show();
  });
  events.addEventListener('error', () => say('lost', 'no connection to the server; trying again'));

  const redraw = (): void => {
    parts.portMap.redraw();
    if (page.history.length > 0) parts.plots.redraw();
  };
  browser.addEventListener('resize', redraw);
  browser.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
}
