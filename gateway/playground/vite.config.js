// Builds two pages: GraphiQL, with which the gateway answers a browser's GET /graphql, and the painel, at /painel.
// Everything else in dist/ is served from /playground/.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { defineConfig } from 'vite';
import { portuguese } from './portuguese.js';

const compressed = /\.(js|css|ttf)$/;

/** Writes `name.gz` beside each file worth it, so that the gateway need not compress anything. */
const gzipped = {
  name: 'gzipped',
  writeBundle({ dir }) {
    for (const name of readdirSync(`${dir}/assets`).filter((name) => compressed.test(name)))
      writeFileSync(`${dir}/assets/${name}.gz`, gzipSync(readFileSync(`${dir}/assets/${name}`), { level: 9 }));
  },
};

export default defineConfig(({ command }) => ({
  base: command === 'build' ? '/playground/' : '/', // `npx vite` serves the painel at /painel/, as the gateway does
  plugins: [portuguese, gzipped],
  optimizeDeps: { entries: ['painel/index.html'] }, // GraphiQL's workers cannot be prepared for the development server
  server: { proxy: { '/graphql': { target: process.env.GATEWAY_URL ?? 'http://localhost:8000', ws: true } } },
  build: {
    target: 'es2023',
    chunkSizeWarningLimit: 4000, // kB; Monaco, the editor, is one large chunk by nature
    reportCompressedSize: false,
    rolldownOptions: {
      input: { graphiql: 'index.html', painel: 'painel/index.html' },
      checks: { moduleLevelDirective: false }, // React's "use client", some eighty times
    },
  },
}));
