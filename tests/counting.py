"""Counts what a request costs: SQL statements, cache calls, calls to WeChat."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from wxauth.simulator import WechatSimulator

# Their number is the number of blocks, and a test adds one of its own.
TRANSACTION = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK")


class RecordingCache(LocMemCache):
    """A cache that keeps a list of what it is asked, as (method, first part of the key)."""

    calls: list[tuple[str, str]]

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(name, params)
        self.calls = []

    def _record(self, method: str, key: str) -> None:
        self.calls.append((method, ":".join(key.split(":")[:2])))

    def get(self, key: str, *args: Any, **kwargs: Any) -> Any:
        self._record("get", key)
        return super().get(key, *args, **kwargs)

    def get_many(self, keys: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        self._record("get_many", keys[0])
        found = {key: super(RecordingCache, self).get(key) for key in keys}  # one call, as of Redis
        return {key: value for key, value in found.items() if value is not None}

    def set(self, key: str, *args: Any, **kwargs: Any) -> None:
        self._record("set", key)
        super().set(key, *args, **kwargs)

    def add(self, key: str, *args: Any, **kwargs: Any) -> bool:
        self._record("add", key)
        return super().add(key, *args, **kwargs)

    def incr(self, key: str, *args: Any, **kwargs: Any) -> int:
        self._record("incr", key)
        return super().incr(key, *args, **kwargs)

    def touch(self, key: str, *args: Any, **kwargs: Any) -> bool:
        self._record("touch", key)
        return super().touch(key, *args, **kwargs)

    def has_key(self, key: str, *args: Any, **kwargs: Any) -> bool:
        self._record("has_key", key)
        return super().has_key(key, *args, **kwargs)

    def delete(self, key: str, *args: Any, **kwargs: Any) -> bool:
        self._record("delete", key)
        return super().delete(key, *args, **kwargs)


@dataclass
class Costs:
    """What was counted: SQL by its first word, cache calls, paths at WeChat."""

    sql: list[str] = field(default_factory=list)
    cache: list[tuple[str, str]] = field(default_factory=list)
    wechat: list[str] = field(default_factory=list)

    @property
    def verbs(self) -> list[str]:
        return [statement.split()[0].upper() for statement in self.sql]

    @property
    def beside_rate_limit(self) -> list[tuple[str, str]]:
        return [call for call in self.cache if call[1] != "wxauth:throttle"]


Counter = Callable[[], Any]


def counter(wechat_simulator: WechatSimulator) -> Counter:
    """Return a context that counts what happens in it. The cache is a ``RecordingCache``."""

    @contextmanager
    def counted() -> Iterator[Costs]:
        costs = Costs()
        cache: Any = caches["default"]
        calls_before, requests_before = len(cache.calls), len(wechat_simulator.requests)
        with CaptureQueriesContext(connection) as captured:
            yield costs
        statements = [query["sql"].strip() for query in captured.captured_queries]
        costs.sql += [sql for sql in statements if not sql.upper().startswith(TRANSACTION)]
        costs.cache += cache.calls[calls_before:]
        costs.wechat += [call.path for call in wechat_simulator.requests[requests_before:]]

    return counted
