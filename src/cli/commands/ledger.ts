/** `sallyport ledger`: recompute everything, write it out, or copy it. All read one unchanging view beside a running server. */

import { createWriteStream, statSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { SallyportError } from '../../errors.ts';
import { exportLedger } from '../../ledger/export.ts';
import { backUpLedger } from '../../ledger/storage/sqlite-backup.ts';
import { FINDINGS, type VerificationReport, verifyLedger } from '../../ledger/verification.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import {
  configOption,
  type OperatorOptions,
  openOperatorDirectory,
  stateOption,
  withLedgerFile,
} from '../operator-state.ts';
import { type Output, UsageError } from '../output.ts';
import { startProgress } from '../progress.ts';

interface ExportCommandOptions extends OperatorOptions {
  readonly output?: string;
  readonly after?: string;
}

const FINDINGS_SHOWN_MAX = 20;

export const registerLedger: Register = (parent, invocation) => {
  const group = parent.command('ledger').description('verify, export and back up the ledger');

  const verify = group
    .command('verify')
    .description('recompute the whole ledger: chain, receipts, balances, sums; changes nothing')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(verify, [['sallyport ledger verify', 'exit code 0 when everything adds up, 6 when not']]);
  onAction<OperatorOptions>(verify, invocation, async (_args, options, output) => {
    const report = await withLedgerFile(options, async ({ storage, receiptKeys }) => {
      let progress: ReturnType<typeof startProgress> | undefined;
      try {
        return await verifyLedger(storage, {
          keys: receiptKeys,
          onProgress: (done, total) => {
            progress ??= startProgress(output, 'verifying', total, 0);
            progress.update(done, '');
          },
        });
      } finally {
        progress?.stop();
      }
    });
    if (output.json) output.document({ verified: report.findings.length === 0, ...report });
    else showReport(report, output);
    return report.findings.length === 0 ? EXIT.OK : EXIT.LEDGER;
  });

  const exporting = group
    .command('export')
    .description('write the journal as JSON lines, one entry a line (docs/LEDGER.md)')
    .option('--output <file>', 'where to (default: standard output)')
    .option('--after <sequence>', 'only entries after this one')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(exporting, [
    ['sallyport ledger export --output ledger.jsonl', 'all of it'],
    ['sallyport ledger export --after 1200 | jq .kind', 'what came after entry 1200'],
  ]);
  onAction<ExportCommandOptions>(exporting, invocation, async (_args, options, output) => {
    const after = parseSequence(options.after);
    const sink = options.output === undefined ? process.stdout : createWriteStream(options.output, { mode: 0o600 });
    const count = await withLedgerFile(options, ({ storage }) =>
      exportLedger(storage, { after, write: (lines) => writeLines(sink, lines) }),
    ).catch((error: unknown) => {
      // Whoever read has seen enough (| head).
      if (error instanceof SallyportError && isClosedPipe(error.cause)) return undefined;
      throw error;
    });
    if (sink !== process.stdout) {
      sink.end();
      await finished(sink).catch((error: unknown) => {
        throw cannotWrite(options.output!, error);
      });
      output.note(`${count} entries written to ${options.output}`);
    }
  });

  const backing = group
    .command('backup')
    .description('copy the ledger into a file of its own, beside a running server')
    .argument('<file>', 'the backup; never replaces a file')
    .addOption(stateOption())
    .addOption(configOption())
    .addOption(jsonOption());
  withExamples(backing, [['sallyport ledger backup /backup/ledger-$(date +%F).sqlite', 'every night']]);
  onAction<OperatorOptions>(backing, invocation, async ([file], options, output) => {
    const { directory } = openOperatorDirectory(options);
    for (const pepper of directory.peppers.values()) pepper.fill(0);
    await backUpLedger(directory.ledgerPath, file!);
    const { size } = statSync(file!);
    if (output.json) output.document({ file, bytes: size });
    else output.line(`${output.style('green', '✓')} ${file}: ${size} bytes`);
    output.note(
      'Keep host key and peppers apart from it; docs/OPERATIONS.md says how a backup is proven and restored.',
    );
  });
};

function showReport(report: VerificationReport, output: Output): void {
  output.pairs([
    ['entries', String(report.entries)],
    ['transactions', String(report.transactions)],
    ['transfers', String(report.transfers)],
    ['accounts', String(report.accounts)],
    ['customers', String(report.customers)],
    ['chain', report.chain],
  ]);
  output.line();
  const { findings } = report;
  if (findings.length === 0) {
    output.line(output.style('green', '✓ The ledger verifies: every receipt, every balance, every sum.'));
    return;
  }
  output.table(
    [
      { title: 'finding', value: ({ name }) => name, format: () => 'red' },
      { title: 'where', value: ({ detail }) => detail },
    ],
    findings.slice(0, FINDINGS_SHOWN_MAX),
    '',
  );
  if (findings.length > FINDINGS_SHOWN_MAX)
    output.line(`… and ${findings.length - FINDINGS_SHOWN_MAX} more; see --json`);
  output.line();
  for (const name of new Set(findings.map((finding) => finding.name))) output.line(`${name}: ${FINDINGS[name]}`);
  output.line();
  output.line(
    output.style(
      'red',
      '✗ The ledger does not verify. It was left untouched: keep it, and restore the newest backup that verifies.',
    ),
  );
}

function parseSequence(text: string | undefined): bigint {
  if (text === undefined) return 0n;
  if (!/^\d{1,19}$/.test(text)) throw new UsageError('--after must be a sequence number of the ledger');
  return BigInt(text);
}

/** Waits when the reader is slower than the ledger: an export of any size takes the memory of a page. */
async function writeLines(sink: NodeJS.WritableStream, lines: readonly string[]): Promise<void> {
  const text = lines.map((line) => `${line}\n`).join('');
  await new Promise<void>((done, fail) => {
    const onError = (error: Error): void => fail(cannotWrite('the export', error));
    sink.once('error', onError);
    const settle = (): void => {
      sink.off('error', onError);
      done();
    };
    if (sink.write(text)) settle();
    else sink.once('drain', settle);
  });
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === 'EPIPE';
}

function cannotWrite(what: string, cause: unknown): SallyportError {
  return new SallyportError('BAD_FILE', `cannot write ${what}: ${cause instanceof Error ? cause.message : cause}`, {
    cause,
  });
}
