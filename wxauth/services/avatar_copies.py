"""Copies of the pictures that lie at WeChat, whose addresses die when people change them."""

import logging
from collections.abc import Iterator
from enum import StrEnum
from urllib.parse import urljoin

from django.core.files.storage import default_storage
from django.utils import timezone

from wxauth import downloads, images
from wxauth.conf import HostUser, conf
from wxauth.exceptions import ImageInvalid, StoreUnavailable
from wxauth.images import CleanImage
from wxauth.models import WechatProfile
from wxauth.services.avatars import keep_picture

logger = logging.getLogger("wxauth.avatars")

PAGE = 500  # rows read at a time


class AvatarCopy(StrEnum):
    """What came of it."""

    COPIED = "copied"
    NOTHING = "nothing"  # there is no picture of theirs at WeChat, or no longer the same
    REFUSED = "refused"  # it is no picture, too large, gone, …: it is not tried again
    LATER = "later"  # the host did not answer, or the storage took nothing: the next time, perhaps


def copy_avatar(*, user: HostUser, base_url: str = "") -> AvatarCopy:
    """
    Fetch the user's picture from WeChat, and keep a copy of our own in Django's default storage.

    Only from ``WXAUTH_AVATAR_HOSTS``. The profile then has the address of the copy, unless it has
    been changed meanwhile; ``base_url`` goes before it where the storage's addresses are paths.
    Whatever WeChat's host or the storage does is an answer and no exception.
    """
    profile = WechatProfile.objects.of(user)
    if profile is None or not downloads.may_fetch(profile.avatar_url):
        return AvatarCopy.NOTHING
    address = profile.avatar_url
    try:
        image = images.clean(downloads.fetch(address))
    except downloads.Unavailable as error:
        logger.info("a picture could not be fetched: %s", error)
        return AvatarCopy.LATER
    except (downloads.Refused, ImageInvalid) as error:
        logger.info("a picture is not copied: %s", error)
        WechatProfile.objects.refuse_avatar(user, address=address, now=timezone.now())
        return AvatarCopy.REFUSED
    return _store(user, address, image, base_url=base_url)


def pending_avatars(*, limit: int) -> Iterator[HostUser]:
    """Yield at most ``limit`` users whose picture lies at WeChat and was not refused before."""
    last, found = 0, 0
    hosts = [host.lstrip(".") for host in conf.avatar_hosts]
    while True:
        page = WechatProfile.objects.with_avatar_at(hosts, after=last, limit=PAGE)
        for profile in page:
            last = profile.pk
            if downloads.may_fetch(profile.avatar_url):
                yield profile.user
                found += 1
                if found == limit:
                    return
        if len(page) < PAGE:
            return


def _store(user: HostUser, address: str, image: CleanImage, *, base_url: str) -> AvatarCopy:
    try:
        name = keep_picture(image)
    except StoreUnavailable:
        return AvatarCopy.LATER
    if WechatProfile.objects.replace_avatar(
        user, address=address, copy=urljoin(base_url, default_storage.url(name))
    ):
        return AvatarCopy.COPIED
    default_storage.delete(name)
    return AvatarCopy.NOTHING
