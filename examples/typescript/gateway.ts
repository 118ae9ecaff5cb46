// Sends operations to the gateway. What is answered has the type of the operation.
import type { TypedDocumentString } from "./generated.ts";

const url = process.env.GATEWAY_URL ?? "http://localhost:8000/graphql";

export async function run<Data, Variables>(
  query: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/graphql-response+json" },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await answer.json()) as { data?: Data; errors?: { message: string }[] };
  for (const { message } of errors ?? []) console.error(message);
  if (!data) throw new Error(`${url} answered ${answer.status} without data`);
  return data;
}
