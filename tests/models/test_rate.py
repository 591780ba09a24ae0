"""The rating sheet: what is found, what is hidden, what is written, and the page in a real headless browser."""
import json
import shutil
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager

import numpy as np
import pytest

from core.audio.io import write_wav
from core.body.motion import rest_motion
from core.errors import BadInput
from core.motion_files import write_npz
from models.lab.rate import material, results
from models.lab.rate.__main__ import main
from models.lab.rate.server import Sheet, serve

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def write_tone(path, seconds=0.6, pitch=440.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(path, (0.2 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * 48_000)) / 48_000)).astype(np.float32))


@pytest.fixture
def folder(tmp_path):
    """Two clips, three sources."""
    for clip in ("one", "two"):
        motion = rest_motion(18)
        motion.root[:, 2] += np.sin(np.arange(18) / 3).astype(np.float32) * 0.1
        (tmp_path / "motion").mkdir(exist_ok=True)
        write_npz(tmp_path / "motion" / f"{clip}.npz", motion)
        for number, source in enumerate(("music_ldm", "momu_music", "another")):
            write_tone(tmp_path / source / f"{clip}.wav", pitch=300.0 + 100 * number)
    return tmp_path


@contextmanager
def running(sheet):
    server = serve(sheet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def marks(quality, fit):
    return {"quality": quality, "fit": fit}


def test_every_pair_of_sources_is_asked_once_and_taken_up_again(folder):
    sheet, seen = Sheet(folder), []
    for _ in range(4):
        asked = sheet.next("ann")
        seen.append(asked["question"])
        sheet.answer("ann", asked["question"], [marks(3, 3), marks(2, 4)])
    again = Sheet(folder)                                   # the server was ended and started
    while not (asked := again.next("ann")).get("done"):
        seen.append(asked["question"])
        again.answer("ann", asked["question"], [marks(3, 3), marks(2, 4)])
    assert len(seen) == len(set(seen)) == 2 * 3             # clips x pairs of three sources
    assert len(results.read_ratings(folder / "ratings.csv")) == 6


def test_the_browser_is_told_nothing_of_the_origin(folder):
    sheet = Sheet(folder)
    text = json.dumps([sheet.next(rater) for rater in ("ann", "bob")])
    assert not any(word in text for word in ("music_ldm", "momu", "another", "one", "two", str(folder)))
    first = [sheet.next("ann")["sides"][side]["motion"] for side in (0, 1)]
    assert first[0] != first[1]                             # one motion, two names
    firsts = {sheet._sides(f"rater {number}", word)[0].source
              for number in range(20) for word in sorted(sheet.questions)[:1]}
    assert len(firsts) == 2                                 # the side is drawn


def test_the_row_in_the_file_is_what_was_seen(folder):
    sheet = Sheet(folder)
    asked = sheet.next("ann")
    left, right = (sheet.files[side["sound"].split("/")[-1]] for side in asked["sides"])
    sheet.answer("ann", asked["question"], [marks(5, 4), marks(1, 2)])
    row, = results.read_ratings(folder / "ratings.csv")
    assert (row["first"], row["second"], row["clip"]) == (left.parent.name, right.parent.name, left.stem)
    assert [row[name] for name in ("quality_first", "fit_first", "quality_second", "fit_second")] == [5, 4, 1, 2]


def test_raters_get_the_pairs_that_were_answered_least(folder):
    sheet = Sheet(folder, pairs=3)
    for _ in range(3):
        sheet.answer("ann", sheet.next("ann")["question"], [marks(3, 3), marks(2, 4)])
    assert sheet.next("ann") == {"done": True, "of": 3}
    for _ in range(3):
        sheet.answer("bob", sheet.next("bob")["question"], [marks(3, 3), marks(2, 4)])
    assert set(sheet.ratings.counts().values()) == {1} and len(sheet.ratings.counts()) == 6


@pytest.mark.parametrize("answers", [
    None, [], [marks(1, 2)], [marks(1, 2), marks(0, 3)], [marks(1, 2), marks(6, 3)], [marks(1, 2), {"quality": 1}],
    [marks(1, 2), marks(True, 3)], [marks(1, 2), marks("3", 3)]])
def test_answers_that_are_none_are_refused(folder, answers):
    sheet = Sheet(folder)
    with pytest.raises(BadInput, match="1 to 5"):
        sheet.answer("ann", sheet.next("ann")["question"], answers)
    assert not (folder / "ratings.csv").exists()


def test_bad_requests_get_a_sentence(folder):
    with running(Sheet(folder)) as address:
        for path, data in (("/next?rater=", None), ("/next?rater=" + "x" * 99, None), ("/sound/../../etc/passwd", None),
                           ("/motion/0", None), ("/answer", b"{"), ("/answer", b"[]"), ("/answer", b"{}"),
                           ("/answer", b"x" * 5000), ("/answer", b'{"rater": "a", "question": ["x"], "answers": 3}')):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(urllib.request.Request(address + path, data), timeout=10)
            sentence = json.loads(caught.value.read())["error"]
            assert caught.value.code in (400, 404) and sentence.endswith(".") and "Error" not in sentence


def test_bad_folders_get_a_sentence(tmp_path, folder):
    with pytest.raises(BadInput, match="does not exist"):
        material.find_sides(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="two sources"):
        material.find_sides(tmp_path / "empty")
    write_tone(folder / "music_ldm" / "three.wav")
    with pytest.raises(BadInput, match="three has no motion"):
        material.find_sides(folder)
    (folder / "ratings.csv").write_text("a,b\n1,2\n")
    assert main(["results", str(folder)]) == 2


def known_ratings(count=40):
    """Rows in which `better` is two marks above `worse` in quality and no different in fit."""
    rng, rows = np.random.default_rng(0), []
    for number in range(count):
        swap, values = bool(number % 2), {"better": int(rng.integers(3, 6)), "fit": int(rng.integers(1, 6))}
        sides = ("worse", "better") if swap else ("better", "worse")
        quality = {"better": values["better"], "worse": values["better"] - 2}
        rows.append({"rater": f"r{number % 5}", "pair": str(number), "clip": f"c{number % 8}",
                     "first": sides[0], "second": sides[1], "fit_first": values["fit"], "fit_second": values["fit"],
                     "quality_first": quality[sides[0]], "quality_second": quality[sides[1]]})
    return rows


def test_summary_finds_the_difference_that_is_there():
    better, worse = results.summary(known_ratings())
    assert better["quality"] - worse["quality"] == pytest.approx(2.0)
    assert better["quality_low"] > worse["quality_high"] and better["quality_won"] == 1.0
    assert better["fit"] == worse["fit"] and better["fit_won"] == 0.5


def test_intervals_cover_the_truth_and_know_that_answers_of_a_person_hang_together():
    rng, inside = np.random.default_rng(1), 0
    for trial in range(60):
        raters = np.repeat(np.arange(12), 10)
        values = 3.0 + np.repeat(rng.normal(0, 0.5, 12), 10) + rng.normal(0, 0.5, 120)
        _, low, high = results.interval(values, list(raters), list(np.tile(np.arange(10), 12)), seed=trial)
        inside += low <= 3.0 <= high
    assert inside >= 50                                     # 95 % of 60 is 57; single answers drawn anew cover about 33
    assert np.isnan(results.interval([3, 4], ["a", "a"], ["c", "c"])[1])


def test_results_are_printed_and_written(folder, capsys):
    sheet = Sheet(folder)
    while not (asked := sheet.next("ann")).get("done"):
        sheet.answer("ann", asked["question"], [marks(3, 3), marks(2, 4)])
    assert main(["results", str(folder)]) == 0
    assert "6 pairs by 1 raters" in capsys.readouterr().out
    lines = (folder / "summary.csv").read_text().splitlines()
    assert lines[0].startswith("source,answers,quality") and len(lines) == 4


def test_material_is_made_by_the_systems(tmp_path, monkeypatch):
    """The folder that `make` writes is one that the sheet reads, with the mismatched row in it."""
    class Made:
        def __init__(self, name):
            self.name = name

        def generate_variations(self, condition, **_):
            tone = np.full((2, int(condition.duration * 48_000)), 0.1 if self.name == "music_ldm" else 0.2, np.float32)
            return [type("Result", (), {"audio": tone, "motion": None})()]
    monkeypatch.setattr("core.pipelines.open_pipeline", lambda name, *_: Made(name))
    for clip in ("a", "b", "c"):
        write_npz(tmp_path / f"{clip}.npz", rest_motion(30))
    write_tone(tmp_path / "a.wav", 1.0)
    files = [tmp_path / f"{clip}.npz" for clip in "abc"]
    material.make(tmp_path / "out", ["music_ldm", "momu_music"], files, seconds=1.0, say=len)
    sides = material.find_sides(tmp_path / "out")
    assert {clip: [side.source for side in found] for clip, found in sides.items()} == {
        "a": ["another", "momu_music", "music_ldm", "real"], "b": ["another", "momu_music", "music_ldm"],
        "c": ["another", "momu_music", "music_ldm"]}
    with pytest.raises(BadInput, match="one direction"):
        material.make(tmp_path / "out", ["music_ldm", "conductor"], [tmp_path / "a.npz", tmp_path / "b.npz"])
    with pytest.raises(BadInput, match="two files"):
        material.make(tmp_path / "out", ["music_ldm"], [tmp_path / "a.npz"])


PAINTED = ("const c = arguments[0]; "
           "return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(value => value);")


@pytest.fixture
def browser(tmp_path):
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    from selenium import webdriver
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--mute-audio", "--window-size=1100,900",
                 "--autoplay-policy=no-user-gesture-required", f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(word)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


class Person:
    """What a rater does on the page."""

    def __init__(self, driver):
        from selenium.webdriver.support.ui import WebDriverWait
        self.driver, self.waiting = driver, WebDriverWait(driver, 60)

    def find(self, query, root=None):
        return (root or self.driver).find_element("css selector", query)

    def sides(self):
        return list(enumerate(self.driver.find_elements("css selector", ".side")))

    def reads(self, query, words):
        self.waiting.until(lambda _: words in self.find(query).text)

    def listens(self, section):
        assert not self.find("input", section).is_enabled()             # no marks before it was heard
        self.find(".play", section).click()
        self.waiting.until(lambda _: self.find("input", section).is_enabled())
        assert self.driver.execute_script(PAINTED, self.find("canvas", section))


def test_a_person_rates_in_a_real_browser(folder, tmp_path, browser):
    ann = Person(browser)
    with running(Sheet(folder, pairs=2)) as address:
        browser.get(address)
        ann.find("#rater").send_keys("Ann")
        ann.find("#start button").click()
        for number in (1, 2):
            ann.reads("#where", f"Pair {number} of 2")
            ann.find("#send").click()
            ann.reads("#problem", "play both")
            for side, section in ann.sides():
                ann.listens(section)
                ann.find(f".quality input[value='{4 - side}']", section).click()
            ann.find("#send").click()
            ann.reads("#problem", "both marks")
            for side, section in ann.sides():
                ann.find(f".fit input[value='{5 - side}']", section).click()
            browser.save_screenshot(str(tmp_path / f"sheet-{number}.png"))
            ann.find("#send").click()
        ann.reads("#end", "rated 2 pairs")
        assert [entry for entry in browser.get_log("browser") if "400" not in entry["message"]] == []
    rows = results.read_ratings(folder / "ratings.csv")
    assert [[row[name] for name in results.COLUMNS[6:]] for row in rows] == [[4, 5, 3, 4]] * 2
    assert rows[0]["rater"] == "Ann"
