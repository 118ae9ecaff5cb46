// Audits the GraphQL server at GATEWAY_URL by the GraphQL over HTTP specification; prints one JSON object per audit.
import { auditServer } from "graphql-http";

const results = await auditServer({ url: process.env.GATEWAY_URL });
console.log(JSON.stringify(results.map(({ id, name, status, reason }) => ({ id, name, status, reason }))));
