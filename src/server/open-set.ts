/** Things that are open (connections, sessions), and a promise for when none is. */
export class OpenSet<Held> {
  readonly #held = new Set<Held>();
  #waiting: (() => void)[] = [];

  add(held: Held): void {
    this.#held.add(held);
  }

  remove(held: Held): void {
    this.#held.delete(held);
    if (this.#held.size > 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  /** Those open now: a copy, so that whoever goes through it may close them. */
  all(): readonly Held[] {
    return [...this.#held];
  }

  /** Fulfilled when none is open. */
  idle(): Promise<void> {
    if (this.#held.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
