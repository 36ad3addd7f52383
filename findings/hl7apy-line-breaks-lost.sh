#!/usr/bin/env bash
# hl7apy: the line break of formatted text, \.br\, is escaped away, while other escape sequences in the same text pass.
#
# Guess before running: text that is already escaped may be assigned: \F\ \S\ \T\ \R\ \E\ pass as they are (hl7apy does
# not escape their backslashes), so \.br\ (HL7 2.5.1, 2.7.6: a new line in formatted text, type FT, as NTE-3 has it)
# passes too, or none of them does.
# What it does: backslashes of the five separators' sequences stay, all others become \E\: \.br\ is sent as \E\.br\E\,
# which a receiver shows as the five letters. There is no line break that can be assigned to an FT field as text.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check hl7apy==1.3.5 hl7==0.4.5
"$box/venv/bin/python" - <<'E'
from importlib.metadata import version

import hl7
from hl7apy.core import Message

message = Message("ORU_R01", version="2.5.1")
order = message.add_group("ORU_R01_PATIENT_RESULT").add_group("ORU_R01_ORDER_OBSERVATION")
order.obr.obr_4 = "69738-3^Differential panel^LN"
note = order.add_segment("NTE")
note.nte_1, note.nte_3 = "1", r"toxic \T\ vacuolated\.br\left shift"
text = message.to_er7()
(sent,) = [line for line in text.split("\r") if line.startswith("NTE")]
read = hl7.parse(text)
shown = read.unescape(str(read.segment("NTE")[3]))
print(f"hl7apy {version('hl7apy')}: assigned {note.nte_3.value!r}; on the wire {sent!r}; a second library ({hl7.__version__}) shows {shown!r}")
assert r"\T\ vac" in sent and r"\E\.br\E\left" in sent and r"\.br\left" in shown, "changed"
E
