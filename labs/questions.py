"""The knowledge check of a lab: questions with choices, from its `questions.toml`."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

FILE = "questions.toml"


class QuestionError(ValueError):
    """A question whose right choice is not one of its choices."""


@dataclass(frozen=True)
class Question:
    """A question; `right` is the number of the right choice, from 1."""

    ask: str
    choices: tuple[str, ...]
    right: int
    because: str

    def __post_init__(self) -> None:
        if not 1 <= self.right <= len(self.choices):
            msg = f"choice {self.right} of {len(self.choices)} is right, in: {self.ask}"
            raise QuestionError(msg)


def read_questions(folder: Path) -> tuple[Question, ...]:
    """Read a lab's questions from its folder; none without a file."""
    file = folder / FILE
    if not file.exists():
        return ()
    table = tomllib.loads(file.read_text(encoding="utf-8"))
    return tuple(
        Question(each["ask"], tuple(each["choices"]), each["right"], each["because"])
        for each in table["question"]
    )


def ask_all(
    questions: tuple[Question, ...], say: Callable[[str], None], read: Callable[[], str]
) -> int:
    """Ask questions, explain each answer, and return how many were right."""
    right = 0
    for number, question in enumerate(questions, start=1):
        say(f"{number}. {question.ask}")
        for choice, text in enumerate(question.choices, start=1):
            say(f"   {choice}) {text}")
        answer = _read_choice(len(question.choices), say, read)
        if answer == question.right:
            right += 1
            say(f"Right. {question.because}\n")
        else:
            say(f"No, it is {question.right}. {question.because}\n")
    return right


def _read_choice(count: int, say: Callable[[str], None], read: Callable[[], str]) -> int:
    while True:
        answer = read().strip()
        if answer.isdecimal() and 1 <= int(answer) <= count:
            return int(answer)
        say(f"Type a number from 1 to {count}, or Ctrl-D to end.")
