from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import cv2
import pytest
from helpers import ROOT, write_folder, write_word

from hwr.alphabet import Alphabet
from hwr.cli import main
from hwr.data.dataset import open_dataset
from hwr.decoding.confidence import load_parameters
from hwr.recognizer import Recognizer


def test_read_prints_json_and_fails_where_one_file_does(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = str(tmp_path / "good.png"), str(tmp_path / "bad.png")
    cv2.imwrite(good, write_word("ANNA"))
    Path(bad).write_text("I am a text file")
    assert main(["read", good, bad, "--json", "--model", str(tiny_model)]) == 2
    first, second = json.loads(capsys.readouterr().out)
    reading = Recognizer.load(tiny_model).read(good, tta=True)
    assert first == {
        "file": good,
        "text": reading.text,
        "confidence": pytest.approx(reading.confidence, abs=1e-4),
        "verdict": reading.verdict,
        "candidates": [
            {"text": c.text, "probability": pytest.approx(c.probability, abs=1e-3)}
            for c in reading.candidates
        ],
        "absent": None,
        "notes": [],
        "error": None,
    }
    assert second["file"] == bad
    assert second["text"] is None
    assert second["error"]
    assert main(["read", good, "--json", "--no-tta", "--model", str(tiny_model)]) == 0
    hasty = Recognizer.load(tiny_model).read(good)
    assert json.loads(capsys.readouterr().out)[0]["confidence"] == pytest.approx(
        hasty.confidence, abs=1e-4
    )
    assert hasty.candidates != reading.candidates
    assert main(["read", good, "--model", str(tiny_model)]) == 0
    assert capsys.readouterr().out.startswith(f"{good}\t{reading.text}\t")


def test_read_takes_a_lexicon_and_draws_a_figure(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, lexicon, figure = tmp_path / "a.png", tmp_path / "r.txt", tmp_path / "out" / "f.png"
    cv2.imwrite(str(picture), write_word("ANNA"))
    lexicon.write_text("Léo\n", encoding="utf-8")
    command = ["read", str(picture), "--model", str(tiny_model), "--lexicon", str(lexicon)]
    assert main([*command, "--figure", str(figure)]) == 0
    line = capsys.readouterr().out.strip()
    assert line.split("\t")[1] == "Léo" or line.endswith("not on the list")
    assert cv2.imread(str(figure)).shape[1] > 100
    assert [p.name for p in figure.parent.iterdir()] == ["f.png"]
    assert main(["read", str(picture), *command[1:], "--figure", str(figure)]) == 2
    assert "--figure draws one reading" in capsys.readouterr().err
    lexicon.write_text("R2D2\n")
    assert main(command) == 2
    assert "Entry 1 of the list, 'R2D2', holds '2'" in capsys.readouterr().err


def test_language_model_and_calibration_are_made_by_one_command_each(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "names.txt").write_text("Anna\nLeo\n" * 40)
    language_model = tmp_path / "p.npz"
    names = f"{tmp_path / 'names.txt'}:0.5"
    assert main(["language-model", "--names", names, "--out", str(language_model)]) == 0
    assert "2 names, 0 rows left out" in capsys.readouterr().out
    assert main(["language-model", "--names", f"{names}x", "--out", str(language_model)]) == 2
    assert "names.txt:0.5x'; check the path" in capsys.readouterr().err
    rows = [(f"{i}.png", ("ANNA", "LEO", "EVA")[i % 3]) for i in range(1300)]
    data = write_folder(tmp_path / "d", rows)
    model = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    command = [
        "calibrate",
        "--data",
        str(data),
        "--model",
        str(model),
        "--language-model",
        str(language_model),
    ]
    assert main([*command, "--no-use-language-model", "--sure", "0.8"]) == 0
    found = load_parameters(model)
    assert (found.sure, found.language_model, set(found.fitted_on)) == (0.8, False, {"d"})
    # An untrained network is never right, and knows it.
    reading = Recognizer.load(model).read(str(data / "images" / "1.png"))
    assert reading.confidence < 0.2
    assert reading.verdict == "please check"
    few = write_folder(tmp_path / "few", rows[:40])
    assert main([*command[:2], str(few), *command[3:]]) == 2
    assert "usable pictures are set aside" in capsys.readouterr().err


def test_read_finds_pictures_by_index(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_folder(tmp_path / "d", [(f"{i}.png", "ANNA") for i in range(1, 5)])
    index = open_dataset(data, "train", Alphabet()).indices[-1]
    command = ["read", "--data", str(data), "--model", str(tiny_model), "--json", "--index"]
    assert main([*command, str(index)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["file"] == str(data / "images" / f"{index}.png")
    assert main([*command, "99"]) == 2
    assert "no picture with index 99; the train split has indices 2 to 4" in capsys.readouterr().err


def files_that_are_no_pictures(folder: Path) -> list[Path]:
    """Write a renamed text, an empty file, a corrupt JPEG and a picture of one pixel."""
    files = [folder / name for name in ("text.png", "empty.png", "corrupt.jpg", "dot.png")]
    files[0].write_text("I am a text file, not a picture.")
    files[1].write_bytes(b"")
    picture = cv2.imencode(".jpg", write_word("ANNA"))[1].tobytes()
    files[2].write_bytes(picture[: len(picture) // 2])
    cv2.imwrite(str(files[3]), write_word("A")[:1, :1])
    return files


def test_bad_input_is_one_sentence_and_exit_code_2(tiny_model: Path, tmp_path: Path) -> None:
    """The real command, in a process of its own."""
    files = files_that_are_no_pictures(tmp_path)
    before = sorted(tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-m", "hwr", "read", *map(str, files), "--model", str(tiny_model)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        check=False,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    shown = [line for line in done.stderr.splitlines() if line.startswith(str(tmp_path))]
    assert [line.split(":")[0] for line in shown] == [str(file) for file in files]
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["evaluate", "--data", "."], "it has neither written_name_validation_v2.csv nor labels"),
        (["evaluate", "--data", "nowhere"], "no folder 'nowhere'"),
        (["samples", "--data", ".", "--split", "dev"], "A split is one of"),
        (["read"], "Nothing to read; give picture files or --index N."),
        (["read", "--index", "7", "--data", "."], "neither written_name_train_v2.csv nor labels"),
        (["read", "x.png", "--model", "nowhere"], "There is no config.json in 'nowhere'"),
        (["evaluate", "--reference", "nowhere.csv"], "no file 'nowhere.csv'"),
        (["evaluate", "--known", "nowhere.txt"], "There is no file 'nowhere.txt'"),
        (["evaluate", "--empty", "0"], "At least one picture of each kind is drawn. Received: 0"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    arguments: list[str],
    message: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if arguments[0] != "samples" and "--model" not in arguments:
        arguments = [*arguments, "--model", str(tiny_model)]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("hwr: ")
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("missing", "extra"),
    [
        ("gradio", "app"),
        ("pandas", "app"),
        ("keras", "train"),
        ("tensorflow", "train"),
        ("tqdm", "train"),
        ("onnx", "train"),
        ("tensorboard", "train"),
        ("pyarrow", "bulk"),
        ("ray", "bulk"),
        ("kagglehub", "kaggle"),
        ("jax", "jax"),
    ],
)
def test_a_missing_package_is_one_sentence_that_names_its_extra(
    missing: str,
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    load = SimpleNamespace(command=lambda args: import_module(missing))
    monkeypatch.setattr("hwr.cli.get_args", lambda argv: load)
    monkeypatch.setitem(sys.modules, missing, None)  # importing it raises ModuleNotFoundError
    assert main(["read"]) == 2
    assert capsys.readouterr().err == (
        f"hwr: This command needs the package {missing}, which is not installed; "
        f"install it with: pip install 'hwr[{extra}]'\n"
    )


def test_serve_without_gradio_names_the_extra() -> None:
    """In a process of its own, which has not imported the page yet."""
    program = "import sys; sys.modules['gradio'] = None; from hwr.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", program, "serve"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("hwr: This command needs the package gradio")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("missing", ["hwr.nothing", "keras.nothing", "nothing"])
def test_a_missing_module_of_no_extra_is_a_fault(
    missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = SimpleNamespace(command=lambda args: import_module(missing))
    monkeypatch.setattr("hwr.cli.get_args", lambda argv: load)
    with pytest.raises(ModuleNotFoundError, match=missing):
        main(["read"])


def test_evaluate_prints_the_keys_people_script_against(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_folder(tmp_path / "d", [(f"{i}.png", "ANNA") for i in range(40)])
    reference = tmp_path / "gold.csv"
    reference.write_text("FILENAME,GOLD\n" + "".join(f"{i}.png,ANNA\n" for i in range(40)))
    command = ["evaluate", "--data", str(data), "--split", "train", "--model", str(tiny_model)]
    assert main([*command, "--reference", str(reference), "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert {"n", "exact", "cer", "positional", "dropped", "reference"} <= values.keys()
    assert {"n", "exact", "cer", "positional"} <= values["reference"].keys()
    assert values["n"] == values["reference"]["n"] > 20
    assert main(command) == 0
    text = capsys.readouterr().out
    assert f"names               {values['n']}" in text
    assert "95 % interval" in text


def test_evaluate_writes_a_report_and_records_it(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    data = write_folder(tmp_path / "d", [(f"{i}.png", "ANNA") for i in range(60)])
    (tmp_path / "known.txt").write_text("Anna\nTom\n")
    command = ["evaluate", "--data", str(data), "--model", str(model), "--empty", "2"]
    command += ["--known", str(tmp_path / "known.txt"), "--report", str(tmp_path / "report")]
    assert main([*command, "--record", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    written = json.loads((tmp_path / "report" / "report.json").read_text())
    assert {k: v for k, v in written.items() if k != "errors"} == shown
    assert written["empty_fields"]["sketchpad"]["n"] == 2
    metrics = json.loads((model / "metrics.json").read_text())
    assert metrics["evaluation"]["d"]["n"] == shown["n"]
    assert metrics["empty_fields"] == shown["empty_fields"]
    assert (tmp_path / "report" / "report.html").stat().st_size > 5000
    (tmp_path / "file").write_text("mine")
    assert main(["evaluate", "--model", str(model), "--report", str(tmp_path / "file")]) == 2
    assert "--report names a folder" in capsys.readouterr().err


def test_samples_are_listed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["samples", "--write", str(tmp_path / "s"), "--count", "16", "--seed", "3"]) == 0
    capsys.readouterr()
    assert main(["samples", "--data", str(tmp_path / "s"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows[0].keys() == {"index", "file", "text"}
    assert rows[0]["file"].startswith("TRAIN_0000")
    (tmp_path / "n.txt").write_text("Zoé\n")
    names = ["--names", str(tmp_path / "n.txt")]
    assert main(["samples", "--write", str(tmp_path / "p"), "--pad", "--count", "3", *names]) == 0
    assert "Drew 3 pictures" in capsys.readouterr().out
    assert main(["samples", "--data", str(tmp_path / "p"), "--split", "test", "--json"]) == 0
    pads = json.loads(capsys.readouterr().out)
    assert [row["file"] for row in pads] == [f"PAD_0000{i}.png" for i in (1, 2, 3)]
    assert all("ZOE" in row["text"] for row in pads)
    assert main(["samples", "--write", str(tmp_path / "s")]) == 2
    assert "new or empty folder" in capsys.readouterr().err
