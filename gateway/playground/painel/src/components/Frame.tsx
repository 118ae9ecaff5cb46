// What surrounds every view: the navigation, and the view itself only for who has a token where one is asked for.
import { useReactiveVar } from '@apollo/client/react';
import { useEffect, type ReactNode } from 'react';
import { Button } from 'react-aria-components';
import { NavLink, useLocation } from 'react-router';
import { kinds } from '../kinds.ts';
import { asksForToken, refused, signOut, token, useAllowed } from '../session.ts';
import { noteStale, stale } from '../unavailable.ts';
import { SignIn } from '../views/SignIn.tsx';
import { capital, counted } from '../words.ts';
import { Notice } from './Notice.tsx';

export function Frame({ children }: { children: ReactNode }) {
  const given = useReactiveVar(token);
  const turnedDown = useReactiveVar(refused);
  const allowed = useAllowed();
  const inside = !asksForToken || (given !== '' && !turnedDown);
  const old = Object.entries(useReactiveVar(stale)).map(([service, age]) => `${service} (há ${counted(age, 'segundo', 'segundos')})`);
  const reads = allowed('solicitacoes:read');
  const { pathname } = useLocation();
  useEffect(() => noteStale(undefined), [pathname]); // the next view asks anew
  return (
    <>
      <a className="skip" href="#conteudo">
        Ir para o conteúdo
      </a>
      <header>
        <strong className="brand">Painel</strong>
        {inside ? (
          <nav aria-label="Principal">
            {reads ? (
              <>
                <NavLink to="/" end>
                  Solicitações
                </NavLink>
                <NavLink to="/resumo">Resumo</NavLink>
              </>
            ) : null}
            {kinds
              .filter(({ owner }) => allowed(`${owner}:read`))
              .map(({ path, plural }) => (
                <NavLink key={path} to={`/${path}`}>
                  {capital(plural)}
                </NavLink>
              ))}
          </nav>
        ) : null}
        {inside && asksForToken ? (
          <Button className="quiet" onPress={signOut}>
            Sair
          </Button>
        ) : null}
      </header>
      <main id="conteudo" tabIndex={-1}>
        {old.length ? <Notice kind="outage">Fora do ar agora, e mostrado como era: {old.join(', ')}.</Notice> : null}
        {inside ? children : <SignIn />}
      </main>
      <footer>
        <a href="/graphql">GraphiQL, para quem programa</a>
      </footer>
    </>
  );
}
