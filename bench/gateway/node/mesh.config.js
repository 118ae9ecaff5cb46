// Composes the four OpenAPI documents, with links between them, into the supergraph that Hive Gateway serves:
// https://the-guild.dev/graphql/mesh/v1/source-handlers/openapi and
// https://the-guild.dev/graphql/mesh/v1/schema-extensions (`@resolveTo`, batched by `keysArg`). Of each document only
// the list is kept, and of its answers only the success. The services share types of the same name in the rest, which
// cannot be composed, and a union of success and error would cost something for every row.
import { readFileSync } from 'node:fs'
import { defineConfig } from '@graphql-mesh/compose-cli'
import { loadOpenAPISubgraph } from '@omnigraph/openapi'

function service(name, collection, ...wanted) {
  const document = JSON.parse(readFileSync(`../../../${name}/openapi.json`))
  const { get } = document.paths[`/api/${collection}/`]
  const parameters = get.parameters.filter((one) => wanted.includes(one.name))
  const list = { ...get, parameters, responses: { 200: get.responses[200] } }
  return {
    sourceHandler: loadOpenAPISubgraph(name, {
      source: { ...document, paths: { [`/api/${collection}/`]: { get: list } } },
      endpoint: process.env[`${name.toUpperCase()}_URL`]
    })
  }
}

const link = (service, operation, key) =>
  `@resolveTo(sourceName: "${service}", sourceTypeName: "Query", sourceFieldName: "${operation}",
    keyField: "${key}", keysArg: "id", valueKeyField: "id")`

export const composeConfig = defineConfig({
  subgraphs: [
    service('catalogo', 'produtos', 'id'),
    service('pessoas', 'pessoas', 'id'),
    service('servicos', 'servicos', 'id'),
    service('solicitacoes', 'solicitacoes', 'page_size', 'cursor', 'ordering')
  ],
  additionalTypeDefs: /* GraphQL */ `
    extend type SolicitacaoPublic {
      pessoa: PessoaPublic ${link('pessoas', 'pagePessoa', 'pessoa_id')}
      servico: ServicoPublic ${link('servicos', 'pageServico', 'servico_id')}
      produto: ProdutoPublic ${link('catalogo', 'pageProduto', 'produto_id')}
    }
  `
})
