import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

/** Debian's place for it; the CI script installs it. */
const CHROMIUM = '/usr/bin/chromium';

export const chromiumPresent = existsSync(CHROMIUM);

if (!chromiumPresent) {
  process.stderr.write(
    `${CHROMIUM} is not there: the pages are NOT looked at in a browser (apt-get install chromium).\n`,
  );
}

export function openBrowser(): Promise<Browser> {
  // A container gives no user namespaces for its sandbox, and the only page opened is our own file.
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
}
