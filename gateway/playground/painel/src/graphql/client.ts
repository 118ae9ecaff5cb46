// The GraphQL client: where requests go, what becomes of errors, and how pages of a list are joined in the cache.
import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  HttpLink,
  InMemoryCache,
  makeVar,
  type FieldPolicy,
} from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { createClient } from 'graphql-ws/client';
import { map } from 'rxjs';
import { askAfterWrites, noteWrites } from '../ownWrites.ts';
import { refused, token } from '../session.ts';
import { noteStale, noteUnavailable } from '../unavailable.ts';

const TIMEOUT = 15_000; // milliseconds; the gateway gives up earlier and says why

/** The one connection of all subscriptions. It is opened for the first of them, and again whenever it breaks. */
const socket = createClient({
  url: new URL('/graphql', location.href.replace(/^http/, 'ws')).href,
  connectionParams: () => (token() ? { Authorization: `Bearer ${token()}` } : {}),
  shouldRetry: () => true,
  retryAttempts: Infinity,
  retryWait: (retries) => new Promise((resume) => setTimeout(resume, Math.min(30_000, 1000 * 2 ** retries) * Math.random())),
  keepAlive: 20_000,
});
export const connected = makeVar(false);
socket.on('connected', () => connected(true));
socket.on('closed', () => connected(false));

/** `fetch` with the token, after this page's own writes, and with an end. */
async function fetchWithToken(url: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token()) headers.set('Authorization', `Bearer ${token()}`);
  askAfterWrites(headers);
  const signals = [AbortSignal.timeout(TIMEOUT), ...(init.signal ? [init.signal] : [])];
  const answer = await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) });
  noteWrites(answer.headers);
  return answer;
}

/**
 * An error at a field of the operation itself fails the whole operation, so that the cache keeps what it has. An error
 * deeper down leaves a gap in the answer, which `unavailable.ts` takes out of it and remembers.
 */
const judge = new ApolloLink((operation, forward) =>
  forward(operation).pipe(
    map((result) => {
      const errors = ('errors' in result && result.errors) || [];
      if (errors.some(({ extensions }) => extensions?.code === 'UNAUTHENTICATED')) refused(true);
      if (errors.some(({ path }) => !path || path.length === 1)) throw new CombinedGraphQLErrors(result);
      noteUnavailable(result.data, errors);
      if (operation.getContext()['shown']) noteStale('extensions' in result ? result.extensions?.stale : undefined);
      return result;
    }),
  ),
);

/** What the cache knows of a field that an answer left out, or null. */
const whatIsKnown = { read: (known: unknown = null) => known };

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
  link: ApolloLink.split(
    ({ operationType }) => String(operationType) === 'subscription',
    new GraphQLWsLink(socket),
    ApolloLink.from([judge, new HttpLink({ uri: '/graphql', fetch: fetchWithToken })]),
  ),
  clientAwareness: { name: 'painel' },
  cache: new InMemoryCache({
    typePolicies: {
      Solicitacao: { fields: { pessoa: whatIsKnown, servico: whatIsKnown, produto: whatIsKnown } },
      Query: {
        fields: { solicitacoes: pages(), pessoas: pages(), servicos: pages(), produtos: pages(), categorias: pages() },
      },
    },
  }),
});
