"""Names of the HTTP headers that components exchange."""

CUTOVER = "X-Cutover-In-Progress"
"""Marks a 503 of a healthy component that did nothing, because its domain changes owner."""

CUTOVER_FORWARDED = "X-Cutover-Forwarded"
"""Marks a forwarded request; it is not forwarded again, however often a domain moves."""

DEADLINE = "X-Request-Deadline-Ms"
"""Remaining milliseconds of the caller's deadline."""

FORWARDED_PORT = "X-Forwarded-Port"
"""Set by the gateway on every request: it comes from a client, not directly from a component."""

IDEMPOTENCY_KEY = "Idempotency-Key"
REQUEST_ID = "X-Request-Id"

SERVED_BY = "X-Served-By"
"""Component and revision that created a response."""
