import { isDeepStrictEqual } from 'node:util';
import { parseStrictXml } from '../../examples/processors/strict-xml.ts';
import { parseBatch } from '../../src/cli/batch/batch-file.ts';
import { readJournal } from '../../src/cli/batch/journal.ts';
import { decodeBalances, decodeHistory, decodeTransferStatus } from '../../src/customer/answers.ts';
import { verifyReceipt } from '../../src/customer/receipt-file.ts';
import { SallyportError } from '../../src/errors.ts';
import { formatAmount, parseAmount } from '../../src/ledger/amounts.ts';
import { answerQuery } from '../../src/ledger/queries.ts';
import { type FlatShape, parseFlatObject } from '../../src/ledger/strict-json.ts';
import { transferProcessor } from '../../src/ledger/transfer-processor.ts';
import { puzzleSolved, RetryCookies } from '../../src/server/admission/retry-cookie.ts';
import { FRAMES, type FrameType } from '../../src/wire/frame.ts';
import { FrameReader } from '../../src/wire/frame-reader.ts';
import { decodeAuth, decodeDocument } from '../interop/peer-inner.ts';
import { decodeCustomerKey, decodeHello, decodeOffer, decodeRetry, PeerError } from '../interop/peer-wire.ts';
import { MESSAGES } from '../property/wire-messages.ts';
import type { FuzzTarget } from './fuzzer.ts';
import { plantedDecoder } from './planted.ts';

/** Every reader of bytes that come from somebody else, with the laws it must keep on any bytes at all. */

