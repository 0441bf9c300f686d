import { formatAmount, parseAmount } from '../../src/ledger/amounts.ts';
import type { Plan, Processor, ProcessorAnswer, TransferPlan } from '../../src/ledger/processor.ts';
import { isReference, type TransferOutcome, type TransferRequest } from '../../src/ledger/transfers.ts';
import { type Instruction, type Order, renderStatusReport, STATUS_REPORT_CONTENT_TYPE } from './pain002.ts';
import {
  child,
  children,
  DocumentError,
  only,
  optionalText,
  parseStrictXml,
  text,
  textOf,
  type XmlElement,
} from './strict-xml.ts';

/**
 * ISO 20022 customer credit transfer initiation, pain.001.001.03 and .09: every credit transfer of the document is a transfer of its own
 * (one that is refused does not stop the others), and the receipt carries a pain.002.001.10 with a status for each.
 *
 * Accounts are given as `DbtrAcct/Id/Othr/Id` and `CdtrAcct/Id/Othr/Id` and are this ledger's account ids. Names, addresses, agents,
 * charges and the requested date are not looked at: the ledger knows its accounts, and books on arrival.
 */
export const PAIN001_CONTENT_TYPE = 'application/vnd.iso20022.pain.001+xml';

const NAMESPACES: ReadonlyMap<string, string> = new Map(
  ['pain.001.001.03', 'pain.001.001.09'].map((name) => [`urn:iso:std:iso:20022:tech:xsd:${name}`, name]),
);
/** Max35Text, Max34Text, Max140Text of the message's schema. */
const ID_LENGTH_MAX = 35;
const ACCOUNT_LENGTH_MAX = 34;
const REMITTANCE_LENGTH_MAX = 140;
const DECIMAL_LENGTH_MAX = 19;
const TRANSFERS_MAX = 500;
/** The receipt's room for a result. */
const ANSWER_BYTES_MAX = 60_000;

export const processor: Processor = {
  contentType: PAIN001_CONTENT_TYPE,

  plan(body, { transactionId }): Plan {
    try {
      return planOf(readOrder(parseStrictXml(body), transactionId));
    } catch (error) {
      if (error instanceof DocumentError) return { kind: 'malformed', reason: error.message };
      throw error;
    }
  },

  answer(plan: TransferPlan, outcomes: readonly TransferOutcome[]): ProcessorAnswer {
    const report = renderStatusReport(plan.memo as Order, outcomes);
    return { contentType: STATUS_REPORT_CONTENT_TYPE, body: Buffer.from(report, 'utf8') };
  },
};

function planOf(order: Order & { readonly transfers: readonly TransferRequest[] }): Plan {
  // The longest answer there can be, so that no outcome can fail to fit the receipt.
  const worst = renderStatusReport(
    order,
    order.transfers.map((): TransferOutcome => 'debit-account-not-found'),
  );
  if (Buffer.byteLength(worst) > ANSWER_BYTES_MAX)
    throw new DocumentError('The statuses of so many instructions do not fit one receipt; split the document.');
  return { kind: 'transfers', atomic: false, transfers: order.transfers, memo: order };
}

function readOrder(root: XmlElement, transactionId: Uint8Array): Order & { readonly transfers: TransferRequest[] } {
  const document = child(root, 'Document', '');
  const message = NAMESPACES.get(String(document['@xmlns'] ?? ''));
  if (message === undefined)
    throw new DocumentError(`The namespace must be one of ${[...NAMESPACES.keys()].join(', ')}.`);
  const initiation = child(document, 'CstmrCdtTrfInitn', 'Document');
  const header = child(initiation, 'GrpHdr', 'CstmrCdtTrfInitn');
  const creationTime = text(header, 'CreDtTm', 'GrpHdr', ID_LENGTH_MAX);
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?$/.test(creationTime))
    throw new DocumentError('GrpHdr/CreDtTm is not a date and time.');
  const transfers: TransferRequest[] = [];
  const instructions: Instruction[] = [];
  const payments = children(initiation, 'PmtInf', 'CstmrCdtTrfInitn');
  if (payments.length === 0) throw new DocumentError('CstmrCdtTrfInitn/PmtInf is missing.');
  for (const payment of payments) {
    const read = readPayment(payment);
    transfers.push(...read.map(({ transfer }) => transfer));
    instructions.push(...read.map(({ instruction }) => instruction));
    checkTotals(
      payment,
      'PmtInf',
      read.map(({ transfer }) => transfer),
      false,
    );
  }
  if (transfers.length > TRANSFERS_MAX)
    throw new DocumentError(`The document has more than ${TRANSFERS_MAX} instructions.`);
  checkTotals(header, 'GrpHdr', transfers, true);
  return {
    message,
    messageId: text(header, 'MsgId', 'GrpHdr', ID_LENGTH_MAX),
    creationTime,
    reportId: Buffer.from(transactionId).toString('hex'),
    instructions,
    transfers,
  };
}

