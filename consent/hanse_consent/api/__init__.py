"""The consent service over HTTP: versioned under ``/v1``, described by ``/v1/openapi.json``."""
