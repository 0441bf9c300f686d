import { describe, expect, it } from 'vitest';
import type { ConnectionEvent } from '../../../src/session/connection-events.ts';
import { Driver } from '../../../src/session/driver.ts';
import type { Expectation, Machine } from '../../../src/session/machine.ts';
import { encodeAlertFrame } from '../../../src/wire/alert.ts';
import { UNREAD_BYTES_MAX } from '../../../src/wire/frame-reader.ts';

type Event = ConnectionEvent<never> | { readonly kind: 'become'; readonly expectation: Expectation };
type Effect = { readonly kind: 'heard'; readonly what: string };

const FRAMES: Expectation = { kind: 'frames', types: ['ERROR'] };
const FRAME = encodeAlertFrame({ code: 'BUSY', retryAfterMs: 1 });

/** Reports what it hears, and expects what it is told to. */
function listener(initial: Expectation): Machine<Expectation, Event, Effect> {
  return {
    initial,
    step: (state, event) =>
      event.kind === 'become'
        ? { state: event.expectation, effects: [] }
        : { state, effects: [{ kind: 'heard', what: event.kind }] },
    expects: (state) => state,
  };
}

function drive(initial: Expectation): { driver: Driver<Expectation, Event, Effect>; heard: string[] } {
  const heard: string[] = [];
  const driver = new Driver<Expectation, Event, Effect>(listener(initial), (effect) =>
    heard.push(effect.kind === 'heard' ? effect.what : effect.kind),
  );
  return { driver, heard };
}

describe('the driver', () => {
  it('gives every frame of a piece, and FIN behind them', () => {
    const { driver, heard } = drive(FRAMES);
    driver.receive(Uint8Array.from([...FRAME, ...FRAME, ...FRAME.subarray(0, 3)]));
    driver.peerEnded();
    expect(heard).toEqual(['frame', 'frame', 'end']);
  });

  it('leaves what comes during a pause unread, FIN too, and asks the socket to stop', () => {
    const { driver, heard } = drive(FRAMES);
    driver.dispatch({ kind: 'become', expectation: { kind: 'pause' } });
    driver.receive(FRAME);
    driver.peerEnded();
    expect(heard).toEqual(['pauseReading']);
    driver.dispatch({ kind: 'become', expectation: FRAMES });
    expect(heard).toEqual(['pauseReading', 'frame', 'end', 'resumeReading']);
  });

  it('tells of bytes where nothing may come, once', () => {
    const { driver, heard } = drive({ kind: 'nothing' });
    driver.receive(FRAME.subarray(0, 1));
    driver.receive(FRAME);
    expect(heard).toEqual(['unexpectedBytes']);
  });

  it('tells of a refused frame once', () => {
    const { driver, heard } = drive(FRAMES);
    driver.receive(Uint8Array.of(0x42, 1, 0, 5));
    driver.receive(FRAME);
    expect(heard).toEqual(['frameRefused']);
  });

  it('throws bytes away when the session is over', () => {
    const { driver, heard } = drive({ kind: 'ignore' });
    for (let piece = 0; piece < 10; piece++) driver.receive(new Uint8Array(UNREAD_BYTES_MAX));
    driver.peerEnded();
    expect(heard).toEqual(['end']);
  });

  it('does not hold more than it may for a socket that does not pause', () => {
    const { driver, heard } = drive({ kind: 'pause' });
    driver.receive(new Uint8Array(UNREAD_BYTES_MAX));
    expect(heard).toEqual(['pauseReading']);
    driver.receive(new Uint8Array(1));
    expect(heard).toEqual(['pauseReading', 'unexpectedBytes']);
  });

  it('takes events that arise during effects afterwards, in order', () => {
    const order: string[] = [];
    const driver: Driver<number, { readonly kind: 'go' }, { readonly kind: string }> = new Driver(
      {
        initial: 0,
        step: (state) => ({
          state: state + 1,
          effects: state < 2 ? [{ kind: `a${state}` }, { kind: `b${state}` }] : [],
        }),
        expects: () => ({ kind: 'ignore' }),
      },
      (effect) => {
        order.push(effect.kind);
        if (effect.kind.startsWith('a')) driver.dispatch({ kind: 'go' });
      },
    );
    driver.dispatch({ kind: 'go' });
    expect(order).toEqual(['a0', 'b0', 'a1', 'b1']);
    expect(driver.state).toBe(3);
  });

  it('forgets the bytes of the connection before', () => {
    const { driver, heard } = drive(FRAMES);
    driver.receive(FRAME.subarray(0, 6));
    driver.connectionChanged();
    driver.receive(FRAME);
    expect(heard).toEqual(['frame']);
  });
});
