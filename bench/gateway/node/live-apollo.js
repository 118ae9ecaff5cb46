// Subscriptions beside Apollo Server, by graphql-ws and graphql-subscriptions:
// https://www.apollographql.com/docs/apollo-server/data/subscriptions.
import { createServer } from 'node:http'
import { ApolloServer } from '@apollo/server'
import { expressMiddleware } from '@as-integrations/express5'
import { makeExecutableSchema } from '@graphql-tools/schema'
import express from 'express'
import { PubSub } from 'graphql-subscriptions'
import { useServer } from 'graphql-ws/use/ws'
import { WebSocketServer } from 'ws'
import { follow, resolvers, TOPIC, typeDefs } from './live.js'

const pubsub = new PubSub()
pubsub.ee.setMaxListeners(0) // only silences a warning
const subscription = { Subscription: { pessoaMudou: { subscribe: () => pubsub.asyncIterableIterator(TOPIC) } } }
const schema = makeExecutableSchema({ typeDefs, resolvers: { ...resolvers, ...subscription } })
const app = express()
const httpServer = createServer(app)
useServer({ schema }, new WebSocketServer({ server: httpServer, path: '/graphql' }))
const server = new ApolloServer({ schema })
await server.start()
app.use('/graphql', express.json(), expressMiddleware(server))
httpServer.listen(Number(process.env.PORT), '127.0.0.1')
await follow((payload) => pubsub.publish(TOPIC, payload))
