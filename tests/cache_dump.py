"""All that somebody sees who can read the whole cache."""

from typing import Any


def everything_in_the_cache(cache: Any) -> str:
    """Return each key and each value of local memory, or of our part of Redis, as one text."""
    if hasattr(cache, "_cache"):
        return repr(cache._cache)
    client = cache.client.get_client()
    prefix = cache.make_key("").rsplit(":", 1)[0]
    keys = list(client.scan_iter(match=f"{prefix}*"))
    return repr([(key, client.get(key)) for key in keys])
