import sys

# Altair imports jsonschema, which compiles a grammar of RFC 3987 if that is installed, as it is for `make sbom`: more
# than a second per process, to check addresses, which nothing here asks for. None: it cannot be imported,
# which the type of this dictionary does not know.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
