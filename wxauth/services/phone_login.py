"""
Signing in by WeChat and the phone button together.

A phone code that has been exchanged is paid for, so all that can be refused without it is refused
before, and it is not exchanged for people who have a number already.
"""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from wxauth import backends, identities
from wxauth.devices import NOWHERE, Device
from wxauth.identities import ConfirmedPerson
from wxauth.models import PhoneNumber
from wxauth.services import audit
from wxauth.services.attaching import (
    Arrival,
    NumberWanted,
    PhoneSignIn,
    enter_by_number,
)
from wxauth.services.open_data import OpenData
from wxauth.services.phones import (
    ProvedNumber,
    check_data_is_taken,
    number_of_code,
    number_of_data,
)
from wxauth.wechat import client


@dataclass(frozen=True, slots=True)
class PhoneCode:
    """
    The code of WeChat's phone button.

    Raise ``WechatPhoneCodeInvalid`` when it cannot be one: before a login code is spent for it.
    """

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        client.check_phone_code(self.text)


def phone_login(
    *,
    person: ConfirmedPerson,
    proof: PhoneCode | OpenData,
    ticket: str | None = None,
    referrer: Any = None,
    scene: Any = None,
    device: Device = NOWHERE,
) -> PhoneSignIn:
    """
    Sign in a known person; else make an account with the number, or find the one that has it.

    The rule is that of ``enter_by_number``; who has a number already needs no proof of it. Raise
    ``PhoneTaken`` with a ticket, ``UserInactive``, ``TicketInvalid``, and what
    ``bind_phone_by_code`` and ``bind_phone_by_data`` raise for the proof.
    """
    return _phone_login(
        Arrival(person=person, ticket=ticket, referrer=referrer, scene=scene, device=device), proof
    )


def phone_login_of_known(
    *, person: ConfirmedPerson, proof: PhoneCode | OpenData, device: Device = NOWHERE
) -> PhoneSignIn:
    """Do what ``phone_login`` does, but raise ``NotRegistered`` instead of making an account."""
    return _phone_login(Arrival(person=person, device=device, registers=False), proof)


def _phone_login(arrival: Arrival, proof: PhoneCode | OpenData) -> PhoneSignIn:
    person = arrival.person
    if isinstance(proof, OpenData):
        check_data_is_taken()
    match = identities.find(person)
    if match is not None:
        with audit.refusals(**arrival.origin):
            backends.check_entry(match.user)
        if PhoneNumber.objects.of(match.user) is not None:
            with suppress(NumberWanted):  # the account has gone since we looked
                return enter_by_number(arrival, None)
    return enter_by_number(arrival, _prove(person, proof))


def _prove(person: ConfirmedPerson, proof: PhoneCode | OpenData) -> ProvedNumber:
    app, openid = person.app, person.openid
    if isinstance(proof, PhoneCode):
        number = number_of_code(app, openid=openid, phone_code=proof.text)
        return ProvedNumber(number, PhoneNumber.Source.PHONE_CODE)
    number = number_of_data(app, openid=openid, session_key=person.session_key, data=proof)
    return ProvedNumber(number, PhoneNumber.Source.ENCRYPTED_DATA)
