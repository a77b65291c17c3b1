"""Coming back: whoever signs in while their account waits for its deletion keeps the account."""

from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError

from wxauth import transactions
from wxauth.conf import HostUser
from wxauth.devices import NOWHERE, Device
from wxauth.models import AuditEvent, DeletionRequest
from wxauth.signals import deletion_cancelled


def cancel_on_return(user: HostUser, *, app: str = "", device: Device = NOWHERE) -> bool:
    """
    Call off the deletion of ``user``, who is here again; tell whether there was one to call off.

    For use in the transaction of a sign-in. No statement at all when the user was read together
    with their request, as ``identities.find`` does, and there is none. ``IntegrityError`` when
    the request is gone by now, perhaps carried out: find again.
    """
    try:
        request: DeletionRequest = user.wxauth_deletion
    except ObjectDoesNotExist:
        return False
    if not DeletionRequest.objects.withdraw(request):
        raise IntegrityError("the deletion request is gone: find again")
    user._state.fields_cache.pop("wxauth_deletion", None)
    AuditEvent.objects.record(AuditEvent.Kind.DELETION_CANCELLED, user=user, app=app, device=device)
    transactions.send_after_commit(deletion_cancelled, user=user)
    return True
