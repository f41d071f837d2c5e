"""What an X.509 certificate says of itself, as plain values."""

from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from shared.domain.model import CertificateFacts, KeyType
from shared.domain.names import HostName, InvalidNameError, parse_host_name


def read_facts(der: bytes) -> CertificateFacts:
    """Return what a certificate says of itself. The common name counts only where there are no alternative names."""
    return facts_of(x509.load_der_x509_certificate(der))


def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    """Return what a certificate says of itself. Raises ValueError or UnsupportedAlgorithm where it makes no sense."""
    key = certificate.public_key()
    kind = KeyType.RSA if isinstance(key, rsa.RSAPublicKey) else KeyType.EC
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
        return CertificateFacts(_names(certificate), KeyType.OTHER, 0, _self_signed(certificate))
    return CertificateFacts(_names(certificate), kind, key.key_size, _self_signed(certificate))


def _self_signed(certificate: x509.Certificate) -> bool:
    return certificate.issuer == certificate.subject


def _names(certificate: x509.Certificate) -> frozenset[HostName]:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        texts: Iterable[str] = alternative.value.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        texts = [str(name.value) for name in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return frozenset(name for text in texts for name in _host_names(text))


def _host_names(text: str) -> tuple[HostName, ...]:
    """Return the name, or nothing for a text that cannot be a host name, such as a person's common name."""
    try:
        return (parse_host_name(text),)
    except InvalidNameError:
        return ()
