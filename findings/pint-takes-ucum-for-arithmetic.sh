#!/usr/bin/env bash
# pint reads "7.2 10*9/L", a white count as FHIR and HL7 carry it, as 648 per litre, and 10*3/uL as 216 per microlitre.
#
# Guess before running: pint does not know UCUM's ten for powers, `10*9`, and refuses it as it refuses `cells/uL`; or it
# takes it for 10 to the 9th.
# What it does: the star is a product, so the text is 7.2 x 10 x 9 / L, a right quantity of the right dimension and eleven
# million times too small; the same count in 10*3/uL is another number again. `10^9/L` and 7.2e9/L are right, and
# ucumvert, which parses UCUM for pint, reads both as it should.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check pint==0.25.3 ucumvert==0.3.2
"$box/venv/bin/python" - <<'E'
import pint
import ucumvert

plain, ucum = pint.UnitRegistry(), ucumvert.PintUcumRegistry()
texts = ["7.2 10*9/L", "7.2 10*3/uL", "7.2 10^9/L"]
by_pint = [round(plain.Quantity(text).m_as("1/L")) for text in texts]
by_ucumvert = [round((7.2 * ucum.from_ucum(text.split()[1])).m_as("1/L")) for text in texts[:2]]
print(f"pint {pint.__version__}: {dict(zip(texts, by_pint))} per litre; by ucumvert the first two are {by_ucumvert}")
assert by_pint == [648, 216_000_000, 7_200_000_000] and by_ucumvert == [7_200_000_000] * 2, "changed"
E
