// Apollo Server with Express, as https://www.apollographql.com/docs/apollo-server/api/express-middleware has it;
// NODE_ENV=production switches off its introspection, landing page and stack traces.
import { ApolloServer } from '@apollo/server'
import { expressMiddleware } from '@as-integrations/express5'
import express from 'express'
import { contextOf, resolvers, typeDefs } from './solicitacoes.js'

const server = new ApolloServer({ typeDefs, resolvers })
await server.start()
const app = express()
app.use('/graphql', express.json(), expressMiddleware(server, { context: async () => contextOf() }))
app.listen(Number(process.env.PORT), '127.0.0.1')
