/**
 * A customer program of its own: pays, reads the receipt, looks at its accounts.
 *
 *   node examples/customer.ts alice.json alice.eur bob.eur 12.50 EUR
 *
 * In another project the import is `sallyport/customer`.
 */

import { Customer, newTransactionId, SallyportError, verifyReceipt } from '../src/customer/index.ts';

const [file, from, to, amount, currency] = process.argv.slice(2);
if (!file || !from || !to || !amount || !currency) {
  console.error('usage: node examples/customer.ts CUSTOMER-FILE FROM TO AMOUNT CURRENCY');
  process.exit(2);
}

// Keep the id with your own record of the payment before you pay: whatever happens to this program, the same id never pays twice.
const transactionId = newTransactionId();

await using customer = await Customer.fromFile(file, { retryForMs: 30_000 });
customer.on('retry', ({ error, delayMs }) => console.error(`${error.message}; again in ${delayMs} ms`));

try {
  const payment = await customer.pay({ from, to, amount, currency, reference: 'example', transactionId });
  console.log(`${payment.status}: transaction ${payment.transactionId} is entry ${payment.sequence} of the ledger`);
  // The receipt was checked before pay() returned; anybody can check it again, offline.
  console.log(`receipt valid: ${verifyReceipt(payment.evidence).valid}`);
  for (const account of await customer.balance()) console.log(`${account.id}: ${account.balance} ${account.currency}`);
} catch (error) {
  if (!(error instanceof SallyportError)) throw error;
  console.error(`${error.code}: ${error.message}\n${error.advice}`);
  // OUTCOME_UNKNOWN is neither paid nor unpaid: ask again with the same id.
  process.exitCode = error.code === 'OUTCOME_UNKNOWN' ? 5 : 1;
}
