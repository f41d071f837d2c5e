"""Measure the speed of the machine: the processor time of a fixed piece of work.

The yardstick (a fixed piece of work) is measured in the same run as the tests, because machines differ in speed. The
same code may take twice as long on a slower machine. The same code takes 50 % longer if other programs push the code
out of the caches. Multiples of the yardstick (a fixed piece of work) are comparable between machines.
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
    """Return the processor seconds that this thread needs for the work: about 0.1 s in 2026."""
    keys = _keys()
    began = time.thread_time()
    _work(*keys)
    return time.thread_time() - began


@functools.cache
def _keys() -> tuple[rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey]:
    """Return new keys. The yardstick leaves out the generation of keys, whose time is random."""
    return rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())


def _work(rsa_key: rsa.RSAPrivateKey, ec_key: ec.EllipticCurvePrivateKey) -> None:
    """Sign, hash, write and read JSON, and run plain Python, as tests and demo mostly do."""
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
