"""Dead man's switch: a request to a watching service after every good alert tick.

The service tells people when the requests stop: the daemon stands still, the code location does not
load, or no channel takes a message. Nothing inside the location could tell that.
"""

from __future__ import annotations

import httpx2

LIMIT_S = 5.0


def ping(url: str) -> str | None:
    """Asks for a URL once; None when the service took it, else why not, without the URL.

    Args:
        url: address of the service; it may contain a secret.

    """
    try:
        answer = httpx2.get(url, timeout=LIMIT_S, follow_redirects=True)
    except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as exc:
        return f"no heartbeat was sent: {type(exc).__name__}"
    if answer.is_success:
        return None
    return f"no heartbeat was taken: status {answer.status_code}"
