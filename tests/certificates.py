"""Certificates of the test's own, for servers that speak TLS."""

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest


def make_certificate(host: str, folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's side of TLS for this host, and the certificate that vouches for it."""
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl makes the certificate of this test, and is not here")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={host}"),
            *("-addext", f"subjectAltName=DNS:{host}"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate
