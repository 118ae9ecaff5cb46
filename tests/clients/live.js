// Live queries with the usual client libraries: a first event, the gateway killed and started again, and no scope.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { ApolloClient, ApolloLink, CombinedGraphQLErrors, InMemoryCache, Observable as ApolloObservable, gql } from "@apollo/client";
import { Client, fetchExchange, subscriptionExchange } from "@urql/core";
import { print } from "graphql";
import { createClient as createEventClient } from "graphql-sse";
import { createClient as createSocketClient } from "graphql-ws";
import relay from "relay-runtime";
import { follow } from "../../gateway/playground/src/following.js";

const { LIVE_PORT, PESSOAS_URL, GATEWAY_COMMAND, PROTECTED_URL, TOKEN } = process.env;
const URL = `http://localhost:${LIVE_PORT}/graphql`;
const MUDOU = `subscription Mudou($apos: String) {
  pessoaMudou(apos: $apos) { cursor operacao id pessoa { id nomePessoa } }
}`;
/** What babel-plugin-relay makes of the tag: the artifact that the compiler wrote under the operation's name. */
function graphql([text]) {
  const [, name] = /subscription (\w+)/.exec(text);
  return createRequire(`${process.env.ARTIFACTS}/`)(`./${name}.graphql.js`);
}
const RELAY_MUDOU = graphql`
  subscription liveMudouSubscription($apos: String) {
    pessoaMudou(apos: $apos) { cursor operacao id pessoa { id nomePessoa } }
  }
`;

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const often = { retryAttempts: Infinity, retryWait: () => wait(100), retry: () => wait(100) };

const socketClient = (url = URL, token) =>
  createSocketClient({
    url: url.replace("http", "ws"),
    connectionParams: token && { Authorization: `Bearer ${token}` },
    shouldRetry: () => true,
    ...often,
  });
const eventClient = (url = URL, token) =>
  createEventClient({ url, headers: token && { Authorization: `Bearer ${token}` }, ...often });

function apolloClient(client) {
  const link = new ApolloLink(
    ({ query, variables, operationName }) =>
      new ApolloObservable((observer) =>
        follow(
          client,
          { query: print(query), variables, operationName },
          {
            next: (result) => observer.next(result),
            error: (failure) =>
              observer.error(Array.isArray(failure) ? new CombinedGraphQLErrors({ errors: failure }) : failure),
            complete: () => observer.complete(),
          },
        ),
      ),
  );
  return new ApolloClient({ link, cache: new InMemoryCache() });
}

function urqlClient(client) {
  const forwardSubscription = (request) => ({
    subscribe: (observer) => ({ unsubscribe: follow(client, request, observer) }),
  });
  return new Client({ url: URL, exchanges: [subscriptionExchange({ forwardSubscription })] });
}

function relayEnvironment(client) {
  const { Environment, Network, Observable, RecordSource, Store } = relay;
  const unused = () => Promise.reject(new Error("only subscriptions"));
  const subscribe = ({ text, name }, variables) =>
    Observable.create((sink) => follow(client, { query: text, operationName: name, variables }, sink));
  return new Environment({
    network: Network.create(unused, subscribe),
    store: new Store(new RecordSource()),
    getDataID: (node, typeName) => node.id && `${typeName}:${node.id}`,
  });
}

/** By name: `(client, apos, onEvent, onError) => stop`, for a client of one of the two protocols. */
const LIBRARIES = {
  none: (client, apos, onEvent, onError) =>
    follow(
      client,
      { query: MUDOU, variables: { apos } },
      {
        next: ({ data, errors }) => (errors ? onError(errors) : onEvent(data)),
        error: onError,
        complete() {},
      },
    ),
  apollo(client, apos, onEvent, onError) {
    const events = apolloClient(client).subscribe({ query: gql(MUDOU), variables: { apos } });
    const subscription = events.subscribe({
      next: ({ data, error }) => (error ? onError(error.errors ?? error) : onEvent(data)),
      error: (error) => onError(error.errors ?? error),
    });
    return () => subscription.unsubscribe();
  },
  urql(client, apos, onEvent, onError) {
    const subscription = urqlClient(client)
      .subscription(MUDOU, { apos })
      .subscribe(({ data, error }) => (error ? onError(error.graphQLErrors) : onEvent(data)));
    return () => subscription.unsubscribe();
  },
  relay(client, apos, onEvent, onError) {
    const subscription = relay.requestSubscription(relayEnvironment(client), {
      subscription: RELAY_MUDOU,
      variables: { apos },
      onNext: onEvent,
      onError: (error) => onError(error.source?.errors ?? error),
    });
    return () => subscription.dispose();
  },
};

