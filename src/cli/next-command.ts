/** The exact next line to type: with the program's name as this person reaches it, and the options that carry over. */

/** In a checkout the sources run as they are, and npx finds them; installed, the name is on the path. */
const PROGRAM = import.meta.url.endsWith('.ts') ? 'npx sallyport' : 'sallyport';

/** `args` of sallyport; options whose value is undefined fall away. Everything is quoted for a shell where it must be. */
export function nextCommand(
  args: readonly string[],
  options: Readonly<Record<string, string | undefined>> = {},
): string {
  const carried = Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}`, value]));
  return [PROGRAM, ...[...args, ...carried].map(shellQuoted)].join(' ');
}

function shellQuoted(text: string): string {
  return /^[\w./:@=[\],+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
