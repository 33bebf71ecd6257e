"""A certificate of our own for the name by which the API server calls us. Its key never leaves this process's memory.

 0 h    made, published, shown at once if there is none before it
24 h    the next one is made and published beside it
36 h    the next one is shown: whoever reads what is published has had half a day
48 h    it ends
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

HOUR: Final = 3600.0
LIFE: Final = 48 * HOUR
RENEWED: Final = 24 * HOUR  # after this time the next one is published
PUBLISHED: Final = 12 * HOUR  # for so long before it is shown
SLANTED: Final = HOUR  # it is valid from so long ago: clocks differ
MOST: Final = 20  # pods whose certificates are published: those of a Deployment that crashes would fill the ConfigMap


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM. `made`, `ends`: epoch seconds."""

    certificate: str
    key: str
    made: float
    ends: float


@dataclass(frozen=True, slots=True)
class Rotation:
    """The pair that the server shows, and the one that will follow it."""

    now: Pair
    following: Pair | None = None

    @property
    def published(self) -> str:
        """Every certificate that the API server should trust by now: PEM."""
        return self.now.certificate + (self.following.certificate if self.following else "")


def rotated(shown: Rotation | None, names: tuple[str, ...], now: float) -> Rotation:
    """What is shown and published at `now`; the same value while nothing changes. What was made by a clock that was set back since is made anew."""
    if shown is None or now >= shown.now.ends or now < shown.now.made - SLANTED:
        return Rotation(make(names, now))
    if shown.following is not None and now < shown.following.made - SLANTED:
        return rotated(Rotation(shown.now), names, now)
    if shown.following is not None:
        return Rotation(shown.following) if now >= shown.following.made + PUBLISHED else shown
    return Rotation(shown.now, make(names, now)) if now >= shown.now.made + RENEWED else shown


def make(names: tuple[str, ...], now: float) -> Pair:
    """A new key, and a certificate signed by itself for these DNS names."""
    key = ec.generate_private_key(ec.SECP256R1())
    # A common name has at most 64 characters; nobody reads it where there are DNS names.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    moment = datetime.fromtimestamp(now, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(seconds=SLANTED))
        .not_valid_after(moment + timedelta(seconds=LIFE))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return Pair(certificate.public_bytes(Encoding.PEM).decode(), secret, now, now + LIFE)


def publication(found: Mapping[str, str], pod: str, published: str, now: float) -> dict[str, str | None]:
    """What must change in the ConfigMap's data: our own entry, and entries of others of which no certificate is valid, or MOST end later (None: removed)."""
    others = sorted((name for name in found if name != pod), key=lambda name: _ends(found[name]), reverse=True)
    changes: dict[str, str | None] = {
        name: None for place, name in enumerate(others) if place >= MOST or _ends(found[name]) <= now
    }
    return changes if found.get(pod) == published else changes | {pod: published}


def _ends(text: str) -> float:
    """When the last of the certificates ends: epoch seconds; minus infinity when there is none."""
    try:
        return max(
            (
                certificate.not_valid_after_utc.timestamp()
                for certificate in x509.load_pem_x509_certificates(text.encode())
            ),
            default=-math.inf,
        )
    except ValueError:
        return -math.inf
