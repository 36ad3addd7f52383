"""What Pillow decodes wrongly of JPEG 2000, and does not say."""

from __future__ import annotations

from buffycoat.errors import ImageError

_START = b"\xff\x4f\xff\x51"
"""Of a codestream: the marker SOC, then SIZ, which must follow it (ITU-T T.800, A.5.1)."""
_CHANNELS_AT = 40
"""Where SIZ gives the number of channels, counted from SOC; three bytes for each follow."""


def check_depth(data: bytes, name: str) -> None:
    """Refuse depths at which the picture would come out wrong.

    Pillow (13.0) rounds colours of more than 8 bits up beyond white, which turns white into black,
    and scales fewer than 8 bits by a shift, so that white is gray. It reads gray of up to 16 bits
    as it should.

    Args:
        data: A file in the format.
        name: What to call it in messages.

    Raises:
        ImageError: Such a depth.
    """
    start = data.find(_START)
    count = int.from_bytes(data[start + _CHANNELS_AT :][:2])
    channels = data[start + _CHANNELS_AT + 2 :][: 3 * count : 3]
    depths = {(channel & 0x7F) + 1 for channel in channels}  # the highest bit tells signed ones
    is_right = depths <= {8} or (count == 1 and min(depths) > 8)
    if start >= 0 and not is_right:
        shown = " and ".join(map(str, sorted(depths)))
        raise ImageError(
            f"{name}: JPEG 2000, {shown} bits a channel, which Pillow decodes wrongly. Save it as "
            "PNG or TIFF with 8 bits a channel"
        )