function law(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** The same message read by the peer that was written from the document alone: both must take it, or both refuse it. */
const STRANGERS: Readonly<Record<string, (input: Uint8Array) => unknown>> = {
  HELLO: decodeHello,
  RETRY: decodeRetry,
  OFFER: decodeOffer,
  CUSTOMER_KEY: decodeCustomerKey,
  AUTH: decodeAuth,
  TRANSACTION: (input) => decodeDocument(input, 16),
  QUERY: (input) => decodeDocument(input, 4),
};

function isTaken(decode: (input: Uint8Array) => unknown, input: Uint8Array): boolean {
  try {
    decode(input);
    return true;
  } catch (error) {
    if (error instanceof PeerError) return false;
    throw error;
  }
}

/** An OFFER's ciphertext of another length is PARAMETER_MISMATCH and not BAD_FRAME: it is read, and no encoder writes it. */
function isSendable(value: unknown): boolean {
  const { kemCiphertext } = value as { readonly kemCiphertext?: Uint8Array };
  return kemCiphertext === undefined || kemCiphertext.length === 0 || kemCiphertext.length === 1_088;
}

/** A decoder never throws, has one encoding for what it takes, and agrees with a stranger's. */
const messages: readonly FuzzTarget[] = MESSAGES.map((message) => ({
  name: message.name,
  seeds: [message.encode(message.sample)],
  bytesMax: 2_048,
  run: (input) => {
    const decoded = message.decode(Uint8Array.from(input));
    if (decoded.ok && isSendable(decoded.value))
      law(Buffer.compare(message.encode(decoded.value), input) === 0, 'two encodings of one message');
    const stranger = STRANGERS[message.name];
    if (stranger !== undefined) law(isTaken(stranger, input) === decoded.ok, 'another reading than the document’s');
  },
}));

const ALL_FRAMES = Object.keys(FRAMES) as FrameType[];

function readFrames(chunks: readonly Uint8Array[]): string[] {
  const reader = new FrameReader();
  const lines: string[] = [];
  for (const chunk of chunks) {
    reader.push(chunk);
    for (;;) {
      const reading = reader.next(ALL_FRAMES);
      if (reading.kind === 'incomplete') break;
      if (reading.kind === 'refused') return [...lines, reading.code];
      lines.push(`${reading.frame.type} ${Buffer.from(reading.frame.bytes).toString('hex')}`);
    }
  }
  return [...lines, `${reader.pendingBytes} left`];
}

/** However a stream is cut, it reads the same. The first byte says how it is cut. */
const frames: FuzzTarget = {
  name: 'frames',
  seeds: [
    Buffer.concat([Buffer.of(7), Buffer.of(6, 1, 0, 5, 4, 0, 0, 0, 9), Buffer.of(2, 1, 0, 4, 0, 0, 1, 7)]),
    Buffer.concat([Buffer.of(1), Buffer.of(5, 1, 0, 80), Buffer.alloc(80), Buffer.of(6, 1, 0, 5, 4, 0, 0, 0, 9)]),
  ],
  run: (input) => {
    const [first = 0, ...rest] = input;
    const stream = Uint8Array.from(rest);
    const size = 1 + (first % 64);
    const chunks = Array.from({ length: Math.ceil(stream.length / size) }, (_, index) =>
      stream.subarray(index * size, (index + 1) * size),
    );
    law(isDeepStrictEqual(readFrames([stream]), readFrames(chunks)), 'a stream that reads differently when it is cut');
  },
};

const TRANSFER_SHAPE: FlatShape = {
  from: { type: 'string', required: true },
  amount: { type: 'string', required: false },
  limit: { type: 'integer', required: false },
};
const JSON_WORDS = [
  '"from"',
  '"amount"',
  '"limit"',
  '"__proto__"',
  '{',
  '}',
  ':',
  ',',
  '\\u0000',
  '\\ud83d\\ude00',
  '1e9',
  'true',
  'null',
  '\u00ff',
];

/** What the strict reader takes, JSON.parse reads the same way. */
const strictJson: FuzzTarget = {
  name: 'strict-json',
  seeds: [Buffer.from('{"from":"a","amount":"1.00","limit":12}'), Buffer.from('{ "from" : "\\u00e9\\n" }')],
  words: JSON_WORDS,
  run: (input) => {
    const parsed = parseFlatObject(input, TRANSFER_SHAPE);
    if (!parsed.ok) return;
    const lax: unknown = JSON.parse(Buffer.from(input).toString('utf8'));
    law(
      isDeepStrictEqual(Object.entries(lax as object), [...parsed.members]),
      'another reading than that of JSON.parse',
    );
  },
};

const CONTEXT = { customerId: 'alice', transactionId: new Uint8Array(16) };

/** A document is planned or refused, and the reason for a refusal moves nobody's cursor. */
const transfer: FuzzTarget = {
  name: 'transfer',
  seeds: [Buffer.from('{"from":"alice.eur","to":"bob.eur","amount":"12.50","currency":"EUR","reference":"tea"}')],
  words: [...JSON_WORDS, '"JPY"', '"KWD"', '92233720368547758.07', '0.001', '-1'],
  run: (input) => {
    const plan = transferProcessor.plan(input, CONTEXT);
    if (plan.kind === 'malformed') {
      law(plan.reason.length > 0 && !/\p{Cc}/u.test(plan.reason), 'a reason no terminal should print');
      return;
    }
    for (const { amount } of plan.kind === 'transfers' ? plan.transfers : [])
      law(amount >= -(2n ** 80n) && amount <= 2n ** 80n, 'an amount beyond any');
  },
};

/** What is read as an amount is written as the same amount. */
const amounts: FuzzTarget = {
  name: 'amounts',
  seeds: ['EUR12.50', 'JPY1', 'KWD0.001', 'EUR92233720368547758.07'].map((text) => Buffer.from(text)),
  words: ['EUR', 'JPY', '.', '0', '9', '-', 'e', '٣'],
  bytesMax: 64,
  run: (input) => {
    const text = Buffer.from(input).toString('utf8');
    const [currency, amount] = [text.slice(0, 3), text.slice(3)];
    const parsed = parseAmount(amount, currency);
    if (!parsed.ok) return;
    const again = parseAmount(formatAmount(parsed.minor, currency), currency);
    law(again.ok && again.minor === parsed.minor, 'an amount that changes when it is written');
  },
};

const LEDGER: Parameters<typeof answerQuery>[0] = {
  balances: () => Promise.resolve([]),
  history: () => Promise.resolve(undefined),
};

const history: FuzzTarget = {
  name: 'history-query',
  seeds: [Buffer.from('{"account":"alice.eur","before":"1233.4","limit":50}')],
  words: [...JSON_WORDS, '"account"', '"before"', '999999999999999999'],
  run: (input) => {
    // An async function throws by its promise alone; what it awaits here is resolved already, so nothing is left behind.
    void answerQuery(LEDGER, 'alice', 'application/vnd.sallyport.history+json', input);
  },
};

/** Readers of a program's own files and answers: they refuse by a SallyportError and by nothing else. */
function refusesPolitely(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof SallyportError)) throw error;
  }
}

const answers: FuzzTarget = {
  name: 'answers',
  seeds: [
    Buffer.from('{"accounts":[{"id":"alice.eur","currency":"EUR","balance":"87.50","limit":"0.00"}]}'),
    Buffer.from('{"entries":[],"more":true,"next":"1233.0"}'),
    Buffer.from('{"status":"committed"}'),
  ],
  words: JSON_WORDS,
  run: (input) => {
    refusesPolitely(() => decodeBalances(input));
    refusesPolitely(() => decodeHistory(input));
    refusesPolitely(() => decodeTransferStatus(input));
  },
};

