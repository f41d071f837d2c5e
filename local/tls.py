"""TLS contexts of the simulation's servers."""

import ssl
import tempfile


def server_context(certificate_pem: bytes, private_key_pem: bytes) -> ssl.SSLContext:
    """Return a server's context that shows this certificate (with its chain).

    The library takes certificate and key from files only, so they are in one, readable by us alone, for a moment.
    """
    context = bare_server_context()
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(certificate_pem + private_key_pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def bare_server_context() -> ssl.SSLContext:
    """Return a server's context that has nothing to show yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    context.num_tickets = 0  # nobody comes back with one, and each costs time
    return context
