"""Makes Alembic's draft of a migration right for tables that have rows and that older code still uses.

Alembic compares the models with the database. It does not know the trigger and the trigram indexes of folded texts,
leaves out the check of a new column, and builds an index while everybody waits. So what takes long becomes a second
migration, which runs while others read and write. Nor does Alembic know the triggers that tell the changes of a table.
"""

from __future__ import annotations

from typing import Any, cast

from alembic.autogenerate import renderers
from alembic.operations import ops
from sqlalchemy import CheckConstraint, Column, Index, Table

from chassis.db.changes import CHANGE, FEED_HEAD
from chassis.db.columns import folded_texts

SEARCH, CHANGE_TRIGGERS = "chassis.db.search", "chassis.db.change_triggers"


class NoDraft(Exception):
    """The rows that exist do not fit the models. The message says what to decide."""


class Step(ops.MigrateOperation):
    """A call of a function of `module` or of Alembic, and the call that takes it back, if one must."""

    def __init__(self, call: str, undo: str = "", module: str = SEARCH) -> None:
        self.call, self.undo, self.module = call, undo, module

    def reverse(self) -> Step:
        return Step(self.undo, self.call, self.module)


@renderers.dispatch_for(Step)
def _render(context: Any, step: Step) -> str | list[str]:
    if not step.call:
        return []
    if not step.call.startswith("op."):
        context.imports.add(f"from {step.module} import {step.call.partition('(')[0]}")
    return step.call


def complete(context: Any, _revision: Any, scripts: list[ops.MigrationScript]) -> None:
    """Completes the only draft in `scripts`, and adds the migration that follows it, if one must. Raises NoDraft."""
    [draft] = scripts
    upgrade: Any = draft.upgrade_ops
    tables: dict[str, Table] = context.opts["target_metadata"].tables
    created = {operation.table_name for operation in upgrade.ops if isinstance(operation, ops.CreateTableOp)}
    later: list[Step] = []
    others = [one for one in upgrade.ops if getattr(one, "table_name", "") not in (CHANGE, FEED_HEAD)]
    if len(others) < len(upgrade.ops):
        upgrade.ops = [Step("create_feed()", "drop_feed()", CHANGE_TRIGGERS), *others]
    for operation in list(upgrade.ops):
        table = tables.get(getattr(operation, "table_name", ""))
        if table is not None and isinstance(operation, ops.CreateTableOp):
            forms = folded_texts(table)
            upgrade.ops += [_trigger(table, forms, {})] if forms else []
            upgrade.ops += [_search_index("add_trigram_index", table, form) for form in forms.values()]
            upgrade.ops += _telling(table)
        elif table is not None and table.name not in created and isinstance(operation, ops.ModifyTableOps):
            steps, after = _on_rows(table, operation)
            upgrade.ops += steps
            later += after
    draft.downgrade_ops = upgrade.reverse()
    if later:
        number, slow = f"{int(str(draft.rev_id)) + 1:04d}", ops.UpgradeOps(later)
        message = f"{draft.message} indexes"
        scripts.append(ops.MigrationScript(number, slow, slow.reverse(), message=message, head=str(draft.rev_id)))


def _on_rows(table: Table, operation: ops.ModifyTableOps) -> tuple[list[Step], list[Step]]:
    """Takes the indexes out of the changes of a table that has rows. Returns what follows these changes, and what
    belongs into the next migration."""
    changes = cast("list[Any]", operation.ops)
    added = [change.column.name for change in changes if isinstance(change, ops.AddColumnOp)]
    indexes = [change.to_index() for change in changes if isinstance(change, ops.CreateIndexOp)]
    operation.ops = [change for change in changes if not isinstance(change, ops.CreateIndexOp)]
    for name in added:
        column = table.c[name]
        if not column.nullable and column.server_default is None:
            raise NoDraft(f"{table.name}.{name} is required: say what the rows that exist get, by `existing=`")
        if column.info.get("folds", name) not in added:
            raise NoDraft(
                f"{table.name}.{column.info['folds']} has texts already: fold them by a migration of your own"
            )
    forms = folded_texts(table)
    before = {text: form for text, form in forms.items() if form not in added}
    steps = [_trigger(table, forms, before)] if forms != before else []
    later = [_index(table, index) for index in indexes]
    later += [_search_index("add_search_index", table, form) for form in forms.values() if form in added]
    for check in table.constraints:
        if isinstance(check, CheckConstraint) and any(check.name == f"{table.name}_{name}_check" for name in added):
            steps.append(Step(f"add_check({table.name!r}, {check.name!r}, {str(check.sqltext)!r})"))
            later.append(Step(f"validate_check({table.name!r}, {check.name!r})"))
    return steps, later


def _trigger(table: Table, now: dict[str, str], before: dict[str, str]) -> Step:
    """The trigger that keeps `fold_version`, for the texts that are folded now. Before, it was for others."""

    def call(forms: dict[str, str]) -> str:
        columns = [name for pair in forms.items() for name in pair]
        return f"add_fold_trigger({', '.join(map(repr, [table.name, *columns]))})"

    return Step(call(now), call(before) if before else f"drop_fold_trigger({table.name!r})")


def _telling(table: Table) -> list[Step]:
    """The triggers that tell the changes of a new table, if its rows have ids, and of the rows that they refer to."""
    if "id" not in table.columns:
        return []
    name = table.name
    steps = [Step(f"tell_changes({name!r})", f"stop_telling({name!r})", CHANGE_TRIGGERS)]
    for key in table.foreign_keys:
        parent = key.column.table.name
        call = f"tell_shown({parent!r}, {name!r}, {key.parent.name!r})"
        steps.append(Step(call, f"stop_telling_shown({parent!r}, {name!r})", CHANGE_TRIGGERS))
    return steps


def _index(table: Table, index: Index) -> Step:
    parts = [repr(part.name) if isinstance(part, Column) else f"sa.text({str(part)!r})" for part in index.expressions]
    where = index.dialect_options["postgresql"]["where"]
    more = f", sa.text({str(where)!r})" if where is not None else ""
    call = f"build_index({index.name!r}, {table.name!r}, [{', '.join(parts)}]{more})"
    return Step(call, f"op.drop_index({index.name!r})")


def _search_index(add: str, table: Table, form: str) -> Step:
    arguments = f"({table.name!r}, {form!r})"
    return Step(f"{add}{arguments}", f"drop_trigram_index{arguments}")
