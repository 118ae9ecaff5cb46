"""Prints an operation's plan: `python -m gateway.explain FILE`, or without a file the Painel's. `make plan` runs it."""

import argparse
import sys
from pathlib import Path

from graphql import GraphQLError

from gateway import schema
from gateway.execution.operation import NO_VARIABLES, Executor
from gateway.execution.picture import picture
from gateway.settings import Limits

PAINEL = Path(__file__).parent / "playground/examples/1-painel.graphql"


def main() -> str:
    """The plan's drawing."""
    parser = argparse.ArgumentParser(prog="python -m gateway.explain", description=__doc__)
    parser.add_argument(
        "file", nargs="?", type=Path, default=PAINEL, help="a document with one operation, no variables"
    )
    try:
        text = parser.parse_args().file.read_text()
    except OSError as failure:
        sys.exit(str(failure))
    executor = Executor(schema.core(schema.build()), Limits())
    document = executor.prepare(text)
    if document.errors:
        sys.exit("\n".join(error.message for error in document.errors))
    try:
        plan = executor.compiled(document, document.operation(None), NO_VARIABLES).plan
    except GraphQLError as failure:
        sys.exit(failure.message)
    return picture(plan)


if __name__ == "__main__":
    print(main())  # noqa: T201
