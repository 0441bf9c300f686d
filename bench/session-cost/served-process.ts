import { type ChildProcess, fork } from 'node:child_process';

export interface CpuReading {
  readonly cpuUs: number;
  /** By kind of thread, where the server tells it. */
  readonly threadsUs?: Readonly<Record<string, number>>;
  readonly sessions: number;
}

/** A server in a process of its own, whose CPU time (user and system, all threads) can be read at any moment. */
export class ServedProcess {
  readonly #child: ChildProcess;
  readonly greeting: Readonly<Record<string, unknown>>;

  private constructor(child: ChildProcess, greeting: Record<string, unknown>) {
    this.#child = child;
    this.greeting = greeting;
  }

  /** Starts `script` and gives it `start`; its first message back is the greeting (its port, and what else it tells). */
  static async start(script: URL, start: object, nodeFlags: readonly string[] = []): Promise<ServedProcess> {
    const child = fork(script, {
      execArgv: [...process.execArgv, ...nodeFlags],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    child.send(start);
    return new ServedProcess(child, (await answerOf(child)) as Record<string, unknown>);
  }

  async cpu(): Promise<CpuReading> {
    this.#child.send('cpu');
    return (await answerOf(this.#child)) as CpuReading;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await gone;
  }
}

function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void =>
      reject(new Error(`the server process ended with code ${code} before it answered`));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message);
    });
  });
}

/** Runs `count` times `session`, `concurrency` at a time; the first failure ends it. */
export async function runSessions(
  count: number,
  concurrency: number,
  session: (index: number) => Promise<void>,
): Promise<void> {
  const queue = { next: 0 };
  const lane = async (): Promise<void> => {
    while (queue.next < count) {
      const index = queue.next;
      queue.next += 1;
      await session(index);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, lane));
}
