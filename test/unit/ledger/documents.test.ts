import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadProcessors } from '../../../src/ledger/processor-registry.ts';
import { MemoryStorage } from '../../../src/ledger/storage/memory.ts';
import { TRANSFER_OUTCOMES } from '../../../src/ledger/transfers.ts';
import { FINDINGS } from '../../../src/ledger/verification.ts';
import { balancesOf, newLedger, receiptOf, temporaryDirectory, transactionId, withAliceAndBob } from './fixtures.ts';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');

function tableBetween(text: string, name: string): string[][] {
  const found = new RegExp(`<!-- ${name} -->\n([\\s\\S]*?)\n<!-- /${name} -->`).exec(text);
  return found![1]!
    .split('\n')
    .slice(2)
    .map((line) => line.slice(2, -2).split(' | '));
}

describe('docs/LEDGER.md', () => {
  const text = read('docs/LEDGER.md');

  it('has the table of outcomes in their order', () => {
    expect(tableBetween(text, 'outcomes')).toEqual(
      TRANSFER_OUTCOMES.map(([name, when], index) => [String(index + 1), `\`${name}\``, when]),
    );
  });

  it('has the table of findings', () => {
    expect(tableBetween(text, 'findings')).toEqual(
      Object.entries(FINDINGS).map(([name, meaning]) => [`\`${name}\``, meaning]),
    );
  });
});

describe('docs/PROCESSORS.md', () => {
  it('has an example that runs as it stands', async () => {
    const example = /```js\n([\s\S]*?)```/.exec(read('docs/PROCESSORS.md'))![1]!;
    const directory = temporaryDirectory();
    writeFileSync(join(directory, 'split.mjs'), example);
    const registry = await loadProcessors(['./split.mjs'], directory);
    const split = registry.get('text/x-split')!;
    const ledger = await withAliceAndBob(newLedger(new MemoryStorage(), [split]));
    await ledger.openAccount({ id: 'bob.savings', owner: 'bob', currency: 'EUR' });
    const submit = async (id: number, text: string): Promise<string> => {
      const [result] = await ledger.submit([
        { customerId: 'alice', transactionId: transactionId(id), contentType: 'text/x-split', body: Buffer.from(text) },
      ]);
      return result?.kind === 'refusal' ? result.text : Buffer.from(receiptOf(result).result).toString('utf8');
    };
    expect(await submit(1, 'alice.eur 500 EUR\nbob.eur\nbob.savings\n')).toBe(
      'bob.eur committed\nbob.savings committed',
    );
    expect(await submit(2, 'alice.eur 500 EUR\nbob.eur\ncarol.eur\n')).toBe(
      'bob.eur linked-transfer-refused\ncarol.eur credit-account-not-found',
    );
    expect(await submit(3, 'alice.eur five EUR\nbob.eur\n')).toBe('The first line must be: account amount currency.');
    expect(await balancesOf(ledger)).toMatchObject({ 'alice.eur': 9000n, 'bob.eur': 500n, 'bob.savings': 500n });
  });
});
