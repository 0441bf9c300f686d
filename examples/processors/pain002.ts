import type { TransferOutcome } from '../../src/ledger/transfers.ts';
import { escapeXml } from './strict-xml.ts';

/** ISO 20022 customer payment status report, pain.002.001.10: what became of each instruction of a pain.001. */
export const STATUS_REPORT_CONTENT_TYPE = 'application/vnd.iso20022.pain.002+xml';

export interface Instruction {
  readonly paymentId: string;
  readonly endToEndId: string;
  readonly instructionId: string | undefined;
}

export interface Order {
  /** Such as `pain.001.001.09`. */
  readonly message: string;
  readonly messageId: string;
  /** The original's own time: a processor has no clock; the receipt tells when it was booked. */
  readonly creationTime: string;
  readonly reportId: string;
  readonly instructions: readonly Instruction[];
}

/** ISO 20022 external status reason codes, and a text for a person. */
const REASONS: Readonly<Record<Exclude<TransferOutcome, 'committed'>, readonly [code: string, text: string]>> = {
  'customer-disabled': ['AG01', 'The customer may not make transfers'],
  'debit-account-not-found': ['AC02', 'The debtor account is not an account of this customer'],
  'credit-account-not-found': ['AC03', 'The creditor account does not exist'],
  'same-account': ['NARR', 'Debtor and creditor account are the same'],
  'debit-account-closed': ['AC05', 'The debtor account is closed'],
  'credit-account-closed': ['AC07', 'The creditor account is closed'],
  'currency-mismatch': ['AM03', 'The currency is not that of both accounts'],
  'amount-zero': ['AM01', 'The amount is zero'],
  'amount-out-of-range': ['AM02', 'The amount is too large'],
  'insufficient-funds': ['AM04', 'The debtor account has not enough funds'],
  'balance-overflow': ['AM02', 'A balance would become too large'],
  'linked-transfer-refused': ['NARR', 'Another instruction was refused'],
};

/** The report as XML; `outcomes` has one for each instruction, in order. */
export function renderStatusReport(order: Order, outcomes: readonly TransferOutcome[]): string {
  const committed = outcomes.filter((outcome) => outcome === 'committed').length;
  const groupStatus = committed === outcomes.length ? 'ACSC' : committed === 0 ? 'RJCT' : 'PART';
  const groups = [...new Set(order.instructions.map(({ paymentId }) => paymentId))].map((paymentId) => {
    const statuses = order.instructions.flatMap((instruction, index) =>
      instruction.paymentId === paymentId ? [renderStatus(instruction, outcomes[index]!)] : [],
    );
    return `<OrgnlPmtInfAndSts>${tag('OrgnlPmtInfId', paymentId)}${statuses.join('')}</OrgnlPmtInfAndSts>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt>',
    `<GrpHdr>${tag('MsgId', order.reportId)}${tag('CreDtTm', order.creationTime)}</GrpHdr>`,
    `<OrgnlGrpInfAndSts>${tag('OrgnlMsgId', order.messageId)}${tag('OrgnlMsgNmId', order.message)}`,
    `${tag('OrgnlNbOfTxs', String(outcomes.length))}${tag('GrpSts', groupStatus)}</OrgnlGrpInfAndSts>`,
    ...groups,
    '</CstmrPmtStsRpt></Document>',
  ].join('');
}

function renderStatus(instruction: Instruction, outcome: TransferOutcome): string {
  const { instructionId, endToEndId } = instruction;
  const ids = `${instructionId === undefined ? '' : tag('OrgnlInstrId', instructionId)}${tag('OrgnlEndToEndId', endToEndId)}`;
  if (outcome === 'committed') return `<TxInfAndSts>${ids}${tag('TxSts', 'ACSC')}</TxInfAndSts>`;
  const [code, text] = REASONS[outcome];
  const reason = `<StsRsnInf><Rsn>${tag('Cd', code)}</Rsn>${tag('AddtlInf', text)}</StsRsnInf>`;
  return `<TxInfAndSts>${ids}${tag('TxSts', 'RJCT')}${reason}</TxInfAndSts>`;
}

function tag(name: string, value: string): string {
  return `<${name}>${escapeXml(value)}</${name}>`;
}
