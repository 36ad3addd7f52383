#!/usr/bin/env bash
# hl7 (python-hl7): escape and unescape turn a comment's "≥ 20 %" into '"e 20 %', and a dash into a control character.
#
# Guess before running: what `escape` writes, `unescape` of the same library reads back, µ and ü as well as ≥ and a dash;
# what it cannot write in HL7's hexadecimal escapes, which stand for bytes, it refuses or leaves as it is.
# What it does: each character beyond ASCII is written as \X and its code point in hexadecimal, ≥ as \X2265\, which is two
# bytes to every reader, also to itself: 0x22 and 0x65 are the quotation mark and e. Up to U+00FF it comes back right, so
# tests with umlauts pass. "≥ 20 % blasts" arrives as a text that has lost its sign.
set -euo pipefail
box=$(mktemp -d) && trap 'rm -rf "$box"' EXIT
python3 -m venv "$box/venv"
"$box/venv/bin/pip" install -qq --disable-pip-version-check hl7==0.4.5
"$box/venv/bin/python" - <<'E'
import hl7

message = hl7.parse("MSH|^~\\&|LAB|A|LIS|B|20260101||ORU^R01|1|P|2.5.1\rNTE|1|L|x\r")
texts = ["7 µL", "Müller", "≥ 20 % blasts", "left shift – toxic"]
sent = [message.escape(text) for text in texts]
back = [message.unescape(text) for text in sent]
print(f"hl7 {hl7.__version__}: " + "; ".join(f"{a!r} is sent as {b!r} and read as {c!r}" for a, b, c in zip(texts, sent, back)))
assert back == ["7 µL", "Müller", '"e 20 % blasts', "left shift  \x13 toxic"], "changed"
E
