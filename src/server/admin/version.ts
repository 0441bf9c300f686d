import { readFileSync } from 'node:fs';

/** The package's version; the file is three folders up both as source and as compiled. */
export function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
  return (manifest as { readonly version: string }).version;
}
