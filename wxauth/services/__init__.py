"""The use cases, for every door and for the host project's own code. Keyword arguments only."""

from wxauth.identities import ConfirmedPerson
from wxauth.services.devices import Device
from wxauth.services.merge_plans import MergePlan, PlanLine, is_merged, merged_into, plan_merge
from wxauth.services.merging import (
    collect_late_rows,
    confirm_own_merge,
    forget_merges,
    propose_merge,
    propose_own_merge,
    run_merge,
    undo_merge,
)
from wxauth.services.open_data import OpenData
from wxauth.services.people import confirm_code, confirm_ticket
from wxauth.services.phones import bind_phone_by_code, bind_phone_by_data
from wxauth.services.profiles import Me, change_profile, read_me
from wxauth.services.sessions import check_token, end_sessions, logout, logout_everywhere, refresh
from wxauth.services.sign_in import (
    SignIn,
    authorize,
    login,
    register_complex,
    register_simple,
)

__all__ = [
    "ConfirmedPerson",
    "Device",
    "Me",
    "MergePlan",
    "OpenData",
    "PlanLine",
    "SignIn",
    "authorize",
    "bind_phone_by_code",
    "bind_phone_by_data",
    "change_profile",
    "check_token",
    "collect_late_rows",
    "confirm_code",
    "confirm_own_merge",
    "confirm_ticket",
    "end_sessions",
    "forget_merges",
    "is_merged",
    "login",
    "logout",
    "logout_everywhere",
    "merged_into",
    "plan_merge",
    "propose_merge",
    "propose_own_merge",
    "read_me",
    "refresh",
    "register_complex",
    "register_simple",
    "run_merge",
    "undo_merge",
]
