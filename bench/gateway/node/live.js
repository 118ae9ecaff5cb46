// What the peers of the benchmark of live queries share: the schema of their subscription, and who tells them of changes.
// Each row is read once for all subscribers and travels in the event. A read for each of them, as in an ordinary
// resolver, would make a thousand requests for every change.
import { Pool } from 'undici'

export const TOPIC = 'PESSOAS'
export const typeDefs = /* GraphQL */ `
  type Pessoa { id: ID! nomePessoa: String! }
  enum Operacao { CRIADA ALTERADA REMOVIDA }
  type PessoaMudanca { cursor: String! operacao: Operacao! id: ID! pessoa: Pessoa }
  type Query { agora: String! }
  type Subscription { pessoaMudou: PessoaMudanca! }
`
export const resolvers = {
  Query: { agora: () => new Date().toISOString() },
  Pessoa: { nomePessoa: (row) => row.nome_pessoa }
}

const OPERATIONS = { created: 'CRIADA', updated: 'ALTERADA', deleted: 'REMOVIDA' }

/** Follows the changes of the pessoas from now on, and publishes each. */
export async function follow(publish) {
  const pessoas = new Pool(process.env.PESSOAS_URL)
  const get = async (path) => {
    const { statusCode, body } = await pessoas.request({ method: 'GET', path })
    if (statusCode !== 200) throw new Error(`${path} answered ${statusCode}`)
    return body.json()
  }
  let { last, epoch } = await get('/api/changes/')
  for (;;) {
    const told = await get(`/api/changes/?after=${last}&epoch=${epoch}&limit=1000&wait=0.4`)
    const ids = [...new Set(told.items.filter((one) => one.op !== 'deleted').map((one) => one.id))]
    const rows = ids.length ? await get(`/api/pessoas/?id=${ids.join()}&page_size=${ids.length}`) : []
    const byId = new Map(rows.map((row) => [row.id, row]))
    for (const { seq, id, op } of told.items) {
      publish({ pessoaMudou: { cursor: `pessoas:${epoch}:${seq}`, operacao: OPERATIONS[op], id, pessoa: byId.get(id) } })
    }
    last = told.last
  }
}
