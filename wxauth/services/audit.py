"""The audit trail: the one function by which services add to it."""

from typing import Any

from wxauth.conf import HostUser
from wxauth.models import AuditEvent
from wxauth.models.session import USER_AGENT_LENGTH
from wxauth.services.devices import NOWHERE, Device


def record(
    kind: AuditEvent.Kind,
    *,
    user: HostUser | None,
    actor: HostUser | None = None,
    device: Device = NOWHERE,
    app: str = "",
    **facts: Any,
) -> AuditEvent:
    """
    Write down what happened to ``user``, inside the transaction in which it happens.

    ``actor`` is who did it, when it is somebody else. ``facts`` must be JSON, and must hold no
    secret, no code, and no whole phone number.
    """
    return AuditEvent.objects.record(
        kind,
        user=user,
        actor=actor,
        app=app,
        user_agent=device.user_agent[:USER_AGENT_LENGTH],
        ip_address=device.ip_address,
        facts=facts,
    )
