"""A process of its own that says "ready", waits for a line, and writes its token's SHA-256."""

import hashlib
import sys

from django.conf import settings

from wxauth.conf import conf
from wxauth.wechat import access_token


def main(base_url: str) -> None:
    settings.WXAUTH_API_BASE_URL = base_url
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    token = access_token.get(conf.app("default"))
    sys.stdout.write(hashlib.sha256(token.value.encode()).hexdigest() + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
