// Prints the newest solicitações. Everything it reads has the type that the schema gives it: a misspelt field does not
// compile, nor does a nested object that is taken for granted, since each may be null.
import { PainelDocument, type TypedDocumentString } from "./generated.ts";

const url = process.env.GATEWAY_URL ?? "http://localhost:8000/graphql";

async function run<Data, Variables>(query: TypedDocumentString<Data, Variables>, variables: Variables): Promise<Data> {
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

const { solicitacoes } = await run(PainelDocument, { first: 10 });
for (const { dataSolicitacao, pessoa, servico, produto } of solicitacoes?.nodes ?? []) {
  const what = [servico?.nomeServico, produto?.nomeProduto, produto?.categoria.nomeCategoria];
  console.log([dataSolicitacao, pessoa?.nomePessoa, ...what].map((shown) => shown ?? "?").join(" | "));
}
console.log(`${solicitacoes?.totalCount ?? 0} ao todo`);
