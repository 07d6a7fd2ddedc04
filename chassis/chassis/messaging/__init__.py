"""Events between components: outbox, relay, queue and consumer."""
