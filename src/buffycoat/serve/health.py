"""Whether a review server on this machine answers: `python -m buffycoat.serve.health [URL]`.

For the health check of a container. Exit code 0 if it answers and reaches its database, else 1.
"""

from __future__ import annotations

import ssl
import sys
import urllib.request
from http.client import HTTPException

PATH = "/healthz"
ADDRESS = "127.0.0.1:8642"
TIMEOUT_S = 4


def is_healthy(url: str) -> bool:
    """Whether a server answers with 200.

    Args:
        url: Of `PATH`; a certificate is not checked, since it is of another name than loopback's.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            return answer.status == 200
    except (OSError, HTTPException):  # nobody there, an error's status, or no HTTP at all
        return False


if __name__ == "__main__":
    urls = sys.argv[1:] or [f"{scheme}://{ADDRESS}{PATH}" for scheme in ("http", "https")]
    sys.exit(0 if any(map(is_healthy, urls)) else 1)
