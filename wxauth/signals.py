"""
What the host project can listen to. Sent after the transaction has been committed, unless the
comment says otherwise.

A receiver that raises is logged by Django and does not undo the sign-in.
"""

from django.dispatch import Signal

# user, identity (WechatIdentity), app (alias), referrer (user or None)
user_registered = Signal()

# user, identity (WechatIdentity), session (LoginSession), registered (bool: just now)
user_logged_in = Signal()

# user, sessions (list of UUID: the sessions that ended)
user_logged_out = Signal()

# user, phone (PhoneNumber), previous (E.164 text of the number it replaces, or None)
phone_bound = Signal()

# user (who signed in), identity (WechatIdentity), holder (user to whom the unionid belongs)
union_conflict = Signal()

# user, due_at (datetime from which on the account may be deleted)
deletion_requested = Signal()

# user (who came back in time, or whose request the operator has withdrawn)
deletion_cancelled = Signal()

# uid (text: the key of the user who has been deleted or made anonymous)
account_deleted = Signal()

# user, app (alias), revoked (list of int: WeChat's numbers of what was taken back)
consent_revoked = Signal()

# user. Not after a commit: sent while the export is put together. A receiver returns a dict that
# is added to it: name of a block to anything that JSON can say, or to an iterable of such.
collecting_export = Signal()
