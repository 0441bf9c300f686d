import { randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodePlan, encodeSettled, readJournal, type SettledRow } from '../../../src/cli/batch/journal.ts';
import { openJournal } from '../../../src/cli/batch/journal-file.ts';
import { SallyportError } from '../../../src/errors.ts';

const SUBJECT = { batch: 'ab'.repeat(32), customer: 'alice', rows: 3 };
const IDS = ['00', '11', '22'].map((pair) => pair.repeat(16));
const SETTLED: readonly (readonly [number, SettledRow])[] = [
  [2, { kind: 'receipt', receipt: Uint8Array.of(1, 2, 3, 255) }],
  [0, { kind: 'refusal', code: 'TRANSACTION_MALFORMED', text: 'no such "currency"\n' }],
  [1, { kind: 'receipt', receipt: new Uint8Array(200).fill(7) }],
];

function wholeJournal(): Buffer {
  return Buffer.from(encodePlan(SUBJECT, IDS) + SETTLED.map(([row, settled]) => encodeSettled(row, settled)).join(''));
}

describe('a journal', () => {
  it('reads what it wrote', () => {
    const reading = readJournal(wholeJournal());
    if (reading.kind !== 'state') throw new Error(reading.kind);
    expect(reading.state.subject).toEqual(SUBJECT);
    expect(reading.state.ids).toEqual(IDS);
    expect([...reading.state.settled]).toEqual(SETTLED);
    expect(reading.state.wholeBytes).toBe(wholeJournal().length);
  });

  it('cut at any byte: inside the plan it is never taken for a plan, after it only whole lines count', () => {
    const journal = wholeJournal();
    const planBytes = encodePlan(SUBJECT, IDS).length;
    for (let length = 0; length <= journal.length; length++) {
      const reading = readJournal(journal.subarray(0, length));
      if (length < planBytes) {
        expect(reading, `cut at ${length}`).toEqual({ kind: 'incomplete' });
        continue;
      }
      if (reading.kind !== 'state') throw new Error(`cut at ${length}: ${reading.kind}`);
      expect(reading.state.ids).toEqual(IDS);
      const entries = [...reading.state.settled];
      expect(entries).toEqual(SETTLED.slice(0, entries.length));
      expect(reading.state.wholeBytes).toBe(journal.subarray(0, length).lastIndexOf('\n') + 1);
    }
  });

  it('damaged in the middle: the line is named, and nothing is read past it', () => {
    const lines = wholeJournal().toString().split('\n');
    const damaged = (index: number, line: string) => readJournal(Buffer.from(lines.with(index, line).join('\n')));
    expect(damaged(0, '{}')).toMatchObject({ kind: 'damaged', line: 1 });
    expect(damaged(0, lines[0]!.replace('"version":1', '"version":2'))).toMatchObject({
      fault: expect.stringContaining('version 2'),
    });
    expect(damaged(2, '{"row":3,"id":"00"}')).toMatchObject({ kind: 'damaged', line: 3 });
    expect(damaged(2, lines[1]!)).toMatchObject({ kind: 'damaged', line: 3, fault: 'does not name row 2' });
    expect(damaged(4, '{"settled":4,"receipt":""}')).toMatchObject({ kind: 'damaged', line: 5 });
    expect(damaged(5, '{"settled":1,"refusal":"NOT_A_CODE","text":""}')).toMatchObject({ kind: 'damaged', line: 6 });
    expect(damaged(5, 'torn')).toMatchObject({ kind: 'damaged', line: 6 });
  });

  it('any bytes at all are answered with a value', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) =>
        ['state', 'incomplete', 'damaged'].includes(readJournal(bytes).kind),
      ),
    );
  });
});

/** A server in the sense of the protocol: the first time it sees an id it pays, afterwards it repeats its answer. */
class Payments {
  readonly effects = new Map<string, number>();
  #paid = new Map<string, Uint8Array>();

  pay(id: string): Uint8Array {
    const known = this.#paid.get(id);
    if (known !== undefined) return known;
    this.effects.set(id, (this.effects.get(id) ?? 0) + 1);
    const receipt = new Uint8Array(randomBytes(24));
    this.#paid.set(id, receipt);
    return receipt;
  }
}

