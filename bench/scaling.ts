/**
 * How the server behaves as there is more of everything, in one run: offered load, leases held, memory.
 *
 *   npm run bench:scaling [-- --quick] [--only load,leases,memory] [--json FILE]
 *
 * Server, customers and load generator are processes and threads of one machine, over loopback. Every receipt is verified, every payment
 * that was acknowledged is looked up in the ledger, and the ledger is verified. The limit of open files must allow two for each lease that
 * is held (Node raises the soft limit to the hard one).
 */
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { readHostFacts } from '../src/server/doctor/host-facts.ts';
import { heldLeasesLines, measureHeldLeases } from './scaling/held-leases.ts';
import { measureOfferedLoad, offeredLoadLines } from './scaling/offered-load.ts';
import { measureMemory, memoryLines } from './scaling/resident-memory.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string', default: 'load,leases,memory' },
    json: { type: 'string' },
  },
});
const rooms = values.only.split(',');
const say = (words: string): void => console.error(words);

const OFFERED_LOAD = values.quick
  ? { warmUpSeconds: 4, probeSeconds: 1.5, stepSeconds: 2, shares: [0.1, 0.5, 1, 1.2], precision: 1.25 }
  : {
      warmUpSeconds: 12,
      probeSeconds: 6,
      stepSeconds: 10,
      shares: [0.1, 0.3, 0.5, 0.7, 0.9, 1, 1.1, 1.2],
      precision: 1.08,
    };
const HELD_LEASES = values.quick
  ? { held: [50, 500], warmUpSessions: 400, rounds: 3, sessions: 200 }
  : { held: [100, 1_000, 5_000], warmUpSessions: 2_000, rounds: 9, sessions: 500 };
const MEMORY = values.quick
  ? { counts: [100, 300], warmUpSessions: 200 }
  : { counts: [500, 2_000, 5_000], warmUpSessions: 4_000 };

/** A listener and a connection for each lease, and room for everything else. */
const descriptorsNeeded = 2 * Math.max(...HELD_LEASES.held, ...MEMORY.counts) + 1_000;
const { descriptorsSoft } = readHostFacts();
if ((descriptorsSoft ?? Number.POSITIVE_INFINITY) < descriptorsNeeded)
  throw new Error(
    `a process may open ${descriptorsSoft} files, and ${descriptorsNeeded} are needed: raise "ulimit -n"`,
  );

const report: Record<string, unknown> = {
  benchmark: 'scaling',
  node: process.version,
  cores: availableParallelism(),
  quick: values.quick,
};
const print = (lines: readonly string[]): void => console.log(`${lines.join('\n')}\n`);

if (rooms.includes('load')) {
  const result = await measureOfferedLoad({ ...OFFERED_LOAD, say });
  print(offeredLoadLines(result));
  report.offeredLoad = result;
}
if (rooms.includes('leases')) {
  const rows = await measureHeldLeases({ ...HELD_LEASES, say });
  print(heldLeasesLines(rows, HELD_LEASES.sessions));
  report.heldLeases = rows;
}
if (rooms.includes('memory')) {
  const rows = await measureMemory({ ...MEMORY, say });
  print(memoryLines(rows));
  report.memory = rows;
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
