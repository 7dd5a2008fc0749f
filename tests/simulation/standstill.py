"""Processes that stand still: everything that one of them runs stops at its next step, and goes on when it thaws.

As with SIGSTOP, time goes on meanwhile: timers run out, answers come, and all of it is seen at once afterwards. A task
knows its process by a context variable, which the tasks that it starts inherit.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol


class Freezing(Protocol):
    """What may stand still."""

    is_dead: bool
    thawed: asyncio.Event


_owner: ContextVar[Freezing | None] = ContextVar("owner", default=None)


@contextmanager
def inside(node: Freezing) -> Iterator[None]:
    """What is started in here belongs to this process."""
    token = _owner.set(node)
    try:
        yield
    finally:
        _owner.reset(token)


def make_task(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
    """A task factory for the loop of a world in which processes may stand still."""
    node = _owner.get()
    if node is None:
        return asyncio.Task(work, loop=loop, **more)
    task = asyncio.Task(_driven(work, node), loop=loop, **more)
    task.add_done_callback(lambda _: work.close())  # it may have ended before its first step
    return task


async def _driven(work: Coroutine[Any, Any, Any], node: Freezing) -> Any:
    return await _stepwise(work, node)


@types.coroutine
def _stepwise(work: Coroutine[Any, Any, Any], node: Freezing) -> Generator[Any, Any, Any]:
    """Each step of the work waits for the thaw; what came meanwhile, a cancellation too, comes then."""
    go_on: Callable[[], Any] = lambda: work.send(None)  # noqa: E731 - the next step, whatever it is
    while True:
        while not (node.thawed.is_set() or node.is_dead):
            try:
                yield from node.thawed.wait()
            except asyncio.CancelledError as cancelled:
                go_on = _raising(work, cancelled)
        try:
            waits_for = go_on()
        except StopIteration as end:
            return end.value
        try:
            yield waits_for
        except GeneratorExit:
            work.close()
            raise
        except BaseException as exception:  # noqa: BLE001 - it belongs to the work
            go_on = _raising(work, exception)
        else:
            go_on = lambda: work.send(None)  # noqa: E731


def _raising(work: Coroutine[Any, Any, Any], exception: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(exception)
