"""Generation of a key pair for sessions."""

import json

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chassis.auth.tokens import key_set


def generate_keypair() -> tuple[str, str]:
    """Return an RSA private key in PEM, and its public JSON Web Key Set."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return pem, json.dumps(key_set(pem))
