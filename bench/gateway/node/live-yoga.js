// Subscriptions of GraphQL Yoga, as server-sent events and, by graphql-ws, over WebSockets, with its own PubSub:
// https://the-guild.dev/graphql/yoga-server/docs/features/subscriptions.
import { createServer } from 'node:http'
import { useServer } from 'graphql-ws/use/ws'
import { createPubSub, createSchema, createYoga } from 'graphql-yoga'
import { WebSocketServer } from 'ws'
import { follow, resolvers, TOPIC, typeDefs } from './live.js'

const pubSub = createPubSub()
const subscription = { Subscription: { pessoaMudou: { subscribe: () => pubSub.subscribe(TOPIC) } } }
const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers: { ...resolvers, ...subscription } }),
  graphiql: false,
  landingPage: false,
  logging: false
})
const server = createServer(yoga)
useServer(
  {
    execute: (args) => args.rootValue.execute(args),
    subscribe: (args) => args.rootValue.subscribe(args),
    onSubscribe: async (ctx, _id, { operationName, query, variables }) => {
      const { schema, execute, subscribe, contextFactory, parse, validate } = yoga.getEnveloped({
        ...ctx,
        req: ctx.extra.request,
        socket: ctx.extra.socket,
        params: { operationName, query, variables }
      })
      const args = {
        schema,
        operationName,
        document: parse(query),
        variableValues: variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe }
      }
      const errors = validate(args.schema, args.document)
      return errors.length ? errors : args
    }
  },
  new WebSocketServer({ server, path: yoga.graphqlEndpoint })
)
server.listen(Number(process.env.PORT), '127.0.0.1')
await follow((payload) => pubSub.publish(TOPIC, payload))
