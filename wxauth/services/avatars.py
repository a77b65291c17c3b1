"""Avatars that people upload, in the project's own storage."""

import logging
import re
import secrets
from functools import partial

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from wxauth import images, transactions
from wxauth.conf import HostUser
from wxauth.exceptions import StoreUnavailable
from wxauth.models import WechatProfile
from wxauth.services.locking import lock_entrant

logger = logging.getLogger("wxauth.avatars")

FOLDER = "wxauth/avatars"
_OURS = re.compile(rf"{FOLDER}/[A-Za-z0-9_-]{{22}}\.(?:jpg|png)$")


def store_avatar(*, user: HostUser, content: bytes) -> str:
    """
    Keep the picture in Django's default storage, and return its address there.

    The name is random and tells nothing of the user. The profile is not changed: clients send the
    address with the next change of it. Raise ``ImageInvalid``, ``StoreUnavailable``, or
    ``TokenInvalid`` when the user has gone meanwhile.
    """
    image = images.clean(content)
    transactions.run(lambda: lock_entrant(user))
    return default_storage.url(keep_picture(image))


def keep_picture(image: images.CleanImage) -> str:
    """Write the picture, and return its name in the storage. Raise ``StoreUnavailable``."""
    name = f"{FOLDER}/{secrets.token_urlsafe(16)}.{image.extension}"
    try:
        return default_storage.save(name, ContentFile(image.content))
    except Exception:  # disks and object storages each have a tree of their own
        logger.exception("the storage took no picture")
    raise StoreUnavailable(reason="the storage took no picture")


def forget_picture_of(user: HostUser) -> None:
    """
    Delete the picture that the user's profile shows after the commit, if it is one of ours.

    And if no profile shows it any more: anybody may have written the address into their own. The
    profile is locked for the change that is to come: a copy must not be put in between.
    """
    profile = WechatProfile.objects.lock_of(user)
    found = _OURS.search(profile.avatar_url) if profile is not None else None
    if found is not None:
        transactions.run_after_commit(partial(_delete_unused, found[0]))


def _delete_unused(name: str) -> None:
    # By the name: whoever writes it behind another host means the same picture.
    if not WechatProfile.objects.filter(avatar_url__contains=name).exists():
        default_storage.delete(name)
