// Relay against the running gateway: queries compiled from the checked-in schema, and a store that keys by type and id.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { test } from "node:test";
import relay from "relay-runtime";

const artifacts = createRequire(`${process.env.ARTIFACTS}/`);

/** What babel-plugin-relay makes of the tag: the artifact that the compiler wrote under the operation's name. */
function graphql([text]) {
  const [, name] = /(?:query|mutation|fragment) (\w+)/.exec(text);
  return artifacts(`./${name}.graphql.js`);
}

const PAINEL = graphql`
  query relayPainelQuery {
    solicitacoes(first: 100, orderBy: DATA_SOLICITACAO_DESC) {
      totalCount
      pageInfo { hasNextPage endCursor }
      edges {
        node {
          id
          dataSolicitacao
          pessoa { id nomePessoa }
          servico { id nomeServico }
          produto { id nomeProduto categoria { id nomeCategoria } }
        }
      }
    }
  }
`;
const PESSOAS = graphql`
  query relayPessoasQuery($first: Int!, $after: String) {
    ...relay_pessoas @arguments(first: $first, after: $after)
  }
`;
const PESSOAS_FRAGMENT = graphql`
  fragment relay_pessoas on Query
  @argumentDefinitions(first: { type: "Int!" }, after: { type: "String" })
  @refetchable(queryName: "relayMorePessoasQuery") {
    pessoas(first: $first, after: $after, orderBy: NOME_PESSOA_DESC) @connection(key: "relay_pessoas") {
      edges { node { id nomePessoa } }
    }
  }
`;
const CRIAR = graphql`
  mutation relayCriarMutation($input: CriarPessoaInput!, $connections: [ID!]!) {
    criarPessoa(input: $input) {
      pessoa @prependNode(connections: $connections, edgeTypeName: "PessoaEdge") { id nomePessoa }
      errors { code }
    }
  }
`;
const RENOMEAR = graphql`
  mutation relayRenomearMutation($id: ID!, $input: AtualizarPessoaInput!) {
    atualizarPessoa(id: $id, input: $input) { pessoa { id nomePessoa } errors { code field } }
  }
`;
const EXCLUIR = graphql`
  mutation relayExcluirMutation($id: ID!) {
    excluirPessoa(id: $id) { pessoa { id } errors { code } }
  }
`;
const FALHA = graphql`
  query relayFalhaQuery {
    pessoas(first: -1) { totalCount }
    servicos { totalCount }
  }
`;
const FALHA_SENTIDA = graphql`
  query relayFalhaSentidaQuery @throwOnFieldError {
    pessoas(first: -1) { totalCount }
  }
`;

/** An environment with the `getDataID` of docs/graphql.md. */
function connect(options = {}) {
  const network = relay.Network.create(async ({ text }, variables) => {
    const answer = await fetch(process.env.GATEWAY_URL, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/graphql-response+json" },
      body: JSON.stringify({ query: text, variables }),
    });
    return answer.json();
  });
  return new relay.Environment({
    network,
    store: new relay.Store(new relay.RecordSource()),
    getDataID: (node, typeName) => node.id && `${typeName}:${node.id}`,
    ...options,
  });
}

const fetchQuery = (environment, query, variables) =>
  relay.fetchQuery(environment, query, variables, { fetchPolicy: "network-only" }).toPromise();

const commit = (environment, mutation, config) =>
  new Promise((onCompleted, onError) => relay.commitMutation(environment, { mutation, onCompleted, onError, ...config }));

