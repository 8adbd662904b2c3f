"""Jobs on one database as they happen: many at once, killed, after others' leftovers. Each is a process."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pymongo
import pytest
from fiftyone.core.service import DatabaseService

from curation_study import CurationStudy, program, run_program, write_curation_study
from fathomflow.curation.content import content_of
from fathomflow.curation.database import open_database
from fathomflow.curation.mongod import start_server, stop_server
from fathomflow.curation.place import Place, find_place, hide_credentials, read_dotenv
from fathomflow.curation.state import load_dataset, models_of
from fathomflow.curation.turns import take_turn
from fathomflow.curation.updating import verify
from fathomflow.errors import InputError

pytestmark = pytest.mark.slow
JOBS = 8


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> CurationStudy:
    names = tuple(f"model{number}" for number in range(JOBS))
    return write_curation_study(tmp_path_factory.mktemp("study"), images=4, models=names, pictures=False)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Start a MongoDB that belongs to nobody here, as an institute's does, and return its address."""
    (tmp_path / "server").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--dbpath", str(tmp_path / "server"), "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
    process = subprocess.Popen([DatabaseService.find_mongod(), *options], stdout=subprocess.DEVNULL)
    address = f"mongodb://127.0.0.1:{port}/"
    pymongo.MongoClient(address).admin.command("ping")
    yield address
    process.terminate()
    process.wait()


def add(study: CurationStudy, database: Path, model: str) -> list[str]:
    pairs = [(split, study.path(split, model)) for split in study.splits]
    return program(
        "add_predictions",
        *("--dataset", study.name, "--database", database, "--distances", study.distances),
        *("--predictions", *(f"{split}/{model}={path}" for split, path in pairs)),
        *("--evaluations", *(f"{split}/{model}={study.root / 'evaluation' / split / model}" for split, _ in pairs)),
        *("--labels", *(f"{split}={study.path(split, 'labels')}" for split in study.splits)),
    )


def run_at_once(commands: list[list[str]], **variables: str) -> float:
    """Run jobs at once, require that all end well, and return the seconds that it took."""
    started = time.monotonic()
    with ThreadPoolExecutor(len(commands)) as pool:
        for done in pool.map(lambda command: run_program(command, **variables), commands):
            assert done.returncode == 0, done.stderr
    return time.monotonic() - started


def expected_state(study: CurationStudy, models: tuple[str, ...]) -> dict:
    """Return the state of an undisturbed build."""
    folder = study.root / f"undisturbed-{len(models)}"
    if not (folder / "state.json").is_file():
        done = run_program(study.build(folder, "--state", str(folder / "state.json"), models=models))
        assert done.returncode == 0, done.stderr
    return json.loads((folder / "state.json").read_text())


def test_eight_jobs_wait_in_line_for_the_embedded_database(study: CurationStudy, tmp_path: Path) -> None:
    done = run_program(study.build(tmp_path / "database", models=()))
    assert done.returncode == 0, done.stderr
    run_at_once([add(study, tmp_path / "database", model) for model in study.models])
    with open_database(Place(tmp_path / "database")):
        dataset = load_dataset(study.name)
        assert set(models_of(dataset)) == set(study.models)
        assert verify(dataset, expected_state(study, study.models), models_of(dataset)) == []
        assert len(dataset.list_evaluations()) == 2 * JOBS
    left = [path.name for path in (tmp_path / "database").iterdir()]
    assert "server.json" not in left
    assert (tmp_path / "database/turn.lock").read_text() == ""


def test_eight_jobs_at_once_on_a_server(study: CurationStudy, server: str, tmp_path: Path) -> None:
    done = run_program(study.build(tmp_path / "unused", models=()), FIFTYONE_DATABASE_URI=server)
    assert done.returncode == 0, done.stderr
    run_at_once([add(study, tmp_path / "unused", model) for model in study.models], FIFTYONE_DATABASE_URI=server)
    with open_database(Place(tmp_path / "unused", server)):
        dataset = load_dataset(study.name)
        assert set(models_of(dataset)) == set(study.models)
        assert verify(dataset, expected_state(study, study.models), models_of(dataset)) == []
        assert len(dataset.list_evaluations()) == 2 * JOBS
    assert not (tmp_path / "unused").exists()


