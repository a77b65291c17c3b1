"""Avatars that people upload, in the project's own storage."""

import secrets

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from wxauth import images, transactions
from wxauth.conf import HostUser
from wxauth.services.locking import lock_entrant

FOLDER = "wxauth/avatars"


def store_avatar(*, user: HostUser, content: bytes) -> str:
    """
    Keep the picture in Django's default storage, and return its address there.

    The name is random and tells nothing of the user. The profile is not changed: clients send the
    address with the next change of it. Raise ``ImageInvalid``, or ``TokenInvalid`` when the user
    has gone meanwhile.
    """
    image = images.clean(content)
    transactions.run(lambda: lock_entrant(user))
    name = f"{FOLDER}/{secrets.token_urlsafe(16)}.{image.extension}"
    return default_storage.url(default_storage.save(name, ContentFile(image.content)))
