import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runSimulation } from './simulation-run.ts';

const PROGRAM = fileURLToPath(new URL('./run-simulation.ts', import.meta.url));

function run(...parameters: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [PROGRAM, ...parameters], (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

describe('npm run sim', () => {
  it('says what happened, quietly when nobody watches', async () => {
    const { code, out, err } = await run('--sessions', '500', '--seed', '3', '--workers', '1', '--json');
    expect([code, err]).toEqual([0, '']);
    const document = JSON.parse(out) as {
      seed: number;
      sessions: number;
      counts: Record<string, number>;
      failure: null;
    };
    expect(document.failure).toBe(null);
    expect(document.seed).toBe(3);
    expect(document.sessions).toBeGreaterThanOrEqual(500);
    expect(document.counts['customer: completed']).toBeGreaterThan(0);
  });

  it('prints the seed of a fleet that fails, with the command that shows it again', async () => {
    const failed = await run('--sessions', '5000', '--seed', '1', '--workers', '1', '--bug', 'forgets-leases');
    expect(failed.code).toBe(1);
    const [, command] = /^again: npm run sim -- (.+)$/m.exec(failed.out) ?? [];
    expect(command).toBeDefined();
    const shown = await run(...command!.split(' '));
    expect(shown.code).toBe(1);
    const violation = /^ {2}the server has something left.*$/m;
    expect(violation.exec(shown.out)?.[0]).toBe(violation.exec(failed.out)?.[0]);
    expect(shown.out).toContain('the storm is over');
  });

  it('refuses arguments that it does not understand', async () => {
    for (const wrong of [
      ['--sessions', 'many'],
      ['--bug', 'none-such'],
      ['--workers', '0'],
    ]) {
      const { code, err } = await run(...wrong);
      expect(code).toBe(2);
      expect(err).toContain('npm run sim');
    }
  });

  it('comes to the same totals with any number of workers', async () => {
    const options = { seed: 11, sessions: 600, bug: undefined, onProgress: () => undefined };
    const one = await runSimulation({ ...options, workers: 1 });
    expect(await runSimulation({ ...options, workers: 2 })).toEqual(one);
  });
});
