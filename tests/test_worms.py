"""Lineages from a local server that answers as WoRMS does; the taxa are WoRMS's, shortened."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import pairwise
from types import SimpleNamespace
from urllib.parse import parse_qs, unquote, urlsplit

import pandas as pd
import pytest

from conftest import ROOT
from fathomflow.errors import InputError
from fathomflow.taxonomy import read_lineages
from fathomflow.web import Policy, get, open_session
from fathomflow.worms import Register, find_lineage, find_lineages, flatten, plain_rank
from faulty_server import serve, serving, status

LINES = {
    137205: "Superdomain:Biota Kingdom:Animalia Phylum:Chordata Subphylum:Vertebrata Class:Teleostei Order:Perciformes "
    "Family:Sebastidae Genus:Sebastes",
    146420: "Superdomain:Biota Kingdom:Animalia Phylum:Chordata Subphylum:Tunicata",
    123083: "Superdomain:Biota Kingdom:Animalia Phylum:Echinodermata Class:Holothuroidea Order:Elasipodida "
    "Family:Elpidiidae Genus:Scotoplanes Species:Scotoplanes_globosa",
    145044: "Superdomain:Biota Kingdom:Plantae Phylum_(Division):Tracheophyta Genus:Zostera",
}


def record(identifier: int, name: str, *, valid: int | None = None, kind: str = "accepted") -> dict[str, object]:
    names = flatten(classification(valid or identifier))
    rank, last = LINES[valid or identifier].split()[-1].split(":")
    return {
        "AphiaID": identifier,
        "scientificname": name,
        "status": kind,
        "rank": rank.replace("_", " "),
        "valid_AphiaID": valid or identifier,
        "valid_name": last.replace("_", " "),
        **{key: names.get(key) for key in ("kingdom", "phylum", "class", "order", "family", "genus")},
    }


def classification(identifier: int) -> dict[str, object]:
    nested = None
    for part in reversed(LINES[identifier].split()):
        rank, name = part.replace("_", " ").split(":")
        nested = {"AphiaID": 1, "rank": rank, "scientificname": name, "child": nested}
    return nested


RECORDS = {
    "Sebastes": [record(137205, "Sebastes"), record(9, "Sebastes marinus", valid=137205, kind="unaccepted")],
    "Tunicata": [record(146420, "Tunicata")],
    "Scotoplanes mutabilis": [record(7, "Scotoplanes mutabilis", valid=123083, kind="unaccepted")],
    "Zostera": [record(145044, "Zostera")],
    # A name that a fish and a plant bear.
    "Gemella": [record(137205, "Gemella"), record(145044, "Gemella")],
}
MATCHES = {"Scotoplanes globossa": [[record(123083, "Scotoplanes globosa")]]}


def answering():
    """Return what answers by what is asked, 204 where there is nothing, and scripts that go before it."""
    scripts: dict[str, list] = {}

    class Everything(dict):
        def get(self, path, default=None):
            if path in scripts:
                return scripts[path]
            parts = urlsplit(path)
            method, _, argument = parts.path.removeprefix("/rest/").partition("/")
            if method == "AphiaClassificationByAphiaID":
                found = classification(int(argument))
            elif method == "AphiaRecordsByName":
                assert parse_qs(parts.query) == {"like": ["false"], "marine_only": ["false"]}
                found = RECORDS.get(unquote(argument))
            else:
                found = MATCHES.get(parse_qs(parts.query)["scientificnames[]"][0])
            return [serve(json.dumps(found).encode()) if found else status(204)]

    return Everything(), scripts


@pytest.fixture
def worms():
    everything, scripts = answering()
    with serving({}) as server:
        server.scripts = everything
        server.overrides = scripts
        yield server


@pytest.fixture
def register(worms, tmp_path):
    with open_session() as session:
        yield Register(session, tmp_path / "cache", Policy(attempts=2, backoff_s=0.01), worms.url("/rest"), 0.0)


def test_a_name_becomes_its_lineage(register):
    assert find_lineage(register, "Sebastes") == {
        "category": "Sebastes",
        "rank": "genus",
        "kingdom": "Animalia",
        "phylum": "Chordata",
        "class": "Teleostei",
        "order": "Perciformes",
        "family": "Sebastidae",
        "genus": "Sebastes",
        "species": "",
    }


def test_ranks_between_the_seven_and_those_of_plants_are_kept_apart(register):
    tunicata = find_lineage(register, "Tunicata")
    assert (tunicata["rank"], tunicata["kingdom"], tunicata["phylum"], tunicata["class"]) == (
        "subphylum",
        "Animalia",
        "Chordata",
        "",
    )
    assert find_lineage(register, "Zostera")["phylum"] == "Tracheophyta"
    assert plain_rank("Phylum (Division)") == "phylum"


def test_a_synonym_gets_the_lineage_of_what_it_means(register):
    found = find_lineage(register, "Scotoplanes mutabilis")
    assert (found["category"], found["species"]) == ("Scotoplanes mutabilis", "Scotoplanes globosa")


def test_what_is_not_plain_is_not_guessed(register):
    assert find_lineage(register, "Gemella") == [
        "genus, accepted, in Animalia > Chordata > Teleostei, AphiaID 137205",
        "genus, accepted, in Plantae > Tracheophyta, AphiaID 145044",
    ]
    (similar,) = find_lineage(register, "Scotoplanes globossa")
    assert similar.startswith("Scotoplanes globosa (species, accepted, in Animalia > Echinodermata")
    assert find_lineage(register, "marine organism") == []


def test_nothing_is_asked_twice_not_even_what_has_no_answer(register, worms):
    for _ in range(2):
        for name in ("Sebastes", "marine organism"):
            find_lineage(register, name)
    assert set(worms.asked.values()) == {1}


def test_requests_keep_their_distance(register, worms, monkeypatch):
    """By a clock that only waiting moves, as a busy machine delays what is asked and answered."""
    register.interval_s = 0.15
    clock, moments = [1000.0], []

    def sleep(seconds):
        assert seconds >= 0
        clock[0] += seconds

    def timed(*arguments, **options):
        moments.append(clock[0])
        return get(*arguments, **options)

    monkeypatch.setattr("fathomflow.worms.time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    monkeypatch.setattr("fathomflow.worms.get", timed)
    find_lineages(register, ["Sebastes", "Tunicata"], {})
    assert len(moments) == len(worms.times) == 4
    assert min(later - earlier for earlier, later in pairwise(moments)) > 0.149


def test_known_rows_are_left_alone(register, worms):
    known = {"Sebastes": {"category": "Sebastes", "rank": "genus", "kingdom": "by hand"}}
    facts, unresolved = find_lineages(register, ["Sebastes"], known)
    assert facts["kingdom"].tolist() == ["by hand"]
    assert not unresolved
    assert not worms.asked


def test_a_service_that_fails_is_named_and_what_was_learned_is_kept(register, worms):
    worms.overrides["/rest/AphiaClassificationByAphiaID/137205"] = [status(503), status(503), serve(b"<html>")]
    with pytest.raises(InputError, match=r"HTTP status 503; run again, the answers so far are kept"):
        find_lineage(register, "Sebastes")
    with pytest.raises(InputError, match="not JSON"):
        find_lineage(register, "Sebastes")
    worms.overrides.clear()
    assert find_lineage(register, "Sebastes")["rank"] == "genus"
    assert sum(count for path, count in worms.asked.items() if "ByName" in path) == 1


def test_the_program_writes_facts_that_categories_reads(worms, tmp_path):
    def study(*names):
        categories = [{"id": i, "name": name} for i, name in enumerate(names, start=1)]
        (tmp_path / "a.json").write_text(json.dumps({"images": [], "annotations": [], "categories": categories}))
        command = [
            sys.executable,
            str(ROOT / "scripts" / "fetch_lineages.py"),
            "--annotations",
            str(tmp_path / "a.json"),
        ]
        command += ["--output", str(tmp_path / "facts.csv"), "--cache", str(tmp_path / "cache"), "--interval", "0"]
        return subprocess.run([*command, "--service", worms.url("/rest")], capture_output=True, text=True, check=False)

    done = study("Tunicata", "Sebastes", "Scotoplanes globossa", "marine organism")
    assert done.returncode == 2
    errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "Scotoplanes globossa: WoRMS has no single taxon of this name; it may be Scotoplanes globosa" in errors[0]
    assert "marine organism: WoRMS has no single taxon of this name; and nothing like it" in errors[1]
    assert read_lineages(tmp_path / "facts.csv")["category"].tolist() == ["Sebastes", "Tunicata"]
    open_names = pd.read_csv(tmp_path / "facts.unresolved.csv", keep_default_na=False)
    assert open_names["category"].tolist() == ["Scotoplanes globossa", "marine organism"]

    done = study("Tunicata", "Sebastes", "Scotoplanes mutabilis")
    assert done.returncode == 0, done.stderr
    assert len(read_lineages(tmp_path / "facts.csv")) == 3
    assert not (tmp_path / "facts.unresolved.csv").exists()