let gateway;
async function startGateway() {
  const { args, env } = JSON.parse(GATEWAY_COMMAND);
  gateway = spawn(args[0], args.slice(1), { env, stdio: "ignore" });
  for (let attempt = 0; attempt < 300; attempt++) {
    const answer = await fetch(`http://localhost:${LIVE_PORT}/health/ready`).catch(() => undefined);
    if (answer?.ok) return;
    await wait(100);
  }
  throw new Error("the gateway does not start");
}
async function killGateway() {
  gateway.kill("SIGKILL");
  await once(gateway, "exit");
}

async function add(nome) {
  const answer = await fetch(`${PESSOAS_URL}/api/pessoas/`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ nome_pessoa: nome }),
  });
  assert.equal(answer.status, 201);
}

async function position() {
  const answer = await fetch(URL, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: "{ posicao }" }),
  });
  return (await answer.json()).data.posicao;
}

/** Waits until there are so many, at most 30 seconds. */
async function reaches(list, length) {
  for (let attempt = 0; attempt < 600 && list.length < length; attempt++) await wait(50);
  assert.ok(list.length >= length);
}

before(startGateway);
after(killGateway);

const CLIENTS = Object.keys(LIBRARIES).flatMap((library) => [
  [library, "graphql-ws", socketClient],
  [library, "graphql-sse", eventClient],
]);

test("every library goes on without a gap or a repetition when the gateway was killed", async () => {
  const apos = await position();
  const seen = CLIENTS.map(([library, , client]) => {
    const names = [];
    const stop = LIBRARIES[library](
      client(),
      apos,
      ({ pessoaMudou }) => names.push(pessoaMudou.pessoa.nomePessoa),
      (error) => assert.fail(JSON.stringify(error)),
    );
    return { names, stop };
  });
  await add("Um");
  for (const { names } of seen) await reaches(names, 1);

  await killGateway();
  await add("Dois");
  await add("Três");
  await startGateway();
  for (const { names } of seen) await reaches(names, 3);
  await add("Quatro");
  for (const { names } of seen) await reaches(names, 4);

  for (const { names, stop } of seen) {
    assert.deepEqual(names, ["Um", "Dois", "Três", "Quatro"]);
    stop();
  }
});

for (const [library, protocol, client] of CLIENTS) {
  test(`without the scope of its service, a subscription is refused (${library} over ${protocol})`, async () => {
    const errors = [];

    const stop = LIBRARIES[library](client(PROTECTED_URL, TOKEN), undefined, assert.fail, (error) => errors.push(error));

    await reaches(errors, 1);
    assert.match(JSON.stringify(errors), /FORBIDDEN|pessoas:read/);
    stop();
  });
}

test("without a token, graphql-ws is told so by the code 4403", async () => {
  const client = createSocketClient({ url: PROTECTED_URL.replace("http", "ws"), retryAttempts: 0 });

  const failure = await new Promise((resolve) =>
    client.subscribe({ query: MUDOU }, { next: resolve, error: resolve, complete: resolve }),
  );

  assert.equal(failure.code, 4403);
});

test("urql reads the events of a subscription by itself, without a library for the protocol", async () => {
  const client = new Client({ url: URL, exchanges: [fetchExchange], fetchSubscriptions: true });
  const names = [];
  const apos = await position();
  const subscription = client
    .subscription(MUDOU, { apos })
    .subscribe(({ data }) => names.push(data.pessoaMudou.pessoa.nomePessoa));

  await add("Cinco");

  await reaches(names, 1);
  subscription.unsubscribe();
});

test("a client of the former protocol is told which one to use", async () => {
  const socket = new WebSocket(URL.replace("http", "ws"), "graphql-ws");
  const messages = [];
  socket.onmessage = ({ data }) => messages.push(JSON.parse(data));

  const { code, reason } = await new Promise((resolve) => (socket.onclose = resolve));

  assert.deepEqual([code, reason], [4406, "use o subprotocolo graphql-transport-ws"]);
  assert.equal(messages[0].type, "connection_error");
});
