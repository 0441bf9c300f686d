/** Runs fleets for run-simulation.ts: seeds in, results out, one chunk at a time. */

import { parentPort, workerData } from 'node:worker_threads';
import { loadCachedCrypto } from './cached-crypto.ts';
import { type FleetResult, runFleet } from './fleet.ts';
import { PLANTED_BUGS } from './planted-bugs.ts';

export interface WorkerSettings {
  /** The planted bug to run with. */
  readonly bug: string | undefined;
}

const port = parentPort!;
const { bug } = workerData as WorkerSettings;
const planted = PLANTED_BUGS.find(({ name }) => name === bug);
const crypto = await loadCachedCrypto();

port.on('message', async (seeds: readonly number[]) => {
  const results: FleetResult[] = [];
  for (const seed of seeds)
    results.push(await runFleet(crypto, seed, planted === undefined ? {} : { bugs: planted.bugs }));
  port.postMessage(results);
});
