import { isAccountId } from './accounts.ts';
import { parseAmount, quote } from './amounts.ts';
import type { Plan, Processor, ProcessorAnswer, TransferPlan } from './processor.ts';
import { type FlatShape, parseFlatObject } from './strict-json.ts';
import { isReference, type TransferOutcome } from './transfers.ts';

export const TRANSFER_CONTENT_TYPE = 'application/vnd.sallyport.transfer+json';
export const TRANSFER_RESULT_CONTENT_TYPE = 'application/vnd.sallyport.transfer-result+json';

const SHAPE: FlatShape = {
  from: { type: 'string', required: true },
  to: { type: 'string', required: true },
  amount: { type: 'string', required: true },
  currency: { type: 'string', required: true },
  reference: { type: 'string', required: false },
};

/** The built-in document of docs/PROTOCOL.md section 10: one transfer, one status. */
export const transferProcessor: Processor = { contentType: TRANSFER_CONTENT_TYPE, plan, answer };

function plan(body: Uint8Array): Plan {
  const parsed = parseFlatObject(body, SHAPE);
  if (!parsed.ok) return malformed(parsed.reason);
  const text = (name: string): string => String(parsed.members.get(name) ?? '');
  const [from, to, currency, reference] = [text('from'), text('to'), text('currency'), text('reference')];
  for (const id of [from, to]) if (!isAccountId(id)) return malformed(`${quote(id)} is not an account id`);
  if (!isReference(reference)) return malformed('the reference is longer than 140 bytes or has control characters');
  const amount = parseAmount(text('amount'), currency);
  if (!amount.ok) return malformed(amount.reason);
  return {
    kind: 'transfers',
    atomic: true,
    transfers: [{ debitAccount: from, creditAccount: to, amount: amount.minor, currency, reference }],
  };
}

function answer(_plan: TransferPlan, outcomes: readonly TransferOutcome[]): ProcessorAnswer {
  return {
    contentType: TRANSFER_RESULT_CONTENT_TYPE,
    body: Buffer.from(JSON.stringify({ status: outcomes[0] }), 'utf8'),
  };
}

function malformed(reason: string): Plan {
  return { kind: 'malformed', reason };
}
