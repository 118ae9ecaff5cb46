"""Finds the breaking changes between two OpenAPI documents, and names each by its place.

A new version may require less of a request and never more; an answer may contain more and never less. Parts that cannot
be compared, such as two patterns, count as broken if they differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast
from urllib.parse import unquote

Json = Mapping[str, Any]
METHODS = ("get", "put", "post", "patch", "delete")
LOWER_BOUNDS = ("minimum", "minLength", "minItems")
UPPER_BOUNDS = ("maximum", "maxLength", "maxItems")


def referred(document: Json, reference: str) -> Json:
    """What a `$ref` within the document refers to (RFC 6901, 6)."""
    found: Any = document
    for part in reference.removeprefix("#/").split("/"):
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        found = found[int(name) if isinstance(found, list) else name]
    return cast("Json", found)


def breaking(old: Json, new: Json) -> list[str]:
    """Every promise of `old` that `new` no longer keeps."""
    return sorted(set(Comparison(old, new).all()))


class Comparison:
    """Two documents; each method yields what is broken in one part."""

    def __init__(self, old: Json, new: Json) -> None:
        self.old, self.new = old, new
        self._met: set[tuple[str, str, str]] = set()

    def all(self) -> Iterator[str]:
        for path, operations in self.old["paths"].items():
            for method in METHODS:
                if method not in operations:
                    continue
                where = f"{method.upper()} {path}"
                if method not in self.new["paths"].get(path, {}):
                    yield f"{where}: is gone"
                    continue
                before, after = operations[method], self.new["paths"][path][method]
                yield from self.parameters(where, before, after)
                yield from self.body(where, before, after)
                yield from self.answers(where, before["responses"], after["responses"])

    def parameters(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before, after = self._parameters(self.old, old), self._parameters(self.new, new)
        for name, parameter in before.items():
            if name not in after:
                yield f"{where}: parameter {name} is gone"
            else:
                yield from self.asks_more(f"{where}: parameter {name}", parameter["schema"], after[name]["schema"])
        for name, parameter in after.items():
            if parameter.get("required") and not before.get(name, {}).get("required"):
                yield f"{where}: parameter {name} is required"

    def body(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before = self._resolved(self.old, old.get("requestBody", {}))
        after = self._resolved(self.new, new.get("requestBody", {}))
        if after.get("required") and not before.get("required"):
            yield f"{where}: a body is required"
        for media_type, content in before.get("content", {}).items():
            if media_type not in after.get("content", {}):
                yield f"{where}: body {media_type} is gone"
            else:
                yield from self.asks_more(f"{where}: body", content["schema"], after["content"][media_type]["schema"])

    def answers(self, where: str, old: Json, new: Json) -> Iterator[str]:
        for status, answer in old.items():
            if status not in new:
                yield f"{where}: {status} is gone"
                continue
            before, after = self._resolved(self.old, answer), self._resolved(self.new, new[status])
            for name in before.get("headers", {}):
                if name not in after.get("headers", {}):
                    yield f"{where}: {status}: header {name} is gone"
            for media_type, content in before.get("content", {}).items():
                if media_type not in after.get("content", {}):
                    yield f"{where}: {status}: {media_type} is gone"
                else:
                    yield from self.brings_less(
                        f"{where}: {status}", content["schema"], after["content"][media_type]["schema"]
                    )

    def asks_more(self, where: str, old: Json, new: Json) -> Iterator[str]:
        """Finds values that the old schema of a request accepts and the new one does not."""
        if self._seen("request", old, new):
            return
        old, new = self._resolved(self.old, old), self._resolved(self.new, new)
        if "oneOf" in old or "oneOf" in new:
            yield from self._alternatives(self.asks_more, where, old, new, each_of=old)
            return
        if "type" in new and new["type"] != old.get("type"):
            yield f"{where}: must be {new['type']}"
        for bound in LOWER_BOUNDS:
            if new.get(bound, float("-inf")) > old.get(bound, float("-inf")):
                yield f"{where}: {bound} is raised"
        for bound in UPPER_BOUNDS:
            if new.get(bound, float("inf")) < old.get(bound, float("inf")):
                yield f"{where}: {bound} is lowered"
        for constraint in ("pattern", "format", "const"):
            if constraint in new and new[constraint] != old.get(constraint):
                yield f"{where}: {constraint} is another"
        if "enum" in new:
            for value in old.get("enum", ["anything"]):
                if value not in new["enum"]:
                    yield f"{where}: {value} is no longer taken"
        for name in set(new.get("required", ())) - set(old.get("required", ())):
            yield f"{where}: {name} is required"
        for name, schema in old.get("properties", {}).items():
            if name in new.get("properties", {}):
                yield from self.asks_more(f"{where}: {name}", schema, new["properties"][name])
            elif new.get("additionalProperties") is False:
                yield f"{where}: {name} is no longer taken"
        if "items" in new:
            yield from self.asks_more(f"{where}[]", old.get("items", {}), new["items"])

    def brings_less(self, where: str, old: Json, new: Json) -> Iterator[str]:
        """Finds what the old schema of an answer promises and the new one does not."""
        if self._seen("answer", old, new):
            return
        old, new = self._resolved(self.old, old), self._resolved(self.new, new)
        for several in ("oneOf", "anyOf"):  # anyOf is how pydantic writes "or null"
            if several in old or several in new:
                yield from self._alternatives(self.brings_less, where, old, new, each_of=new, several=several)
                return
        for constraint in ("type", "format", "const"):
            if constraint in old and new.get(constraint) != old[constraint]:
                yield f"{where}: {constraint} is another"
        for name in set(old.get("required", ())) - set(new.get("required", ())):
            yield f"{where}: {name} may be missing"
        for name, schema in old.get("properties", {}).items():
            if name not in new.get("properties", {}):
                yield f"{where}: {name} is gone"
            else:
                yield from self.brings_less(f"{where}: {name}", schema, new["properties"][name])
        if "items" in old:
            yield from self.brings_less(f"{where}[]", old["items"], new.get("items", {}))

    def _alternatives(
        self, compare: Any, where: str, old: Json, new: Json, *, each_of: Json, several: str = "oneOf"
    ) -> Iterator[str]:
        """Each alternative of one side needs one of the other side that it is compatible with."""
        befores, afters = old.get(several, [old]), new.get(several, [new])
        for one in each_of.get(several, [each_of]):
            pairs = [(one, after) for after in afters] if each_of is old else [(before, one) for before in befores]
            if not any(self._compatible(compare, before, after) for before, after in pairs):
                name = one.get("title") or one.get("description") or one.get("type") or "a shape"
                yield f"{where}: {name} is another"

    def _compatible(self, compare: Any, old: Json, new: Json) -> bool:
        met = set(self._met)
        found = list(compare("", old, new))
        if found:  # pairs that were met on an attempt that failed have not been judged
            self._met = met
        return not found

    def _seen(self, side: str, old: Json, new: Json) -> bool:
        """Whether these two components have been compared already, or are being compared now, since schemas may be
        recursive."""
        if "$ref" not in old or "$ref" not in new:
            return False
        pair = (side, cast("str", old["$ref"]), cast("str", new["$ref"]))
        met = pair in self._met
        self._met.add(pair)
        return met

    def _parameters(self, document: Json, operation: Json) -> dict[str, Json]:
        found = [self._resolved(document, one) for one in operation.get("parameters", ())]
        return {f"{one['in']} {one['name']}": one for one in found}

    def _resolved(self, document: Json, node: Json) -> Json:
        if "$ref" in node:
            return self._resolved(document, referred(document, node["$ref"]))
        if len(node.get("allOf", ())) == 1:
            return {**self._resolved(document, node["allOf"][0]), **{k: v for k, v in node.items() if k != "allOf"}}
        return node
