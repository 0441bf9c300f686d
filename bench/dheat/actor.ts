import { type ChildProcess, fork } from 'node:child_process';

/** A process that answers one question at a time: `{ ask, ...parameters }` there, `{ answer }` or `{ failure }` back. */
export class Actor {
  readonly #child: ChildProcess;
  #last: Promise<unknown> = Promise.resolve();

  constructor(script: URL) {
    this.#child = fork(script, { execArgv: [...process.execArgv], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
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

/** The other end: what each question does. */
export function answerQuestions(answers: Readonly<Record<string, (parameters: never) => unknown>>): void {
  process.on('message', (question: { readonly ask: string }) => {
    Promise.resolve()
      .then(() => answers[question.ask]!(question as never))
      .then(
        (answer) => process.send!({ answer }),
        (error: unknown) => process.send!({ failure: error instanceof Error ? error.stack : String(error) }),
      );
  });
}

/** CPU time of this process until now, all threads, user and system, in milliseconds. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}
