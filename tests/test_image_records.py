from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fathomflow.errors import InputError
from fathomflow.image_records import (
    bad_record,
    gather,
    learned_line,
    ok_record,
    read_entries,
    read_learned,
    read_manifest,
    summary,
    take_shard,
    write_manifest,
    write_usable,
)
from images import entries_csv, entry

ENTRIES = [entry(i, f"http://x/{i}.png") for i in range(1, 8)]


def ok(e):
    return ok_record(e, 10, "ab" * 32, "RGB")


@given(count=st.integers(0, 60), of=st.integers(1, 20))
def test_shards_are_disjoint_and_complete_and_alike(count, of):
    entries = [entry(i, "") for i in range(count)]
    shards = [take_shard(entries, shard, of) for shard in range(of)]
    assert sorted(e.image_id for shard in shards for e in shard) == list(range(count))
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_a_shard_that_is_not_there_is_refused():
    with pytest.raises(InputError, match="from 0 to 1"):
        take_shard(ENTRIES, 2, 2)


def test_entries_come_sorted_and_hostile_ones_not_at_all(tmp_path):
    path = tmp_path / "i.csv"
    path.write_text(entries_csv(ENTRIES[::-1]))
    assert read_entries(path) == ENTRIES
    path.write_text(entries_csv([replace(ENTRIES[0], width=0)]))
    with pytest.raises(InputError, match="image 1: its size is 0x30"):
        read_entries(path)
    path.write_text(entries_csv([replace(ENTRIES[0], file_name="a\0b")]))
    with pytest.raises(InputError, match="NUL"):
        read_entries(path)


def test_manifests_survive_writing_and_reading(tmp_path):
    records = [ok(ENTRIES[1]), bad_record(ENTRIES[0], "missing", 'HTTP status 404, "gone", really')]
    write_manifest(records, tmp_path / "m.csv")
    assert read_manifest(tmp_path / "m.csv") == records[::-1]
    (tmp_path / "m.csv").write_text((tmp_path / "m.csv").read_text().replace("missing", "lost"))
    with pytest.raises(InputError, match="status 'lost' is unknown"):
        read_manifest(tmp_path / "m.csv")


def test_what_was_learned_survives_a_torn_line(tmp_path):
    path = tmp_path / "l.jsonl"
    first, second = ok(ENTRIES[0]), bad_record(ENTRIES[1], "failed", "é\n")
    path.write_bytes(learned_line(first) + learned_line(second)[:-9] + b"\n" + learned_line(ok(ENTRIES[1])) + b'{"im')
    assert read_learned(path) == {1: first, 2: ok(ENTRIES[1])}
    assert read_learned(tmp_path / "none") == {}


def test_a_record_describes_only_the_entry_that_it_was_made_for():
    record = ok(ENTRIES[0])
    assert record.describes(ENTRIES[0])
    for change in ({"width": 41}, {"uri": "http://y"}, {"file_name": "z"}):
        assert not record.describes(replace(ENTRIES[0], **change))


def write_shards(folder, *shards):
    paths = [folder / f"{number}.csv" for number in range(len(shards))]
    for path, records in zip(paths, shards, strict=True):
        write_manifest(records, path)
    return paths


def test_gathering_wants_every_image_exactly_once(tmp_path):
    records = [ok(e) for e in ENTRIES]
    assert gather(ENTRIES, write_shards(tmp_path, records[::2], records[1::2])) == records
    with pytest.raises(InputError, match="3 images are in no shard, the first is image 2"):
        gather(ENTRIES, write_shards(tmp_path, records[::2]))
    with pytest.raises(InputError, match="image 7 stands in another shard"):
        gather(ENTRIES, write_shards(tmp_path, records, records[-1:]))
    with pytest.raises(InputError, match="image 7 is not in this split"):
        gather(ENTRIES[:-1], write_shards(tmp_path, records))
    with pytest.raises(InputError, match="image 1 is described otherwise"):
        gather(ENTRIES, write_shards(tmp_path, [replace(records[0], uri="http://y"), *records[1:]]))


def test_too_few_usable_images_are_an_error_and_the_list_stays(tmp_path):
    records = [bad_record(ENTRIES[0], "missing", "HTTP status 404"), *(ok(e) for e in ENTRIES[1:])]
    path = tmp_path / "train.csv"
    with pytest.raises(InputError, match=r"1 of 7 images cannot be used .*1 missing") as error:
        write_usable(records, path, 0.14)
    assert "forcerun" not in str(error.value)
    assert not path.exists()
    assert read_manifest(tmp_path / "train.unusable.csv") == records
    write_usable(records, path, 1 / 7)
    assert read_manifest(path) == records
    assert not (tmp_path / "train.unusable.csv").exists()
    with pytest.raises(InputError, match="--forcerun download_images"):
        write_usable([bad_record(ENTRIES[0], "failed", "")], path, 0)


def test_the_summary_counts_every_status():
    assert summary([ok(ENTRIES[0])]) == "1 images: 1 ok, 0 missing, 0 corrupt, 0 failed"
