// Creates the pessoa whose name is on the command line, or says what to mend. A code that the schema gets later does not
// compile here until it has a case.
import { run } from "./gateway.ts";
import { CriarPessoaDocument, type CodigoErro } from "./generated.ts";

function remedy(code: CodigoErro): string {
  switch (code) {
    case "BLANK":
    case "CONTRADICTION":
    case "INVALID":
    case "INVALID_CHARACTER":
    case "INVALID_CHOICE":
    case "INVALID_ID":
    case "LIMIT_EXCEEDED":
    case "NULL":
    case "OUT_OF_RANGE":
    case "REQUIRED":
    case "TOO_FEW":
    case "TOO_LONG":
    case "TOO_MANY":
      return "corrija o campo";
    case "CONFLICT":
    case "NOT_FOUND":
    case "PRECONDITION_FAILED":
      return "leia de novo o que está gravado";
    case "CONTENDED":
    case "IN_PROGRESS":
      return "tente de novo";
    case "IDEMPOTENCY_KEY_REUSED":
    case "INVALID_CURSOR":
    case "NOT_AN_INTEGER":
    case "NOT_AN_OBJECT":
    case "NOT_A_BOOLEAN":
    case "NOT_A_DATE":
    case "NOT_A_DATETIME":
    case "NOT_A_DECIMAL":
    case "NOT_A_LIST":
    case "NOT_A_STRING":
    case "READ_ONLY":
    case "REPEATED_PARAMETER":
    case "UNKNOWN_FIELD":
    case "UNKNOWN_PARAMETER":
      return "avise quem escreveu este programa";
    default:
      return code satisfies never;
  }
}

const nomePessoa = process.argv.slice(2).join(" ");
const { criarPessoa } = await run(CriarPessoaDocument, { input: { nomePessoa } });
for (const { code, field, message } of criarPessoa?.errors ?? []) {
  console.error(`${field ?? "pessoa"}: ${message} (${remedy(code)})`);
}
if (criarPessoa?.pessoa) console.log(`${criarPessoa.pessoa.nomePessoa} tem o id ${criarPessoa.pessoa.id}`);
else process.exitCode = 1;
