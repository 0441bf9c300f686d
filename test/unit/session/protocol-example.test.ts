import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { protocolExample, replaceExample } from '../../../scripts/protocol-example.ts';

const page = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8');

it('the worked example of docs/PROTOCOL.md is what this code does, byte for byte', async () => {
  const section = await protocolExample();
  expect(replaceExample(page, section)).toBe(page);
  expect(section.length).toBeGreaterThan(10_000);
});

it('an example with one byte changed is noticed', async () => {
  const section = await protocolExample();
  expect(replaceExample(page, section.replace('0401', '0501'))).not.toBe(page);
});
