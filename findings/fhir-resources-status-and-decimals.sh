#!/usr/bin/env bash
# fhir.resources: any word is a status, trailing zeros of a result are lost, and plain imports are release 5.
#
# Guess before running: a model of FHIR R4 exists; it refuses an Observation whose `status` is none of the codes of
# its required value set; a Decimal("12.50") is written as 12.50, since FHIR gives precision a meaning and the
# library takes decimals.
# What it does: there is R5 (what `fhir.resources.observation` is), R4B and STU3, and no R4; the codes of value sets
# are kept as metadata of the field and never compared, so "nonsense" is a valid status; a decimal is written
# without its trailing zeros, from Python and from JSON alike. Who says "validated by the library's models" has
# checked the shape alone.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check fhir.resources==8.3.0 fhir-core==1.1.12 pydantic==2.14.4
"$box/venv/bin/python" - <<'E'
import pkgutil
from decimal import Decimal

import fhir.resources
from fhir.resources.R4B.observation import Observation
from fhir.resources.observation import Observation as Plain

releases = sorted(m.name for m in pkgutil.iter_modules(fhir.resources.__path__) if m.ispkg)
shared = {"code": {"text": "Eosinophils"}, "valueQuantity": {"value": Decimal("12.50"), "unit": "%"}}
cell = Observation.model_validate({**shared, "status": "nonsense"})
text = Observation.model_validate({**shared, "status": "final"}).model_dump_json()
print(f"fhir.resources {fhir.resources.__version__}: packages beside the default {releases}, default has R5's "
      f"'triggeredBy': {'triggeredBy' in Plain.model_fields}; status {cell.status!r} accepted; 12.50 written as {text}")
assert releases == ["R4B", "STU3"] and "triggeredBy" in Plain.model_fields, "changed"
assert cell.status == "nonsense" and '"value":12.5,' in text, "changed"
E
