import { type ChildProcess, fork } from 'node:child_process';

/** Who has something to put away when nobody asks any more has this long; then what is still open ends with the process. */
const LEAVE_WITHIN_MS = 5_000;

/** A process that answers one question at a time: `{ ask, ...parameters }` there, `{ answer }` or `{ failure }` back. */
export class Actor {
  readonly #child: ChildProcess;
  #last: Promise<unknown> = Promise.resolve();

  constructor(script: URL, nodeFlags: readonly string[] = []) {
    this.#child = fork(script, {
      execArgv: [...process.execArgv, ...nodeFlags],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // Bytes stay bytes.
      serialization: 'advanced',
    });
  }

  ask<Answer>(ask: string, parameters: object = {}): Promise<Answer> {
    const answered = this.#last.then(() => this.#exchange({ ask, ...parameters })) as Promise<Answer>;
    this.#last = answered.catch(() => undefined);
    return answered;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || !this.#child.connected) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.disconnect();
    await gone;
  }

  #exchange(question: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const gone = (code: number | null): void => reject(new Error(`a process of the bench ended with code ${code}`));
      this.#child.once('exit', gone);
      this.#child.once('message', (message: { readonly answer?: unknown; readonly failure?: string }) => {
        this.#child.off('exit', gone);
        if (message.failure === undefined) resolve(message.answer);
        else reject(new Error(message.failure));
      });
      this.#child.send(question);
    });
  }
}

/** The other end: what each question does. It ends with the process that asks. */
export function answerQuestions(answers: Readonly<Record<string, (parameters: never) => unknown>>): void {
  process.on('message', (question: { readonly ask: string }) => {
    Promise.resolve()
      .then(() => answers[question.ask]!(question as never))
      .then(
        (answer) => process.send!({ answer }),
        (error: unknown) => process.send!({ failure: error instanceof Error ? error.stack : String(error) }),
      );
  });
  process.once('disconnect', () => setTimeout(() => process.exit(0), LEAVE_WITHIN_MS).unref());
}

/** CPU time of this process until now, all threads, user and system, in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
