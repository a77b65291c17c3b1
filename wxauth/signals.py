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

# user, phone (PhoneNumber, which is gone)
phone_unbound = Signal()

# user (who signed in), holder (user to whom the number belongs), number (E.164 text)
phone_conflict = Signal()

# user, identity (WechatIdentity), by ("wechat": the user's wish; "phone": found by the number;
# "password": by number and password)
wechat_bound = Signal()

# user, identity (WechatIdentity, which is gone)
wechat_unbound = Signal()
# Inside of the transaction of a merge, not after it. A receiver that raises stops the merge.

# sender is the model; field (name of its field that points to users), rows (the loser's),
# collisions (those of them that a unique constraint keeps from the winner), winner, loser. A
# receiver may change its rows; when one returns "leave", all rows of the field stay.
merge_moving = Signal()

# sender is the model; field, rows (those that are about to go back), winner, loser
merge_undoing = Signal()

# After the transaction, as above.

# winner, loser, merge (Merge)
users_merged = Signal()

# winner, loser, merge (Merge)
merge_undone = Signal()
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

# user, seller (user): a client of API工厂 wants the seller to be the user's. Nothing is kept here.
seller_claimed = Signal()
