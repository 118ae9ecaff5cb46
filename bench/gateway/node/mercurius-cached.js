// Mercurius as in mercurius.js, with its cache: https://github.com/mercurius-js/mercurius-cache. What a solicitação refers
// to is remembered by its id for a second. Nothing tells the cache of a change, so that it answers stale until then.
import Fastify from 'fastify'
import mercurius from 'mercurius'
import cache from 'mercurius-cache'
import { contextOf, resolvers, typeDefs } from './solicitacoes.js'

const app = Fastify()
app.register(mercurius, { schema: typeDefs, resolvers, context: contextOf, jit: 1 })
app.register(cache, {
  ttl: 1,
  storage: { type: 'memory', options: { size: 100_000 } },
  policy: {
    Solicitacao: {
      pessoa: { key: ({ self }) => String(self.pessoa_id) },
      servico: { key: ({ self }) => String(self.servico_id) },
      produto: { key: ({ self }) => String(self.produto_id) }
    }
  }
})
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
