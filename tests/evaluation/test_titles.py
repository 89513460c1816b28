"""Lengths and words of titles."""

from pricematch.evaluation.titles import describe_titles, words_of


def test_lengths_are_in_characters_and_in_words_between_white_space() -> None:
    facts = describe_titles(["Kopi  Susu 1L", "Éclair", "🙂"], 10)
    assert facts.characters.tolist() == [13, 6, 1]
    assert facts.words.tolist() == [3, 1, 1]


def test_the_commonest_words_are_those_that_most_titles_hold_not_those_that_one_repeats() -> None:
    facts = describe_titles(["tas tas tas tas MERAH", "Merah, putih", "putih; merah", "zz aa"], 4)
    assert facts.common == (("merah", 3), ("putih", 2), ("aa", 1), ("tas", 1))


def test_words_are_runs_of_at_least_two_letters_or_digits_of_any_script_in_lower_case() -> None:
    assert words_of("A4 b ÉCLAIR_x 2pcs <script> 日本語 مرحبا 🙂🙂 --") == {
        "a4",
        "éclair",
        "2pcs",
        "script",
        "日本語",
        "مرحبا",
    }


def test_no_titles_have_no_words() -> None:
    facts = describe_titles([], 4)
    assert (len(facts.characters), len(facts.words), facts.common) == (0, 0, ())
