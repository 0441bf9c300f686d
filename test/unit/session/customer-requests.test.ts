import { describe, expect, it } from 'vitest';
import type { CustomerRequest } from '../../../src/session/customer-interface.ts';
import { hasRoom } from '../../../src/session/customer-requests.ts';
import { UNANSWERED_MAX } from '../../../src/session/request-limits.ts';
import { encodeAlert } from '../../../src/wire/alert.ts';
import { encodeAnswer } from '../../../src/wire/answer.ts';
import { encodeUnsignedReceipt } from '../../../src/wire/receipt.ts';
import { encodeRefusal } from '../../../src/wire/refusal.ts';
import { Bench, filled, NONE, payment } from './customer-bench.ts';

describe('requests', () => {
  it('are answered in order, each once', () => {
    const bench = new Bench().ready();
    bench.step({ kind: 'request', request: payment(1) }).step({ kind: 'request', request: payment(2) });
    bench.step({ kind: 'request', request: question(3) });
    bench
      .say('RECEIPT', receiptOf(1))
      .say('REFUSAL', encodeRefusal({ transactionId: filled(16, 2), code: 'BUSY', retryAfterMs: 4, text: 'later' }));
    bench.say(
      'ANSWER',
      encodeAnswer({ queryId: filled(4, 3), status: undefined, contentType: 'a/b', body: filled(2, 2) }),
    );
    expect([1, 2, 3].map((ref) => bench.answersOf(ref).map(({ kind }) => kind))).toEqual([
      ['receipt'],
      ['refusal'],
      ['answer'],
    ]);
    expect(bench.effects.at(-1)).toEqual({ kind: 'clearDeadline', name: 'answer' });
  });

  it.each([
    ["another transaction's receipt", (bench: Bench) => bench.say('RECEIPT', receiptOf(2))],
    [
      'a refusal of another',
      (bench: Bench) =>
        bench.say('REFUSAL', encodeRefusal({ transactionId: filled(16, 9), code: 'BUSY', retryAfterMs: 0, text: '' })),
    ],
    [
      'an answer to no query',
      (bench: Bench) =>
        bench.say('ANSWER', encodeAnswer({ queryId: filled(4, 1), status: undefined, contentType: 'a/b', body: NONE })),
    ],
    ['a receipt cut off', (bench: Bench) => bench.say('RECEIPT', receiptOf(1).subarray(1))],
    ['CLOSE that was not asked for', (bench: Bench) => bench.say('CLOSE', NONE)],
    ['a second FINISHED', (bench: Bench) => bench.say('FINISHED', filled(32, 0x53))],
    ['a TRANSACTION', (bench: Bench) => bench.say('TRANSACTION', filled(30, 1))],
  ])('are not answered by %s', (_, say) => {
    const bench = new Bench().ready().step({ kind: 'request', request: payment(1) });
    say(bench);
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'BAD_FRAME' });
    expect(bench.answersOf(1)).toEqual([{ kind: 'unanswered', sent: true }]);
  });

  it('are at most 64 at once', () => {
    const bench = new Bench().ready();
    for (let ref = 0; ref < UNANSWERED_MAX; ref++) bench.step({ kind: 'request', request: payment(ref) });
    expect(hasRoom(bench.state, 'transaction')).toBe(false);
    expect(() => bench.step({ kind: 'request', request: payment(99) })).toThrow(/asks for room/);
    bench.say('RECEIPT', receiptOf(0));
    expect(hasRoom(bench.state, 'transaction')).toBe(true);
  });

  it('end with CLOSE behind the last one, and the server answers with its own', () => {
    const bench = new Bench()
      .ready()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' });
    expect(bench.heard).toEqual(['AUTH', 'TRANSACTION', 'CLOSE']);
    bench.say('RECEIPT', receiptOf(1)).say('CLOSE', NONE);
    expect(bench.end).toEqual({ kind: 'completed' });
    expect(bench.step({ kind: 'request', request: payment(2) }).answersOf(2)).toEqual([
      { kind: 'unanswered', sent: false },
    ]);
  });

  it('take CLOSE along in the first flight when nothing more is wanted by then', () => {
    const bench = new Bench()
      .begin()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' })
      .move();
    expect(bench.heard).toEqual(['AUTH', 'TRANSACTION', 'CLOSE']);
    bench.say('FINISHED', bench.keys.serverFinished).say('AUTH_RESULT', Uint8Array.of(0));
    // An answer is owed: its deadline runs, and that of CLOSE not yet.
    expect(bench.deadlines).toEqual(['answer']);
    bench.say('RECEIPT', receiptOf(1));
    expect(bench.deadlines).toEqual(['close']);
    expect(bench.answersOf(1)).toMatchObject([{ kind: 'receipt' }]);
    bench.say('CLOSE', NONE);
    expect(bench.end).toEqual({ kind: 'completed' });
  });

  it('take CLOSE along while the server has not answered yet, once', () => {
    const bench = new Bench()
      .join()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' })
      .step({ kind: 'close' });
    expect(bench.heard).toEqual(['AUTH', 'TRANSACTION', 'CLOSE']);
    bench.say('FINISHED', bench.keys.serverFinished).say('AUTH_RESULT', Uint8Array.of(9));
    // It was not looked at: the outcome is known.
    expect(bench.answersOf(1)).toEqual([{ kind: 'unanswered', sent: false }]);
    expect(bench.end).toMatchObject({ kind: 'alertReceived', code: 'AUTH_FAILED' });
  });

  it('leave the server their own time when CLOSE goes along: AUTH_RESULT may come with the answers', () => {
    const flight = new Bench()
      .begin()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' })
      .move();
    expect(flight.deadlines).toEqual(['answer']);
    const later = new Bench().join().step({ kind: 'request', request: payment(1) });
    expect(later.deadlines).toEqual(['ready', 'answer']);
    later.step({ kind: 'close' });
    for (const bench of [flight, later]) {
      expect(bench.deadlines).toEqual(['answer']);
      // FINISHED alone is no answer: it gives no more time, and less neither.
      bench.say('FINISHED', bench.keys.serverFinished);
      expect(bench.deadlines).toEqual(['answer']);
    }
  });

  it('end all the same, CLOSE sent along, when the server never answers', () => {
    const bench = new Bench()
      .begin()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' })
      .move()
      .step({ kind: 'deadline', name: 'answer' });
    expect(bench.end).toEqual({ kind: 'timeout', phase: 'awaitingFinished', deadline: 'answer' });
    expect(bench.answersOf(1)).toEqual([{ kind: 'unanswered', sent: true }]);
    expect(bench.deadlines).toEqual([]);
  });

  it('that are none leave CLOSE to the deadline of AUTH_RESULT', () => {
    const bench = new Bench().begin().step({ kind: 'close' }).move();
    expect(bench.heard).toEqual(['AUTH', 'CLOSE']);
    expect(bench.deadlines).toEqual(['ready']);
    bench.say('FINISHED', bench.keys.serverFinished).say('AUTH_RESULT', Uint8Array.of(0));
    expect(bench.deadlines).toEqual(['close']);
  });

  it('that are owed make CLOSE a lie', () => {
    const bench = new Bench()
      .ready()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'close' })
      .say('CLOSE', NONE);
    expect(bench.end).toMatchObject({ kind: 'refused', code: 'BAD_FRAME' });
  });

  it('are told the ERROR of the server', () => {
    const bench = new Bench().ready().step({ kind: 'request', request: payment(1) });
    bench.say('ERROR', encodeAlert({ code: 'SHUTDOWN', retryAfterMs: 700 }));
    expect(bench.end).toMatchObject({ kind: 'alertReceived', code: 'SHUTDOWN', retryAfterMs: 700 });
  });

  it.each(['offer', 'ready', 'answer', 'close'] as const)('end by the deadline %s', (name) => {
    const bench = new Bench()
      .ready()
      .step({ kind: 'request', request: payment(1) })
      .step({ kind: 'deadline', name });
    expect(bench.end).toMatchObject({ kind: 'timeout', deadline: name });
    expect(bench.answersOf(1)).toEqual([{ kind: 'unanswered', sent: true }]);
  });

  it('that were never sent are told so', () => {
    const bench = new Bench();
    bench
      .step({ kind: 'request', request: payment(1) })
      .begin()
      .step({ kind: 'lost' });
    expect(bench.answersOf(1)).toEqual([{ kind: 'unanswered', sent: false }]);
    expect(bench.end).toMatchObject({ kind: 'lost', phase: 'awaitingOffer' });
  });
});

function question(ref: number): CustomerRequest {
  return { kind: 'query', ref, queryId: filled(4, ref), contentType: 'a/b', body: filled(3, ref) };
}

function receiptOf(ref: number): Uint8Array {
  const unsigned = encodeUnsignedReceipt({
    transactionId: filled(16, ref),
    outcome: 'processed',
    sequence: 1n,
    committedTimeUs: 1n,
    bodyHash: filled(32, 1),
    resultContentType: 'a/b',
    result: filled(1, 1),
    salt: filled(16, 1),
    keyId: filled(8, 1),
  });
  return Uint8Array.from([...unsigned, 0, ...filled(64, 1)]);
}