@pytest.mark.parametrize("line", ["building dataset", "predictions of model0", "evaluation of model1"])
def test_a_build_that_was_killed_is_as_good_as_new_after_the_next(
    study: CurationStudy, tmp_path: Path, line: str
) -> None:
    database = tmp_path / "database"
    models = study.models[:2]
    command = study.build(database, "--state", str(tmp_path / "state.json"), models=models)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for text in process.stderr:
            if line in text:
                process.kill()
                break
        else:
            pytest.fail("the build ended before it could be killed")
    assert not (tmp_path / "state.json").exists()
    done = run_program(command)
    assert done.returncode == 0, done.stderr
    assert "was cut off; going on from what it left" in done.stderr
    assert "stopping the database server" in done.stderr
    assert json.loads((tmp_path / "state.json").read_text()) == expected_state(study, models)
    with open_database(Place(database)):
        dataset = load_dataset(study.name)
        parts = content_of(dataset, models_of(dataset))
    with open_database(Place(study.root / "undisturbed-2")):
        dataset = load_dataset(study.name)
        assert content_of(dataset, models_of(dataset)) == parts


def test_a_database_server_that_was_killed_is_one_line(study: CurationStudy, tmp_path: Path) -> None:
    database = tmp_path / "database"
    command = study.build(database, models=study.models[:1])
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for text in process.stderr:
            if "building dataset" in text:
                os.kill(json.loads((database / "server.json").read_text())["pid"], signal.SIGKILL)
                break
        rest = process.stderr.read()
    assert process.returncode == 2, rest
    assert "error: " in rest
    assert "the database does not answer" in rest
    assert "Traceback" not in rest
    done = run_program(command)
    assert done.returncode == 0, done.stderr
    assert "not shut down in order" in done.stderr


def test_jobs_use_the_server_that_the_app_keeps(study: CurationStudy, tmp_path: Path) -> None:
    database = tmp_path / "database"
    with take_turn(database, 1):
        server = start_server(database)
    try:
        done = run_program(study.build(database, models=study.models[:1]))
        assert done.returncode == 0, done.stderr
        assert "using the database server" in done.stderr
        assert server.process is not None
        assert psutil.pid_exists(server.process.pid)
    finally:
        stop_server(server, database)


def test_the_turn_is_waited_for_so_long(tmp_path: Path) -> None:
    message = rf"held by process {os.getpid()} on .* for 0 s"
    with take_turn(tmp_path, 1), pytest.raises(InputError, match=message), take_turn(tmp_path, 0.3):
        pytest.fail("two at once")
    with take_turn(tmp_path, 0):
        pass


def test_a_newer_database_is_refused_and_set_aside_by_force(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with open_database(place):
        load = pymongo.MongoClient(os.environ["FIFTYONE_DATABASE_URI"])["fiftyone"]
        load.config.replace_one({}, {"version": "99.1.0", "type": "fiftyone"}, upsert=True)
    with pytest.raises(InputError, match=r"last used by FiftyOne 99\.1\.0, this is .*--force"), open_database(place):
        pytest.fail("it must not be touched")
    with open_database(place, force=True):
        pass
    assert len(list(tmp_path.glob("mongo.2*"))) == 1, "nothing is deleted"


def test_files_that_are_no_database_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "mongo").mkdir()
    (tmp_path / "mongo/WiredTiger.wt").write_text("no database")
    (tmp_path / "mongo/storage.bson").write_text("no database")
    with pytest.raises(InputError, match="MongoDB does not start"), open_database(Place(tmp_path)):
        pytest.fail("it cannot have started")


def test_no_server_is_one_line_without_the_password(tmp_path: Path) -> None:
    uri = "mongodb://someone:secret@127.0.0.1:9/?serverSelectionTimeoutMS=300"
    with pytest.raises(InputError) as caught, open_database(Place(tmp_path, uri)):
        pytest.fail("nobody answers there")
    assert str(caught.value).startswith("127.0.0.1:9: the database does not answer")
    assert hide_credentials(uri) == "127.0.0.1:9"


def test_credentials_come_from_a_file_unless_the_environment_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the file sets must not stay for the tests that follow; undoing setenv would not cover it.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setenv("FIFTYONE_API_KEY", "from the environment")
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text(
        "# ours\nFIFTYONE_DATABASE_URI='mongodb://u:p@h/'\nexport FIFTYONE_API_KEY=x\nPATH=/nowhere\n"
    )
    read_dotenv(Path(".env"))
    assert os.environ["FIFTYONE_API_KEY"] == "from the environment"
    assert "/nowhere" not in os.environ["PATH"]
    assert find_place(Path("database"), "mongodb://other/").uri == "mongodb://u:p@h/"


def test_enterprise_needs_its_own_sdk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIFTYONE_API_URI", "https://fiftyone.example.org")
    with pytest.raises(InputError, match="not Enterprise's; install its SDK"), open_database(Place(tmp_path)):
        pytest.fail("the open-source SDK cannot")
