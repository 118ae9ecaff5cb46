"""A plan as a picture: what is read, in which order, and the text that each row fills."""

from collections.abc import Iterator

from gateway.execution.layout import Value
from gateway.execution.parts import ChildConnection, Errors, Items, Link, ObjectShape
from gateway.execution.plan import OfSchema, Plan, Root, Write


def picture(plan: Plan) -> str:
    """The plan's lines: one for each read or write, indented below what it waits for."""
    lines = [plan.text.decode()]
    for key, root in plan.roots.items():
        if isinstance(root, Write):
            lines += [f"{key}: writes; when it was done", *_shape(root.done, "  ")]
            lines += [f"{key}: when it was refused", *_shape(root.refused, "  ")]
            continue
        if isinstance(root, OfSchema):
            lines.append(f"{key}: reads the schema itself")
            continue
        what = "a page" if isinstance(root, Root) else "one row"
        lines.append(f"{key}: reads {what} of {root.resource.service} {root.resource.path}")
        lines += _shape(root.shape, "  ")
    return "\n".join(lines)


def _shape(shape: ObjectShape, indent: str) -> Iterator[str]:
    yield f"{indent}{shape.text.decode()}"
    for gap in shape.gaps:
        name = ".".join(gap.path)
        match gap.part:
            case Value():
                continue  # the row has it: it is where the text says
            case Items(shape=inner):
                yield f"{indent}{name}: for each row"
                yield from _shape(inner, indent + "  ")
            case Errors(shape=inner):
                yield f"{indent}{name}: each"
                yield from _shape(inner, indent + "  ")
            case Link(to=to, shape=inner):
                yield f"{indent}{name}: reads the distinct keys of all rows from {to.service} {to.path}, in one go"
                yield from _shape(inner, indent + "  ")
            case ChildConnection(resource=resource, field=field, shape=inner):
                yield f"{indent}{name}: reads a page for each row from {resource.service} {resource.path}, by {field}"
                yield from _shape(inner, indent + "  ")
            case _:
                yield f"{indent}{name}: {gap.part}"
