// Apollo Client against the running gateway: what docs/graphql.md promises to a frontend that uses it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { relayStylePagination } from "@apollo/client/utilities";
import { filter, firstValueFrom } from "rxjs";

const PAINEL = gql(readFileSync(process.env.PAINEL, "utf8"));
const PESSOAS = gql`
  query Pessoas($first: Int!, $after: String) {
    pessoas(first: $first, after: $after, orderBy: NOME_PESSOA_ASC) {
      pageInfo { hasNextPage endCursor }
      edges { cursor node { id nomePessoa } }
    }
  }
`;
const PESSOA = gql`query Pessoa($id: ID!) { pessoa(id: $id) { id nomePessoa } }`;
const MAIS_NOVAS = gql`{ pessoas(first: 3, orderBy: ID_DESC) { edges { cursor node { id nomePessoa } } } }`;
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

function connect() {
  return new ApolloClient({
    link: new HttpLink({ uri: process.env.GATEWAY_URL }),
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { pessoas: relayStylePagination(["filter", "orderBy"]) } } },
    }),
  });
}

/** The result once it has so many edges. */
const showing = (list, length) => firstValueFrom(list.pipe(filter(({ data }) => data?.pessoas?.edges.length === length)));
const names = (data) => data.pessoas.edges.map((edge) => edge.node.nomePessoa);

test("the Painel arrives whole, and is kept by type and id with no configuration", async () => {
  const client = connect();

  const { data } = await client.query({ query: PAINEL });

  const { node } = data.solicitacoes.edges[0];
  assert.equal(data.solicitacoes.edges.length, 100);
  assert.ok(node.pessoa.nomePessoa && node.servico.nomeServico && node.produto.categoria.nomeCategoria);
  const cached = client.cache.extract();
  assert.equal(cached[`Solicitacao:${node.id}`].dataSolicitacao, node.dataSolicitacao);
  assert.equal(cached[`Pessoa:${node.pessoa.id}`].nomePessoa, node.pessoa.nomePessoa);
});

test("fetchMore after the end cursor grows the list without a gap or a repetition", async () => {
  const client = connect();
  const whole = await client.query({ query: PESSOAS, variables: { first: 20 }, fetchPolicy: "no-cache" });
  const list = client.watchQuery({ query: PESSOAS, variables: { first: 8 } });
  list.subscribe();

  for (const [length, first] of [[8, 8], [16, 4]]) {
    const { data } = await showing(list, length);
    await list.fetchMore({ variables: { first, after: data.pessoas.pageInfo.endCursor } });
  }

  const { data } = await showing(list, 20);
  assert.deepEqual(names(data), names(whole.data));
  assert.equal(data.pessoas.pageInfo.hasNextPage, true);
});

test("a created object is put into a cached list, a changed one changes everywhere, a deleted one goes", async () => {
  const client = connect();
  await client.query({ query: MAIS_NOVAS });

  const created = await client.mutate({
    mutation: CRIAR,
    variables: { input: { nomePessoa: "Apolo" } },
    update(cache, { data }) {
      const node = data.criarPessoa.pessoa;
      cache.updateQuery({ query: MAIS_NOVAS }, (old) => ({
        pessoas: { ...old.pessoas, edges: [{ __typename: "PessoaEdge", cursor: "", node }, ...old.pessoas.edges] },
      }));
    },
  });
  const { id } = created.data.criarPessoa.pessoa;
  const first = () => client.readQuery({ query: MAIS_NOVAS }).pessoas.edges[0].node;
  assert.deepEqual(first(), { __typename: "Pessoa", id, nomePessoa: "Apolo" });

  await client.mutate({ mutation: RENOMEAR, variables: { id, input: { nomePessoa: "Apolo Febo" } } });
  assert.equal(first().nomePessoa, "Apolo Febo");

  await client.mutate({
    mutation: EXCLUIR,
    variables: { id },
    update: (cache, { data }) => void cache.evict({ id: cache.identify(data.excluirPessoa.pessoa) }),
  });
  assert.notEqual(first().id, id);
  assert.equal((await client.query({ query: PESSOA, variables: { id } })).data.pessoa, null);
});

test("what a caller can mend is in the payload, and is no error to the client", async () => {
  const { data } = await connect().mutate({ mutation: CRIAR, variables: { input: { nomePessoa: " " } } });

  assert.equal(data.criarPessoa.pessoa, null);
  assert.deepEqual(
    data.criarPessoa.errors.map(({ code, field }) => [code, field]),
    [["BLANK", "nomePessoa"]],
  );
});

test("a field that fails is null beside the others, with a code and its path", async () => {
  const query = gql`{ pessoas(first: -1) { totalCount } servicos { totalCount } }`;

  const { data, error } = await connect().query({ query, errorPolicy: "all" });

  assert.equal(data.pessoas, null);
  assert.ok(data.servicos.totalCount > 0);
  assert.ok(CombinedGraphQLErrors.is(error));
  assert.deepEqual(error.errors[0].path, ["pessoas"]);
  assert.deepEqual(error.errors[0].extensions, { code: "BAD_USER_INPUT", field: "first" });
});

test("a request that cannot be executed is a GraphQL error too, although its status is 400", async () => {
  const refused = connect().query({ query: gql`{ naoExiste }` });

  await assert.rejects(
    refused,
    (error) => CombinedGraphQLErrors.is(error) && error.errors[0].extensions.code === "BAD_USER_INPUT",
  );
});

for (const useGETForHashedQueries of [false, true]) {
  test(`hashes instead of queries are answered so that the text is sent, ${useGETForHashedQueries ? "GET" : "POST"}`, async () => {
    const requests = [];
    const noting = (url, options) => {
      const given = options.body ? JSON.parse(options.body) : Object.fromEntries(new URL(url).searchParams);
      requests.push([options.method, "query" in given]);
      return fetch(url, options);
    };
    const sha256 = (text) => createHash("sha256").update(text).digest("hex");
    const link = new PersistedQueryLink({ sha256, useGETForHashedQueries });
    const http = new HttpLink({ uri: process.env.GATEWAY_URL, fetch: noting });
    const client = new ApolloClient({ link: link.concat(http), cache: new InMemoryCache() });

    const first = await client.query({ query: PESSOA, variables: { id: "1" } });
    const second = await client.query({ query: PESSOA, variables: { id: "2" } });

    assert.equal(first.data.pessoa.id, "1");
    assert.equal(second.data.pessoa.id, "2");
    const hashed = useGETForHashedQueries ? "GET" : "POST";
    assert.deepEqual(requests, [[hashed, false], ["POST", true], ["POST", true]], "once, and then the text at once");
  });
}
