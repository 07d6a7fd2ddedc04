"""HTTP server side: application, JSON API, problems, OpenAPI, shutdown."""
