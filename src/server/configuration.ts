import { existsSync, readFileSync } from 'node:fs';
import { parse as parseToml, TomlError } from 'smol-toml';
import { SallyportError } from '../errors.ts';
import { nearest } from '../nearest.ts';
import { environmentName, SETTING_NAMES, SETTINGS, type ServerConfiguration, type SettingName } from './settings.ts';

/** Where a value comes from, strongest last. */
export type Origin = 'default' | `file ${string}` | `environment ${string}` | `flag --${string}`;

/** One line of --print-config. */
export interface ConfiguredSetting {
  readonly name: SettingName;
  readonly value: unknown;
  readonly origin: Origin;
  readonly meaning: string;
}

export interface ResolvedConfiguration {
  readonly configuration: ServerConfiguration;
  /** In the order of the settings table. */
  readonly settings: readonly ConfiguredSetting[];
}

export interface ConfigurationSources {
  /** The configuration file; when not named, ./sallyport.toml if there is one. */
  readonly file?: string | undefined;
  /** process.env, or what stands for it. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** By setting name, as typed. */
  readonly flags?: Readonly<Partial<Record<SettingName, string>>>;
}

const DEFAULT_FILE = 'sallyport.toml';
const PREFIX = 'SALLYPORT_';
/** Variables of the command line that are no settings of the server. */
const OTHER_VARIABLES: readonly string[] = ['SALLYPORT_CONFIG', 'SALLYPORT_CUSTOMER'];

/**
 * The configuration from file, environment and flags, flags winning. Errors: BAD_CONFIGURATION, naming every wrong value with where it
 * came from and what would be right, and every name that is no setting.
 */
export function resolveConfiguration(sources: ConfigurationSources): ResolvedConfiguration {
  const environment = sources.environment ?? {};
  const file = sources.file ?? environment.SALLYPORT_CONFIG ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const fromFile = file === undefined ? {} : readFile(file);
  const problems = [
    ...(file === undefined ? [] : unknownNames(Object.keys(fromFile), `file ${file}`, SETTING_NAMES)),
    ...unknownNames(
      Object.keys(environment).filter((name) => name.startsWith(PREFIX) && !OTHER_VARIABLES.includes(name)),
      'environment',
      SETTING_NAMES.map(environmentName),
    ),
  ];
  const settings = SETTING_NAMES.map((name): ConfiguredSetting => {
    const { schema, fallback, meaning, expects } = SETTINGS[name];
    const { raw, origin } = strongest(name, fromFile, file, environment, sources.flags ?? {});
    if (origin === 'default') return { name, value: fallback, origin, meaning };
    const parsed = schema.safeParse(raw);
    if (!parsed.success) problems.push(`${name} (${origin}): ${JSON.stringify(raw)} is not ${expects}`);
    return { name, value: parsed.data, origin, meaning };
  });
  if (problems.length > 0) throw new SallyportError('BAD_CONFIGURATION', problems.join('\n'));
  const configuration = Object.fromEntries(settings.map(({ name, value }) => [name, value])) as ServerConfiguration;
  refuseConflicts(configuration);
  return { configuration, settings };
}

/** The embedded defaults, with some settings given as values. Errors: BAD_CONFIGURATION, when settings contradict each other. */
export function defaultConfiguration(overrides: Partial<ServerConfiguration> = {}): ServerConfiguration {
  const defaults = Object.fromEntries(SETTING_NAMES.map((name) => [name, SETTINGS[name].fallback]));
  const configuration = { ...defaults, ...overrides } as ServerConfiguration;
  refuseConflicts(configuration);
  return configuration;
}

function strongest(
  name: SettingName,
  fromFile: Readonly<Record<string, unknown>>,
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  flags: Readonly<Partial<Record<SettingName, string>>>,
): { raw: unknown; origin: Origin } {
  const variable = environmentName(name);
  if (flags[name] !== undefined) return { raw: flags[name], origin: `flag --${name}` };
  if (environment[variable] !== undefined) return { raw: environment[variable], origin: `environment ${variable}` };
  if (Object.hasOwn(fromFile, name)) return { raw: fromFile[name], origin: `file ${file}` };
  return { raw: undefined, origin: 'default' };
}

function readFile(path: string): Record<string, unknown> {
  try {
    return parseToml(readFileSync(path, 'utf8'));
  } catch (cause) {
    const what =
      cause instanceof TomlError ? `is not TOML: ${cause.message}` : `cannot be read: ${(cause as Error).message}`;
    throw new SallyportError('BAD_CONFIGURATION', `configuration file ${path} ${what}`, { cause });
  }
}

function unknownNames(names: readonly string[], origin: string, known: readonly string[]): string[] {
  return names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = nearest(name, known);
      return `${name} (${origin}): no such setting${near === undefined ? '' : `; did you mean ${near}?`}`;
    });
}

function refuseConflicts(configuration: ServerConfiguration): void {
  const conflicts = conflictsOf(configuration);
  if (conflicts.length > 0) throw new SallyportError('BAD_CONFIGURATION', conflicts.join('\n'));
}

/** Each shared port is opened at the start and serves any number of sessions: more of them are a mistake, most likely the default range. */
const SHARED_PORTS_MAX = 64;

/** Settings that are right by themselves and not together. */
function conflictsOf(configuration: ServerConfiguration): string[] {
  const supply = configuration['second-ports'];
  const first = configuration['first-port'];
  const conflicts: string[] = [];
  if (supply.kind === 'range' && first >= supply.first && first <= supply.last)
    conflicts.push(`first-port ${first} lies within second-ports ${supply.first}-${supply.last}: move one of them`);
  if (configuration['session-timeout-ms'] < configuration['auth-timeout-ms'])
    conflicts.push('session-timeout-ms is less than auth-timeout-ms: no session could be served to its end');
  const ports = supply.kind === 'system' ? supply.count : supply.last - supply.first + 1;
  if (configuration['port-mode'] === 'shared' && ports > SHARED_PORTS_MAX)
    conflicts.push(
      `second-ports names ${ports} ports, and port-mode shared takes at most ${SHARED_PORTS_MAX}, each for many sessions: give a few, such as 20000-20003`,
    );
  return conflicts;
}
