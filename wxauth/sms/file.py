"""Text messages in a file, for tests and demonstrations of several processes."""

import json
import os

from wxauth.exceptions import SmsUnavailable
from wxauth.sms.base import SmsMessage, SmsSender


class FileSender(SmsSender):
    """Appends each message as a line of JSON to the file ``path``, which only its owner reads."""

    for_development = True

    def __init__(self, *, path: str | os.PathLike[str]) -> None:
        self._path = path

    def send(self, message: SmsMessage) -> None:
        fields = ("number", "sms_code", "purpose", "app", "minutes")
        line = json.dumps({name: getattr(message, name) for name in fields}) + "\n"
        # One write to a file that is opened for appending: lines of processes do not mix.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        try:
            descriptor = os.open(self._path, flags, 0o600)
            try:
                os.write(descriptor, line.encode())
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SmsUnavailable(reason=f"the file: {type(error).__name__}") from None
