/** Vectors of other projects, kept beside the checkout and never in it. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const DIRECTORY = join(import.meta.dirname, '..', '..', '..', 'shared', 'vectors');

/** The text of a vector file, or undefined, loudly, when this machine does not have it. */
export function sharedVectors(name: string): string | undefined {
  const path = join(DIRECTORY, name);
  if (existsSync(path)) return readFileSync(path, 'utf8');
  process.emitWarning(`${path} is absent: the tests over it are skipped`);
  return undefined;
}
