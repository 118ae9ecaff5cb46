"""What is kept of the documents that were met: a bounded number of them, and nothing of the others."""

import gc

from gateway import schema
from gateway.execution.operation import NO_VARIABLES, REMEMBERED, Executor
from gateway.limits.bounds import Limits


def meet(executor: Executor, count: int, start: int) -> None:
    """So many documents that nobody has sent before, as from someone who writes values into them."""
    for n in range(start, start + count):
        document = executor.prepare(f"{{ pessoa(id: {n}) {{ id nomePessoa solicitacoes {{ totalCount }} }} }}")
        executor.compiled(document, document.operation(None), NO_VARIABLES)


def test_ever_new_documents_leave_nothing_behind() -> None:
    executor = Executor(schema.core(schema.build()), Limits())
    meet(executor, REMEMBERED + 50, 0)
    gc.collect()
    gc.disable()
    try:
        before = len(gc.get_objects())
        meet(executor, 200, 10_000)
        after = len(gc.get_objects())
    finally:
        gc.enable()

    assert after < before + 1_000, "each of them makes some 1,300 objects, in circles"
