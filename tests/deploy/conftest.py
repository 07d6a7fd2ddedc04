"""These tests need a container engine; `make test-deploy` runs them."""

import os

collect_ignore_glob = [] if os.environ.get("FORUM_DEPLOYMENT") == "deployed" else ["test_*.py"]
