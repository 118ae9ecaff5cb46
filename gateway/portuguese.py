"""Translates GraphQL's own errors to Portuguese, because graphql-core has English messages only.

`MESSAGES` has each message as it is in graphql-core's source, with a name for each inserted text, and its translation.
A message that is not there stays English. A test reads graphql-core's installed source and names each missing message.
"""

import re
from collections.abc import Callable

MESSAGES = {
    # the lexer's and the parser's
    "Syntax Error: {error}": "erro de sintaxe: {error}",
    "Unexpected {token}.": "{token} não é esperado aqui",
    "Expected {kind}, found {token}.": "esperado {kind}, encontrado {token}",
    "Unexpected character: {token}.": "caractere inesperado: {token}",
    "Unexpected single quote character ('), did you mean to use a double quote (\")?": (
        "aspas simples (') inesperadas; você quis usar aspas duplas (\")?"
    ),
    "Unexpected '..', did you mean '...'?": "'..' não é esperado aqui; você quis dizer '...'?",
    "Unexpected variable '${variable}' in constant value.": "a variável '${variable}' não pode estar em uma constante",
    "Unexpected description, descriptions are not supported on shorthand queries.": (
        "uma consulta sem a palavra query não pode ter descrição"
    ),
    "Unexpected description, only GraphQL definitions support descriptions.": "só definições podem ter descrição",
    "{token} is reserved and cannot be used for an enum value.": (
        "{token} é palavra reservada e não pode ser valor de enum"
    ),
    "Invalid character: {token}.": "caractere inválido: {token}",
    "Invalid character within String: {token}.": "caractere inválido em um texto: {token}",
    "Invalid character escape sequence: '{sequence}'.": "sequência de escape inválida: '{sequence}'",
    "Invalid Unicode escape sequence: '{sequence}'.": "sequência de escape Unicode inválida: '{sequence}'",
    "Invalid number, expected digit before '.', did you mean '0.{digits}'?": (
        "número inválido: falta um dígito antes de '.'; você quis dizer '0.{digits}'?"
    ),
    "Invalid number, expected digit but got: {token}.": "número inválido: esperado um dígito, encontrado {token}",
    "Invalid number, unexpected digit after 0: {token}.": "número inválido: dígito inesperado depois de 0: {token}",
    "Unterminated string.": "falta o fim de um texto",
    "Document contains more than {count} tokens. Parsing aborted.": "o documento tem mais de {count} tokens",
    "Document contains more than {count} comments. Parsing aborted.": "o documento tem mais de {count} comentários",
    "Source contains more than {count} code points. Parsing aborted.": "o documento tem mais de {count} caracteres",
    "Document is nested too deeply. Parsing aborted.": "o documento está aninhado demais",
    # validation's: operations and fragments
    "The {definition} definition is not executable.": "a definição {definition} não pode ser executada",
    "The {kind} operation is not supported by the schema.": "o esquema não tem operações do tipo {kind}",
    "There can be only one operation named '{name}'.": "há mais de uma operação chamada '{name}'",
    "This anonymous operation must be the only defined operation.": (
        "uma operação sem nome deve ser a única do documento"
    ),
    "{operation} must select one top level field.": "{operation} deve ter um campo na raiz",
    "{operation} must select only one top level field.": "{operation} deve ter um só campo na raiz",
    "{operation} must not select an introspection top level field.": (
        "{operation} não pode ter um campo de introspecção na raiz"
    ),
    "{operation} must not use `@skip` or `@include` directives in the top level selection.": (
        "{operation} não pode usar `@skip` nem `@include` na raiz"
    ),
    "There can be only one fragment named '{name}'.": "há mais de um fragmento chamado '{name}'",
    "Unknown fragment '{name}'.": "o fragmento '{name}' não existe",
    "Fragment '{name}' is never used.": "o fragmento '{name}' não é usado",
    "Fragment cannot condition on non composite type '{type}'.": (
        "um fragmento não pode ser do tipo '{type}', sem campos"
    ),
    "Fragment '{name}' cannot condition on non composite type '{type}'.": (
        "o fragmento '{name}' não pode ser do tipo '{type}', sem campos"
    ),
    "Fragment cannot be spread here as objects of type '{parent}' can never be of type '{type}'.": (
        "um fragmento do tipo '{type}' não cabe aqui: um objeto do tipo '{parent}' nunca é '{type}'"
    ),
    "Fragment '{name}' cannot be spread here as objects of type '{parent}' can never be of type '{type}'.": (
        "o fragmento '{name}' não cabe aqui: um objeto do tipo '{parent}' nunca é '{type}'"
    ),
    "Cannot spread fragment '{name}' within itself.": "o fragmento '{name}' não pode conter a si mesmo",
    "Cannot spread fragment '{name}' within itself via {list}.": (
        "o fragmento '{name}' não pode conter a si mesmo, por meio de {list}"
    ),
    # fields, types and directives
    "Cannot query field '{field}' on type '{type}'.{suggestion}": (
        "o campo '{field}' não existe no tipo '{type}'.{suggestion}"
    ),
    "Unknown type '{type}'.{suggestion}": "o tipo '{type}' não existe.{suggestion}",
    "Field '{field}' must not have a selection since type '{type}' has no subfields.": (
        "o campo '{field}' não pode ter uma seleção: o tipo '{type}' não tem campos"
    ),
    "Field '{field}' of type '{type}' must have a selection of subfields.{suggestion}": (
        "o campo '{field}', do tipo '{type}', deve ter uma seleção de campos.{suggestion}"
    ),
    "Field '{field}' of type '{type}' must have at least one field selected.": (
        "do campo '{field}', do tipo '{type}', deve ser pedido ao menos um campo"
    ),
    (
        "Fields '{name}' conflict because {conflict}. Use different aliases on the fields to fetch "
        "both if this was intentional."
    ): ("campos com o mesmo nome '{name}' não combinam, pois {conflict}; use aliases diferentes para pedir os dois"),
    "Spreads '{name}' conflict because {list} have different fragment arguments.": (
        "usos do fragmento '{name}' não combinam, pois {list} têm argumentos diferentes"
    ),
    "Unknown directive '@{name}'.": "a diretiva '@{name}' não existe",
    "Directive '@{name}' may not be used on {place}.": "a diretiva '@{name}' não pode ser usada em {place}",
    "The directive '@{name}' can only be used once at this location.": (
        "a diretiva '@{name}' só pode ser usada uma vez aqui"
    ),
    "{directive} directive label argument must be a static string.": (
        "o argumento label da diretiva {directive} deve ser um texto fixo"
    ),
    "Defer/Stream directive label argument must be unique.": (
        "o argumento label das diretivas defer e stream não pode se repetir"
    ),
    "{directive} directive cannot be used on root {kind} type '{type}'.": (
        "a diretiva {directive} não pode ser usada na raiz do tipo '{type}' ({kind})"
    ),
    (
        "{directive} directive not supported on subscription operations. Disable `@{name}` by setting "
        "the `if` argument to `false`."
    ): ("a diretiva {directive} não pode ser usada em subscriptions; desligue `@{name}` com `if: false`"),
    "Stream directive cannot be used on non-list field '{field}' on type '{type}'.": (
        "a diretiva Stream só pode ser usada em listas, e o campo '{field}' do tipo '{type}' não é uma"
    ),
    "Stream directive cannot be used on non-list field on type '{type}'.": (
        "a diretiva Stream só pode ser usada em listas, e um campo do tipo '{type}' não é uma"
    ),
    "Selections are nested too deeply. Execution aborted.": "as seleções estão aninhadas demais",
    "Maximum introspection depth exceeded": "a introspecção está aninhada demais",
    "GraphQL introspection has been disabled, but the requested query contained the field '{field}'.": (
        "a introspecção está desligada, e o documento pede o campo '{field}'"
    ),
    "Too many validation errors, error limit reached. Validation aborted.": "há erros demais; o resto não foi validado",
    "Validation aborted.": "a validação foi interrompida",
    # arguments and variables
    "Unknown argument '{name}' on field '{field}'.{suggestion}": (
        "o campo '{field}' não tem um argumento '{name}'.{suggestion}"
    ),
    "Unknown argument '{name}' on directive '{directive}'.{suggestion}": (
        "a diretiva '{directive}' não tem um argumento '{name}'.{suggestion}"
    ),
    "Unknown argument '{name}' on fragment '{fragment}'.{suggestion}": (
        "o fragmento '{fragment}' não tem um argumento '{name}'.{suggestion}"
    ),
    "There can be only one argument named '{name}'.": "o argumento '{name}' aparece mais de uma vez",
    "There can be only one input field named '{name}'.": "o campo de entrada '{name}' aparece mais de uma vez",
    "There can be only one variable named '${name}'.": "a variável '${name}' é declarada mais de uma vez",
    "Argument '{name}' of type '{type}' is required, but it was not provided.": (
        "falta o argumento '{name}', do tipo '{type}', que é obrigatório"
    ),
    "Argument '{name}' of required type '{type}' was not provided.": (
        "falta o argumento '{name}', do tipo '{type}', que é obrigatório"
    ),
    "Fragment '{fragment}' argument '{name}' of type '{type}' is required, but it was not provided.": (
        "falta o argumento '{name}' do fragmento '{fragment}', do tipo '{type}', que é obrigatório"
    ),
    "Argument '{name}' has invalid value{path}: {error}": "o argumento '{name}' tem um valor inválido{path}: {error}",
    "Argument '{name}' has invalid default value{path}: {error}": (
        "o argumento '{name}' tem um valor padrão inválido{path}: {error}"
    ),
    "Invalid argument": "argumento inválido",
    "Variable '${name}' has invalid value{path}: {error}": "a variável '${name}' tem um valor inválido{path}: {error}",
    "Variable '${name}' has invalid default value{path}: {error}": (
        "a variável '${name}' tem um valor padrão inválido{path}: {error}"
    ),
    "Variable '${name}' is not defined.": "a variável '${name}' não foi declarada",
    "Variable '${name}' is not defined by operation '{operation}'.": (
        "a variável '${name}' não foi declarada na operação '{operation}'"
    ),
    "Variable '${name}' is never used.": "a variável '${name}' não é usada",
    "Variable '${name}' is never used in operation '{operation}'.": (
        "a variável '${name}' não é usada na operação '{operation}'"
    ),
    "Variable '${name}' is never used in fragment '{fragment}'.": (
        "a variável '${name}' não é usada no fragmento '{fragment}'"
    ),
    "Variable '${name}' cannot be non-input type '{type}'.": (
        "a variável '${name}' não pode ser do tipo '{type}', que não é de entrada"
    ),
    "Variable '${name}' expected value of type '{type}' which cannot be used as an input type.": (
        "a variável '${name}' não pode ser do tipo '{type}', que não é de entrada"
    ),
    "Variable '${name}' of type '{type}' used in position expecting type '{expected}'.": (
        "a variável '${name}', do tipo '{type}', é usada onde se espera o tipo '{expected}'"
    ),
    "Variable '${name}' is of type '{type}' but must be non-nullable to be used for OneOf Input Object '{object}'.": (
        "a variável '${name}', do tipo '{type}', não pode ser anulável para ser usada no objeto OneOf '{object}'"
    ),
    "Too many errors processing variables, error limit reached. Execution aborted.": (
        "há erros demais nas variáveis; o resto não foi lido"
    ),
    "Variable values are nested too deeply.": "os valores das variáveis estão aninhados demais",
    # values
    "Expected a value of non-null type '{type}' to be provided.": "falta um valor do tipo '{type}', que é obrigatório",
    "Expected value of non-null type '{type}' not to be None.": "um valor do tipo '{type}' não pode ser null",
    "Expected value of type '{type}' to be an object, found: {value}.": (
        "um valor do tipo '{type}' deve ser um objeto, e veio: {value}"
    ),
    "Expected value of type '{type}' to include required field '{field}', found: {value}.": (
        "falta o campo obrigatório '{field}' em um valor do tipo '{type}': {value}"
    ),
    "Expected value of type '{type}' not to include unknown field '{field}', found: {value}.": (
        "o tipo '{type}' não tem um campo '{field}', e veio: {value}"
    ),
    "Expected value of type '{type}' not to include unknown field '{field}'.{suggestion} Found: {value}.": (
        "o tipo '{type}' não tem um campo '{field}'.{suggestion} Veio: {value}"
    ),
    "Expected value of type '{type}', found: {value}.": "esperado um valor do tipo '{type}', e veio: {value}",
    "Expected value of type '{type}', but encountered error '{error}'; found: {value}.": (
        "esperado um valor do tipo '{type}': {error}; veio: {value}"
    ),
    "Expected variable '${name}' provided to type '{type}' to provide a runtime value.": (
        "falta o valor da variável '${name}', do tipo '{type}'"
    ),
    "Expected variable '${name}' provided to non-null type '{type}' not to be None.": (
        "a variável '${name}', do tipo '{type}', não pode ser null"
    ),
    (
        "Expected variable '${name}' provided to field '{field}' for OneOf Input Object type '{type}' "
        "to provide a runtime value."
    ): ("falta o valor da variável '${name}', do campo '{field}' do objeto OneOf '{type}'"),
    "Expected variable '${name}' provided to field '{field}' for OneOf Input Object type '{type}' not to be None.": (
        "a variável '${name}', do campo '{field}' do objeto OneOf '{type}', não pode ser null"
    ),
    (
        "Within OneOf Input Object type '{type}', exactly one field must be specified, and the value "
        "for that field must be non-null."
    ): ("um objeto OneOf '{type}' deve ter exatamente um campo, e o seu valor não pode ser null"),
    "Int cannot represent non-integer value: {value}": "um Int deve ser um número inteiro, e veio: {value}",
    "Int cannot represent non 32-bit signed integer value: {value}": (
        "um Int deve caber em 32 bits com sinal, e veio: {value}"
    ),
    "Float cannot represent non numeric value: {value}": "um Float deve ser um número, e veio: {value}",
    "Float cannot represent non numeric value: {value} (value is too large)": "um Float não chega a {value}",
    "Float cannot represent non numeric value: {value} (value would lose precision)": (
        "um Float não guarda {value} com todos os dígitos"
    ),
    "String cannot represent value: {value}": "uma String deve ser um texto, e veio: {value}",
    "String cannot represent a non string value: {value}": "uma String deve ser um texto, e veio: {value}",
    "Boolean cannot represent a non boolean value: {value}": "um Boolean deve ser true ou false, e veio: {value}",
    "ID cannot represent value: {value}": "um ID deve ser um texto ou um número inteiro, e veio: {value}",
    "ID cannot represent a non-string and non-integer value: {value}": (
        "um ID deve ser um texto ou um número inteiro, e veio: {value}"
    ),
    "Enum '{type}' cannot represent value: {value}": "o enum '{type}' não tem o valor {value}",
    "Enum '{type}' cannot represent non-string value: {value}.{suggestion}": (
        "um valor do enum '{type}' deve ser um texto, e veio: {value}.{suggestion}"
    ),
    "Enum '{type}' cannot represent non-enum value: {value}.{suggestion}": (
        "um valor do enum '{type}' é um nome sem aspas, e veio: {value}.{suggestion}"
    ),
    "Value '{value}' does not exist in '{type}' enum.{suggestion}": (
        "o enum '{type}' não tem o valor '{value}'.{suggestion}"
    ),
}
"""Names from GraphQL's grammar (`Name`, `<EOF>`), and values as graphql-core prints them, are not translated."""

