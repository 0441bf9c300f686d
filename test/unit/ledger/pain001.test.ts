import { describe, expect, it } from 'vitest';
import { PAIN001_CONTENT_TYPE, processor } from '../../../examples/processors/pain001.ts';
import type { Plan } from '../../../src/ledger/processor.ts';
import { createProcessorRegistry, loadProcessors } from '../../../src/ledger/processor-registry.ts';
import { MemoryStorage } from '../../../src/ledger/storage/memory.ts';
import { balancesOf, newLedger, receiptOf, transactionId, withAliceAndBob } from './fixtures.ts';

interface Credit {
  readonly id?: string;
  readonly to?: string;
  readonly amount?: string;
  readonly currency?: string;
  readonly text?: string;
}

/** A credit transfer as a company's software writes it. */
function credit({
  id = 'E2E-1',
  to = 'bob.eur',
  amount = '10.00',
  currency = 'EUR',
  text = 'Invoice 4711',
}: Credit): string {
  return `
        <CdtTrfTxInf>
          <PmtId><InstrId>I-${id}</InstrId><EndToEndId>${id}</EndToEndId></PmtId>
          <Amt><InstdAmt Ccy="${currency}">${amount}</InstdAmt></Amt>
          <ChrgBr>SLEV</ChrgBr>
          <CdtrAgt><FinInstnId><BICFI>SALYDEFFXXX</BICFI></FinInstnId></CdtrAgt>
          <Cdtr><Nm>Müller &amp; Söhne</Nm><PstlAdr><Ctry>DE</Ctry></PstlAdr></Cdtr>
          <CdtrAcct><Id><Othr><Id>${to}</Id></Othr></Id></CdtrAcct>
          <RmtInf><Ustrd>${text}</Ustrd></RmtInf>
        </CdtTrfTxInf>`;
}

function payment(credits: readonly Credit[], from = 'alice.eur', id = 'PMT-1'): string {
  return `
      <PmtInf>
        <PmtInfId>${id}</PmtInfId>
        <PmtMtd>TRF</PmtMtd>
        <ReqdExctnDt><Dt>2026-02-02</Dt></ReqdExctnDt>
        <Dbtr><Nm>Alice Trading Ltd</Nm></Dbtr>
        <DbtrAcct><Id><Othr><Id>${from}</Id></Othr></Id><Ccy>EUR</Ccy></DbtrAcct>
        <DbtrAgt><FinInstnId><Othr><Id>NOTPROVIDED</Id></Othr></FinInstnId></DbtrAgt>${credits.map(credit).join('')}
      </PmtInf>`;
}

function document(payments: string, count: number | string, sum: string, message = 'pain.001.001.09'): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
  <Document xmlns="urn:iso:std:iso:20022:tech:xsd:${message}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
    <CstmrCdtTrfInitn>
      <GrpHdr>
        <MsgId>MSG-2026-0001</MsgId>
        <CreDtTm>2026-02-01T09:30:47.000Z</CreDtTm>
        <NbOfTxs>${count}</NbOfTxs>
        <CtrlSum>${sum}</CtrlSum>
        <InitgPty><Nm>Alice Trading Ltd</Nm></InitgPty>
      </GrpHdr>${payments}
    </CstmrCdtTrfInitn>
  </Document>
