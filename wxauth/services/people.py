"""Who is there: the proof that every sign-in starts with."""

from wxauth import backends, tickets
from wxauth.identities import ConfirmedPerson


def confirm_code(*, login_code: str, app: str | None = None) -> ConfirmedPerson:
    """
    Spend a login code of ``wx.login`` at WeChat and return who it confirms. ``app`` is an alias.

    Raise ``UnknownApp`` before WeChat is asked, or the ``WechatError`` that WeChat's answer means.
    """
    return backends.confirm(login_code=login_code, app=app)


def confirm_ticket(*, ticket: str) -> ConfirmedPerson:
    """Return who the ticket of a ``NotRegistered`` stands for, or raise ``TicketInvalid``."""
    return tickets.look(ticket)
