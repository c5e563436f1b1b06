"""A page as HTML: figures whose text is text, marks that know their trial, tables, and everything escaped."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tautune.analysis.figure_style import BLUE, DARK, mark_trials, new_figure, styled
from tautune.analysis.pages.html import as_html, cell, command, decimals, numeric_columns, words
from tautune.analysis.pages.page import Chart, Page, Section, Table
from tautune.analysis.pages.svg import inline_svg, saved, variable
from tautune.analysis.reported import write_figures


@styled
def chart(name: str = "points", keys: tuple[str, ...] = ("a", "b", "c")) -> Chart:
    figure = new_figure(4, 3)
    axes = figure.subplots()
    mark_trials(axes.scatter([1, 2, 3], [1, 2, 3], color=BLUE), keys)
    axes.set(xlabel="learning rate η", ylabel="a < b & c")
    return Chart(name=name, title="Points <three>", says="Each is a point.", figure=figure)


def test_text_is_text_and_colours_are_the_pages() -> None:
    svg = inline_svg(chart())
    root = ElementTree.fromstring(svg)
    texts = {element.text for element in root.iter("text")}
    assert {"learning rate η", "a < b & c"} <= texts
    assert f"var({variable(BLUE)})" in svg
    assert not any(colour in svg for colour in DARK)
    assert "'DejaVu" not in svg
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "points-title points-desc")
    assert [root[0].text, root[1].text] == ["Points <three>", "Each is a point."]


def test_each_mark_has_its_trial() -> None:
    root = ElementTree.fromstring(inline_svg(chart()))
    marks = [element for element in root.iter() if "data-trial" in element.attrib]
    assert [mark.get("data-trial") for mark in marks] == ["a", "b", "c"]
    heights = [float(mark.get("y") or "nan") for mark in marks]
    assert heights == sorted(heights, reverse=True)  # y grows downwards


def test_marks_without_their_trials_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        inline_svg(chart(keys=("a", "b")))


def test_two_figures_of_a_page_share_no_id_and_refer_to_none_that_is_missing() -> None:
    text = as_html(Page(title="t", verdict="v", sections=[Section(title="s", charts=[chart("one"), chart("two")])]))
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    referred = re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"|aria-labelledby="([^"]+)"', text)
    assert {name for names in referred for name in " ".join(names).split()} <= set(ids)


def test_what_a_page_says_is_escaped() -> None:
    hostile = '<script>alert("it\'s")</script>'
    table = Table(columns=[hostile], rows=[[hostile]], trials=[hostile], sortable=True)
    section = Section(title=hostile, text=[hostile], commands=[hostile], charts=[chart()], table=table)
    text = as_html(Page(title=hostile, verdict=hostile, facts={hostile: hostile}, notes=[hostile], sections=[section]))
    assert text.count("<script>") == 1
    assert text.count("&lt;script&gt;alert(") >= 10


def test_a_page_needs_nothing_else() -> None:
    text = as_html(Page(title="t", verdict="v", sections=[Section(title="s", charts=[chart()])]))
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"|@import|url\((?!#)', text) == []
    assert text.startswith('<!doctype html>\n<html lang="en">')


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (math.nan, ""), (0.1234567, "0.123457"), (5838, "5838"), (True, "yes"), ("a", "a"), (-0.0, "0")],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


def test_commands_in_a_sentence_are_code_and_nothing_else_is_markup() -> None:
    assert words("`tautune resume <b>` goes on & on") == "<code>tautune resume &lt;b&gt;</code> goes on &amp; on"


def test_no_line_of_a_command_ends_within_the_name_of_an_option() -> None:
    assert command("tautune tune a--b.py --set x=<1> --no-stashing") == (
        'tautune tune a--b.py <span class="option">--set</span> x=&lt;1&gt; <span class="option">--no-stashing</span>'
    )


def test_a_number_stays_with_its_sign_and_its_unit() -> None:
    said = words("at τ = 8 it is right to ± 0.24 % at most, 3 × 4 = 12")
    assert said == "at τ\xa0=\xa08 it is right to ±\xa00.24\xa0% at most, 3 × 4 = 12"


def test_columns_of_numbers_alone_are_set_to_the_right() -> None:
    table = Table(columns=["a", "b", "c", "d"], rows=[[1, "x", None, True], [2.5, 3, 4, False]])
    assert numeric_columns(table) == [True, False, True, False]


def test_a_figure_is_the_same_file_each_time_and_has_300_dots_per_inch(tmp_path: Path) -> None:
    one, other = (saved(chart().figure, "svg") for _ in range(2))
    assert one == other
    files = write_figures(
        Page(title="t", verdict="v", sections=[Section(title="s", charts=[chart()])]), tmp_path / "figures"
    )
    assert sorted(file.name for file in files) == ["points.pdf", "points.png", "points.svg"]
    from PIL import Image

    picture = Image.open(tmp_path / "figures" / "points.png")
    assert picture.size == (1200, 900)
    assert b"learning rate" in (tmp_path / "figures" / "points.svg").read_bytes()
    assert (tmp_path / "figures" / "points.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        ([0.9722222, 0.8125, None], ["0.972222", "0.812500", ""]),
        ([1.2632841, 0.0913127], ["1.26328", "0.09131"]),
        ([17.504, 176, 0.3596], ["17.504", "176", "0.3596"]),
        ([123456.7, 1234.5], ["123457", "1234"]),
        ([0.02, 0.0000659447], ["0.02", "6.59447e-05"]),
        ([math.nan, 0.1], ["", "0.1"]),
        ([3.25, 0.0], ["3.25", "0"]),
    ],
)
def test_decimal_points_of_a_column_stand_below_one_another(column: list[float | None], texts: list[str]) -> None:
    table = Table(columns=["name", "value"], rows=[["a", value] for value in column])
    assert decimals(table)[0] is None
    assert [cell(value, decimals(table)[1]) for value in column] == texts