`;
}

const ONE = document(payment([{}]), 1, '10.00');
const plan = (text: string | Uint8Array): Plan =>
  processor.plan(typeof text === 'string' ? Buffer.from(text) : text, {
    customerId: 'alice',
    transactionId: transactionId(1),
  });
const reasonOf = (text: string | Uint8Array): string => {
  const made = plan(text);
  return made.kind === 'malformed' ? made.reason : 'understood';
};
const submitted = (text: string) => ({
  customerId: 'alice',
  transactionId: transactionId(1),
  contentType: PAIN001_CONTENT_TYPE,
  body: Buffer.from(text),
});
const flat = (text: string): string => text.replace(/>\s+</g, '><').trim();

describe('pain.001', () => {
  it.each(['pain.001.001.09', 'pain.001.001.03'])('%s: one instruction is one transfer', (message) => {
    expect(plan(document(payment([{}]), 1, '10.00', message))).toMatchObject({
      kind: 'transfers',
      atomic: false,
      transfers: [
        {
          debitAccount: 'alice.eur',
          creditAccount: 'bob.eur',
          amount: 1000n,
          currency: 'EUR',
          reference: 'Invoice 4711',
        },
      ],
    });
  });

  it('pays what it can, and answers with a status for each instruction', async () => {
    const ledger = await withAliceAndBob(newLedger(new MemoryStorage(), [processor]));
    const text = document(
      payment([
        { id: 'A', amount: '60.00' },
        { id: 'B', amount: '50' },
        { id: 'C & D'.replace('&', '&amp;'), amount: '40.00' },
      ]) +
        payment(
          [
            { id: 'E', to: 'ghost', amount: '1.5' },
            { id: 'F', currency: 'JPY', amount: '7' },
          ],
          'alice.eur',
          'PMT-2',
        ) +
        payment([{ id: 'G', to: 'alice.eur', amount: '1' }], 'bob.eur', 'PMT-3'),
      6,
      '159.5',
    );
    const [result] = await ledger.submit([submitted(text)]);
    const receipt = receiptOf(result);
    expect([receipt.outcome, receipt.resultContentType]).toEqual(['partly', 'application/vnd.iso20022.pain.002+xml']);
    const rejected = (id: string, code: string, reason: string): string =>
      `<TxInfAndSts><OrgnlInstrId>I-${id}</OrgnlInstrId><OrgnlEndToEndId>${id}</OrgnlEndToEndId><TxSts>RJCT</TxSts>` +
      `<StsRsnInf><Rsn><Cd>${code}</Cd></Rsn><AddtlInf>${reason}</AddtlInf></StsRsnInf></TxInfAndSts>`;
    const accepted = (id: string): string =>
      `<TxInfAndSts><OrgnlInstrId>I-${id}</OrgnlInstrId><OrgnlEndToEndId>${id}</OrgnlEndToEndId><TxSts>ACSC</TxSts></TxInfAndSts>`;
    expect(Buffer.from(receipt.result).toString('utf8')).toBe(
      '<?xml version="1.0" encoding="UTF-8"?>' +
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>' +
        '<GrpHdr><MsgId>00000000000000000000000000000001</MsgId><CreDtTm>2026-02-01T09:30:47.000Z</CreDtTm></GrpHdr>' +
        '<OrgnlGrpInfAndSts><OrgnlMsgId>MSG-2026-0001</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>' +
        '<OrgnlNbOfTxs>6</OrgnlNbOfTxs><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts>' +
        `<OrgnlPmtInfAndSts><OrgnlPmtInfId>PMT-1</OrgnlPmtInfId>${accepted('A')}` +
        `${rejected('B', 'AM04', 'The debtor account has not enough funds')}${accepted('C &amp; D')}</OrgnlPmtInfAndSts>` +
        `<OrgnlPmtInfAndSts><OrgnlPmtInfId>PMT-2</OrgnlPmtInfId>${rejected('E', 'AC03', 'The creditor account does not exist')}` +
        `${rejected('F', 'AM03', 'The currency is not that of both accounts')}</OrgnlPmtInfAndSts>` +
        `<OrgnlPmtInfAndSts><OrgnlPmtInfId>PMT-3</OrgnlPmtInfId>` +
        `${rejected('G', 'AC02', 'The debtor account is not an account of this customer')}</OrgnlPmtInfAndSts>` +
        '</CstmrPmtStsRpt></Document>',
    );
    expect(await balancesOf(ledger)).toMatchObject({ 'alice.eur': 0n, 'bob.eur': 10000n });
    expect(await ledger.submit([submitted(text)])).toEqual([{ ...result, replayed: true }]);
  });

  it('says ACSC when all was paid and RJCT when nothing was', async () => {
    const ledger = await withAliceAndBob(newLedger(new MemoryStorage(), [processor]));
    const [paid] = await ledger.submit([submitted(ONE)]);
    expect(receiptOf(paid).outcome).toBe('processed');
    expect(Buffer.from(receiptOf(paid).result).toString()).toContain('<GrpSts>ACSC</GrpSts>');
    const refused = document(payment([{ amount: '1000.00' }]), 1, '1000.00');
    const [none] = await ledger.submit([{ ...submitted(refused), transactionId: transactionId(2) }]);
    expect(receiptOf(none).outcome).toBe('refused');
    expect(Buffer.from(receiptOf(none).result).toString()).toContain('<GrpSts>RJCT</GrpSts>');
  });

  it('takes the end-to-end id for a reference when there is no text', () => {
    expect(plan(ONE.replace(/<RmtInf>.*<\/RmtInf>/, ''))).toMatchObject({ transfers: [{ reference: 'E2E-1' }] });
  });

  it('decodes the five entities in texts', () => {
    const text = document(payment([{ text: '&lt;&amp;amp;&gt;&quot;&apos;' }]), 1, '10');
    expect(plan(text)).toMatchObject({ transfers: [{ reference: `<&amp;>"'` }] });
  });

  it.each([
    ['a document type', ONE.replace('?>', '?><!DOCTYPE Document>'), 'Document types'],
    [
      'an internal entity',
      ONE.replace('?>', '?><!DOCTYPE d [<!ENTITY x "y">]>').replace('Invoice', '&x;'),
      'Document types',
    ],
    [
      'a billion laughs',
      ONE.replace('?>', '?><!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'),
      'Document types',
    ],
    [
      'a file from outside',
      ONE.replace('?>', '?><!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'),
      'Document types',
    ],
    ['an unknown entity', ONE.replace('Invoice', '&euro;'), 'Only the entities'],
    ['a character reference', ONE.replace('Invoice', '&#73;nvoice'), 'Only the entities'],
    ['a bare ampersand', ONE.replace('&amp;', '&'), 'Only the entities'],
    ['a processing instruction', ONE.replace('<GrpHdr>', '<?php evil ?><GrpHdr>'), 'Processing instructions'],
    ['another encoding', ONE.replace('encoding="UTF-8"', 'encoding="ISO-8859-1"'), 'encodings other than UTF-8'],
    ['XML 1.1', ONE.replace('version="1.0"', 'version="1.1"'), 'Processing instructions'],
    ['CDATA', ONE.replace('Invoice', '<![CDATA[Invoice]]>'), 'CDATA'],
    ['a comment', ONE.replace('10.00<', '10<!-- 0 -->.00<'), 'comments'],
    ['a control character', ONE.replace('Invoice', 'In\x01voice'), 'control'],
    ['an unclosed element', ONE.replace('</Document>', ''), 'not closed'],
    ['crossed elements', ONE.replace('</EndToEndId></PmtId>', '</PmtId></EndToEndId>'), 'is closed where'],
    ['two roots', `${ONE}<Document/>`, 'more than one root'],
    ['text behind the root', `${ONE}x`, 'outside the root'],
    ['an attribute twice', ONE.replace('Ccy="EUR"', 'Ccy="EUR" Ccy="USD"'), 'attribute twice'],
    ['a tag that is none', ONE.replace('<GrpHdr>', '< GrpHdr>'), 'not well-formed'],
    ['a prefix', ONE.replaceAll('Document', 'p:Document'), 'not well-formed'],
    ['a name of JavaScript', ONE.replace('<GrpHdr>', '<constructor>x</constructor><GrpHdr>'), ''],
    ['no XML', 'hello', 'outside the root'],
    ['nothing', '', 'no root'],
    ['depth', `${'<a>'.repeat(33)}${'</a>'.repeat(33)}`, 'deeper'],
    ['another message', ONE.replace('pain.001.001.09', 'pain.001.001.11'), 'namespace'],
    ['no namespace', ONE.replace(/xmlns="[^"]*"/, ''), 'namespace'],
    ['another root', ONE.replaceAll('CstmrCdtTrfInitn', 'CstmrDrctDbtInitn'), 'CstmrCdtTrfInitn'],
    ['a wrong count', document(payment([{}]), 2, '10.00'), 'NbOfTxs says 2'],
    ['a count that is none', document(payment([{}]), 'x', '10.00'), 'NbOfTxs'],
    ['a wrong sum', document(payment([{}]), 1, '10.01'), 'CtrlSum says 10.01'],
    ['a sum that is none', document(payment([{}]), 1, '1e1'), 'CtrlSum'],
    [
      'a wrong count of a payment',
      ONE.replace('<PmtMtd>TRF</PmtMtd>', '<PmtMtd>TRF</PmtMtd><NbOfTxs>2</NbOfTxs>'),
      'PmtInf/NbOfTxs',
    ],
    ['a cheque', ONE.replace('>TRF<', '>CHK<'), 'TRF'],
    ['no instruction', document(payment([]), 0, '0'), 'CdtTrfTxInf is missing'],
    ['no payment', document('', 0, '0'), 'PmtInf is missing'],
    [
      'an IBAN',
      ONE.replace('<Id><Othr><Id>bob.eur</Id></Othr></Id>', '<Id><IBAN>DE89370400440532013000</IBAN></Id>'),
      'CdtrAcct/Id/IBAN',
    ],
    ['two amounts', ONE.replace('</InstdAmt>', '</InstdAmt><InstdAmt Ccy="EUR">1</InstdAmt>'), 'more than once'],
    ['an equivalent amount', ONE.replaceAll('InstdAmt', 'EqvtAmt'), 'InstdAmt'],
    ['an amount without its currency', ONE.replace(' Ccy="EUR"', ''), 'with its Ccy'],
    ['a negative amount', document(payment([{ amount: '-1' }]), 1, '-1'), 'not an amount'],
    ['cents of a yen', document(payment([{ amount: '1.5', currency: 'JPY' }]), 1, '1.5'), 'decimals'],
    [
      'a long end-to-end id',
      document(payment([{ id: 'x'.repeat(34) + '&amp;'.repeat(2) }]), 1, '10'),
      'longer than 35',
    ],
    ['an empty end-to-end id', ONE.replace('>E2E-1<', '><'), 'EndToEndId is empty'],
    ['a text beyond 140 bytes', document(payment([{ text: 'ü'.repeat(71) }]), 1, '10'), '140 bytes'],
    ['no message id', ONE.replace(/<MsgId>.*<\/MsgId>/, ''), 'MsgId is missing'],
    ['a time that is none', ONE.replace(/<CreDtTm>.*<\/CreDtTm>/, '<CreDtTm>now</CreDtTm>'), 'CreDtTm'],
  ])('refuses %s', (_what, text, hint) => {
    const reason = reasonOf(text);
    expect(reason).not.toBe('understood');
    expect(reason).toContain(hint);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(reasonOf(Buffer.from(ONE.replace('ü', 'ÿ'), 'latin1'))).toContain('UTF-8');
  });

  it('refuses every document that was cut off', () => {
    const text = flat(ONE);
    for (let length = 0; length < text.length; length++)
      expect(plan(text.slice(0, length)).kind, String(length)).toBe('malformed');
  });

  it('never throws, whatever byte is changed', () => {
    const bytes = Buffer.from(flat(ONE));
    for (let at = 0; at < bytes.length; at++)
      for (const value of [0, 0x3c, 0x26, 0x22, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        expect(() => plan(changed)).not.toThrow();
      }
  });

  it('refuses so many instructions that their statuses would not fit the receipt', () => {
    const short = (count: number): string => {
      const one =
        '<CdtTrfTxInf><PmtId><EndToEndId>x</EndToEndId></PmtId><Amt><InstdAmt Ccy="EUR">1</InstdAmt></Amt><CdtrAcct><Id><Othr><Id>b</Id></Othr></Id></CdtrAcct></CdtTrfTxInf>';
      return flat(document(payment([]), count, String(count))).replace('</PmtInf>', `${one.repeat(count)}</PmtInf>`);
    };
    expect(plan(short(250)).kind).toBe('transfers');
    expect(Buffer.byteLength(short(340))).toBeLessThan(61_440);
    expect(reasonOf(short(340))).toContain('split');
  });
});

describe('processor modules', () => {
  it('are loaded from paths, beside the built-in transfer', async () => {
    const registry = await loadProcessors(['./examples/processors/pain001.ts'], process.cwd());
    expect([...registry.keys()]).toEqual(['application/vnd.sallyport.transfer+json', PAIN001_CONTENT_TYPE]);
  });

  it('may not share a content type, nor have one the wire cannot carry', () => {
    expect(() => createProcessorRegistry([processor, processor])).toThrow('Two processors');
    expect(() => createProcessorRegistry([{ ...processor, contentType: 'a\nb' }])).toThrow('content type');
  });
});
