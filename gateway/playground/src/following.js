/**
 * Like `client.subscribe` of graphql-ws and of graphql-sse, but nothing is lost: each event renews the variable `apos`,
 * which the library sends again when it reconnects. The subscription must select `cursor`.
 */
export function follow(client, request, sink) {
  const payload = { ...request, variables: { ...request.variables } };
  let stop = () => {};
  const start = () => {
    stop = client.subscribe(payload, {
      next(result) {
        const [change] = Object.values(result.data ?? {});
        if (change?.cursor) payload.variables.apos = change.cursor;
        sink.next(result);
      },
      error(failure) {
        const cursor = failure?.[0]?.extensions?.cursor; // the server ended it, and says from where to go on
        if (!cursor) return sink.error(failure);
        payload.variables.apos = cursor;
        const timer = setTimeout(start, 1000 + 1000 * Math.random());
        stop = () => clearTimeout(timer);
      },
      complete: () => sink.complete(),
    });
  };
  start();
  return () => stop();
}