describe('a run that is cut off', () => {
  it('pays every row exactly once, wherever the crash cuts the journal and however often', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.array(fc.record({ sent: fc.nat(12), cut: fc.nat(4000) }), { maxLength: 6 }),
        (rows, crashes) => {
          const payments = new Payments();
          const ids = Array.from({ length: rows }, () => randomBytes(16).toString('hex'));
          const plan = encodePlan({ ...SUBJECT, rows }, ids);
          let journal: Buffer = Buffer.from(plan);
          const run = (sentMax: number): Buffer => {
            const reading = readJournal(journal);
            if (reading.kind !== 'state') throw new Error(reading.kind);
            let written: Buffer = journal.subarray(0, reading.state.wholeBytes);
            let sent = 0;
            for (const [row, id] of reading.state.ids.entries()) {
              if (reading.state.settled.has(row) || sent++ >= sentMax) continue;
              const line = encodeSettled(row, { kind: 'receipt', receipt: payments.pay(id) });
              written = Buffer.concat([written, Buffer.from(line)]);
            }
            return written;
          };
          for (const { sent, cut } of crashes) {
            const written = run(sent);
            // The plan was durable before the first payment; of what came after it, any suffix may be lost.
            journal = written.subarray(0, Math.max(plan.length, written.length - cut));
          }
          journal = run(Number.POSITIVE_INFINITY);
          const end = readJournal(journal);
          expect(end.kind === 'state' && end.state.settled.size).toBe(rows);
          expect([...payments.effects.values()]).toEqual(Array(rows).fill(1));
          expect([...payments.effects.keys()].sort()).toEqual([...ids].sort());
        },
      ),
    );
  });
});

describe('the journal on disk', () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'sallyport-journal-'));
    path = join(directory, 'batch.csv.journal.jsonl');
  });
  afterEach(() => rm(directory, { recursive: true }));

  const failure = async (subject = SUBJECT): Promise<SallyportError> => {
    const error: unknown = await openJournal(path, subject).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof SallyportError)) throw new Error(`no SallyportError but ${String(error)}`);
    expect(error.code).toBe('BAD_FILE');
    return error;
  };

  it('is whole, private and alone in its directory once opened', async () => {
    const journal = await openJournal(path, SUBJECT);
    expect(journal.resumed).toBe(false);
    expect(readJournal(await readFile(path)).kind).toBe('state');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await journal.close();
    expect(await readdir(directory)).toEqual(['batch.csv.journal.jsonl']);
  });

  it('goes on with the same ids, cuts off a torn line, and appends after it', async () => {
    const first = await openJournal(path, SUBJECT);
    const { ids } = first.state;
    expect(new Set(ids).size).toBe(3);
    first.settle(1, SETTLED[0]![1]);
    first.settle(0, SETTLED[0]![1]);
    await first.close();
    await truncate(path, (await stat(path)).size - 5);
    const second = await openJournal(path, SUBJECT);
    expect(second.resumed).toBe(true);
    expect(second.state.ids).toEqual(ids);
    expect([...second.state.settled.keys()]).toEqual([1]);
    second.settle(2, SETTLED[1]![1]);
    await second.close();
    const third = await openJournal(path, SUBJECT);
    expect([...third.state.settled]).toEqual([
      [1, SETTLED[0]![1]],
      [2, SETTLED[1]![1]],
    ]);
    await third.close();
  });

  it('belongs to one batch, customer and number of rows', async () => {
    await (await openJournal(path, SUBJECT)).close();
    expect((await failure({ ...SUBJECT, batch: 'cd'.repeat(32) })).message).toContain(
      'these are not the payments that were begun',
    );
    expect((await failure({ ...SUBJECT, customer: 'bob' })).message).toContain('belongs to customer alice');
    expect((await failure({ ...SUBJECT, rows: 4 })).message).toContain('has 3 rows and the batch 4');
    await (await openJournal(path, SUBJECT)).close();
  });

  it('damaged inside its plan it is refused and left as it was, never planned anew', async () => {
    await (await openJournal(path, SUBJECT)).close();
    await truncate(path, 250);
    const before = await readFile(path);
    expect((await failure()).message).toContain('ends before its last transaction id');
    expect(await readFile(path)).toEqual(before);
    await writeFile(path, 'not a journal\n');
    expect((await failure()).message).toContain('line 1 of the journal');
  });

  it('is used by one process at a time; the lock of a dead one is taken over', async () => {
    const journal = await openJournal(path, SUBJECT);
    expect((await failure()).message).toContain(`in use by process ${process.pid}`);
    await journal.close();
    // Beyond every kernel's pid_max (2^22 at most on Linux).
    await writeFile(`${path}.lock`, '99999999');
    await (await openJournal(path, SUBJECT)).close();
    await appendFile(`${path}.lock`, '');
    await (await openJournal(path, SUBJECT)).close();
    expect(await readdir(directory)).toEqual(['batch.csv.journal.jsonl']);
  });

  it('says so when it cannot be written', async () => {
    path = join(directory, 'missing', 'journal.jsonl');
    expect((await failure()).message).toContain('cannot be used');
  });
});
