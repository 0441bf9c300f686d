#!/usr/bin/env node
// Plain JavaScript that any Node since 12 parses, so that an old one can say one clear sentence instead of a syntax error.
import { existsSync } from 'node:fs';

const NODE_MAJOR_MIN = 26;
const major = Number(process.versions.node.split('.')[0]);
if (major < NODE_MAJOR_MIN) {
  console.error(
    `sallyport needs Node.js ${NODE_MAJOR_MIN} or newer and this is ${process.versions.node}; ` +
      'inside the repository use "npm start" or "npx sallyport", which run the Node that npm ci installed.',
  );
  process.exit(2);
}

// In a checkout the sources run as they are (type stripping); the published package holds them compiled.
const source = new URL('../src/cli/main.ts', import.meta.url);
const { main } = await import(existsSync(source) ? source.href : new URL('../dist/cli/main.js', import.meta.url).href);
process.exitCode = await main(process.argv.slice(2));
