import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { BatchRow } from '../../../src/cli/batch/batch-file.ts';
import { type BatchEnd, type Payer, runBatch } from '../../../src/cli/batch/batch-run.ts';
import type { SettledRow } from '../../../src/cli/batch/journal.ts';
import { signBatch } from '../../../src/crypto/batch-signature.ts';
import { hostKeyId } from '../../../src/crypto/identity.ts';
import type { Settlement } from '../../../src/customer/customer-interface.ts';
import { SallyportError } from '../../../src/errors.ts';
import { encodeUnsignedReceipt, receiptSignatureInput, transactionHashInput } from '../../../src/wire/receipt.ts';

const host = generateKeyPairSync('ed25519');
const HOST_KEY = new Uint8Array(Buffer.from(host.publicKey.export({ format: 'jwk' }).x!, 'base64url'));

interface Sent {
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly transactionId: string;
}

function settlementOf({ contentType, body, transactionId }: Sent, status: string): Settlement {
  const fields = {
    transactionId: Buffer.from(transactionId, 'hex'),
    outcome: status === 'committed' ? ('processed' as const) : ('refused' as const),
    sequence: 1n,
    committedTimeUs: 1n,
    bodyHash: createHash('sha256').update(transactionHashInput(contentType, body)).digest(),
    resultContentType: 'application/json',
    result: Buffer.from(JSON.stringify({ status })),
    salt: randomBytes(16),
    keyId: hostKeyId(HOST_KEY),
  };
  const unsigned = encodeUnsignedReceipt(fields);
  const message = receiptSignatureInput('alice', unsigned);
  const signature = signBatch((root) => sign(null, root, host.privateKey), [message])[0]!;
  return {
    ...fields,
    transactionId,
    evidence: {
      customerId: 'alice',
      transactionId: fields.transactionId,
      contentType,
      body,
      receipt: new Uint8Array(Buffer.concat([unsigned, signature])),
      hostKey: HOST_KEY,
    },
  };
}

function rowsOf(count: number): BatchRow[] {
  return Array.from({ length: count }, (_, index) => ({
    line: index + 2,
    transfer: { from: 'a', to: 'b', amount: String(index + 1), currency: 'EUR' },
  }));
}

class MemoryLog {
  readonly state;
  readonly lines: [number, SettledRow][] = [];

  constructor(rows: number, settled: ReadonlyMap<number, SettledRow> = new Map()) {
    const ids = Array.from({ length: rows }, () => randomBytes(16).toString('hex'));
    this.state = { subject: { batch: '', customer: 'alice', rows }, ids, settled, wholeBytes: 0 };
  }

  settle(row: number, settled: SettledRow): void {
    this.lines.push([row, settled]);
  }
}

class FakePayer implements Payer {
  readonly sent: Sent[] = [];
  underWay = 0;
  underWayMax = 0;
  readonly #answer: (sent: Sent, index: number) => string | SallyportError;

  constructor(answer: (sent: Sent, index: number) => string | SallyportError) {
    this.#answer = answer;
  }

  async send(document: Sent): Promise<Settlement> {
    this.sent.push(document);
    const index = this.sent.length - 1;
    this.underWayMax = Math.max(this.underWayMax, ++this.underWay);
    await new Promise((done) => setImmediate(done));
    this.underWay--;
    const answer = this.#answer(document, index);
    if (answer instanceof SallyportError) throw answer;
    return settlementOf(document, answer);
  }
}

async function run(rows: number, log: MemoryLog, payers: Payer[], stop = new AbortController()): Promise<BatchEnd> {
  return runBatch({ rows: rowsOf(rows), log, payers, inFlight: 4, stop: stop.signal, onProgress: () => {} });
}