const receipts: FuzzTarget = {
  name: 'receipt',
  seeds: [MESSAGES.find(({ name }) => name === 'RECEIPT')!].map((message) => message.encode(message.sample)),
  run: (input) => {
    const evidence = {
      customerId: 'alice',
      transactionId: new Uint8Array(16).fill(0x5a),
      contentType: 'a/b',
      body: new Uint8Array(4),
      receipt: input,
      hostKey: new Uint8Array(32).fill(9),
    };
    law(!verifyReceipt(evidence).valid, 'a receipt that nobody signed is valid');
  },
};

const xml: FuzzTarget = {
  name: 'strict-xml',
  seeds: [
    Buffer.from(
      '<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:x"><GrpHdr><MsgId>1</MsgId></GrpHdr></Document>',
    ),
    Buffer.from('<a b="&amp;&#x41;">x<!-- y --></a>'),
  ],
  words: [
    '<',
    '>',
    '</',
    '/>',
    '<!DOCTYPE',
    '<!ENTITY',
    '&',
    ';',
    '<![CDATA[',
    ']]>',
    '<?',
    '?>',
    '<!--',
    '-->',
    'xmlns',
    '__proto__',
    '&#0;',
    '&#xD800;',
  ],
  run: (input) => {
    try {
      parseStrictXml(input);
    } catch (error) {
      law(
        error instanceof Error && error.constructor.name !== 'TypeError' && error.constructor.name !== 'RangeError',
        `XML fails by ${String(error)}`,
      );
    }
  },
};

const JOURNAL = [
  `{"journal":"sallyport-batch","version":1,"batch":"${'a'.repeat(64)}","customer":"alice","rows":2}`,
  `{"row":1,"id":"${'0'.repeat(32)}"}`,
  `{"row":2,"id":"${'1'.repeat(32)}"}`,
  '{"settled":1,"receipt":"AAAA"}',
  '{"settled":2,"refusal":"TRANSACTION_MALFORMED","text":"x"}',
];

/** Whatever a crash leaves of a journal is read, and a whole prefix of it is never called damaged where the whole is not. */
const journal: FuzzTarget = {
  name: 'batch-journal',
  seeds: [Buffer.from(`${JOURNAL.join('\n')}\n`)],
  words: [...JSON_WORDS, '\n', '"row":', '"settled":', '"receipt":'],
  run: (input) => {
    const whole = readJournal(input);
    if (whole.kind === 'damaged') return;
    law(readJournal(input.subarray(0, input.length >> 1)).kind !== 'damaged', 'a prefix of a good journal is damaged');
  },
};

const batch: FuzzTarget = {
  name: 'batch-file',
  seeds: [
    Buffer.from('from,to,amount,currency,reference\nalice.eur,bob.eur,1.00,EUR,tea\n'),
    Buffer.from('{"from":"alice.eur","to":"bob.eur","amount":"1.00","currency":"EUR"}\n'),
  ],
  words: [...JSON_WORDS, ',', '"', '""', '\n', '\r\n', 'from', 'amount'],
  run: (input) => {
    for (const format of ['csv', 'jsonl'] as const) parseBatch(input, format, {}, () => undefined);
  },
};

const COOKIES = new RetryCookies(1_000_000);
const HELLO_BOUND = new Uint8Array(64).fill(1);

/** A cookie that was not issued is never taken, and neither is it a reason to throw. */
const cookies: FuzzTarget = {
  name: 'retry-cookie',
  seeds: [COOKIES.issue('192.0.2.1', new Uint8Array(64).fill(2), 0, 1_000_000)],
  bytesMax: 160,
  run: (input) => {
    const [cookie, solution] = [input.subarray(0, 32), input.subarray(32)];
    law(!COOKIES.accept('192.0.2.2', HELLO_BOUND, cookie, solution, 1_000_000), 'a forged cookie is taken');
    puzzleSolved(cookie, solution, 12);
  },
};

export const TARGETS: readonly FuzzTarget[] = [
  ...messages,
  frames,
  strictJson,
  transfer,
  amounts,
  history,
  answers,
  receipts,
  xml,
  journal,
  batch,
  cookies,
];

/** Not among the targets: what the fuzzer must find, to show that it finds. */
export const PLANTED: FuzzTarget = {
  name: 'planted',
  seeds: [new Uint8Array(12)],
  run: plantedDecoder,
  bytesMax: 64,
};
