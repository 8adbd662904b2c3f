"""Lineages from WoRMS, the World Register of Marine Species (https://www.marinespecies.org/rest), never another one.

Other registers place some marine names elsewhere entirely (one makes Tunicata a cyanobacterium).
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pandas as pd
import requests

from fathomflow.errors import InputError
from fathomflow.files import write_text
from fathomflow.program import progress
from fathomflow.ranks import RANKS
from fathomflow.web import AttemptError, Policy, chunks, get, with_retries

SERVICE = "https://www.marinespecies.org/rest"
NO_CONTENT = 204


@dataclass
class Register:
    """A polite client of the register that asks nothing twice.

    Attributes
    ----------
    session, policy
        How to ask.
    cache
        Folder that keeps every answer, one file each.
    service
        Address of the REST service.
    interval_s
        Seconds between two requests.
    """

    session: requests.Session
    cache: Path
    policy: Policy = field(default_factory=Policy)
    service: str = SERVICE
    interval_s: float = 0.5
    _asked_at: float = float("-inf")

    def ask(self, method: str, argument: str = "", **options: str) -> Any:
        """Return an answer as decoded JSON, None where the register has none.

        Raises
        ------
        InputError
            No answer after all attempts; what was learned is kept.
        """
        path = method + (f"/{quote(argument, safe='')}" if argument else "")
        path += f"?{urlencode(sorted(options.items()))}" if options else ""
        kept = self.cache / f"{quote(path, safe='')[:200]}.json"
        if kept.is_file():
            return json.loads(kept.read_text(encoding="utf-8"))
        try:
            answer = with_retries(lambda: self._request(f"{self.service}/{path}"), self.policy)
        except AttemptError as error:
            raise InputError(
                f"{self.service}/{path}: {error.detail}; run again, the answers so far are kept in {self.cache}"
            ) from None
        write_text(kept, json.dumps(answer, indent=1, ensure_ascii=False, sort_keys=True) + "\n")
        return answer

    def _request(self, uri: str) -> Any:
        time.sleep(max(0.0, self._asked_at + self.interval_s - time.monotonic()))
        self._asked_at = time.monotonic()
        try:
            with get(self.session, uri, self.policy, {"Accept": "application/json"}) as response:
                body = b"".join(chunks(response, self.policy))
        except AttemptError as error:
            if error.status == NO_CONTENT:
                return None
            raise
        try:
            return json.loads(body)
        except ValueError:
            raise AttemptError("the answer is not JSON") from None


def find_lineage(register: Register, name: str) -> dict[str, str] | list[str]:
    """Look up one category.

    Parameters
    ----------
    register
        The register.
    name
        A scientific name at any rank.

    Returns
    -------
    dict or list
        The facts (category, rank, kingdom … species) when exactly one accepted taxon bears the name, or is meant by
        it as a synonym; else what the name may mean, in words (empty: WoRMS knows nothing like it).
    """
    records = register.ask("AphiaRecordsByName", name, like="false", marine_only="false") or []
    bearing = [record for record in records if record["scientificname"] == name]
    accepted = [record for record in bearing if record["status"] == "accepted"] or bearing
    valid = {record["valid_AphiaID"]: record for record in accepted if record["valid_AphiaID"]}
    if len(valid) != 1:
        return suggestions(register, name, list(valid.values()))
    ((identifier, record),) = valid.items()
    names = flatten(register.ask("AphiaClassificationByAphiaID", str(identifier)))
    rank = plain_rank(record["rank"] or "")
    return {"category": name, "rank": rank, **{key: names.get(key, "") for key in RANKS}}


def suggestions(register: Register, name: str, homonyms: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say what a name that is not plain may mean: its homonyms, or else what WoRMS finds similar."""
    if homonyms:
        return [f"{describe(record)}, AphiaID {record['valid_AphiaID']}" for record in homonyms]
    matches = register.ask("AphiaRecordsByMatchNames", **{"scientificnames[]": name, "marine_only": "false"}) or []
    found = {
        str(record["valid_name"] or record["scientificname"]): record for match in matches for record in match or []
    }
    return [f"{similar} ({describe(record)})" for similar, record in sorted(found.items())]


def describe(record: Mapping[str, Any]) -> str:
    """Return what tells a taxon from its homonyms: rank, status, where it stands."""
    above = [str(record[rank]) for rank in ("kingdom", "phylum", "class") if record.get(rank)]
    return f"{plain_rank(record.get('rank') or '')}, {record['status']}, in {' > '.join(above)}"


def flatten(classification: Mapping[str, Any] | None) -> dict[str, str]:
    """Return names by rank from WoRMS's nested classification."""
    names = {}
    while classification:
        names[plain_rank(classification["rank"] or "")] = str(classification["scientificname"])
        classification = classification.get("child")
    return names


def plain_rank(rank: str) -> str:
    """Return a rank as the facts files have it: ``Phylum (Division)``, which plants have, is ``phylum``."""
    return rank.partition(" (")[0].lower()


def find_lineages(
    register: Register, names: Iterable[str], known: Mapping[str, Mapping[str, str]]
) -> tuple[pd.DataFrame, dict[str, list[str]]]:
    """Look up categories, leaving those that are known already as they are.

    Returns
    -------
    tuple
        The facts, one row per category, and what the names that stay open may mean.
    """
    wanted = sorted(set(names))
    rows = {name: dict(known[name]) for name in known}
    unresolved = {}
    with progress(total=len(wanted), description="asking WoRMS", unit="names") as bar:
        for name in wanted:
            if name not in rows:
                found = find_lineage(register, name)
                if isinstance(found, dict):
                    rows[name] = found
                else:
                    unresolved[name] = found
            bar.update()
    return pd.DataFrame(list(rows.values()), columns=["category", "rank", *RANKS]), unresolved
