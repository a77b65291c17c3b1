"""Text messages in the memory of the process, for tests."""

from wxauth.sms.base import SmsMessage, SmsSender

outbox: list[SmsMessage] = []


class MemorySender(SmsSender):
    """Appends each message to ``outbox``, which a test empties."""

    for_development = True

    def send(self, message: SmsMessage) -> None:
        outbox.append(message)
