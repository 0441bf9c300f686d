import type { SeededRandom } from './random.ts';

/** The deadlines of one connection: they pass when the simulation says so. */
export class Deadlines {
  readonly #set = new Set<string>();
  readonly #pass: (name: string) => void;

  constructor(pass: (name: string) => void) {
    this.#pass = pass;
  }

  set(name: string): void {
    this.#set.add(name);
  }

  clear(name: string): void {
    this.#set.delete(name);
  }

  voidAll(): void {
    this.#set.clear();
  }

  /** Lets one pass; false when there is none. */
  passOne(random: SeededRandom): boolean {
    if (this.#set.size === 0) return false;
    const name = random.pick([...this.#set]);
    this.#set.delete(name);
    this.#pass(name);
    return true;
  }
}
