/** `sallyport load`: how many handshakes and payments a server takes, and how long each part of one lasts. */

import { Option } from 'commander';
import { durationMs, integerBetween, jsonOption, onAction, type Register, withExamples } from '../invocation.ts';
import { runLoadCommand } from '../load/load-command.ts';
import { COMMAND_DEFAULTS, type LoadOptions } from '../load/load-options.ts';
import { parseSources } from '../load/load-sources.ts';
import { stateOption } from '../operator-state.ts';

export const registerLoad: Register = (parent, invocation) => {
  const load = parent
    .command('load')
    .description('load-test a server: handshakes and payments at a given rate, latency by phase, thresholds, capacity')
    .optionsGroup('What is loaded:')
    .option('--workload <workload>', 'handshake, payment, payments:N, hold:Ns, or mix:WORKLOAD=WEIGHT,...', 'payment')
    .option('--server <host:port>', 'the first port (default: as configured, or as the customers file says)')
    .option(
      '--customers <count>',
      'customers to enroll for the run',
      integerBetween(1, 10_000),
      COMMAND_DEFAULTS.customers,
    )
    .option('--customers-file <file>', 'customers that an earlier run kept, instead of enrolling some')
    .option('--keep-customers <file>', 'write the enrolled customers to one file, mode 0600, for a run from elsewhere')
    .addOption(
      new Option('--group <group>', 'the group of the key exchange')
        .choices(['ffdhe2048', 'ffdhe3072', 'ffdhe4096'])
        .default('ffdhe3072'),
    )
    .addOption(new Option('--kem <kem>', 'the key encapsulation').choices(['ML-KEM-768', 'none']).default('ML-KEM-768'))
    .option('--amount <amount>', 'of every payment', '0.01')
    .option('--currency <code>', 'of the accounts', 'EUR')
    .addOption(stateOption())
    .option('--config <file>', "the server's configuration file")
    .optionsGroup('How much, and how long:')
    .option('--rate <per-second>', 'operations started a second, whatever became of the earlier ones (open loop)', rate)
    .option('--stages <stages>', 'rates over time, such as 0-200:10s,200:30s; instead of --rate and --duration')
    .addOption(
      new Option('--arrivals <process>', 'how they are spaced').choices(['poisson', 'even']).default('poisson'),
    )
    .option(
      '--closed <customers>',
      'instead of a rate: so many at once, each starting anew when it is done',
      integerBetween(1, 100_000),
    )
    .option('--duration <duration>', 'how long to measure, after the warm-up', durationMs)
    .option('--count <operations>', 'stop after so many operations', integerBetween(1, 100_000_000))
    .addOption(
      new Option('--warm-up <duration>', 'at the beginning, not measured')
        .argParser(durationMs)
        .default(COMMAND_DEFAULTS.warmUpMs, '1s'),
    )
    .option('--seed <number>', 'of arrivals and mix: the same seed is the same load', integerBetween(0, 2 ** 32 - 1), 1)
    .option(
      '--in-flight <operations>',
      'more than this many at once are not started',
      integerBetween(1, 1_000_000),
      COMMAND_DEFAULTS.inFlight,
    )
    .option('--threads <count>', 'generator threads (default: all cores but one)', integerBetween(1, 64))
    .option('--source <addresses>', 'connect from these addresses in turns, such as 127.0.0.2-127.0.0.9', parseSources)
    .optionsGroup('What must hold:')
    .option('--threshold <threshold>', 'such as p99<50ms, errors<0.1%, rate>=500, offer.p95<10ms; repeatable', collect)
    .option('--find-capacity', 'search the highest rate that keeps the thresholds, instead of one run')
    .option('--rate-max <per-second>', 'the most to try', rate, COMMAND_DEFAULTS.rateMax)
    .addOption(
      new Option('--probe <duration>', 'how long each rate is measured in the search')
        .argParser(durationMs)
        .default(COMMAND_DEFAULTS.probeMs, '5s'),
    )
    .option('--no-verify', 'do not look the payments up in the ledger afterwards')
    .optionsGroup('What is written:')
    .addOption(jsonOption())
    .option('--save <file>', 'the result, for "sallyport compare"')
    .option('--html <file>', 'the report as one self-contained page')
    .option('--csv <file>', 'one row an interval')
    .option('--hdr <file>', 'an HdrHistogram log, one tag a phase');
  withExamples(load, [
    ['sallyport load --rate 100 --duration 30s', 'a payment a session, beside a running "sallyport serve"'],
    [
      "sallyport load --workload handshake --rate 200 --threshold 'p99<50ms' --threshold 'errors<0.1%'",
      'exit code 99 when one fails',
    ],
    ["sallyport load --find-capacity --threshold 'p99<100ms' --html capacity.html", 'how much is too much'],
    ['sallyport load --workload hold:20s --rate 100 --duration 20s', 'two thousand sessions open at once'],
  ]);
  onAction<LoadOptions>(load, invocation, async (_args, options, output) => runLoadCommand(options, output));
};

function rate(text: string): number {
  return COMMAND_DEFAULTS.rateOf(text);
}

function collect(text: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, text];
}
