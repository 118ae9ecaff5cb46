// The gateway answers a browser's GET /graphql with index.html and serves everything else from /playground/.
import { defineConfig } from 'vite';
import { portuguese } from './portuguese.js';

export default defineConfig({
  base: '/playground/',
  plugins: [portuguese],
  build: {
    chunkSizeWarningLimit: 4000, // kB; Monaco, the editor, is one large chunk by nature
    rolldownOptions: {
      checks: { moduleLevelDirective: false }, // React's "use client", some eighty times
    },
  },
});
