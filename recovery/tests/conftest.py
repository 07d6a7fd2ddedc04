"""Forums in one process, on real databases of their own."""

from extraction.tests.conftest import make_forum, template

__all__ = ["make_forum", "template"]
