"""A measure of the machine: the processor time of a fixed piece of work, measured in the same run as the tests.

Times alone say nothing about a change: the same code takes twice as long on a slower machine, and half as long again
where other programs push it out of the caches. Multiples of the yardstick say something on every machine.
"""

import functools
import hashlib
import json
import time

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

SIGNATURES = 100
TEXTS = 90
FIELDS = 400
HASHED = bytes(8_000_000)


def yardstick() -> float:
    """Return the seconds of processor time that this thread needs for the work, about a tenth of one in 2026."""
    keys = _keys()
    began = time.thread_time()
    _work(*keys)
    return time.thread_time() - began


@functools.cache
def _keys() -> tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]:
    """Return keys made at run time; how long it takes to find them is luck, so it is not part of the measure."""
    return rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())


def _work(rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey) -> None:
    """Do what the tests and the demo spend their time on: sign, hash, write and read JSON, run plain Python."""
    for number in range(SIGNATURES):
        text = str(number).encode()
        rsa_key.sign(text, padding.PKCS1v15(), SHA256())
        ec_key.sign(text, ec.ECDSA(SHA256()))
    hashlib.sha256(HASHED).hexdigest()
    for number in range(TEXTS):
        _read_and_write(number)


def _read_and_write(number: int) -> None:
    rows = [
        {"id": f"/sites/{number}/{field}", "tags": {"n": str(field)}, "on": field % 2 == 0} for field in range(FIELDS)
    ]
    read = json.loads(json.dumps(rows))
    by_name = {row["id"].rpartition("/")[2]: row["tags"] for row in read if row["on"]}
    sorted(by_name, key=lambda name: (len(name), name))
    hash(tuple(sorted((name, tags["n"]) for name, tags in by_name.items())))
