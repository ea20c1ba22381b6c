"""Threads that run calls in their order; unlike those of `concurrent.futures`, a stuck one keeps no process from ending."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")
_Work = tuple[Future[Any], Callable[[], Any]]


class Pool:
    """A queue without bounds and a few daemon threads."""

    def __init__(self, threads: int, name: str) -> None:
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[], Result]) -> Future[Result]:
        """What the work will return or raise; it may be cancelled until its turn comes."""
        future: Future[Result] = Future()
        self._queue.put((future, work))
        return future

    def close(self, grace_s: float) -> bool:
        """Cancel what waits, and wait for what runs, at most ``grace_s`` seconds. Whether every thread ended."""
        with suppress(queue.Empty):  # a thread may take the last one first
            while True:
                if (waiting := self._queue.get_nowait()) is not None:
                    waiting[0].cancel()
        for _ in self._threads:
            self._queue.put(None)
        end = time.monotonic() + grace_s
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while (taken := self._queue.get()) is not None:
            future, work = taken
            if future.set_running_or_notify_cancel():
                _fulfil(future, work)
            del taken, future, work  # an idle thread keeps no request alive


def _fulfil(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
        future.set_exception(error)
    else:
        future.set_result(result)
