/** The server's settings as options of a command, and as a table. */

import { type Command, Option } from 'commander';
import type { ResolvedConfiguration } from '../server/configuration.ts';
import { SETTING_NAMES, SETTINGS, type SettingName } from '../server/settings.ts';
import type { Output } from './output.ts';

/** Settings as text: what a flag takes, and what --print-config shows. */
export function settingText(value: unknown): string {
  if (Array.isArray(value)) return value.join(',');
  if (typeof value === 'object' && value !== null && 'kind' in value) {
    const supply = value as { kind: string; first?: number; last?: number; count?: number };
    return supply.kind === 'range' ? `${supply.first}-${supply.last}` : `any:${supply.count}`;
  }
  return String(value);
}

/** Adds --NAME for every setting; the text is validated with file and environment, by `resolveConfiguration`. */
export function addSettingOptions(command: Command): void {
  command.optionsGroup('Settings (also in a file, and as SALLYPORT_… in the environment; flags win):');
  for (const name of SETTING_NAMES) {
    const { meaning, fallback } = SETTINGS[name];
    const shown = settingText(fallback);
    command.addOption(new Option(`--${name} <value>`, `${meaning}${shown === '' ? '' : ` (default: ${shown})`}`));
  }
}

/** What was typed, by setting name. Commander keeps options by their camel-case names. */
export function flagsOf(options: Readonly<Record<string, unknown>>): Partial<Record<SettingName, string>> {
  return Object.fromEntries(
    SETTING_NAMES.flatMap((name) => {
      const value = options[camelCase(name)];
      return typeof value === 'string' ? [[name, value]] : [];
    }),
  );
}

function camelCase(name: string): string {
  return name.replaceAll(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Every setting with its value and where that came from. */
export function printConfiguration({ settings }: ResolvedConfiguration, output: Output): void {
  if (output.json) {
    output.document({
      settings: settings.map(({ name, value, origin, meaning }) => ({
        name,
        value: settingText(value),
        origin,
        meaning,
      })),
    });
    return;
  }
  output.table(
    [
      { title: 'setting', value: ({ name }) => name },
      { title: 'value', value: ({ value }) => settingText(value) },
      {
        title: 'from',
        value: ({ origin }) => origin,
        format: ({ origin }) => (origin === 'default' ? 'dim' : 'green'),
      },
    ],
    settings,
    '',
  );
}
