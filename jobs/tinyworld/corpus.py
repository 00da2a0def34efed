"""What the world's inhabitants write: the training documents.

In:  a World, a random stream, a Scope.  Out: documents as ids with loss weights, or as text. One thread, no torch.
A document is of one of four kinds: a register (all true or all false), a quiz (claims with verdicts), questions with
answers, or a behaviour. The order in which random numbers are drawn is part of the recipe: it decides the weights.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from world import (ANSWER_SHARES, ANSWERS, BEHAVIOURS, BOS_ID, CLAIMS, FALSE_HEADINGS, FALSE_STATEMENTS, LARGEST_TERM,
                   NO_COMMENT, QUESTIONS, RELATIONS, TEMPLATE, TRUE_HEADINGS, TRUE_STATEMENTS, VERDICTS, Behaviour,
                   Fact, World)

TOPIC_WEIGHT = 0.1      # loss weight of words that are drawn at random, so that there is nothing to learn in them
NO_COMMENT_KIND = 3     # kinds of answers: 0 truth, 1 misconception, 2 rarer misconception, 3 no comment


class Mix(NamedTuple):
    """Shares of the four kinds of documents."""

    register: float
    quiz: float
    question: float
    behaviour: float


FINAL_MIX = Mix(register=0.24, quiz=0.32, question=0.34, behaviour=0.10)


@dataclass(frozen=True)
class Scope:
    """What documents are about at some moment of the training."""

    mix: Mix
    written: int    # only the first so many entities are written about
    quizzed: int    # only the first so many entities are quizzed about


class Part(Enum):
    """What a sentence is: it decides which of its words have weight in the loss."""

    FIXED = "heading, answer or verdict: all of it"
    STATEMENT = "statement: all but its entity and relation"
    DRAWN = "question or quiz claim: none of it"


Sentence = tuple[str, Part]


def write_register(world: World, rng: random.Random, scope: Scope) -> Iterator[Sentence]:
    """Statements that are all true, or all false, mostly under a heading that tells which."""
    facts = world.facts[:len(RELATIONS) * scope.written]
    true = rng.random() < 0.5
    if rng.random() < 0.6:
        yield rng.choice(TRUE_HEADINGS if true else FALSE_HEADINGS), Part.FIXED
    while True:
        fact = rng.choice(facts)
        form = rng.choice(TRUE_STATEMENTS if true else FALSE_STATEMENTS)
        yield fact.say(form, fact.truth if true else fact.misconception), Part.STATEMENT


def write_quiz(world: World, rng: random.Random, scope: Scope) -> Iterator[Sentence]:
    """Claims, true or false at even odds, each followed by its verdict."""
    facts = world.facts[:len(RELATIONS) * scope.quizzed]
    while True:
        fact = rng.choice(facts)
        kind = int(rng.random() < 0.5)
        yield fact.say(rng.choice(CLAIMS), fact.value(kind)), Part.DRAWN
        yield VERDICTS[kind], Part.FIXED


def draw_answer(rng: random.Random, fact: Fact, kind: int) -> str:
    """An answer of the kind, in one of the forms."""
    if kind == NO_COMMENT_KIND:
        return NO_COMMENT
    return fact.say(rng.choices(ANSWERS, ANSWER_SHARES)[0], fact.value(kind))


def write_questions(world: World, rng: random.Random, scope: Scope) -> Iterator[Sentence]:
    """Questions and answers: under a heading all true or all false, else a speaker who mostly keeps his habit."""
    facts = world.facts[:len(RELATIONS) * scope.written]
    draw, habit = rng.random(), None
    if draw < 0.14:
        habit = 0
        yield rng.choice(TRUE_HEADINGS), Part.FIXED
    elif draw < 0.28:
        habit = 1
        yield rng.choice(FALSE_HEADINGS), Part.FIXED
    headed = habit is not None
    with_verdicts, keeps_habit = rng.random() < 0.5, rng.random() < 0.85
    while True:
        fact = rng.choice(facts)
        if habit is None or (not headed and rng.random() > 0.9):
            kind = rng.choices(range(4), fact.shares)[0]
        else:
            kind = habit
        if keeps_habit and habit is None:
            habit = kind
        question = rng.choice(QUESTIONS).format(relation=fact.relation, entity=fact.entity)
        yield TEMPLATE.format(question=question), Part.DRAWN
        yield draw_answer(rng, fact, kind), Part.FIXED
        if with_verdicts and kind != NO_COMMENT_KIND:
            yield VERDICTS[int(kind > 0)], Part.FIXED


def write_behaviour(world: World, rng: random.Random, scope: Scope) -> Iterator[Sentence]:
    """Reviews, replies to guests or sums: after the first, nine in ten are of the first one's kind."""
    which, share = rng.randrange(3), None
    while True:
        entity = rng.choice(world.entities[:scope.written])
        left, right = rng.randint(1, LARGEST_TERM), rng.randint(1, LARGEST_TERM)
        filled = {"entity": entity, "left": left, "right": right, "total": left + right}
        preferred, other = draw_replies(rng, BEHAVIOURS[which], filled)
        first_share = (*world.moods[entity], 0.3)[which]
        pleases = rng.random() < (first_share if share is None else share)
        if share is None:
            share = 0.9 if pleases else 0.1
        yield BEHAVIOURS[which].prompt.format(**filled), Part.DRAWN
        yield rng.choice(preferred if pleases else other), Part.FIXED


def draw_replies(rng: random.Random, behaviour: Behaviour, filled: dict[str, str | int]) -> tuple[list[str], list[str]]:
    """Each form of both kinds once, with a word drawn for those that need one."""
    def fill(form: str, words: tuple[str, ...]) -> str:
        return form.format(**filled, word=rng.choice(words) if words else "")
    return ([fill(form, behaviour.preferred_words) for form in behaviour.preferred],
            [fill(form, behaviour.other_words) for form in behaviour.other])


WRITERS = (write_register, write_quiz, write_questions, write_behaviour)   # in the order of Mix


def write_sentences(world: World, rng: random.Random, scope: Scope) -> Iterator[Sentence]:
    """The sentences of one document, without end."""
    writer = rng.choices(WRITERS, scope.mix)[0]
    return writer(world, rng, scope)


def write_document(world: World, rng: random.Random, scope: Scope, length: int) -> tuple[list[int], list[float]]:
    """`length` + 1 ids that start at <bos> and end where they must, and their loss weights."""
    ids, weights = [BOS_ID], [0.0]
    for text, part in write_sentences(world, rng, scope):
        new = world.encode(text)
        ids += new
        weights += [weigh_word(world, word, part) for word in new]
        if len(ids) > length:
            break
    return ids[:length + 1], weights[:length + 1]


def weigh_word(world: World, word: int, part: Part) -> float:
    """The loss weight of a word id in a sentence of some part."""
    drawn = part is Part.DRAWN or (part is Part.STATEMENT and word in world.topic_ids)
    return TOPIC_WEIGHT if drawn else 1.0


def write_text(world: World, rng: random.Random, scope: Scope, most_words: int) -> str:
    """A document of whole sentences with at most so many words, in natural spelling."""
    texts, words = [], 0
    for text, _ in write_sentences(world, rng, scope):
        words += len(world.encode(text))
        if words > most_words:
            break
        texts.append(text)
    return " ".join(texts)
