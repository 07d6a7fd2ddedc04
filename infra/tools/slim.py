"""Remove unused files from an image's libraries.

    python slim.py dynamodb sns sqs

botocore contains the API of every AWS service as data, some 20 MB. Only the services in the
arguments are kept. Also removed are boto3's resources, the libraries' own tests, SQLAlchemy's
dialects for other databases, the build of Swagger UI for bundlers, files for compilers, installers
and type checkers, and cffi except its binary module, which is all that argon2 and cryptography
need.
"""

import shutil
import site
import sys
from pathlib import Path

UNUSED = (
    "*/tests",
    "*/testing",
    "boto3/data/*",
    "boto3/examples",
    "sqlalchemy/dialects/mssql",
    "sqlalchemy/dialects/mysql",
    "sqlalchemy/dialects/oracle",
    "flask_swagger_ui/dist/swagger-ui.js",
    "cffi",
    "pycparser",
    "*.dist-info/RECORD",
    "*.dist-info/sboms",
    "**/*.pyi",
    "**/*.pyx",
    "**/*.pxd",
    "**/*.h",
)


def main(services: list[str]) -> None:
    """Remove the files and folders that are not needed."""
    libraries = Path(site.getsitepackages()[0])
    described = (path for path in libraries.glob("botocore/data/*") if path.is_dir())
    unused = [path for path in described if path.name not in services]
    unused += [path for pattern in UNUSED for path in libraries.glob(pattern)]
    for path in unused:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)  # removed with its folder


if __name__ == "__main__":
    main(sys.argv[1:])