/** A list of pessoas that grows page by page, as usePaginationFragment reads it. */
async function openList(environment, first) {
  const operation = relay.createOperationDescriptor(relay.getRequest(PESSOAS), { first });
  const { paginationRequest, paginationMetadata } = relay.getPaginationMetadata(PESSOAS_FRAGMENT, "openList");
  environment.retain(operation);
  await fetchQuery(environment, PESSOAS, { first });

  function read() {
    const reference = environment.lookup(operation.fragment).data;
    return environment.lookup(relay.getSelector(PESSOAS_FRAGMENT, reference)).data.pessoas;
  }

  async function more(count) {
    const { endCursor } = read().pageInfo;
    const variables = relay.getPaginationVariables("forward", count, endCursor, { first }, {}, paginationMetadata);
    await fetchQuery(environment, paginationRequest, variables);
  }

  const id = relay.ConnectionHandler.getConnectionID("client:root", "relay_pessoas", { orderBy: "NOME_PESSOA_DESC" });
  return { id, read, more };
}

const names = ({ edges }) => edges.map(({ node }) => node.nomePessoa);

test("the Painel arrives whole, although ids are unique only within their type", async () => {
  const environment = connect();

  const { solicitacoes } = await fetchQuery(environment, PAINEL, {});

  assert.equal(solicitacoes.edges.length, 100);
  const records = environment.getStore().getSource();
  for (const { node } of solicitacoes.edges) {
    assert.equal(records.get(`Solicitacao:${node.id}`).dataSolicitacao, node.dataSolicitacao);
    assert.equal(records.get(`Pessoa:${node.pessoa.id}`).nomePessoa, node.pessoa.nomePessoa);
    assert.equal(records.get(`Servico:${node.servico.id}`).nomeServico, node.servico.nomeServico);
    assert.equal(records.get(`Produto:${node.produto.id}`).nomeProduto, node.produto.nomeProduto);
  }
});

test("a connection grows page by page without a gap or a repetition", async () => {
  const environment = connect();
  const whole = await openList(connect(), 20);

  const list = await openList(environment, 8);
  await list.more(8);
  await list.more(4);

  assert.deepEqual(names(list.read()), names(whole.read()));
  assert.equal(list.read().pageInfo.hasNextPage, true);
});

test("a created object is put into a connection, a changed one changes everywhere, a deleted one goes", async () => {
  const environment = connect();
  const list = await openList(environment, 3);
  const before = names(list.read());

  const variables = { input: { nomePessoa: "Relé" }, connections: [list.id] };
  const { criarPessoa } = await commit(environment, CRIAR, { variables });
  const { id } = criarPessoa.pessoa;
  assert.deepEqual(names(list.read()), ["Relé", ...before]);

  await commit(environment, RENOMEAR, { variables: { id, input: { nomePessoa: "Relé Novo" } } });
  assert.deepEqual(names(list.read()), ["Relé Novo", ...before]);

  await commit(environment, EXCLUIR, {
    variables: { id },
    updater: (store) => store.delete(store.getRootField("excluirPessoa").getLinkedRecord("pessoa").getDataID()),
  });
  assert.deepEqual(names({ edges: list.read().edges.filter((edge) => edge.node) }), before);
});

test("what a caller can mend is in the payload, and is no error to the client", async () => {
  const variables = { id: "1", input: { nomePessoa: " " } };

  const { atualizarPessoa } = await commit(connect(), RENOMEAR, { variables });

  assert.equal(atualizarPessoa.pessoa, null);
  assert.deepEqual(
    atualizarPessoa.errors.map(({ code, field }) => [code, field]),
    [["BLANK", "nomePessoa"]],
  );
});

test("a field that fails is null beside the others", async () => {
  const data = await fetchQuery(connect(), FALHA, {});

  assert.equal(data.pessoas, null);
  assert.ok(data.servicos.totalCount > 0);
});

test("a field that fails is thrown where a component asks for that, and logged with its code", async () => {
  const logged = [];
  const environment = connect({ relayFieldLogger: (event) => logged.push(event) });

  await assert.rejects(fetchQuery(environment, FALHA_SENTIDA, {}), /Unexpected response payload/);

  assert.deepEqual(logged[0].error.extensions, { code: "BAD_USER_INPUT", field: "first" });
});
