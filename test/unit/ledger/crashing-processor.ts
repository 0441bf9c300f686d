import type { Processor } from '../../../src/ledger/processor.ts';

/** For tests of the ledger's thread: a document that ends it, one that is refused by a failure, and one that is noted. */
export const processor: Processor = {
  contentType: 'test/crash',
  plan: (body) => {
    const text = Buffer.from(body).toString('utf8');
    if (text === 'exit') process.exit(3);
    if (text === 'throw') throw new Error('as asked');
    return { kind: 'transfers', transfers: [], atomic: true };
  },
  answer: () => ({ contentType: 'text/plain', body: new Uint8Array() }),
};
