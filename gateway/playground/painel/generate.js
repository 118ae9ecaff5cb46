// Writes src/graphql/generated.ts: a typed document for each operation in src/graphql, checked against the schema.
// With `--check` it writes nothing and fails if the file is not up to date.
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { codegen } from '@graphql-codegen/core';
import * as typedDocuments from '@graphql-codegen/typed-document-node';
import * as operations from '@graphql-codegen/typescript-operations';
import { parse } from 'graphql';

const folder = new URL('src/graphql/', import.meta.url);
const target = new URL('generated.ts', folder);
const read = (location) => parse(readFileSync(location, 'utf8'));

const plugins = { operations, typedDocuments };
const config = { scalars: { DateTime: 'string' }, useTypeImports: true, enumType: 'string-literal' };
const code = await codegen({
  filename: target.pathname,
  schema: read(new URL('../../schema.graphql', import.meta.url)),
  documents: readdirSync(folder)
    .filter((name) => name.endsWith('.graphql'))
    .sort()
    .map((name) => ({ location: name, document: read(new URL(name, folder)) })),
  plugins: Object.keys(plugins).map((name) => ({ [name]: config })),
  pluginMap: plugins,
  config: {},
});
const written = `// Written by \`npm run generate\` from ../../../../schema.graphql and the *.graphql files beside this one.\n${code}\n`;

// What is up to date is left alone: the pages are built anew when a file of theirs is newer than they are.
const upToDate = existsSync(target) && readFileSync(target, 'utf8') === written;
if (!upToDate && process.argv.includes('--check')) {
  console.error('painel/src/graphql/generated.ts is not up to date: run `npm run generate`');
  process.exitCode = 1;
} else if (!upToDate) writeFileSync(target, written);
