// Subscriptions, over a WebSocket. The page shows each event in the place of the last one.
import { createClient } from 'graphql-ws/client';
import { follow } from './following.js';

/** What GraphiQL listens to. Each subscription has a socket of its own, since each tab may have its own token. */
export function subscribed(request, headers) {
  return {
    subscribe(sink) {
      const url = new URL('/graphql', location.href.replace(/^http/, 'ws')).href;
      // 4403: the token is not good, so it would not be good the next time either
      const client = createClient({ url, connectionParams: headers, shouldRetry: ({ code }) => code !== 4403 });
      const error = (failure) => sink.error(failure instanceof CloseEvent ? closed(failure) : failure);
      const stop = follow(client, request, { ...sink, error });
      return {
        unsubscribe() {
          stop();
          client.dispose();
        },
      };
    },
  };
}

const closed = ({ code, reason }) => new Error(`A conexão foi fechada: ${code} ${reason}`.trim());
