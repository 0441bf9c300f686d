/** A result file of either kind, read for comparison. */

import { readFile } from 'node:fs/promises';
import { SallyportError } from '../errors.ts';
import { BENCH_RESULT_SCHEMA, measuresOfBench, readBenchResult } from './bench-result.ts';
import { LOAD_RESULT_SCHEMA, measuresOfLoad, readLoadResult } from './load-result.ts';
import type { Measure } from './measure.ts';

export interface StoredResult {
  readonly name: string;
  readonly schema: string;
  readonly measuredAt: string;
  readonly measures: readonly Measure[];
  /** Why the result should not be trusted, when it says so itself. */
  readonly doubts: readonly string[];
}

/** Far above any result: an hour at one-second intervals is about 5 MB. */
const FILE_BYTES_MAX = 256 * 1024 * 1024;

/** Reads a file written by `load --save`, `load --json` or `bench:ci`. Throws BAD_FILE. */
export async function readStoredResult(path: string): Promise<StoredResult> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new SallyportError('BAD_FILE', `${path} cannot be read: ${cause.code ?? cause.message}`, { cause });
  });
  if (text.length > FILE_BYTES_MAX) throw new SallyportError('BAD_FILE', `${path} is too large to be a result`);
  return storedResultOf(parseJson(text, path), path);
}

export function storedResultOf(value: unknown, name: string): StoredResult {
  const schema = typeof value === 'object' && value !== null && 'schema' in value ? value.schema : undefined;
  if (schema === LOAD_RESULT_SCHEMA) {
    const result = readLoadResult(value, name);
    return {
      name,
      schema,
      measuredAt: result.startedAt,
      measures: measuresOfLoad(result),
      doubts: result.rejections.map((rejection) => rejection.words),
    };
  }
  if (schema === BENCH_RESULT_SCHEMA) {
    const result = readBenchResult(value, name);
    return { name, schema, measuredAt: result.measuredAt, measures: measuresOfBench(result), doubts: [] };
  }
  throw new SallyportError('BAD_FILE', `${name} is neither a load result nor a benchmark result of Sallyport`);
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SallyportError('BAD_FILE', `${path} is not JSON`, { cause });
  }
}
