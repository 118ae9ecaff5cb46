"""Limits on a document's text, before it is parsed: its length, its tokens, and how deeply its brackets nest."""

import re

from gateway.errors import LimitExceededError
from gateway.limits.bounds import refuse_over
from gateway.settings import Limits

IGNORED = " \t\r\n,\ufeff"
OPENING, CLOSING = 1, 2

# Matches once for each token of graphql-core's lexer. Comments count, since the lexer keeps them as tokens. A string
# without an end matches to the end of its line, a block string to the end of the text, and any other invalid character
# matches alone. The parser stops there, so what follows does not matter. Possessive quantifiers (`*+`) never backtrack,
# so the time is linear.
TOKEN = re.compile(
    rf"""[{IGNORED}]*+
    (?: ([{{(\[])
      | ([\]}})])
      | [_A-Za-z][_0-9A-Za-z]*+
      | -?+[0-9]++(?:\.[0-9]++)?+(?:[eE][+-]?+[0-9]++)?+
      | \.\.\.
      | "{{3}}(?:[^"\\]++|\\(?:"{{3}})?+|"(?!""))*+(?:"{{3}})?+
      | "(?:[^"\\\r\n]++|\\[^\r\n])*+"?+
      | \#[^\r\n]*+
      | .
    )""",
    re.X | re.S,
)


def scan(text: str, limits: Limits) -> None:
    """Raises LimitExceededError for a document that is too large to be parsed."""
    refuse_over(limits, max_document_length=len(text))
    most = limits.max_tokens
    depth = deepest = 0
    for tokens, token in enumerate(TOKEN.finditer(text.rstrip(IGNORED)), 1):
        if tokens > most:  # stop here: counting the rest would take time that depends on its length
            raise LimitExceededError("max_tokens", tokens, most)
        if token.lastindex == OPENING:
            depth += 1
            deepest = max(deepest, depth)
        elif token.lastindex == CLOSING:
            depth -= 1
    refuse_over(limits, max_depth=deepest)
