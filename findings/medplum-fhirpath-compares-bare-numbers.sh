#!/usr/bin/env bash
# FHIRPath: Medplum compares quantities by their bare numbers, and fhirpathpy calls equal amounts unequal.
#
# Guess before running: 7.2 10*9/L of white cells are more than 5000 10*6/L and equal to 7.2 10*3/uL in each of the
# three libraries, since FHIRPath converts units by UCUM; a comparison with mg/L has no result (empty).
# What it does: fhirpath.js does that. In Medplum (core of its server and rules) 7.2 10*9/L is not more than 5000 10*6/L,
# is more than 5 mg/L, and 12.5 % are more than 0.2; 5 mg are equal to 5 g, and the count is not equal to itself in
# 10*3/uL. fhirpathpy says `false`, not empty, for 7.2 10*9/L = 7.2 10*3/uL, as it does for 1 m = 100 cm. A rule that
# flags high counts is silent on results of a laboratory with other units, and nobody learns it.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check fhirpathpy==2.2.4
cd "$box" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund fhirpath@5.2.2 @medplum/core@5.2.13 >/dev/null
cat > ask.cjs <<'E'
globalThis.WebSocket ??= class {}; // Medplum expects it to be there, as it is from Node 22 on
const fhirpath = require("fhirpath"), r4 = require("fhirpath/fhir-context/r4"), medplum = require("@medplum/core");
const [cell, ...questions] = JSON.parse(process.argv[2]);
const one = (answer) => (answer.length ? answer[0] : null);
console.log(JSON.stringify(questions.map((q) => [one(fhirpath.evaluate(cell, q, null, r4)), one(medplum.evalFhirPath(q, cell))])));
E
"$box/venv/bin/python" - <<'E'
import json
import subprocess
from importlib.metadata import version

from fhirpathpy import evaluate

COUNT = {"value": 7.2, "unit": "10*9/L", "system": "http://unitsofmeasure.org", "code": "10*9/L"}
CELLS = {"resourceType": "Observation", "status": "final", "code": {"text": "Leukocytes"}, "valueQuantity": COUNT}
MORE = ["Observation.value > 5000 '10*6/L'", "Observation.value > 5 'mg/L'", "(12.5 '%') > (0.2 '1')"]
SAME = ["Observation.value = 7.2 '10*3/uL'", "(5 'mg') = (5 'g')"]
EQUAL = ["(7.2 '10*9/L') = (7.2 '10*3/uL')", "(1 'm') = (100 'cm')"]
answers = subprocess.check_output(["node", "ask.cjs", json.dumps([CELLS, *MORE, *SAME])], text=True)
by_js, by_medplum = zip(*json.loads(answers))
by_python = [evaluate(CELLS, question) for question in EQUAL]
print(f"{[*MORE, *SAME]}: fhirpath.js 5.2.2 {by_js}, Medplum 5.2.13 {by_medplum}; {EQUAL}: fhirpathpy "
      f"{version('fhirpathpy')} {by_python}")
assert by_js == (True, None, False, True, False), "changed"
assert by_medplum == (False, True, True, False, True) and by_python == [[False], [False]], "changed"
E
