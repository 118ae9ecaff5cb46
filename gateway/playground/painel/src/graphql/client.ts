// The GraphQL client: where requests go, what becomes of errors, and how pages of a list are joined in the cache.
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, HttpLink, InMemoryCache, type FieldPolicy } from '@apollo/client';
import { relayStylePagination } from '@apollo/client/utilities';
import { map } from 'rxjs';
import { refused, token } from '../session.ts';
import { noteUnavailable } from '../unavailable.ts';

const TIMEOUT = 15_000; // milliseconds; the gateway gives up earlier and says why

/** `fetch` with the token, and with an end. */
function fetchWithToken(url: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token()) headers.set('Authorization', `Bearer ${token()}`);
  const signals = [AbortSignal.timeout(TIMEOUT), ...(init.signal ? [init.signal] : [])];
  return fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
}

/**
 * An error at a field of the operation itself fails the whole operation, so that the cache keeps what it has. An error
 * deeper down leaves a gap in the answer, which `unavailable.ts` remembers.
 */
const judge = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    map((result) => {
      const errors = ('errors' in result && result.errors) || [];
      if (errors.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED')) refused(true);
      if (errors.some(({ path }) => !path || path.length === 1)) throw new CombinedGraphQLErrors(result);
      noteUnavailable(result.data, errors);
      return result;
    }),
  ),
);

/** Relay's pages. When a list is read anew from its beginning, the pages that were read after it stay. */
function pages(): FieldPolicy {
  const relay = relayStylePagination(['filter', 'orderBy']);
  return {
    ...relay,
    merge(existing, incoming, options) {
      if (typeof relay.merge !== 'function') throw new TypeError('relayStylePagination has changed');
      const merged = relay.merge(existing, incoming, options);
      const last = incoming?.edges?.at(-1)?.cursor;
      if (!merged || !existing?.edges || !last || options.args?.after) return merged;
      const place = existing.edges.findIndex((edge: { cursor: string }) => edge.cursor === last);
      const after = existing.edges.slice(place + 1);
      if (place < 0 || !after.length) return merged;
      return { ...merged, edges: [...merged.edges, ...after], pageInfo: existing.pageInfo };
    },
  };
}

export const client = new ApolloClient({
  link: ApolloLink.from([judge, new HttpLink({ uri: '/graphql', fetch: fetchWithToken })]),
  clientAwareness: { name: 'painel' },
  cache: new InMemoryCache({
    typePolicies: {
      Query: {
        fields: { solicitacoes: pages(), pessoas: pages(), servicos: pages(), produtos: pages(), categorias: pages() },
      },
    },
  }),
});
