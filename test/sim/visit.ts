import type { ConnectionEffect } from '../../src/session/connection-events.ts';
import { Driver, type ReadingEffect } from '../../src/session/driver.ts';
import type { Machine } from '../../src/session/machine.ts';
import type { End } from './link.ts';
import { cancel, type Planned, type World } from './world.ts';

type AnyEvent = { readonly kind: string };
type OwnEffect = ConnectionEffect<string> | ReadingEffect;

const OWN_KINDS: ReadonlySet<string> = new Set([
  'send',
  'end',
  'close',
  'destroy',
  'reset',
  'setDeadline',
  'clearDeadline',
  'pauseReading',
  'resumeReading',
]);

export interface VisitParts<State, Event extends AnyEvent, Effect extends AnyEvent> {
  readonly world: World;
  readonly end: End;
  readonly machine: Machine<State, Event, Effect>;
  readonly deadlinesMs: Readonly<Record<string, number>>;
  /** Every effect that is not the connection's own. */
  readonly perform: (effect: Effect) => void;
  /** The machine has made a step. */
  readonly stepped?: (state: State) => void;
  readonly writeEvents?: { readonly blocked: Event; readonly drained: Event };
}

/** A connection at the server with its machine: what src/server/connection.ts is, over a simulated socket and clock. */
export class Visit<State, Event extends AnyEvent, Effect extends AnyEvent> {
  readonly end: End;
  /** How often the machine said its last effect: once. */
  ends = 0;
  readonly #parts: VisitParts<State, Event, Effect>;
  readonly #driver: Driver<State, AnyEvent, AnyEvent>;
  readonly #timers = new Map<string, Planned>();

  constructor(parts: VisitParts<State, Event, Effect>) {
    this.#parts = parts;
    this.end = parts.end;
    // Inside, events and effects are only passed through; their types are the caller's.
    const machine = parts.machine as unknown as Machine<State, AnyEvent, AnyEvent>;
    this.#driver = new Driver(machine, (effect) => this.#perform(effect as Effect | OwnEffect));
    this.end.ears = {
      receive: (bytes) => {
        this.#driver.receive(bytes);
        this.#stepped();
      },
      peerEnded: () => this.#driver.peerEnded(),
      lost: () => {
        this.#driver.dispatch({ kind: 'lost' });
        this.#clearTimers();
      },
      blocked: () => {
        if (parts.writeEvents !== undefined) this.dispatch(parts.writeEvents.blocked);
      },
      drained: () => {
        if (parts.writeEvents !== undefined) this.dispatch(parts.writeEvents.drained);
      },
    };
  }

  dispatch(event: Event): void {
    this.#driver.dispatch(event);
    this.#stepped();
  }

  /** Its process is gone. */
  vanish(withoutWord: boolean): void {
    this.#clearTimers();
    this.end.die(withoutWord);
  }

  #stepped(): void {
    this.#parts.stepped?.(this.#driver.state);
  }

  #perform(effect: Effect | OwnEffect): void {
    if (effect.kind === 'ended') this.ends++;
    if (!OWN_KINDS.has(effect.kind)) {
      this.#parts.perform(effect as Effect);
      return;
    }
    const own = effect as OwnEffect;
    switch (own.kind) {
      case 'send':
        this.end.send(own.bytes);
        return;
      case 'end':
        // Every deadline set before is void (connection-events.ts); here they are left to pass, as they are in src/server/connection.ts.
        this.end.end();
        return;
      case 'close':
        this.end.close();
        return;
      case 'destroy':
        this.#clearTimers();
        this.end.destroy();
        return;
      case 'reset':
        this.#clearTimers();
        this.end.resetAndDestroy();
        return;
      case 'setDeadline':
        this.#setDeadline(own.name);
        return;
      case 'clearDeadline':
        cancel(this.#timers.get(own.name));
        this.#timers.delete(own.name);
        return;
      case 'pauseReading':
      case 'resumeReading':
        this.end.pause(own.kind === 'pauseReading');
        return;
    }
  }

  #setDeadline(name: string): void {
    cancel(this.#timers.get(name));
    const { world, deadlinesMs } = this.#parts;
    const passed = world.after(deadlinesMs[name]!, () => {
      this.#timers.delete(name);
      this.#driver.dispatch({ kind: 'deadline', name } as AnyEvent);
      world.count('deadlines passed');
      world.touchPromises();
    });
    this.#timers.set(name, passed);
  }

  #clearTimers(): void {
    for (const timer of this.#timers.values()) cancel(timer);
    this.#timers.clear();
  }
}