INSERTED_TEXTS = {
    "error": ".*",
    "value": ".*",
    "token": ".*",
    "conflict": ".*",
    "list": ".*",
    "path": "(?: at [^ ]*)?",
    "suggestion": r"(?: Did you mean .*\?)?",
    "operation": "(?:Anonymous Subscription|Subscription '[^']*'|[^ ']*)",
    "kind": "[^ ]*",
    "definition": "[^ ]*",
}
"""Patterns for the inserted texts that can be more than a name."""
NAME = "[^']*"
"""The pattern for all other inserted texts."""


def in_portuguese(message: str) -> str:
    """The message in Portuguese, if it is one of graphql-core's; otherwise the message itself."""
    for pattern, portuguese in (*PATTERNS.get(message.partition(" ")[0], ()), *PATTERNS[""]):
        if found := pattern.fullmatch(message):
            return portuguese.format_map(
                {name: TRANSLATORS.get(name, str)(text) for name, text in found.groupdict().items()}
            )
    return message


def _suggestion(text: str) -> str:
    text = text.replace("Did you mean to use an inline fragment on ", "Você quis usar um fragmento do tipo ")
    return text.replace("Did you mean ", "Você quis dizer ").replace(", or ", " ou ").replace(" or ", " ou ")


def _conflict(text: str) -> str:
    for english, portuguese in (
        ("they return conflicting types ", "têm tipos diferentes: "),
        ("they have differing arguments", "têm argumentos diferentes"),
        ("they have overlapping stream directives", "têm diretivas stream sobrepostas"),
        (" are different fields", " são campos diferentes"),
        ("subfields ", "os campos "),
        (" conflict because ", " abaixo deles não combinam, pois "),
    ):
        text = text.replace(english, portuguese)
    return _list(text)


