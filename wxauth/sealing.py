"""Encryption with the project's keys (``WXAUTH_ENCRYPTION_KEYS``): the first seals, all open."""

from django.views.decorators.debug import sensitive_variables

from wxauth import crypto
from wxauth.conf import conf


@sensitive_variables("secret")
def seal(secret: bytes, *, name: str) -> bytes:
    """Return ``secret`` encrypted; it opens only under the same ``name``."""
    return crypto.seal(secret, key=_keys()[0], context=name)


def unseal(sealed: bytes, *, name: str) -> bytes | None:
    """Return what was sealed under ``name``, or None when no key of ours opens it."""
    return crypto.unseal(sealed, keys=_keys(), context=name)


def _keys() -> list[bytes]:
    return [crypto.derive_key(secret) for secret in conf.encryption_secrets]
