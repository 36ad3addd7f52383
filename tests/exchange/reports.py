"""Reports with random content, for tests of every format."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from buffycoat.evaluate.reported import report_items
from buffycoat.exchange.differential_report import DifferentialReport
from buffycoat.exchange.remarks import IDENTITIES, ROLES, Flag, ReadBy
from buffycoat.taxonomy import BUILT_IN

WORDS = st.text(
    st.characters(exclude_categories=("Cc", "Cs", "Co", "Cn", "Zl", "Zp")), min_size=1, max_size=12
).map(str.strip).filter(bool)  # fmt: skip
NASTY = st.sampled_from(
    ["=cmd|' /C calc'!A0", "'=1", r"\F\x", "a^b&c~d|e\\", r"\.br\ ", "<b>&amp;", "中 Ж",
     "≥ 20 % – 7 µL", "\\E\\E\\"]
)  # fmt: skip
TEXTS = WORDS | NASTY
MOMENTS = st.integers(0, 10**8).map(lambda s: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(0, s))
HOW = st.none() | st.sampled_from(list(IDENTITIES))
FLAGS = st.lists(
    st.builds(Flag, st.sampled_from(["blasts", "left_shift", "unfamiliar_site"]), TEXTS),
    max_size=4, unique_by=lambda flag: flag.code,
)  # fmt: skip
CHECKSUMS = st.none() | st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def reports(draw: st.DrawFn) -> DifferentialReport:
    """A valid report; some without leukocytes, patient, signer or the analyser's count."""
    taxonomy = draw(st.sampled_from(list(BUILT_IN.values())))
    counts = draw(st.dictionaries(st.sampled_from(taxonomy.codes), st.integers(0, 3000)))
    wbc = draw(st.none() | st.decimals("0.01", "900", places=2))
    items = report_items(counts, taxonomy, wbc)
    is_signed = draw(st.booleans())
    version = draw(st.integers(1, 3))
    return DifferentialReport(
        slide=draw(TEXTS),
        patient=draw(st.none() | TEXTS),
        version=version,
        status=("amended" if version > 1 else "final") if is_signed else "preliminary",
        issued=draw(MOMENTS),
        signer=draw(TEXTS) if is_signed else None,
        model=draw(TEXTS),
        model_checksum=draw(CHECKSUMS),
        software="buffycoat 0.1.0",
        items=items,
        n_leukocytes=sum(item.count for item in items if item.is_leukocyte),
        n_counted=sum(item.count for item in items),
        comment=draw(st.lists(TEXTS, max_size=3).map("\n".join)),
        flags=tuple(draw(FLAGS)),
        readings=tuple(
            ReadBy(role, draw(TEXTS), draw(st.none() | MOMENTS), draw(HOW))
            for role in ROLES
            if draw(st.booleans())
        ),
        n_differ=draw(st.none() | st.integers(0, 9)),
        signer_identity=draw(HOW) if is_signed else None,
        reason=draw(TEXTS) if version > 1 else None,
    )
