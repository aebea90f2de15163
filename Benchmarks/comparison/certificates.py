"""The certificates that all proxies present, made anew for each run."""

import dataclasses
import pathlib
import shutil
import ssl

from . import children
from .programs import Missing

KEYS = {
    "ecdsa": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}
NAMES = "subjectAltName=DNS:shop.example,DNS:localhost,IP:127.0.0.1"
# What a connection may use, by OpenSSL's names; Go has others.
SUITE = "TLS_AES_128_GCM_SHA256"
CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
GROUP = "X25519"


@dataclasses.dataclass(frozen=True)
class Certificate:
    """The files of one certificate, in PEM."""

    chain: pathlib.Path
    key: pathlib.Path
    both: pathlib.Path  # in one file, as HAProxy wants it

    def encoded(self) -> bytes:
        """As it is presented."""
        return ssl.PEM_cert_to_DER_cert(self.chain.read_text())


def make(directory: pathlib.Path) -> dict[str, Certificate]:
    """Makes one for each kind of key. Returns them by kind."""
    if not shutil.which("openssl"):
        raise Missing("openssl (apt-get install it)")
    directory.mkdir(parents=True, exist_ok=True)
    made = {}
    for kind, key in KEYS.items():
        one = Certificate(*(directory / f"{kind}.{end}" for end in ("pem", "key", "both")))
        children.run([
            "openssl", "req", "-x509", *key, "-nodes", "-days", "30", "-subj",
            "/CN=shop.example", "-addext", NAMES, "-out", one.chain, "-keyout", one.key,
        ])
        one.both.touch(mode=0o600)
        one.both.write_text(one.chain.read_text() + one.key.read_text())
        made[kind] = one
    return made
