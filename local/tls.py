"""Build the TLS contexts of the simulation's servers and of their clients."""

import ssl
import tempfile
from pathlib import Path

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from local import environment
from local.azure.vault.authority import authority

NO_CHECK_TIME = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME. The simulated Azure has its own clock, so TLS must not check dates."""


BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""The environment variables by which a person names a bundle of authorities, for example of a company's proxy."""


def public_roots() -> bytes:
    """Return the public authorities that this machine trusts, as PEM.

    A bundle that the environment of this process names is part of the answer.
    """
    variables = environment.of_this_process()
    named = (Path(variables[name]) for name in BUNDLES if variables.get(name))
    bundles = dict.fromkeys([*(path for path in named if path.is_file()), Path(DEFAULT_CA_BUNDLE_PATH)])
    return b"".join(b"\n" + path.read_bytes() for path in bundles)


def server_context(certificate_pem: bytes, private_key_pem: bytes) -> ssl.SSLContext:
    """Return a server's TLS context that presents the certificate with its chain."""
    context = bare_server_context()
    show(context, certificate_pem, private_key_pem)
    return context


def bare_server_context() -> ssl.SSLContext:
    """Return a server's TLS context without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = 0  # Session tickets cost time, and no client of the simulation resumes a TLS session.
    return context


def client_context() -> ssl.SSLContext:
    """Return a client's TLS context that trusts only the local authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust_authority(context)
    return context


def trust_authority(context: ssl.SSLContext) -> None:
    """Make the context trust every certificate of the local authority, whatever its dates."""
    context.load_verify_locations(cadata=authority().root_pem.decode())
    context.verify_flags |= NO_CHECK_TIME


def show(context: ssl.SSLContext, certificate_pem: bytes, private_key_pem: bytes) -> None:
    """Make the context present the certificate with its chain.

    Python's `ssl` reads certificates and keys only from files. `show` writes the certificate and the key to a temporary
    file that only the current user can read.
    """
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(certificate_pem + private_key_pem)
        file.flush()
        context.load_cert_chain(file.name)
