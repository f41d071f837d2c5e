"""Read and write DER one element at a time, so that a malformed element spoils no other element.

The library `cryptography` reads a certificate as a whole, and refuses the whole certificate for one malformed part. Its
module `hazmat.asn1` is documented as unstable. A reader of single elements needs only the rules of X.690, 8.1.
"""

from typing import NamedTuple

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
UTF8_STRING, NUMERIC_STRING, PRINTABLE_STRING, T61_STRING, IA5_STRING = 0x0C, 0x12, 0x13, 0x14, 0x16
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
VISIBLE_STRING, UNIVERSAL_STRING, BMP_STRING = 0x1A, 0x1C, 0x1E
SEQUENCE, SET = 0x30, 0x31
_LONG_FORM = 0x80
_HIGH_TAG = 0x1F
_CONSTRUCTED = 0x20
_END = bytes(2)
"""The end of an element with an indefinite length."""
DEEPEST = 32
"""How deeply the elements of BER may be nested."""
LONGEST_OID = 256
"""The longest object identifier that Certroll reads, in bytes. Its numbers cost more than its length says."""
_LENGTH_OCTETS = 4
"""How many octets the length of an element may take: 4 octets express 4 GB."""


class Element(NamedTuple):
    """One element of DER."""

    tag: int
    content: bytes
    raw: bytes
    """The whole element: tag, length and content."""


def elements(data: bytes) -> tuple[Element, ...]:
    """Return the elements that stand one after another in `data`, without reading their contents.

    Raise ValueError if an element is cut, or has an indefinite length, or a tag of several octets.
    """
    found: list[Element] = []
    start = 0
    while start < len(data):
        content, end = _span(data, start)
        found.append(Element(data[start], data[content:end], data[start:end]))
        start = end
    return tuple(found)


def _span(data: bytes, start: int) -> tuple[int, int]:
    """Return where the content of the element at `start` begins and ends."""
    header = data[start : start + 2]
    if len(header) < len(b"TL") or header[0] & _HIGH_TAG == _HIGH_TAG:
        raise ValueError("an element of DER is cut or has a tag of several octets")
    length, content = header[1], start + 2
    if length & _LONG_FORM:
        octets = length & ~_LONG_FORM
        if not 0 < octets <= _LENGTH_OCTETS or content + octets > len(data):
            raise ValueError("an element of DER has no definite length")
        length, content = int.from_bytes(data[content : content + octets]), content + octets
    if content + length > len(data):
        raise ValueError("an element of DER is cut")
    return content, content + length


def definite(data: bytes) -> bytes:
    """Return the element of BER with definite lengths, and with each OCTET STRING in a single piece.

    Some programs write a PFX with indefinite lengths (X.690, 8.1.3.6). Raise ValueError if an element is cut, or if the
    elements are nested too deeply.
    """
    element, end = _definite(data, 0, DEEPEST)
    if end != len(data):
        raise ValueError("an element of BER has no end, or something follows it")
    return element


def _definite(data: bytes, start: int, depth: int) -> tuple[bytes, int]:
    """Return the element at `start` with a definite length, and where the element ends in `data`."""
    header = data[start : start + 2]
    if not depth or len(header) < len(b"TL"):
        raise ValueError("an element of BER is cut, or nested too deeply")
    indefinite = header[0] & _CONSTRUCTED and header[1] == _LONG_FORM
    at, end = (start + 2, len(data)) if indefinite else _span(data, start)
    if not header[0] & _CONSTRUCTED:
        return data[start:end], end
    parts = list[bytes]()
    while at < end and not (indefinite and data[at : at + 2] == _END):
        part, at = _definite(data, at, depth - 1)
        parts.append(part)
    if header[0] == OCTET_STRING | _CONSTRUCTED:
        return encode(OCTET_STRING, *(only(part, OCTET_STRING).content for part in parts)), at + 2 * bool(indefinite)
    return encode(header[0], *parts), at + 2 * bool(indefinite)


def first(data: bytes) -> Element:
    """Return the first element of `data`, whatever follows it. Raise ValueError if the first element is cut."""
    content, end = _span(data, 0)
    return Element(data[0], data[content:end], data[:end])


def only(data: bytes, tag: int) -> Element:
    """Return the only element of `data`, which must have the tag. Raise ValueError for anything else."""
    found = elements(data)
    if len(found) != 1 or found[0].tag != tag:
        raise ValueError(f"expected one element of DER with the tag {tag:#04x}")
    return found[0]


def inside(element: Element, tag: int) -> tuple[Element, ...]:
    """Return the elements inside the element, which must have the tag. Raise ValueError for another tag."""
    return elements(content_of(element, tag))


def content_of(element: Element, tag: int) -> bytes:
    """Return the content of the element, which must have the tag. Raise ValueError for another tag."""
    if element.tag != tag:
        raise ValueError(f"expected an element of DER with the tag {tag:#04x}, found {element.tag:#04x}")
    return element.content


def dotted(element: Element) -> str:
    """Return an object identifier in its dotted form. Raise ValueError for another element, or for a huge number."""
    numbers, number = list[int](), 0
    content = content_of(element, OID)
    if len(content) > LONGEST_OID:
        raise ValueError("an object identifier is too long")
    for octet in content:
        number = number << 7 | octet & 0x7F
        if not octet & 0x80:
            numbers.append(number)
            number = 0
    if not numbers or content[-1] & 0x80:
        raise ValueError("an object identifier is cut")
    first = min(numbers[0] // 40, 2)
    return ".".join(map(str, (first, numbers[0] - 40 * first, *numbers[1:])))


def encode(tag: int, *parts: bytes) -> bytes:
    """Return an element of DER whose content is the parts, one after another."""
    content = b"".join(parts)
    length = len(content)
    if length < _LONG_FORM:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, _LONG_FORM | len(octets))) + octets + content


def encode_oid(numbers: str) -> bytes:
    """Return an object identifier as an element of DER."""
    first, second, *rest = map(int, numbers.split("."))
    return encode(OID, *map(_base128, (40 * first + second, *rest)))


def _base128(number: int) -> bytes:
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.insert(0, number & 0x7F | 0x80)
    return bytes(octets)


def encode_integer(number: int) -> bytes:
    """Return a natural number as an element of DER."""
    return encode(INTEGER, number.to_bytes(number.bit_length() // 8 + 1))
