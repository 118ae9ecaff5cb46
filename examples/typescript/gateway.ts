// Sends operations to the gateway. What is answered has the type of the operation.
import type { TypedDocumentString } from "./generated.ts";

const url = process.env.GATEWAY_URL ?? "http://localhost:8000/graphql";

export async function run<Data, Variables>(
  query: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const asked = fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/graphql-response+json" },
    body: JSON.stringify({ query, variables }),
  });
  const answer = await asked.catch((failure: Error) => stop(`O gateway não responde em ${url} (${reason(failure)}).`));
  const read: Promise<{ data?: Data; errors?: { message: string }[] }> = answer.json();
  const { data, errors } = await read.catch(() => stop(`${url} respondeu ${answer.status}, e não em JSON.`));
  for (const { message } of errors ?? []) console.error(message);
  return data ?? stop(`${url} respondeu ${answer.status}, sem dados.`);
}

function reason({ message, cause }: Error): string {
  const { code, message: more } = (cause ?? {}) as { code?: string; message?: string };
  return code ?? more ?? message;
}

function stop(message: string): never {
  console.error(`${message} Ele está no ar (make run)? O endereço vem de GATEWAY_URL.`);
  process.exit(1);
}
