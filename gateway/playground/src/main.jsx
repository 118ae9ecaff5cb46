// GraphiQL against this same origin; each file of examples/ opens as a tab.
import { explorerPlugin } from '@graphiql/plugin-explorer';
import '@graphiql/plugin-explorer/style.css';
import { createGraphiQLFetcher, createLocalStorage } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import { useGraphiQLActions } from '@graphiql/react';
import { createRoot } from 'react-dom/client';
import { observed } from './exchange.js';
import { subscribed } from './live.js';
import { meant } from './operation.js';
import './page.css';
import { Figures, PLAN_PLUGIN, SchemaButton, ShareButton, sharedOperation } from './tools.jsx';

const queries = import.meta.glob('../examples/*.graphql', { query: '?raw', import: 'default', eager: true });
const variables = import.meta.glob('../examples/*.json', { query: '?raw', import: 'default', eager: true });

// Only a first visit sees these: afterwards GraphiQL restores the tabs that the user left.
const examples = Object.entries(queries).map(([file, query]) => ({
  query,
  variables: variables[file.replace('.graphql', '.json')],
}));

const shared = sharedOperation();

// One token for all tabs, until the browser's tab is closed; a tab's own Authorization header takes precedence.
const asksForToken = document.body.dataset.auth === 'jwt';
let token = (asksForToken && sessionStorage.getItem('token')) || '';

const withToken = (headers) => (token ? { Authorization: `Bearer ${token}`, ...headers } : headers);
const send = createGraphiQLFetcher({
  url: '/graphql',
  enableIncrementalDelivery: false,
  fetch: observed((url, init) => fetch(url, { ...init, headers: withToken(init.headers) })),
});

function execute(typed, options) {
  const { request, kind } = meant(typed);
  return kind === 'subscription' ? subscribed(request, withToken(options.headers)) : send(request, options);
}

function TokenField() {
  const { introspect } = useGraphiQLActions();
  const take = (event) => {
    token = event.target.value.trim().replace(/^bearer +/i, '');
    sessionStorage.setItem('token', token);
    introspect();
  };
  return (
    <label className="token">
      Token de acesso
      <input
        type="password"
        autoComplete="off"
        placeholder="cole aqui o que `make token` escreve"
        defaultValue={token}
        onChange={take}
      />
    </label>
  );
}

createRoot(document.getElementById('graphiql')).render(
  <GraphiQL
    fetcher={execute}
    defaultTabs={shared ? [shared, ...examples] : examples}
    initialQuery={shared?.query}
    initialVariables={shared?.variables}
    defaultEditorToolsVisibility="variables"
    plugins={[HISTORY_PLUGIN, explorerPlugin({ showAttribution: false }), PLAN_PLUGIN]}
    // Many projects use localhost:8000: without a namespace, the tabs of another project's GraphiQL would open here.
    storage={createLocalStorage({ namespace: 'solicitacoes' })}
  >
    <GraphiQL.Toolbar>
      {({ prettify, merge, copy }) => (
        <>
          {prettify}
          {merge}
          {copy}
          <ShareButton />
          <SchemaButton />
        </>
      )}
    </GraphiQL.Toolbar>
    <GraphiQL.Footer>
      <Figures />
      {asksForToken ? <TokenField /> : null}
    </GraphiQL.Footer>
  </GraphiQL>,
);
