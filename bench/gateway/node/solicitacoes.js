// The schema, resolvers and loaders that Apollo Server, Yoga and Mercurius share: undici and DataLoader, as their
// documentation has it (https://undici.nodejs.org, https://github.com/graphql/dataloader#batching).
import DataLoader from 'dataloader'
import { Pool } from 'undici'

export const typeDefs = /* GraphQL */ `
  type Categoria { id: ID! nomeCategoria: String! }
  type Produto { id: ID! nomeProduto: String! categoria: Categoria! }
  type Pessoa {
    id: ID!
    nomePessoa: String!
    solicitacoes(first: Int!, orderBy: SolicitacaoOrder!): SolicitacoesDePessoa
  }
  type Servico { id: ID! nomeServico: String! }
  type Solicitacao {
    id: ID!
    dataSolicitacao: String!
    pessoa: Pessoa
    servico: Servico
    produto: Produto
  }
  type PageInfo { hasNextPage: Boolean! endCursor: String }
  type SolicitacaoEdge { node: Solicitacao! }
  type SolicitacaoConnection { totalCount: Int! pageInfo: PageInfo! edges: [SolicitacaoEdge!]! }
  type SolicitacoesDePessoa { edges: [SolicitacaoEdge!]! }
  enum SolicitacaoOrder { DATA_SOLICITACAO_DESC }
  type Query {
    solicitacoes(first: Int!, after: String, orderBy: SolicitacaoOrder!): SolicitacaoConnection
    solicitacao(id: ID!): Solicitacao
  }
`

const services = {
  pessoas: new Pool(process.env.PESSOAS_URL),
  servicos: new Pool(process.env.SERVICOS_URL),
  produtos: new Pool(process.env.CATALOGO_URL),
  solicitacoes: new Pool(process.env.SOLICITACOES_URL)
}

async function get(collection, query) {
  const { statusCode, headers, body } = await services[collection].request({
    method: 'GET',
    path: `/api/${collection}/?${query}`
  })
  if (statusCode !== 200) {
    await body.dump()
    throw new Error(`${collection} answered ${statusCode}`)
  }
  return { rows: await body.json(), headers }
}

function byIds(collection) {
  return new DataLoader(
    async (ids) => {
      const { rows } = await get(collection, `id=${ids.join()}`)
      const found = new Map(rows.map((row) => [row.id, row]))
      return ids.map((id) => found.get(id) ?? null)
    },
    { maxBatchSize: 1000 }
  )
}

/** Loads the newest solicitações of a pessoa, those of many pessoas in one request. */
function byPessoa(first) {
  return new DataLoader(
    async (ids) => {
      const { statusCode, body } = await services.solicitacoes.request({
        method: 'POST',
        path: '/api/solicitacoes/query/',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ per: { field: 'pessoa_id', ids }, ordering: '-data_solicitacao', first })
      })
      if (statusCode !== 200) {
        await body.dump()
        throw new Error(`solicitacoes answered ${statusCode}`)
      }
      const found = new Map((await body.json()).groups.map((group) => [group.id, group.items]))
      return ids.map((id) => found.get(id))
    },
    { maxBatchSize: 1000 }
  )
}

/** The context of one request, for its resolvers. */
export function contextOf() {
  const ofPessoa = new Map()
  return {
    ofPessoa(first) {
      if (!ofPessoa.has(first)) ofPessoa.set(first, byPessoa(first))
      return ofPessoa.get(first)
    },
    pessoas: byIds('pessoas'),
    servicos: byIds('servicos'),
    produtos: byIds('produtos'),
    solicitacoes: byIds('solicitacoes')
  }
}

export const resolvers = {
  Query: {
    async solicitacoes(_root, { first, after }) {
      const place = after == null ? '' : `&cursor=${encodeURIComponent(after)}`
      const { rows, headers } = await get(
        'solicitacoes',
        `page_size=${first}&ordering=-data_solicitacao&count=true${place}`
      )
      const next = headers.link?.match(/[?&]cursor=([^&>]+)[^>]*>; rel="next"/)
      return {
        totalCount: Number(headers['x-total-count']),
        pageInfo: { hasNextPage: next != null, endCursor: next ? decodeURIComponent(next[1]) : null },
        edges: rows.map((node) => ({ node }))
      }
    },
    solicitacao: (_root, { id }, context) => context.solicitacoes.load(Number(id))
  },
  Solicitacao: {
    dataSolicitacao: (row) => row.data_solicitacao,
    pessoa: (row, _, context) => context.pessoas.load(row.pessoa_id),
    servico: (row, _, context) => context.servicos.load(row.servico_id),
    produto: (row, _, context) => context.produtos.load(row.produto_id)
  },
  Pessoa: {
    nomePessoa: (row) => row.nome_pessoa,
    async solicitacoes(row, { first }, context) {
      return { edges: (await context.ofPessoa(first).load(row.id)).map((node) => ({ node })) }
    }
  },
  Servico: { nomeServico: (row) => row.nome_servico },
  Produto: { nomeProduto: (row) => row.nome_produto },
  Categoria: { nomeCategoria: (row) => row.nome_categoria }
}
