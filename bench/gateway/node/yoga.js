// GraphQL Yoga on Node's own server, with graphql-jit: https://the-guild.dev/graphql/yoga-server/docs and
// https://the-guild.dev/graphql/envelop/plugins/use-graphql-jit; parsing and validation are cached by default.
import { createServer } from 'node:http'
import { useGraphQlJit } from '@envelop/graphql-jit'
import { createSchema, createYoga } from 'graphql-yoga'
import { contextOf, resolvers, typeDefs } from './solicitacoes.js'

const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers }),
  context: contextOf,
  plugins: [useGraphQlJit()],
  graphiql: false,
  landingPage: false,
  logging: false
})
createServer(yoga).listen(Number(process.env.PORT), '127.0.0.1')
