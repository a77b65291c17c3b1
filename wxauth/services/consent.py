"""To which version of the privacy terms a user has agreed, and when."""

from django.utils import timezone

from wxauth import transactions
from wxauth.conf import HostUser
from wxauth.devices import NOWHERE, Device
from wxauth.models import AuditEvent, WechatProfile
from wxauth.services import audit
from wxauth.services.locking import lock_entrant


def give_consent(
    *, user: HostUser, version: str, app: str = "", device: Device = NOWHERE
) -> WechatProfile:
    """Write down that the user agrees to this version now. Raise ``TokenInvalid`` if they left."""

    def step() -> WechatProfile:
        lock_entrant(user)
        audit.record(
            AuditEvent.Kind.CONSENT_GIVEN, user=user, app=app, device=device, version=version
        )
        return WechatProfile.objects.change(
            user, consent_version=version, consent_at=timezone.now()
        )

    return transactions.run(step)


def revoke_consent(*, user: HostUser, app: str = "", device: Device = NOWHERE) -> WechatProfile:
    """
    Write down that the user no longer agrees. Raise ``TokenInvalid`` if they left.

    Nothing is erased by it: for that there is ``request_deletion``.
    """

    def step() -> WechatProfile:
        lock_entrant(user)
        profile = WechatProfile.objects.of(user)
        if profile is None or not profile.consent_version:
            return profile or WechatProfile(user=user)
        audit.record(
            AuditEvent.Kind.CONSENT_REVOKED,
            user=user,
            app=app,
            device=device,
            version=profile.consent_version,
        )
        return WechatProfile.objects.change(user, consent_version="", consent_at=None)

    return transactions.run(step)
