"""Vehicle and dive from addresses as FathomNet has them."""

import pytest

from fathomflow.dives import Dive, parse_dive

BASE = "https://database.fathomnet.org/static/m3/framegrabs"


@pytest.mark.parametrize(
    ("uri", "dive"),
    [
        (f"{BASE}/Doc%20Ricketts/images/0296/00_00_22_14.png", ("Doc Ricketts", "0296")),
        (f"{BASE}/Tiburon/stills/2002/140/02_47_08_00.png", ("Tiburon", "2002/140")),
        ("gs://bucket/i2MAP/images/12/a.png?version=3", ("i2MAP", "12")),
        ("https://example.org/survey/a.png", ("", "")),
        ("", ("", "")),
    ],
)
def test_dives_of_addresses(uri: str, dive: tuple[str, str]) -> None:
    assert parse_dive(uri) == Dive(*dive)
