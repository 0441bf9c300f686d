/** Runs Linux' perf over a process. */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { CountedThread } from './cost-table.ts';
import { readPerfScript, StackCounter } from './perf-stacks.ts';

/** What a Node process needs for perf to know its functions: their names, and frames of its interpreter. */
export const PERF_FLAGS = ['--perf-basic-prof', '--interpreted-frames-native-stack'] as const;
/** An odd number a second, so that nothing regular hides between the samples. */
const SAMPLES_PER_SECOND = 1_997;
const RECORD = ['-q', '-e', 'cpu-clock', '-F', String(SAMPLES_PER_SECOND), '--call-graph', 'fp'];

/** Whether perf is here and may sample the processor's clock, the kernel's side of it included. */
export function perfWorks(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-perf-'));
  try {
    return spawnSync('perf', ['record', ...RECORD, '-o', join(folder, 'data'), '--', 'true']).status === 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Samples the process for a time: by kind of thread, what its samples fell into. */
export async function recordThreads(pid: number, seconds: number): Promise<CountedThread[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-perf-'));
  const data = join(folder, 'data');
  try {
    const record = spawn('perf', ['record', ...RECORD, '-o', data, '-p', String(pid), '--', 'sleep', String(seconds)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await ended(record, 'perf record');
    const script = spawn('perf', ['script', '--no-inline', '-i', data, '-F', 'comm,tid,ip,sym'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const done = ended(script, 'perf script');
    const lines: string[] = [];
    const main = new StackCounter();
    const crypto = new StackCounter();
    const ledger = new StackCounter();
    for await (const line of createInterface({ input: script.stdout })) {
      lines.push(line);
      if (line !== '') continue;
      for (const { comm, tid, frames } of readPerfScript(lines.splice(0))) {
        if (tid === pid) main.add(frames);
        else if (comm.startsWith('ledger')) ledger.add(frames);
        else if (comm.startsWith('WorkerThread')) crypto.add(frames);
      }
    }
    await done;
    return [
      { thread: 'main', counts: main.counts, lost: main.lost },
      { thread: 'crypto', counts: crypto.counts, lost: crypto.lost },
      { thread: 'ledger', counts: ledger.counts, lost: ledger.lost },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** V8 leaves its map of names where perf looks for it. */
export function removeMap(pid: number): void {
  rmSync(join('/tmp', `perf-${pid}.map`), { force: true });
}

function ended(child: ReturnType<typeof spawn>, what: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${what} ended with code ${code}`))));
  });
}
