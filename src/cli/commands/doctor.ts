/** `sallyport doctor`: what this machine allows, held against what the configuration plans. */

import { resolveConfiguration } from '../../server/configuration.ts';
import type { Finding } from '../../server/doctor/checks.ts';
import { examine } from '../../server/doctor/examine.ts';
import { EXIT } from '../exit-codes.ts';
import { jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import type { Output } from '../output.ts';
import { addSettingOptions, flagsOf } from '../setting-options.ts';

interface Options extends Readonly<Record<string, unknown>> {
  readonly config?: string;
}

const SIGNS = { good: '✓', warning: '!', bad: '✗' } as const;
const COLOURS = { good: 'green', warning: 'yellow', bad: 'red' } as const;

export const registerDoctor: Register = (parent, invocation) => {
  const doctor = parent
    .command('doctor')
    .description('examine this machine for the configured server, and say what to do; changes nothing')
    .option('--config <file>', 'configuration file, TOML (default: ./sallyport.toml if there is one; SALLYPORT_CONFIG)')
    .addOption(jsonOption());
  addSettingOptions(doctor);
  withExamples(doctor, [
    ['sallyport doctor', 'exit code 0 when nothing is bad, 1 when something is'],
    ['sallyport doctor --config /etc/sallyport/sallyport.toml --json', 'for a deployment script'],
  ]);
  onAction<Options>(doctor, invocation, async (_args, options, output) => {
    const { configuration } = resolveConfiguration({
      file: options.config,
      environment: process.env,
      flags: flagsOf(options),
    });
    const findings = await examine(configuration);
    const healthy = findings.every(({ verdict }) => verdict !== 'bad');
    if (output.json) output.document({ healthy, findings });
    else show(findings, output);
    return healthy ? EXIT.OK : EXIT.REFUSED;
  });
};

function show(findings: readonly Finding[], output: Output): void {
  const width = Math.max(...findings.map(({ check }) => check.length));
  for (const { check, verdict, found, advice } of findings) {
    output.line(`${output.style(COLOURS[verdict], SIGNS[verdict])} ${check.padEnd(width)}  ${found}`);
    if (advice !== '') output.line(`  ${' '.repeat(width)}  ${output.style('dim', advice)}`);
  }
  const count = (wanted: Finding['verdict']): number => findings.filter(({ verdict }) => verdict === wanted).length;
  output.line();
  output.line(`${count('good')} good, ${count('warning')} to look at, ${count('bad')} bad`);
}
