// urql against the running gateway; the cache is its normalised one, Graphcache.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Client, fetchExchange, gql } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { relayPagination } from "@urql/exchange-graphcache/extras";

const PAINEL = readFileSync(process.env.PAINEL, "utf8");
const PESSOAS = gql`
  query Pessoas($first: Int!, $after: String) {
    pessoas(first: $first, after: $after, orderBy: NOME_PESSOA_ASC) {
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor node { id nomePessoa } }
    }
  }
`;
const MAIS_NOVAS = gql`{ pessoas(first: 3, orderBy: ID_DESC) { edges { node { id nomePessoa } } } }`;
const CRIAR = gql`
  mutation Criar($input: CriarPessoaInput!) {
    criarPessoa(input: $input) { pessoa { id nomePessoa } errors { code field message } }
  }
`;
const RENOMEAR = gql`
  mutation Renomear($id: ID!, $input: AtualizarPessoaInput!) {
    atualizarPessoa(id: $id, input: $input) { pessoa { id nomePessoa } errors { code } }
  }
`;
const EXCLUIR = gql`mutation Excluir($id: ID!) { excluirPessoa(id: $id) { pessoa { id } errors { code } } }`;

/** A client, and every request that it made with the media type of its answer. */
function connect(options = {}) {
  const seen = [];
  const cache = cacheExchange({
    resolvers: { Query: { pessoas: relayPagination() } },
    updates: {
      Mutation: {
        criarPessoa({ criarPessoa }, _, cache) {
          if (!criarPessoa.pessoa) return;
          cache.updateQuery({ query: MAIS_NOVAS }, (old) => {
            old?.pessoas.edges.unshift({ __typename: "PessoaEdge", node: criarPessoa.pessoa });
            return old;
          });
        },
        excluirPessoa: (_, { id }, cache) => cache.invalidate({ __typename: "Pessoa", id }),
      },
    },
  });
  const client = new Client({
    url: process.env.GATEWAY_URL,
    exchanges: [cache, fetchExchange],
    async fetch(url, init) {
      const answer = await fetch(url, init);
      seen.push({ method: init.method, accept: init.headers.accept, answered: answer.headers.get("content-type") });
      return answer;
    },
    ...options,
  });
  return { client, seen };
}

const names = (data) => data.pessoas.edges.map((edge) => edge.node.nomePessoa);

for (const preferGetMethod of [false, "within-url-limit"]) {
  test(`the Painel arrives whole as JSON, whatever else Accept lists (preferGetMethod: ${preferGetMethod})`, async () => {
    const { client, seen } = connect({ preferGetMethod });

    const { data, error } = await client.query(PAINEL, {});

    assert.equal(error, undefined);
    assert.equal(data.solicitacoes.edges.length, 100);
    assert.ok(data.solicitacoes.edges[0].node.produto.categoria.nomeCategoria);
    assert.equal(seen.length, 1);
    assert.equal(seen[0].method, preferGetMethod ? "GET" : "POST");
    assert.match(seen[0].accept, /text\/event-stream, multipart\/mixed/);
    assert.equal(seen[0].answered, "application/graphql-response+json; charset=utf-8");
  });
}

test("a page after the end cursor grows the list without a gap or a repetition", async () => {
  const { client } = connect();
  const whole = await connect().client.query(PESSOAS, { first: 20 });

  let list = await client.query(PESSOAS, { first: 8 });
  for (const first of [8, 4]) {
    list = await client.query(PESSOAS, { first, after: list.data.pessoas.pageInfo.endCursor });
  }

  assert.deepEqual(names(list.data), names(whole.data));
  assert.equal(list.data.pessoas.pageInfo.hasNextPage, true);
});

test("a created object is put into a cached list, a changed one changes everywhere, a deleted one goes", async () => {
  const { client, seen } = connect();
  await client.query(MAIS_NOVAS, {});
  const first = () => client.readQuery(MAIS_NOVAS, {}).data.pessoas.edges[0].node;

  const created = await client.mutation(CRIAR, { input: { nomePessoa: "Urca" } });
  const { id } = created.data.criarPessoa.pessoa;
  assert.deepEqual({ ...first() }, { id, nomePessoa: "Urca" });

  await client.mutation(RENOMEAR, { id, input: { nomePessoa: "Urca Nova" } });
  assert.equal(first().nomePessoa, "Urca Nova");
  assert.equal(seen.length, 3);

  await client.mutation(EXCLUIR, { id });
  const { data } = await client.query(MAIS_NOVAS, {}, { requestPolicy: "network-only" });
  assert.notEqual(data.pessoas.edges[0].node.id, id);
});

test("what a caller can mend is in the payload, and is no error to the client", async () => {
  const { data, error } = await connect().client.mutation(CRIAR, { input: { nomePessoa: " " } });

  assert.equal(error, undefined);
  assert.deepEqual(
    data.criarPessoa.errors.map(({ code, field }) => [code, field]),
    [["BLANK", "nomePessoa"]],
  );
});

test("a field that fails is null beside the others, with a code and its path", async () => {
  const query = gql`{ pessoas(first: -1) { totalCount } servicos { totalCount } }`;

  const { data, error } = await connect().client.query(query, {});

  assert.equal(data.pessoas, null);
  assert.ok(data.servicos.totalCount > 0);
  assert.deepEqual(error.graphQLErrors[0].path, ["pessoas"]);
  assert.deepEqual(error.graphQLErrors[0].extensions, { code: "BAD_USER_INPUT", field: "first" });
});

test("a request that cannot be executed is a GraphQL error too, although its status is 400", async () => {
  const { error } = await connect().client.query(gql`{ naoExiste }`, {});

  assert.equal(error.response.status, 400);
  assert.equal(error.graphQLErrors[0].extensions.code, "BAD_USER_INPUT");
});
