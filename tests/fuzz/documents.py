"""Fuzzes the limits on documents: `python -m tests.fuzz.documents --seconds 30` prints the CPU time of judging each
kind.

It makes random documents and hostile ones, of 10 kB and of the greatest length that is parsed. A slow document is
judged again and its fastest time counts, so that a run of the garbage collector does not appear as a result. It fails
if the limits alone (text, shape, cost) take more than 5 ms for a document of 10 kB.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from graphql import DocumentNode, GraphQLError, OperationDefinitionNode, parse
from graphql.execution.values import get_variable_values

from gateway import schema
from gateway.errors import LimitExceededError
from gateway.execution.collect import Collector
from gateway.execution.cost import cost_function
from gateway.execution.operation import Executor
from gateway.limits.shape import refuse_shape
from gateway.limits.text import scan
from gateway.settings import Limits
from tests.gateway.operations import Writer

MOST = 0.005
SMALL = 10_000
LIMITS = Limits()
EXECUTOR = Executor(schema.core(schema.build()), LIMITS)
COUNTS = (2, 10, 45, 49, 95, 140, 199, 400, 700, 1300, 1900, 10**6)
"""How often hostile documents repeat something: just below one of the limits, or as often as fits."""

NUMBERS = count()

Write = Callable[[random.Random, int], str]


def letters(rng: random.Random, size: int) -> str:
    return "".join(rng.choices('{}()[]:$@!=|&."\\#-, \n\t\r\ufeffab01éЖ', k=size))


def tokens(rng: random.Random, size: int) -> str:
    words = ["{", "}", "(", ")", "[", "]", ":", "$a", "@include", "...", "on", "query", "fragment", '"x"', '"""y"""']
    return " ".join(rng.choices([*words, "1", "-2.5e3", "pessoas", "nodes", "id", "#c\n"], k=size // 4))[:size]


def valid(rng: random.Random, size: int) -> str:
    found, length = list[str](), 0
    while length < size:
        one = Writer(EXECUTOR.schema, rng.randrange(10**9), []).query()
        found.append(one.replace("Aleatoria", f"Q{len(found)}").replace("F", f"F{len(found)}x"))
        length += len(found[-1])
    return "\n".join(found[: rng.choice([1, 2, 5, len(found)])])[:size]


def damaged(rng: random.Random, size: int) -> str:
    text = list(valid(rng, size))
    for _ in range(rng.randint(1, 20)):
        at = rng.randrange(len(text))
        text[at : at + rng.randint(0, 5)] = rng.choice(["", "{", "}", '"', "...", "$", "#", "@skip(if:true)"])
    return "".join(text)[:size]


def repeated(piece: str, before: str = "{", after: str = "}", again: str = "") -> Write:
    """Repeats `piece` `count` times between `before` and `after`, and then `again` as often; `§` stands for the number
    and `%` for the next number."""

    def write(rng: random.Random, size: int) -> str:
        most = (size - len(before + after)) // (len(piece + again) + 4)
        many = max(1, min(rng.choice(COUNTS), most))

        def times(text: str) -> str:
            return "".join(text.replace("§", str(n)).replace("%", str(n + 1)) for n in range(many))

        return before + times(piece) + after + times(again)

    return write


def nested(opening: str, core: str, closing: str) -> Write:
    def write(rng: random.Random, size: int) -> str:
        many = max(1, min(rng.choice((3, 5, 10, 14, 28, *COUNTS)), size // len(opening + closing)))
        return "{" + opening * many + core + closing * many + "}"

    return write


def all_pairs(rng: random.Random, size: int) -> str:
    """Every fragment spreads all that come after it."""
    most = min(rng.choice((5, 10, 15, 19, 30, 60)), int((size / 4) ** 0.5))
    bodies = [" ".join(f"...F{other}" for other in range(n + 1, most)) for n in range(most)]
    return "{...F0}" + "".join(f"fragment F{n} on Query{{{body} __typename}}" for n, body in enumerate(bodies))


INTROSPECTED = "{__schema{types{fields{args{type{name "
KINDS: dict[str, Write] = {
    "letters": letters,
    "tokens": tokens,
    "valid": valid,
    "damaged": damaged,
    "braces": repeated("{", "", ""),
    "brackets": repeated("[", "{pessoa(id:", ""),
    "one field, many times": repeated("id ", "{pessoas{nodes{", "}}}"),
    "one connection, many times": repeated("pessoas(first:1){nodes{id nomePessoa}} "),
    "one link, many times": repeated("pessoa{id solicitacoes{nodes{id}}} ", "{solicitacoes{nodes{", "}}}"),
    "many aliases": repeated("a§:pessoa(id:§){id} "),
    "many aliases of a leaf": repeated("a§:id ", "{pessoas{nodes{", "}}}"),
    "unknown fields": repeated("nomePesso§ ", "{pessoas{nodes{", "}}}"),
    "unknown arguments": repeated("a§:1 ", "{pessoas(", "){totalCount}}"),
    "unknown types": repeated("...on Pesso§{id} "),
    "fields in conflict": repeated("a:nomePessoa a:id ", "{pessoas{nodes{", "}}}"),
    "arguments in conflict": repeated("pessoas(first:§){totalCount} "),
    "spreads": repeated("...F§ ", "{", "}", "fragment F§ on Query{pessoas{nodes{id}}}"),
    "spreads of one": repeated("...F ", "fragment F on Query{pessoas{nodes{id nomePessoa}}} {", "}"),
    "doubling": repeated("fragment F§ on Query{...F% ...F%}", "{...F0}", ""),
    "doubling below": repeated(
        "fragment F§ on Pessoa{solicitacoes{nodes{a:pessoa{...F%} b:pessoa{...F%}}}}", "{pessoa(id:1){...F0}}", ""
    ),
    "doubling of nothing": repeated("fragment F§ on Query{...F% ...F%}", "fragment F46 on Query{} {...F0}", ""),
    "chain": repeated("fragment F§ on Query{...F%}", "{...F0}", ""),
    "cycles": repeated("fragment F§ on Query{...F% ...F0}", "{...F0}", ""),
    "all pairs": all_pairs,
    "operations": repeated("query Q§{...F}", "fragment F on Query{pessoas{nodes{id nomePessoa}}}", ""),
    "empty operations": repeated("query Q§{}", "", ""),
    "operations with variables": repeated(
        "query Q§($a:Int){...F}", "fragment F on Query{pessoas(first:$a){nodes{id}}}", ""
    ),
    "inline fragments": nested("...{", "__typename", "}"),
    "inline fragments side by side": repeated("...{__typename} "),
    "deep": nested("pessoas{nodes{solicitacoes{nodes{pessoa{", "id", "}}}}}"),
    "deep and twice": nested("a:pessoas{nodes{id}} pessoa(id:1){solicitacoes{nodes{", "pessoa{id}", "}}}"),
    "directives": repeated("@include(if:true)", "{__typename", "}"),
    "unknown directives": repeated("@includ§", "{__typename", "}"),
    "variables": repeated("$a§:Int ", "query(", "){__typename}"),
    "used variables": repeated("$a§:Int ", "query(", "){pessoas(first:$a0){totalCount}}"),
    "one variable, many times": repeated("$a:Int ", "query(", "){pessoas(first:$a){totalCount}}"),
    "a long list": repeated('"§",', "{pessoas(filter:{id:{in:[", "]}}){totalCount}}"),
    "a list of wrong values": repeated("{},", "{pessoas(filter:{id:{in:[", "]}}){totalCount}}"),
    "a wide filter": repeated('{nomePessoa:{eq:"a"}}', "{pessoas(filter:{or:[", "]}){totalCount}}"),
    "nested filters": repeated("{pessoa:{}}", "{solicitacoes(filter:{or:[", "]}){totalCount}}"),
    "one argument, many times": repeated("first:1 ", "{pessoas(", "){totalCount}}"),
    "one member, many times": repeated("eq:1 ", "{pessoas(filter:{id:{", "}}){totalCount}}"),
    "comments": repeated("#{\n", "{__typename", "}"),
    "commas": repeated(",", "{__typename", "}"),
    "blank": repeated("\ufeff \n", "{__typename", ""),
    "quotes": repeated('"', "{", "}"),
    "escapes": repeated('\\"', '{pessoa(id:"', '"){id}}'),
    "blocks": repeated('\n\\"""', '{pessoa(id:"""', '"""){id}}'),
    "a block without end": repeated('\n\\"""', '{pessoa(id:"""', ""),
    "a long name": repeated("a", "{", "}"),
    "a long number": repeated("1", "{pessoas(first:", "){totalCount}}"),
    "points": repeated(".", "{", "}"),
    "wide introspection": repeated("a§:name ", INTROSPECTED, "}}}}}}"),
    "deep introspection": nested("__schema{types{fields{type{", "name", "}}}}"),
    "introspections": repeated("a§:__schema{types{fields{name}}} "),
}


