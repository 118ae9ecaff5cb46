"""The rules of validation: those of the specification, with a bound on the rule that compares fields with fields."""

from typing import Any

from graphql import (
    ASTValidationRule,
    NoSchemaIntrospectionCustomRule,
    OverlappingFieldsCanBeMergedRule,
    SelectionSetNode,
    ValidationContext,
    specified_rules,
)
from graphql.validation.validate import ValidationAbortedError

from gateway.errors import LimitExceededError
from gateway.settings import Limits


def rules(limits: Limits, introspection: bool) -> list[type[ASTValidationRule]]:
    """The rules that validate a document. The bounded rule raises LimitExceededError; the others report errors."""

    class BoundedOverlaps(OverlappingFieldsCanBeMergedRule):
        """graphql-core's rule with our limit on its steps, since comparing n fields of one name takes n*n of them."""

        def __init__(self, context: ValidationContext) -> None:
            super().__init__(context)
            self.rule_context.remaining_complexity_budget = limits.max_overlaps

        def enter_selection_set(self, selection_set: SelectionSetNode, _key: Any, parent: Any, *_args: Any) -> None:
            try:
                super().enter_selection_set(selection_set, _key, parent, *_args)
            except ValidationAbortedError:
                asked = limits.max_overlaps - self.rule_context.remaining_complexity_budget
                if asked <= limits.max_overlaps:  # it was aborted for another reason
                    raise
                raise LimitExceededError("max_overlaps", asked, limits.max_overlaps) from None

    chosen = [BoundedOverlaps if rule is OverlappingFieldsCanBeMergedRule else rule for rule in specified_rules]
    return chosen if introspection else [*chosen, NoSchemaIntrospectionCustomRule]
