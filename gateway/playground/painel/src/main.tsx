// The page for people: its frame, its views by their paths, and the token where one is asked for.
import { ApolloProvider } from '@apollo/client/react';
import { lazy, StrictMode, Suspense } from 'react';
import { createRoot } from 'react-dom/client';
import { I18nProvider, RouterProvider } from 'react-aria-components';
import { BrowserRouter, Route, Routes, useHref, useLocation, useNavigate } from 'react-router';
import { Broken } from './components/Broken.tsx';
import { Frame } from './components/Frame.tsx';
import { client } from './graphql/client.ts';
import { kinds } from './kinds.ts';
import './painel.css';
import { NotFound } from './views/NotFound.tsx';
import { Solicitacoes } from './views/Solicitacoes.tsx';

// The first view comes at once; the others when they are opened.
const Solicitacao = lazy(() => import('./views/Solicitacao.tsx'));
const Nova = lazy(() => import('./views/Nova.tsx'));
const Rows = lazy(() => import('./views/Rows.tsx'));
const Resumo = lazy(() => import('./views/Resumo.tsx'));

function Painel() {
  return (
    <RouterProvider navigate={useNavigate()} useHref={useHref}>
      <Frame>
        <Broken key={useLocation().pathname}>
          <Suspense fallback={<p role="status">Carregando…</p>}>
            <Routes>
              <Route path="/" element={<Solicitacoes />} />
              <Route path="/solicitacoes/:id" element={<Solicitacao />} />
              <Route path="/nova" element={<Nova />} />
              <Route path="/resumo" element={<Resumo />} />
              {kinds.map((kind) => (
                <Route key={kind.path} path={`/${kind.path}`} element={<Rows key={kind.path} kind={kind} />} />
              ))}
              <Route path="*" element={<NotFound />} />
            </Routes>
          </Suspense>
        </Broken>
      </Frame>
    </RouterProvider>
  );
}

// A view of an older build is gone once the system has a newer one; the newer page has it. It is loaded at most once in
// ten seconds, so that a view that is missing from it too cannot make the page reload for ever.
window.addEventListener('vite:preloadError', () => {
  const before = Number(sessionStorage.getItem('recarregado'));
  if (Date.now() - before < 10_000) return;
  sessionStorage.setItem('recarregado', String(Date.now()));
  location.reload();
});

const root = document.getElementById('painel');
if (root)
  createRoot(root).render(
    <StrictMode>
      <I18nProvider locale="pt-BR">
        <ApolloProvider client={client}>
          <BrowserRouter basename="/painel">
            <Painel />
          </BrowserRouter>
        </ApolloProvider>
      </I18nProvider>
    </StrictMode>,
  );
