"""Which vehicle took an image, and on which dive, as the image's address tells."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

# …/<vehicle>/images/<dive>/<file>; older still cameras: …/<vehicle>/stills/<year>/<day>/<file>.
_ADDRESS = re.compile(r"/(?P<vehicle>[^/]+)/(?:images|stills)/(?P<dive>.+)/[^/]+$")


class Dive(NamedTuple):
    """A dive of a vehicle; both empty where the address does not tell."""

    vehicle: str
    dive: str


def parse_dive(uri: str) -> Dive:
    """Read vehicle and dive off an image's address.

    Examples
    --------
    >>> parse_dive("https://example.org/framegrabs/Doc%20Ricketts/images/772/07-03-27-40.png")
    Dive(vehicle='Doc Ricketts', dive='772')
    >>> parse_dive("scene-1.png")
    Dive(vehicle='', dive='')
    """
    match = _ADDRESS.search(unquote(urlsplit(uri).path))
    return Dive(match["vehicle"], match["dive"]) if match else Dive("", "")
