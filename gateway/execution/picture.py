"""Draws a plan as text: what is read, in which order, and the template that each row fills."""

from collections.abc import Iterator

from gateway.execution.layout import RowValue
from gateway.execution.parts import (
    ChangedRowPart,
    ChildConnectionPart,
    ErrorsPart,
    ItemsPart,
    LinkPart,
    NullablePart,
    ObjectTemplate,
)
from gateway.execution.plan import (
    Plan,
    RootChanges,
    RootConnection,
    RootIntrospection,
    RootMutation,
    RootPosition,
    RootResolved,
)
from gateway.execution.resolved import AbstractWriter, ListWriter, ObjectWriter, ResolvedPart, Writer


def picture(plan: Plan) -> str:
    """The drawing of `plan`: one line for each read or write, indented below the read whose answer it waits for."""
    lines = [plan.text.decode()]
    for key, root in plan.root_fields.items():
        if isinstance(root, RootMutation):
            lines += [f"{key}: writes; when it was done", *_template_lines(root.done, "  ")]
            lines += [f"{key}: when it was refused", *_template_lines(root.refused, "  ")]
            continue
        if isinstance(root, RootIntrospection):
            lines.append(f"{key}: reads the schema itself")
            continue
        if isinstance(root, RootResolved):
            lines += [f"{key}: calls its resolver", *_resolved_lines(root.part.completion.writer, "  ")]
            continue
        if isinstance(root, RootPosition):
            lines.append(f"{key}: the positions in the services' feeds, before all else is read")
            continue
        if isinstance(root, RootChanges):
            resource = root.declared.resource
            reads = "reads their rows from" if root.shows_rows else "are changes in"
            lines.append(f"{key}: for each event, of many at once; {reads} {resource.service} {resource.path}")
            lines += _template_lines(root.template, "  ")
            continue
        what = "a page" if isinstance(root, RootConnection) else "one row"
        lines.append(f"{key}: reads {what} of {root.resource.service} {root.resource.path}")
        lines += _template_lines(root.template, "  ")
    return "\n".join(lines)


def _template_lines(template: ObjectTemplate, indent: str) -> Iterator[str]:
    yield f"{indent}{template.text.decode()}"
    for gap in template.gaps:
        name = ".".join(gap.path)
        match gap.part:
            case RowValue():
                continue  # nothing is read for it, and the template shows where it is
            case ItemsPart(template=inner):
                yield f"{indent}{name}: for each row"
                yield from _template_lines(inner, indent + "  ")
            case ErrorsPart(template=inner):
                yield f"{indent}{name}: each"
                yield from _template_lines(inner, indent + "  ")
            case LinkPart(resource=resource, template=inner):
                where = f"{resource.service} {resource.path}"
                yield f"{indent}{name}: reads the distinct keys of all rows from {where}, in one go"
                yield from _template_lines(inner, indent + "  ")
            case ChildConnectionPart(resource=resource, field=field, template=inner):
                yield f"{indent}{name}: reads a page for each row from {resource.service} {resource.path}, by {field}"
                yield from _template_lines(inner, indent + "  ")
            case ChangedRowPart(template=inner):
                yield f"{indent}{name}: the row as it is now, or null"
                yield from _template_lines(inner, indent + "  ")
            case NullablePart(template=inner):
                yield f"{indent}{name}: null by itself if one of its fields must not be null and is"
                yield from _template_lines(inner, indent + "  ")
            case ResolvedPart():
                yield f"{indent}{name}: calls its resolver for each row"
                yield from _resolved_lines(gap.part.completion.writer, indent + "  ")
            case _:
                yield f"{indent}{name}: {gap.part}"


def _resolved_lines(writer: Writer, indent: str) -> Iterator[str]:
    """How the values that a resolver returns are written."""
    match writer:
        case ListWriter():
            yield from _resolved_lines(writer.item.writer, indent)
        case AbstractWriter():
            for name, one in writer.possible.items():
                yield f"{indent}{name}:"
                yield from _template_lines(one.template, indent + "  ")
        case ObjectWriter():
            yield from _template_lines(writer.template, indent)
        case _:
            pass