def _list(text: str) -> str:
    return text.replace(", and ", " e ").replace(" and ", " e ")


TRANSLATORS: dict[str, Callable[[str], str]] = {
    "error": in_portuguese,
    "suggestion": _suggestion,
    "conflict": _conflict,
    "list": _list,
    "path": lambda text: text.replace(" at .", " em ", 1).replace(" at ", " em ", 1),
    "operation": lambda text: text.replace("Anonymous Subscription", "a subscription").replace(
        "Subscription ", "a subscription "
    ),
}
"""Translators for the inserted texts that are English too."""


def _patterns() -> dict[str, list[tuple[re.Pattern[str], str]]]:
    """The messages as patterns, by their first word. Those that begin with an inserted text have the key "" instead."""
    found: dict[str, list[tuple[re.Pattern[str], str]]] = {"": []}
    for english in sorted(MESSAGES, key=len, reverse=True):  # longer messages are more specific, and are tried first
        parts = re.split(r"\{(\w+)\}", english)  # every second part is the name of an inserted text
        pattern = "".join(
            f"(?P<{part}>{INSERTED_TEXTS.get(part, NAME)})" if n % 2 else re.escape(part)
            for n, part in enumerate(parts)
        )
        first = english.partition(" ")[0]
        rows = found.setdefault("" if "{" in first else first, [])
        rows.append((re.compile(pattern, re.DOTALL), MESSAGES[english]))
    return found


PATTERNS = _patterns()