@dataclass
class Verdict:
    """The cost of one document, in seconds of CPU: of the limits alone, and with parsing and validation."""

    answer: str
    limits: float
    whole: float


@dataclass
class SlowestDocuments:
    """The slowest of a kind."""

    answers: Counter[str] = field(default_factory=Counter[str])
    limits: float = 0
    whole: float = 0
    slowest: str = ""


def judge(text: str) -> Verdict:
    text += f" #{next(NUMBERS)}"  # a new document is never in the cache
    began = time.process_time()
    try:
        document = EXECUTOR.prepare(text)
    except LimitExceededError as refused:
        answer = str((refused.extensions or {})["limit"])
    else:
        answer = "invalid" if document.errors else "valid"
    whole = time.process_time() - began
    try:
        node = parse(text, max_lexical_tokens=LIMITS.max_tokens)
    except GraphQLError:
        node = None
    began = time.process_time()
    limits(text, node, answer == "valid")
    return Verdict(answer, time.process_time() - began, whole)


def limits(text: str, node: DocumentNode | None, priced: bool) -> None:
    """Runs the limits alone, without the steps that they protect."""
    try:
        scan(text, LIMITS)
        if node is not None:
            refuse_shape(node, LIMITS)
    except LimitExceededError:
        return
    for one in node.definitions if node and priced else ():
        if isinstance(one, OperationDefinitionNode):
            given = get_variable_values(EXECUTOR.schema, one.variable_definitions or (), {})
            if node and not isinstance(given, list):
                cost_function(EXECUTOR.schema, Collector(EXECUTOR.schema, node, given, LIMITS.max_selections), one)(
                    given.coerced
                )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.documents")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--size", type=int, default=SMALL, help="characters of a document")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="repeats an earlier run")
    parser.add_argument("--show", action="store_true", help="the slowest document of each kind")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    found: defaultdict[str, SlowestDocuments] = defaultdict(SlowestDocuments)
    until, done = time.monotonic() + given.seconds, 0
    while time.monotonic() < until:
        kind = list(KINDS)[done % len(KINDS)]
        text = KINDS[kind](rng, given.size)
        verdict, one = judge(text), found[kind]
        if verdict.limits > one.limits or verdict.whole > one.whole:
            again = [verdict, *(judge(text) for _ in range(4))]
            verdict = Verdict(verdict.answer, min(v.limits for v in again), min(v.whole for v in again))
        if verdict.whole > one.whole:
            one.slowest = text
        one.limits, one.whole = max(one.limits, verdict.limits), max(one.whole, verdict.whole)
        one.answers[verdict.answer] += 1
        done += 1
    print(f"seed {given.seed}: {done} documents of up to {given.size} characters\n")
    print("| kind | limits, ms | all of judging, ms | answers |\n|---|---|---|---|")
    for kind, one in sorted(found.items(), key=lambda item: -item[1].whole):
        answers = ", ".join(f"{answer} {n}" for answer, n in one.answers.most_common())
        print(f"| {kind} | {one.limits * 1000:.2f} | {one.whole * 1000:.2f} | {answers} |")
        if given.show:
            print(json.dumps(one.slowest)[:300])
    slowest = max(one.limits for one in found.values())
    print(f"\nslowest: limits {slowest * 1000:.2f} ms, all {max(one.whole for one in found.values()) * 1000:.2f} ms")
    return 1 if given.size <= SMALL and slowest > MOST else 0


if __name__ == "__main__":
    sys.exit(main())
