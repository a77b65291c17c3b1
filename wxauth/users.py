"""The user of a new person, for whatever user model the project has."""

import secrets

from django.contrib.auth import get_user_model
from django.db import models

from wxauth.conf import HostUser, WechatApp


def create_user(*, app: WechatApp) -> HostUser:
    """
    Save and return a user without a usable password, whose username tells nothing of WeChat.

    The default of ``WXAUTH_CREATE_USER``. Replace it when the user model has more fields that
    must be filled; ``app`` is where the person registers.
    """
    model = get_user_model()
    field = model._meta.get_field(model.USERNAME_FIELD)
    user = model()
    user.set_unusable_password()
    if isinstance(field, models.CharField) and not field.null and not field.has_default():
        name = f"wx_{secrets.token_hex(10)}"
        if isinstance(field, models.EmailField):
            name += "@wxauth.invalid"  # RFC 2606: never a real address
        setattr(user, model.USERNAME_FIELD, name[: field.max_length])
    user.save(force_insert=True)
    return user