interface ReadInstruction {
  readonly instruction: Instruction;
  readonly transfer: TransferRequest;
}

function readPayment(payment: XmlElement): ReadInstruction[] {
  const paymentId = text(payment, 'PmtInfId', 'PmtInf', ID_LENGTH_MAX);
  if (text(payment, 'PmtMtd', 'PmtInf', 3) !== 'TRF')
    throw new DocumentError('PmtInf/PmtMtd must be TRF: a credit transfer.');
  const debitAccount = readAccount(payment, 'DbtrAcct', 'PmtInf');
  const instructions = children(payment, 'CdtTrfTxInf', 'PmtInf');
  if (instructions.length === 0) throw new DocumentError('PmtInf/CdtTrfTxInf is missing.');
  return instructions.map((element) => readInstruction(element, paymentId, debitAccount));
}

function readInstruction(element: XmlElement, paymentId: string, debitAccount: string): ReadInstruction {
  const ids = child(element, 'PmtId', 'CdtTrfTxInf');
  const endToEndId = text(ids, 'EndToEndId', 'PmtId', ID_LENGTH_MAX);
  const instructionId = optionalText(ids, 'InstrId', 'PmtId', ID_LENGTH_MAX);
  const { amount, currency } = readAmount(child(element, 'Amt', 'CdtTrfTxInf'), endToEndId);
  const creditAccount = readAccount(element, 'CdtrAcct', 'CdtTrfTxInf');
  const remittance = only(element, 'RmtInf', 'CdtTrfTxInf');
  const reference =
    typeof remittance === 'object' ? optionalText(remittance, 'Ustrd', 'RmtInf', REMITTANCE_LENGTH_MAX) : undefined;
  if (reference !== undefined && !isReference(reference))
    throw new DocumentError(`RmtInf/Ustrd of ${endToEndId} is longer than 140 bytes of UTF-8 or has line breaks.`);
  return {
    instruction: { paymentId, endToEndId, instructionId },
    transfer: { debitAccount, creditAccount, amount, currency, reference: reference ?? endToEndId },
  };
}

function readAccount(element: XmlElement, name: 'DbtrAcct' | 'CdtrAcct', path: string): string {
  const id = child(child(element, name, path), 'Id', name);
  if (Object.hasOwn(id, 'IBAN'))
    throw new DocumentError(`${name}/Id/IBAN: this ledger's accounts are given as ${name}/Id/Othr/Id.`);
  return text(child(id, 'Othr', `${name}/Id`), 'Id', `${name}/Id/Othr`, ACCOUNT_LENGTH_MAX);
}

function readAmount(element: XmlElement, endToEndId: string): { amount: bigint; currency: string } {
  const instructed = only(element, 'InstdAmt', 'Amt');
  if (instructed === undefined || typeof instructed === 'string')
    throw new DocumentError(`Amt/InstdAmt of ${endToEndId} must be there once, with its Ccy.`);
  const currency = String(instructed['@Ccy'] ?? '');
  const parsed = parseAmount(textOf(instructed, 'InstdAmt', DECIMAL_LENGTH_MAX), currency);
  if (!parsed.ok) throw new DocumentError(`InstdAmt of ${endToEndId}: ${parsed.reason}.`);
  return { amount: parsed.minor, currency };
}

/** NbOfTxs must be the number of instructions, and CtrlSum, when given, the sum of all amounts irrespective of their currencies. */
function checkTotals(
  element: XmlElement,
  path: string,
  transfers: readonly TransferRequest[],
  required: boolean,
): void {
  const count = required
    ? text(element, 'NbOfTxs', path, DECIMAL_LENGTH_MAX)
    : optionalText(element, 'NbOfTxs', path, DECIMAL_LENGTH_MAX);
  if (count !== undefined && (!/^\d{1,15}$/.test(count) || Number(count) !== transfers.length))
    throw new DocumentError(`${path}/NbOfTxs says ${count}, and there are ${transfers.length} instructions.`);
  const sum = optionalText(element, 'CtrlSum', path, DECIMAL_LENGTH_MAX);
  if (sum === undefined) return;
  const total = transfers.reduce((all, { amount, currency }) => all + scaled(formatAmount(amount, currency))!, 0n);
  if (scaled(sum) !== total)
    throw new DocumentError(`${path}/CtrlSum says ${sum}, and the amounts add up to another sum.`);
}

const SCALE = 17;

/** A plain decimal as an integer of 10^-17, the smallest unit of the schema's DecimalNumber; undefined when it is none. */
function scaled(decimal: string): bigint | undefined {
  const match = /^(\d{1,18})(?:\.(\d{1,17}))?$/.exec(decimal);
  return match === null ? undefined : BigInt(match[1]! + (match[2] ?? '').padEnd(SCALE, '0'));
}
