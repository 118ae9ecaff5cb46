// GraphiQL against this same origin; each file of examples/ opens as a tab.
import { createGraphiQLFetcher, createLocalStorage } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import { createRoot } from 'react-dom/client';
import './page.css';

const queries = import.meta.glob('../examples/*.graphql', { query: '?raw', import: 'default', eager: true });
const variables = import.meta.glob('../examples/*.json', { query: '?raw', import: 'default', eager: true });

// Only a first visit sees these: afterwards GraphiQL restores the tabs that the user left.
const examples = Object.entries(queries).map(([file, query]) => ({
  query,
  variables: variables[file.replace('.graphql', '.json')],
}));

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={createGraphiQLFetcher({ url: '/graphql', enableIncrementalDelivery: false })}
    defaultTabs={examples}
    defaultEditorToolsVisibility="variables"
    // localhost:8000 is everybody's port: another project's GraphiQL must not lend us its tabs.
    storage={createLocalStorage({ namespace: 'solicitacoes' })}
  />,
);