describe('a batch run', () => {
  it('sends every row once, under its id, many at a time over all sessions, and notes every receipt', async () => {
    const log = new MemoryLog(50);
    const payers = [new FakePayer(() => 'committed'), new FakePayer(() => 'committed')];
    const { tally, error } = await run(50, log, payers);
    expect(error).toBeUndefined();
    expect(tally).toEqual({ rows: 50, committed: 50, refused: [], resumed: 0, open: 0 });
    const sent = payers.flatMap((payer) => payer.sent);
    expect(sent.map(({ transactionId }) => transactionId).sort()).toEqual([...log.state.ids].sort());
    for (const { transactionId, body } of sent) {
      const row = log.state.ids.indexOf(transactionId);
      expect(JSON.parse(Buffer.from(body).toString())).toMatchObject({ amount: String(row + 1) });
    }
    expect(payers.map((payer) => payer.underWayMax)).toEqual([4, 4]);
    expect(log.lines.map(([row]) => row).sort((a, b) => a - b)).toEqual(rowsOf(50).map((_, row) => row));
  });

  it('goes on where an earlier run stopped, and asks again for a receipt that is none', async () => {
    const settled = new Map<number, SettledRow>([
      [0, { kind: 'refusal', code: 'TRANSACTION_MALFORMED', text: '' }],
      [2, { kind: 'receipt', receipt: Uint8Array.of(1, 2, 3) }],
      [
        3,
        {
          kind: 'receipt',
          receipt: settlementOf(
            { contentType: 'x', body: new Uint8Array(), transactionId: '00'.repeat(16) },
            'committed',
          ).evidence.receipt,
        },
      ],
      [
        4,
        {
          kind: 'receipt',
          receipt: settlementOf(
            { contentType: 'x', body: new Uint8Array(), transactionId: '00'.repeat(16) },
            'insufficient-funds',
          ).evidence.receipt,
        },
      ],
    ]);
    const log = new MemoryLog(5, settled);
    const payer = new FakePayer(() => 'committed');
    const { tally } = await run(5, log, [payer]);
    expect(payer.sent.map(({ transactionId }) => log.state.ids.indexOf(transactionId)).sort()).toEqual([1, 2]);
    expect(tally).toEqual({
      rows: 5,
      committed: 3,
      refused: [
        { line: 2, transactionId: log.state.ids[0], status: 'TRANSACTION_MALFORMED' },
        { line: 6, transactionId: log.state.ids[4], status: 'insufficient-funds' },
      ],
      resumed: 3,
      open: 0,
    });
  });

  it('takes a refused payment for settled and goes on', async () => {
    const log = new MemoryLog(3);
    const answers = ['insufficient-funds', new SallyportError('TRANSACTION_MALFORMED', 'no'), 'committed'];
    const { tally, error } = await run(3, log, [new FakePayer((_, index) => answers[index]!)]);
    expect(error).toBeUndefined();
    expect(tally).toMatchObject({ committed: 1, open: 0 });
    expect(tally.refused.map(({ status }) => status)).toEqual(['insufficient-funds', 'TRANSACTION_MALFORMED']);
    expect(log.lines.map(([, { kind }]) => kind).sort()).toEqual(['receipt', 'receipt', 'refusal']);
  });

  it('stops at the first error that is about more than its row; what was under way is still noted', async () => {
    const log = new MemoryLog(40);
    const payer = new FakePayer((_, index) =>
      index === 5 ? new SallyportError('OUTCOME_UNKNOWN', 'gone') : 'committed',
    );
    const { tally, error } = await run(40, log, [payer]);
    expect(error?.code).toBe('OUTCOME_UNKNOWN');
    expect(payer.sent.length).toBeLessThan(12);
    expect(tally.committed).toBe(payer.sent.length - 1);
    expect(tally.open).toBe(40 - tally.committed);
  });

  it('begins nothing new once it is to stop', async () => {
    const log = new MemoryLog(40);
    const stop = new AbortController();
    const payer = new FakePayer((_, index) => {
      if (index === 5) stop.abort();
      return 'committed';
    });
    const { tally, error } = await run(40, log, [payer], stop);
    expect(error).toBeUndefined();
    expect(payer.sent.length).toBeLessThan(12);
    expect(tally).toMatchObject({ committed: payer.sent.length, open: 40 - payer.sent.length });
  });

  it('lets a bug through as a bug', async () => {
    const broken: Payer = { send: () => Promise.reject(new TypeError('a bug')) };
    await expect(run(1, new MemoryLog(1), [broken])).rejects.toThrow('a bug');
  });
});
