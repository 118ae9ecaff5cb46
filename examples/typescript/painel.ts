// Prints the newest solicitações. Everything it reads has the type that the schema gives it: a misspelt field does not
// compile, nor does a nested object that is taken for granted, since each may be null.
import { run } from "./gateway.ts";
import { PainelDocument } from "./generated.ts";

const { solicitacoes } = await run(PainelDocument, { first: 10 });
for (const { dataSolicitacao, pessoa, servico, produto } of solicitacoes?.nodes ?? []) {
  const what = [servico?.nomeServico, produto?.nomeProduto, produto?.categoria.nomeCategoria];
  console.log([dataSolicitacao, pessoa?.nomePessoa, ...what].map((shown) => shown ?? "?").join(" | "));
}
console.log(`${solicitacoes?.totalCount ?? 0} ao todo`);
