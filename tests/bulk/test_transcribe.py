from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Generator, Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import pytest
from helpers import ROOT, heed_interrupts, write_word

from hwr.bulk import transcribe as transcription
from hwr.bulk.digest_set import Seen
from hwr.bulk.part_files import Row, Transcript, TranscriptError, find_parts, read_transcript
from hwr.bulk.sources import Entry, SourceError, list_entries
from hwr.bulk.transcribe import Progress, facts, group, transcribe
from hwr.bulk.unit_reader import BulkReader, Settings
from hwr.cli import main
from hwr.commands.transcribe import describe, duration
from hwr.decoding import decoder
from hwr.decoding.language_model import LANGUAGE_MODEL, LanguageModelError
from hwr.decoding.lexicon import LexiconError
from hwr.defaults import MODEL
from hwr.network.engine import ENGINES
from hwr.network.model_folder import CONFIG, ModelFolderError
from hwr.recognizer import Recognizer

SETTINGS = Settings(MODEL)


def in_process(
    sources: Sequence[str], column: str | None, seen: Seen
) -> Generator[list[Row], None, None]:
    """Read as a worker does, without the time that a process takes to start."""
    reader = BulkReader.load(SETTINGS)
    for unit in group(list_entries(sources, column, seen.add)):
        yield reader(unit)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures, two of them in an archive, and four that cannot be read."""
    folder = tmp_path / "in"
    folder.mkdir()
    cv2.imwrite(str(folder / "anna.png"), write_word("ANNA"))
    (folder / "text.png").write_text("I am a text file")
    with zipfile.ZipFile(folder / "z.zip", "w") as packed:
        for name in ("LEO", "MARIE"):
            packed.writestr(f"{name}.png", cv2.imencode(".png", write_word(name))[1].tobytes())
        packed.writestr("broken.png", b"\x89PNG\r\n\x1a\n and no more")
        packed.writestr("why.txt", b"words")
    return folder


def keys(rows: Sequence[Row], folder: Path) -> list[str]:
    return sorted(f"{Path(r.source).relative_to(folder)}!{r.entry}" for r in rows)


def test_every_picture_has_one_row(pictures: Path, tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("path\nin/anna.png\nin/gone.png\nin/anna.png\n")
    reported: list[Progress] = []
    done = transcribe(
        [str(pictures), str(table)],
        tmp_path / "out",
        SETTINGS,
        read_all=in_process,
        report=reported.append,
    )
    rows = list(read_transcript(tmp_path / "out"))
    assert keys(rows, pictures) == [
        "anna.png!", "gone.png!", "text.png!", "z.zip!LEO.png", "z.zip!MARIE.png",
        "z.zip!broken.png", "z.zip!why.txt",
    ]  # fmt: skip
    assert (done.read, done.failed, done.before) == (7, 4, 0)
    assert reported[-1].read == 7
    reading = Recognizer.load(MODEL).read(pictures / "anna.png")
    found = {Path(r.source).name + r.entry: r for r in rows}
    anna = found["anna.png"]
    assert (anna.text, anna.verdict, anna.error) == (reading.text, reading.verdict, None)
    assert anna.confidence == pytest.approx(reading.confidence, abs=2e-4)
    assert [c.text for c in anna.candidates] == [c.text for c in reading.candidates]
    errors = {name: row.error for name, row in found.items() if row.error}
    assert errors["text.png"].startswith("This is a text file, not a picture;")
    assert errors["gone.png"] == "There is no file named 'gone.png'; check the name and the folder."
    assert set(errors) == {"text.png", "gone.png", "z.zipbroken.png", "z.zipwhy.txt"}


def test_going_on_reads_what_has_no_row(pictures: Path, tmp_path: Path) -> None:
    def run() -> Progress:
        return transcribe(
            [str(pictures)], tmp_path / "out", SETTINGS, resume=True, read_all=in_process
        )

    assert run().read == 6
    first = list(read_transcript(tmp_path / "out"))
    again = run()
    assert (again.read, again.before) == (0, 6)
    assert list(read_transcript(tmp_path / "out")) == first
    cv2.imwrite(str(pictures / "a.png"), write_word("EVA"))
    assert run().read == 1
    rows = list(read_transcript(tmp_path / "out"))
    assert rows[:6] == first
    assert rows[6].source == str(pictures / "a.png")


def test_facts_name_the_engine_that_reads_and_cover_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    default = facts(Settings(folder))
    assert default == facts(Settings(folder, "int8"))
    assert [facts(Settings(folder, name))["engine"] for name in ENGINES] == list(ENGINES)
    config = folder / CONFIG
    written = json.loads(config.read_text(encoding="utf-8"))
    for key in ("weights_sha256", "onnx_sha256", "int8_sha256"):
        config.write_text(json.dumps(written | {key: "0" * 64}, indent=2) + "\n", encoding="utf-8")
        assert facts(Settings(folder))["model"] != default["model"]
    (folder / "model.int8.onnx").unlink()
    assert facts(Settings(folder))["engine"] == "onnx"
    with pytest.raises(ValueError, match=r"^An engine is one of .* Received: 'tpu'$"):
        facts(Settings(folder, "tpu"))


def test_a_changed_language_model_is_refused_on_resume(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(settings: Settings) -> Progress:
        return transcribe(
            [str(pictures)], tmp_path / "out", settings, resume=True, read_all=in_process
        )

    plain, listed = Settings(MODEL, language_model=False), Settings(MODEL, lexicon=("Leo",))
    before = facts(plain), facts(listed)
    run(SETTINGS)
    other = tmp_path / "language_model.npz"
    other.write_bytes(LANGUAGE_MODEL.read_bytes() + b"0")
    monkeypatch.setattr(transcription, "LANGUAGE_MODEL", other)
    for settings in (SETTINGS, Settings(MODEL, language_model=True)):
        with pytest.raises(TranscriptError, match=r"made with another .*language_model_file"):
            run(settings)
    assert (facts(plain), facts(listed)) == before  # which do not use it
    monkeypatch.undo()
    assert run(SETTINGS).before == 6


def test_an_interrupt_keeps_what_was_read(pictures: Path, tmp_path: Path) -> None:
    def stopped(
        sources: Sequence[str], column: str | None, seen: Seen
    ) -> Generator[list[Row], None, None]:
        yield next(in_process(sources, column, seen))[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transcribe([str(pictures)], tmp_path / "out", SETTINGS, read_all=stopped)
    assert len(list(read_transcript(tmp_path / "out"))) == 4
    transcribe([str(pictures)], tmp_path / "out", SETTINGS, resume=True, read_all=in_process)
    rows = list(read_transcript(tmp_path / "out"))
    assert len(rows) == len(set(keys(rows, pictures))) == 6


def test_an_interrupt_just_after_a_part_was_written_counts_it(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = Transcript.add

    def interrupted(self: Transcript, rows: list[Row]) -> None:
        add(self, rows)
        raise KeyboardInterrupt

    monkeypatch.setattr(Transcript, "add", interrupted)
    reported: list[Progress] = []
    with pytest.raises(KeyboardInterrupt):
        transcribe(
            [str(pictures)], tmp_path, SETTINGS, part=2, read_all=in_process, report=reported.append
        )
    assert reported[-1].read == len(list(read_transcript(tmp_path))) > 2


def test_what_cannot_be_used_is_refused_before_anything_is_written(
    pictures: Path, tmp_path: Path
) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SourceError, match="no file or folder 'nowhere'"):
        transcribe(["nowhere"], out, SETTINGS)
    with pytest.raises(ModelFolderError):
        transcribe([str(pictures)], out, Settings(tmp_path, "onnx"))
    with pytest.raises(LexiconError, match="holds '2'"):
        transcribe([str(pictures)], out, Settings(MODEL, lexicon=("R2D2",)))
    assert not out.exists()
    with pytest.raises(SourceError, match=r"^There are no pictures in .*empty\.$"):
        transcribe([str(empty)], out, SETTINGS, read_all=in_process)


def test_an_unusable_language_model_is_refused_before_anything_is_written(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "language_model.npz"
    damaged.write_bytes(b"PK")
    monkeypatch.setattr(decoder, "LANGUAGE_MODEL", damaged)
    monkeypatch.setattr(
        decoder, "_default_language_model", decoder._default_language_model.__wrapped__
    )
    with pytest.raises(LanguageModelError, match="damaged"):
        transcribe([str(pictures)], tmp_path / "out", SETTINGS, read_all=in_process)
    assert not (tmp_path / "out").exists()
    BulkReader.load(Settings(MODEL, lexicon=("Leo",)))  # which takes the language model's place


def test_one_faulty_reading_does_not_end_the_run(pictures: Path) -> None:
    class Faulty(Recognizer):
        def logits(self, images):  # type: ignore[no-untyped-def]
            if images.shape[2] > 300:
                raise RuntimeError("too wide for me")
            return super().logits(images)

    whole = Recognizer.load(MODEL)
    wide = cv2.imencode(".png", write_word("ANNA MARIA LEA", width=400))[1].tobytes()
    good = cv2.imencode(".png", write_word("LEO", width=120))[1].tobytes()
    entries = [Entry("1", "", good), Entry("2", "", wide), Entry("3", "", None, "gone")]
    rows = BulkReader(Faulty(whole.spec, whole._engine, None), SETTINGS)(entries)
    assert [r.error for r in rows] == [
        None, "Reading it failed (RuntimeError: too wide for me).", "gone",
    ]  # fmt: skip


def test_units_are_small_at_first_and_never_of_many_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [Entry(str(n)) for n in range(1000)]
    units = list(group(entries, workers=2))
    assert [len(unit) for unit in units] == [16, 16, 32, 32, 64, 64, *[128] * 6, 8]
    assert [entry for unit in units for entry in unit] == entries
    monkeypatch.setattr(transcription, "UNIT_BYTES", 100)
    heavy = [Entry("a", "", bytes(40)), Entry("b", "", bytes(70)), Entry("c", "", bytes(10))]
    assert [len(unit) for unit in group(heavy)] == [2, 1]
    assert list(group([])) == []


def test_the_command_reads_with_processes(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lexicon, out = tmp_path / "r.txt", tmp_path / "out"
    lexicon.write_text("Léo\nAnna\n", encoding="utf-8")
    command = ["transcribe", str(pictures / "*"), "--out", str(out), "--workers", "1"]
    command += ["--lexicon", str(lexicon), "--part-rows", "4"]
    assert main([*command, "--json"]) == 0
    reported = json.loads(capsys.readouterr().out)
    assert (reported["read"], reported["failed"], reported["before"]) == (6, 3, 0)
    assert [f.name for f in find_parts(out)] == ["part-00000.csv", "part-00001.csv"]
    with find_parts(out)[0].open(newline="", encoding="utf-8") as file:
        row = next(csv.DictReader(file))
    reading = Recognizer.load(MODEL).read(pictures / "anna.png", lexicon="Léo\nAnna\n")
    assert (row["text"], row["verdict"]) == (reading.text, reading.verdict)
    assert float(row["absent"]) == pytest.approx(reading.absent or 0, abs=2e-4)
    assert main(command) == 2
    assert "go on with them by --resume" in capsys.readouterr().err
    assert main([*command, "--resume"]) == 0
    assert capsys.readouterr().out.startswith(f"0 pictures into {out}, 0 of them could not be read")
    assert main([*command, "--resume", "--engine", "int8"]) == 0  # the engine by default
    capsys.readouterr()
    assert main([*command, "--resume", "--engine", "onnx"]) == 2
    assert "another engine (engine int8 instead of onnx)" in capsys.readouterr().err
    assert main([*command, "--resume", "--workers", "0"]) == 2
    assert "--workers is at least 1. Received: 0" in capsys.readouterr().err


#: So many that the run is not over before a busy machine has noticed the first part.
PICTURES = 480


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX systems")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_a_run_that_is_stopped_goes_on(tmp_path: Path, number: int, code: int) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for n in range(PICTURES):
        cv2.imwrite(str(folder / f"{n}.png"), write_word("ANNA"))
    command = [sys.executable, "-m", "hwr", "transcribe", str(folder), "--out", str(out)]
    run = subprocess.Popen(
        [*command, "--workers", "1", "--part-rows", "10"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=heed_interrupts,
    )
    while run.poll() is None and not (out / "part-00000.csv").exists():
        time.sleep(0.01)
    os.killpg(run.pid, number) if number == signal.SIGINT else os.kill(run.pid, number)
    _, said = run.communicate(timeout=60)
    assert run.returncode == code, said
    before = list(read_transcript(out))
    assert 10 <= len(before) < PICTURES
    if code == 130:
        assert f"{len(before)} rows are in {out}. Go on with --resume." in said.decode()
    transcribe([str(folder)], out, SETTINGS, resume=True, read_all=in_process)
    rows = list(read_transcript(out))
    assert rows[: len(before)] == before
    assert keys(rows, folder) == sorted(f"{n}.png!" for n in range(PICTURES))


def test_progress_is_described_in_words() -> None:
    progress = Progress(read=1000, failed=2, before=500, total=12_500, seconds=10)
    assert describe(progress) == (
        "1,500 of 12,500 pictures, 2 could not be read, 100.0 a second, 1:50 left"
    )
    assert describe(Progress(read=5, seconds=2)) == "5 pictures, 2.5 a second"
    assert [duration(s) for s in (4, 75, 3723)] == ["4 s", "1:15", "1:02:03"]


def test_ray_is_asked_for_where_it_is_missing(
    pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "hwr.bulk.ray_pool", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)  # importing it raises ImportError
    assert main(["transcribe", str(pictures), "--out", str(tmp_path / "out"), "--ray"]) == 2
    assert "pip install 'hwr[bulk]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(find_spec("ray") is None, reason="pip install 'hwr[bulk]'")
def test_nodes_of_a_cluster_get_the_whole_package_and_the_model() -> None:
    from hwr.bulk.ray_pool import _kit

    with _kit(MODEL) as kit:
        for name in ("recognizer.py", "bulk/ray_pool.py", "network/engine.py"):
            assert (kit / "hwr" / name).is_file(), name
        assert (kit / "assets" / LANGUAGE_MODEL.name).is_file()
        assert (kit / "model" / CONFIG).is_file()


@pytest.mark.skipif(
    find_spec("ray") is None,
    reason="pip install 'hwr[bulk]' && pytest tests/bulk -k cluster",
)
def test_a_cluster_gives_the_same_rows(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "hwr", "transcribe", str(pictures), "--out", str(out)]
    # A process of its own: Ray leaves threads and sockets behind in the one that used it.
    subprocess.run([*command, "--ray", "--workers", "1"], cwd=ROOT, check=True, timeout=300)
    transcribe([str(pictures)], tmp_path / "plain", SETTINGS, read_all=in_process)
    rows, plain = (
        sorted(read_transcript(f), key=lambda r: (r.source, r.entry))
        for f in (out, tmp_path / "plain")
    )
    assert rows == plain
    assert len(rows) == 6
