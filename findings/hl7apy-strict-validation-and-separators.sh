#!/usr/bin/env bash
# hl7apy: "abc" is a valid number under strict validation, and ^ and & in free text split it in components.
#
# Guess before running: with OBX-2 = NM, strict validation refuses an OBX-5 that is no number; text that is assigned
# to a field is escaped where it holds separators, as a bar is.
# What it does: the type in OBX-2 is not applied to OBX-5, so strict parsing and `validate()` accept "abc" as a
# numeric result; of the separators in an assigned text only the bar is escaped (\F\), while ^ and & stay and
# make components and subcomponents: what reads the message sees the first part as the value.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check hl7apy==1.3.5
"$box/venv/bin/python" - <<'E'
import hl7apy
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Message
from hl7apy.parser import parse_message

message = Message("ORU_R01", version="2.5.1")
message.msh.msh_9, message.msh.msh_10, message.msh.msh_11 = "ORU^R01^ORU_R01", "1", "P"
order = message.add_group("ORU_R01_PATIENT_RESULT").add_group("ORU_R01_ORDER_OBSERVATION")
order.obr.obr_4 = "57023-4^Auto Differential^LN"
for number, (kind, value) in enumerate([("NM", "abc"), ("ST", "toxic & vacuolated | 3^4")], start=1):
    row = order.add_group("ORU_R01_OBSERVATION").obx
    row.obx_1, row.obx_2, row.obx_3, row.obx_11 = str(number), kind, "26450-7^Eosinophils^LN", "P"
    row.obx_5 = value
text = message.to_er7()
parsed = parse_message(text, validation_level=VALIDATION_LEVEL.STRICT)
results = [g.obx for g in parsed.oru_r01_patient_result.oru_r01_order_observation.oru_r01_observation]
number, comment = (row.obx_5.to_er7() for row in results)
parts = len(results[1].obx_5.to_er7().split("^"))
print(f"strict parse of NM = {number!r}: accepted, validate() {parsed.validate()}; comment on the wire {comment!r}, "
      f"{parts} components")
assert number == "abc" and parsed.validate() and r"\F\ 3^4" in comment and "toxic & vac" in comment, "changed"
E
