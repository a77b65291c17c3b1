"""Text messages on the terminal of whoever develops."""

import sys

from wxauth.sms.base import SmsMessage, SmsSender


class ConsoleSender(SmsSender):
    """Writes each message to standard error."""

    for_development = True

    def send(self, message: SmsMessage) -> None:
        line = f"SMS to {message.number} ({message.purpose}, {message.app}): {message.sms_code}\n"
        sys.stderr.write(line)
        sys.stderr.flush()
