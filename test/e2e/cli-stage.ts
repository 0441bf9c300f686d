import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/** The command line as a person has it: the repository's launcher, as processes of their own, in a folder of their own. */

const LAUNCHER = fileURLToPath(new URL('../../bin/sallyport.js', import.meta.url));

export interface CommandEnd {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class CommandStage {
  readonly folder = mkdtempSync(join(tmpdir(), 'sallyport-cli-'));
  readonly #running = new Set<ChildProcess>();
  #firstPort = 0;

  path(name: string): string {
    return join(this.folder, name);
  }

  start(args: readonly string[], environment: Record<string, string> = {}): ChildProcess {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(SALLYPORT_|FORCE_COLOR|NO_COLOR)/.test(name));
    const child = spawn(process.execPath, [LAUNCHER, ...args], {
      cwd: this.folder,
      // What one process has compiled the next one need not: a hundred short ones run in these tests.
      env: { ...Object.fromEntries(inherited), NODE_COMPILE_CACHE: this.path('compiled'), ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#running.add(child);
    child.once('close', () => this.#running.delete(child));
    return child;
  }

  /** Runs a command to its end. */
  async run(...args: string[]): Promise<CommandEnd> {
    return this.runWith({}, ...args);
  }

  async runWith(environment: Record<string, string>, ...args: string[]): Promise<CommandEnd> {
    const child = this.start(args, environment);
    child.stdin!.end();
    return endOf(child);
  }

  /** Runs a command that must succeed, and gives what it printed as JSON. */
  async json<Document>(...args: string[]): Promise<Document> {
    const { exitCode, stdout, stderr } = await this.run(...args, '--json');
    if (exitCode !== 0) throw new Error(`sallyport ${args.join(' ')} ended with ${exitCode}: ${stderr}`);
    return JSON.parse(stdout) as Document;
  }

  /** Starts a server on ports that the system gives, over the folder's default state. */
  async serve(...args: string[]): Promise<{ server: ChildProcess; announcement: Announcement }> {
    const port = args.includes('--first-port') ? [] : ['--first-port', String(this.#firstPort)];
    const server = this.start([
      'serve',
      '--json',
      ...port,
      '--second-ports',
      'any:32',
      '--log-file',
      'server.log',
      ...args,
    ]);
    const stderr = text(server.stderr as Readable);
    const ended = once(server, 'exit').then(async () => Promise.reject(new Error(`no server: ${await stderr}`)));
    ended.catch(() => undefined);
    const line = once(createInterface(server.stdout as Readable), 'line') as Promise<[string]>;
    const [first] = await Promise.race([line, ended]);
    const announcement = JSON.parse(first) as Announcement;
    // A restarted server is where its customers look for it.
    this.#firstPort = announcement.firstPort.port;
    return { server, announcement };
  }

  /** Enrolls a customer with an account in euros, funded when an amount is given; the customer file is NAME.json. */
  async enroll(name: string, amount?: string): Promise<void> {
    const server = ['--server', `127.0.0.1:${this.#firstPort}`];
    await this.json('enroll', name, '--profile', `email=${name}@example.com`, ...server);
    await this.json('accounts', 'open', `${name}.eur`, '--owner', name, '--currency', 'EUR');
    if (amount !== undefined) await this.json('fund', `${name}.eur`, amount);
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.#running].map(async (child) => {
        const closed = once(child, 'close');
        child.kill('SIGKILL');
        await closed;
      }),
    );
    rmSync(this.folder, { recursive: true });
  }
}

export interface Announcement {
  readonly event: 'serving';
  readonly firstPort: { readonly host: string; readonly port: number };
  readonly fingerprint: string;
  readonly hostKey: string;
  readonly state: string;
  readonly pid: number;
}

export async function endOf(child: ChildProcess): Promise<CommandEnd> {
  const [stdout, stderr, [exitCode]] = await Promise.all([
    text(child.stdout as Readable),
    text(child.stderr as Readable),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { exitCode, stdout, stderr };
}

export function payment(from: string, to: string, amount: string): string[] {
  return [
    'pay',
    '--customer',
    `${from}.json`,
    '--from',
    `${from}.eur`,
    '--to',
    `${to}.eur`,
    '--amount',
    amount,
    '--currency',
    'EUR',
  ];
}
