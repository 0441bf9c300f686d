/** The demo's processes: one server, and every customer command as a program of its own; what they trace is kept in order. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { decodeTracedStep, type TracedStep } from '../trace.ts';

/** The launcher, from here both as source and as compiled. */
const LAUNCHER = fileURLToPath(new URL('../../../bin/sallyport.js', import.meta.url));
/** The child's descriptor for its traced steps. */
const TRACE_DESCRIPTOR = 3;
/** Warming the pool up takes a second or two on a slow machine. */
const SERVER_START_LIMIT_MS = 30_000;
/** Far above any command of the demo: what takes longer hangs. */
const COMMAND_LIMIT_MS = 30_000;

/** What `sallyport serve --json` says first. */
export interface ServingAnnouncement {
  readonly firstPort: { readonly host: string; readonly port: number };
  readonly fingerprint: string;
  readonly secondPorts: string;
  readonly pid: number;
}

export interface Ran {
  readonly exitCode: number | null;
  readonly pid: number;
  /** stdout as JSON; undefined when there was none. */
  readonly document: unknown;
  readonly stderr: string;
}

/** A step of the demo that did not do what it is there to show. */
export class DemoFailure extends Error {
  constructor(step: string, what: string) {
    super(`${step}: ${what}`);
    this.name = 'DemoFailure';
  }
}

export class Stage {
  /** State, customer files, receipts and log. */
  readonly directory: string;
  readonly #steps: TracedStep[] = [];
  readonly #traces = new Set<Promise<void>>();
  #server: ChildProcess | undefined;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async open(): Promise<Stage> {
    try {
      return new Stage(await mkdtemp(join(tmpdir(), 'sallyport-demo-')));
    } catch (error) {
      throw new DemoFailure('making a temporary directory', error instanceof Error ? error.message : String(error));
    }
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** Starts the server, on ports that the system chooses, and waits until it serves. */
  async startServer(): Promise<ServingAnnouncement> {
    const args = ['serve', '--json', '--state', this.path('state'), '--log-file', this.path('server.log')];
    const ports = ['--first-port', '0', '--second-ports', 'any:16', '--trace-steps', String(TRACE_DESCRIPTOR)];
    const server = this.#spawn([...args, ...ports]);
    this.#server = server;
    const stderr = text(server.stderr as Readable);
    const line = once(createInterface(server.stdout as Readable), 'line', {
      signal: AbortSignal.timeout(SERVER_START_LIMIT_MS),
    }) as Promise<[string]>;
    const exited = once(server, 'exit').then(async () => {
      throw new DemoFailure('starting the server', (await stderr).trim() || 'it ended at once');
    });
    exited.catch(() => undefined);
    const [announcement] = await Promise.race([line, exited]);
    return JSON.parse(announcement) as ServingAnnouncement;
  }

  /** Runs a command to its end, in the demo's directory. */
  async run(...args: string[]): Promise<Ran> {
    const child = this.#spawn(args);
    const limit = setTimeout(() => child.kill('SIGKILL'), COMMAND_LIMIT_MS);
    const [stdout, stderr, [exitCode]] = await Promise.all([
      text(child.stdout as Readable),
      text(child.stderr as Readable),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    clearTimeout(limit);
    return { exitCode, pid: child.pid ?? 0, document: stdout === '' ? undefined : JSON.parse(stdout), stderr };
  }

  /** Runs a command that must end with this exit code. */
  async expect(step: string, exitCode: number, ...args: string[]): Promise<Ran> {
    const ran = await this.run(...args);
    if (ran.exitCode === exitCode) return ran;
    throw new DemoFailure(step, `"sallyport ${args.join(' ')}" ended with ${ran.exitCode}: ${ran.stderr.trim()}`);
  }

  /** Everything traced since the last call, by both sides, in the order in which it happened. */
  takeSteps(): TracedStep[] {
    return this.#steps.splice(0).sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  }

  /** Waits until the server has traced such a step: it may write its last ones after the customer is done. */
  async traced(step: TracedStep['step']): Promise<void> {
    const limit = Date.now() + COMMAND_LIMIT_MS;
    while (!this.#steps.some((traced) => traced.side === 'server' && traced.step === step)) {
      if (Date.now() > limit) throw new DemoFailure('following the server', `it never took the step ${step}`);
      await new Promise((next) => setImmediate(next));
    }
  }

  /** Asks the server to stop, and gives its exit code. */
  async stopServer(): Promise<number | null> {
    const server = this.#server;
    if (server === undefined || server.exitCode !== null) return server?.exitCode ?? null;
    server.kill('SIGTERM');
    const [exitCode] = (await once(server, 'exit')) as [number | null];
    await Promise.all(this.#traces);
    return exitCode;
  }

  /** Leaves nothing behind, however the demo ended; `keep` leaves the directory. */
  async close(keep: boolean): Promise<void> {
    if (this.#server?.exitCode === null) this.#server.kill('SIGKILL');
    if (!keep) await rm(this.directory, { recursive: true, force: true });
  }

  #spawn(args: readonly string[]): ChildProcess {
    const child = spawn(process.execPath, [LAUNCHER, ...args], {
      cwd: this.directory,
      // What one process has compiled the next one need not.
      env: { ...withoutSettings(process.env), NODE_COMPILE_CACHE: this.path('compiled') },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    const trace = createInterface(child.stdio[TRACE_DESCRIPTOR] as Readable);
    trace.on('line', (line) => {
      const step = decodeTracedStep(line);
      if (step !== undefined) this.#steps.push(step);
    });
    const done = once(trace, 'close').then(() => undefined);
    this.#traces.add(done);
    done.then(() => this.#traces.delete(done));
    return child;
  }
}

/** The demo shows embedded defaults, whatever is set on this machine. */
function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('SALLYPORT_')));
}
