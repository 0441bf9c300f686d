import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { SallyportError } from '../errors.ts';
import { isContentType } from '../wire/receipt.ts';
import type { Processor } from './processor.ts';
import { transferProcessor } from './transfer-processor.ts';

/** Processors by content type. */
export type ProcessorRegistry = ReadonlyMap<string, Processor>;

/** A registry of the built-in transfer and these. BAD_CONFIGURATION when two have one content type. */
export function createProcessorRegistry(processors: readonly Processor[] = []): ProcessorRegistry {
  const registry = new Map<string, Processor>();
  for (const processor of [transferProcessor, ...processors]) {
    if (!isContentType(processor.contentType))
      throw new SallyportError(
        'BAD_CONFIGURATION',
        `A processor's content type is not 1 to 128 bytes of printable ASCII.`,
      );
    if (registry.has(processor.contentType))
      throw new SallyportError('BAD_CONFIGURATION', `Two processors have the content type ${processor.contentType}.`);
    registry.set(processor.contentType, processor);
  }
  return registry;
}

/**
 * Imports processor modules: a path (beginning with `.` or `/`, relative to `baseDirectory`) or a package name, each exporting
 * `processor` or a list `processors`. BAD_CONFIGURATION, with the module's name, when one cannot be loaded or exports neither.
 */
export async function loadProcessors(modules: readonly string[], baseDirectory: string): Promise<ProcessorRegistry> {
  const loaded: Processor[] = [];
  for (const name of modules) loaded.push(...(await importProcessors(name, baseDirectory)));
  return createProcessorRegistry(loaded);
}

async function importProcessors(name: string, baseDirectory: string): Promise<Processor[]> {
  const isPath = /^(\.{1,2}\/|\/|[A-Za-z]:[\\/])/.test(name);
  const specifier = isPath ? pathToFileURL(resolve(baseDirectory, name)).href : name;
  let exported: Record<string, unknown>;
  try {
    exported = (await import(specifier)) as Record<string, unknown>;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SallyportError('BAD_CONFIGURATION', `The processor module ${name} could not be loaded: ${reason}`, {
      cause,
    });
  }
  const candidates = Array.isArray(exported.processors) ? (exported.processors as unknown[]) : [exported.processor];
  if (candidates.length === 0 || !candidates.every(isProcessor))
    throw new SallyportError(
      'BAD_CONFIGURATION',
      `The processor module ${name} must export "processor" or "processors", each with contentType, plan and answer.`,
    );
  return candidates;
}

function isProcessor(value: unknown): value is Processor {
  if (typeof value !== 'object' || value === null) return false;
  const candidate = value as Partial<Record<keyof Processor, unknown>>;
  return (
    typeof candidate.contentType === 'string' &&
    typeof candidate.plan === 'function' &&
    typeof candidate.answer === 'function'
  );
}
