// Subscriptions of Mercurius, over WebSockets, with its own PubSub: https://mercurius.dev/#/docs/subscriptions.
import Fastify from 'fastify'
import mercurius from 'mercurius'
import { follow, resolvers, TOPIC, typeDefs } from './live.js'

const app = Fastify()
app.register(mercurius, {
  schema: typeDefs,
  resolvers: {
    ...resolvers,
    Subscription: { pessoaMudou: { subscribe: (_root, _args, { pubsub }) => pubsub.subscribe(TOPIC) } }
  },
  subscription: true,
  jit: 1
})
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
await follow((payload) => app.graphql.pubsub.publish({ topic: TOPIC, payload }))
