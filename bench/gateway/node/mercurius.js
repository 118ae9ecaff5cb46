// Mercurius on Fastify, every query compiled from its first run on (`jit: 1`): https://mercurius.dev/#/docs/api/options.
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { contextOf, resolvers, typeDefs } from './solicitacoes.js'

const app = Fastify()
app.register(mercurius, { schema: typeDefs, resolvers, context: contextOf, jit: 1 })
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
