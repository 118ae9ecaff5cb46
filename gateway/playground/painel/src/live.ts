// How views learn of what others change: a subscription tells that something has changed, and they ask again. While there
// is no subscription, because a proxy lets no WebSocket through or a service is away, and while rows are shown as they
// were, they ask every few seconds.
import type { OperationVariables, TypedDocumentNode } from '@apollo/client';
import { useApolloClient, useReactiveVar } from '@apollo/client/react';
import { useEffect, useRef, useState } from 'react';
import { connected } from './graphql/client.ts';
import { stale } from './unavailable.ts';

// All in milliseconds.
const POLL = 4000;
const POLL_BESIDE = 30_000; // beside a subscription, for what it does not tell, such as a new name of a pessoa
const REST = 1000; // between two questions, however much changes
const SUBSCRIBE_AGAIN = 30_000;
const OPENING = 6000; // longer than the gateway takes at most to open a subscription; nothing tells when it is open

/**
 * Options for the `useQuery` of what a view shows: how often the query is sent, if `isLive` says whether a subscription
 * tells of changes.
 */
export function live(isLive: boolean) {
  return {
    pollInterval: isLive ? POLL_BESIDE : POLL,
    skipPollAttempt: () => document.hidden,
    errorPolicy: 'all' as const, // what could be fetched is shown, whatever else failed
    refetchWritePolicy: 'merge' as const, // the pages that were read after the first one stay
    context: { shown: true }, // its answer says whether the view is as it was
  };
}

/**
 * Subscribes to changes as long as the view is shown, and calls `onChange` after them. Returns whether that is enough to
 * be up to date now.
 */
export function useChanges<Variables extends OperationVariables>(
  subscription: TypedDocumentNode<unknown, Variables>,
  variables: Variables,
  onChange: () => void,
): boolean {
  const client = useApolloClient();
  const isConnected = useReactiveVar(connected);
  const isOld = Object.keys(useReactiveVar(stale)).length > 0;
  const [refused, setRefused] = useState(false);
  const changed = useRef(onChange);
  useEffect(() => {
    changed.current = onChange;
  });
  const written = JSON.stringify(variables);

  useEffect(() => {
    let opening = 0;
    let resting = 0;
    let more = false;
    // Nobody looks at a hidden page; it asks when it is shown.
    const tell = () => {
      more = resting > 0;
      if (more || document.hidden) return;
      changed.current();
      resting = window.setTimeout(() => {
        resting = 0;
        if (more) tell();
      }, REST);
    };
    const open = () =>
      client.subscribe<unknown, OperationVariables>({ query: subscription, variables: JSON.parse(written) }).subscribe({
        next: ({ error }) => {
          setRefused(Boolean(error));
          if (!error) tell();
        },
        error: again,
        complete: again,
      });
    const again = () => {
      setRefused(true);
      opening = window.setTimeout(() => {
        setRefused(false); // until it is refused again
        subscribed = open();
      }, SUBSCRIBE_AGAIN);
    };
    let subscribed = open();
    document.addEventListener('visibilitychange', tell);
    return () => {
      document.removeEventListener('visibilitychange', tell);
      clearTimeout(opening);
      clearTimeout(resting);
      subscribed.unsubscribe();
    };
  }, [client, subscription, written]);

  // What changed while there was no connection,
  useEffect(() => {
    if (isConnected) changed.current();
  }, [isConnected]);
  // and before the subscription was open.
  useEffect(() => {
    if (!isConnected || refused) return;
    const opened = setTimeout(() => changed.current(), OPENING);
    return () => clearTimeout(opened);
  }, [isConnected, refused, written]);
  return isConnected && !refused && !isOld;
}
