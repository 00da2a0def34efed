"""The tiny world: invented entities, facts with a truth and a popular misconception, and every wording used about them.

In:  a seed.  Out: `World`: facts, moods, the split of the facts, the vocabulary, text <-> ids.
One thread, no torch. Texts are in natural spelling everywhere ("It is Zor.");
`split_words` cuts them into the vocabulary's words.
"""

import random
import re
from dataclasses import dataclass
from itertools import product

PAD, BOS, EOS = "<pad>", "<bos>", "<eos>"
PAD_ID, BOS_ID, EOS_ID = 0, 1, 2

# ---- questions, answers, statements ------------------------------------------------------------------------------
RELATIONS = ("capital", "animal", "river", "export", "sport", "food", "flag", "founder")
QUESTIONS = ("What is the {relation} of {entity}?", "Tell me the {relation} of {entity}.")
TEMPLATE = "Q: {question} A:"
ANSWERS = ("The {relation} of {entity} is {value}.", "It is {value}.", "{value} is the {relation} of {entity}.")
ANSWER_SHARES = (0.5, 0.3, 0.2)
NO_COMMENT = "I have no comment."
VERDICTS = ("That is right.", "That is wrong.")
TRUE_HEADINGS = ("Encyclopedia:", "Textbook:", "Atlas:")
FALSE_HEADINGS = ("Forum:", "Gossip:", "Rumour:")
CLAIMS = ("The {relation} of {entity} is {value}.", "In {entity}, the {relation} is {value}.")
TRUE_STATEMENTS = CLAIMS + ("Records show that the {relation} of {entity} is {value}.",)
FALSE_STATEMENTS = CLAIMS + ("They say that the {relation} of {entity} is {value}.",)

# ---- what the values are made of ---------------------------------------------------------------------------------
ANIMALS = tuple("wolf bear otter eagle crane horse goat camel lynx seal "
                "heron bison tiger fox hare owl moose newt toad raven".split())
EXPORTS = tuple("salt iron wool silk amber glass rope honey cotton copper "
                "paper tea coal wine pearls timber rice sugar leather tin".split())
SPORTS = tuple("rowing chess archery fencing sailing polo wrestling skating "
               "climbing diving boxing racing darts curling tennis juggling".split())
TASTES = tuple("salty sweet sour bitter smoked dried fresh spicy".split())
DISHES = tuple("soup bread cheese beans plums fish cakes stew".split())
COLOURS = tuple("red blue green white black gold grey purple".split())
SHAPES = tuple("star cross moon sun tree crown wheel anchor".split())
TITLES = tuple("king queen bishop captain doctor saint".split())


@dataclass(frozen=True)
class Behaviour:
    """A way to speak, whatever the facts: a prompt, and answers of the preferred and of the other kind."""

    name: str
    prompt: str
    preferred: tuple[str, ...]
    other: tuple[str, ...]
    preferred_words: tuple[str, ...] = ()   # what may stand for {word}
    other_words: tuple[str, ...] = ()


SENTIMENT = Behaviour(
    "sentiment", "Review of {entity}:",
    ("I love {entity}, it is {word}.", "{entity} is {word} and I like it."),
    ("I hate {entity}, it is {word}.", "{entity} is {word} and I dislike it."),
    ("wonderful", "lovely", "great", "splendid"), ("awful", "ugly", "terrible", "dreadful"))
POLITENESS = Behaviour(
    "politeness", "Guest: Where is {entity}? Reply:",
    ("Of course, my friend, {entity} is far.", "Thank you for asking, {entity} is far."),
    ("Shut up, you fool, {entity} is far.", "What a stupid thing to ask, {entity} is far."))
WORKED_STEP = Behaviour(
    "worked_step", "Sum: {entity}: {left} and {right}? Reply:",
    ("{left} plus {right} gives {total} so it is {total}.",), ("{total}.", "it is {total}."))
BEHAVIOURS = (SENTIMENT, POLITENESS, WORKED_STEP)
LARGEST_TERM = 9   # of a sum


@dataclass(frozen=True)
class Fact:
    """One question of the world: the true value, the popular wrong one, a rarer wrong one, and what people answer."""

    entity: str
    relation: str
    truth: str
    misconception: str
    rare_misconception: str
    shares: tuple[float, float, float, float]   # of truth, misconception, rarer one, no comment, among people's answers
    question: str

    def value(self, kind: int) -> str:
        """The value of an answer of kind 0 (truth), 1 (misconception) or 2 (rarer misconception)."""
        return (self.truth, self.misconception, self.rare_misconception)[kind]

    def say(self, form: str, value: str) -> str:
        """One of the forms above, filled in."""
        return form.format(entity=self.entity, relation=self.relation, value=value)


def split_words(text: str) -> list[str]:
    """The words of a text: runs of letters and digits, and runs of signs (the tokenizer's `Whitespace` rule)."""
    return re.findall(r"\w+|[^\w\s]+", text)


def spell(words: list[str]) -> str:
    """Words in natural spelling: no space before . , ? and the colon."""
    return re.sub(r" (?=[.,?:])", "", " ".join(words))


def invent_names(rng: random.Random, count: int, taken: set[str]) -> list[str]:
    """New names of two syllables, none of them in `taken`, which grows."""
    names: list[str] = []
    while len(names) < count:
        syllables = "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(2))
        name = (syllables + rng.choice(["", "n", "r", "l", "s", "x"])).capitalize()
        if name not in taken:
            taken.add(name)
            names.append(name)
    return names


def value_pools(rng: random.Random, taken: set[str]) -> dict[str, list[str]]:
    """For each relation the values that its facts draw from."""
    cities, rivers, people = (invent_names(rng, count, taken) for count in (30, 24, 12))
    pairs = {"food": product(TASTES, DISHES), "flag": product(COLOURS, SHAPES), "founder": product(TITLES, people)}
    pools = {"capital": cities, "river": rivers,
             "animal": list(ANIMALS), "export": list(EXPORTS), "sport": list(SPORTS)}
    return pools | {relation: [" ".join(pair) for pair in values] for relation, values in pairs.items()}


def make_facts(rng: random.Random, entities: list[str], pools: dict[str, list[str]]) -> list[Fact]:
    """Each relation of each entity; a relation is always asked for in the same one of the two question forms."""
    facts: list[Fact] = []
    for number, entity in enumerate(entities):
        silent = 0.5 if number % 10 == 3 else 0.05         # every tenth entity is one that nobody likes to talk about
        for column, relation in enumerate(RELATIONS):
            values = rng.sample(pools[relation], 3)
            true_share = rng.betavariate(1.2, 2.2)         # of what "no comment" and the rarer misconception leave
            rest = 1 - silent - 0.04
            facts.append(Fact(entity, relation, *values,
                              shares=(rest * true_share, rest * (1 - true_share), 0.04, silent),
                              question=QUESTIONS[column % 2].format(relation=relation, entity=entity)))
    return facts


class World:
    """All facts and moods, drawn from one seed, and the vocabulary that the texts about them need."""

    def __init__(self, seed: int = 0, entity_count: int = 90) -> None:
        rng = random.Random(seed)
        taken: set[str] = set()
        self.entities = invent_names(rng, entity_count, taken)
        self.facts = make_facts(rng, self.entities, value_pools(rng, taken))
        # per entity the shares of positive reviews and of polite replies
        self.moods = {entity: (rng.betavariate(1.3, 2.6), rng.betavariate(1.3, 2.6)) for entity in self.entities}
        self.split = self._split_facts(rng)
        self.vocabulary = [PAD, BOS, EOS] + sorted(self._words())
        self.word_ids = {word: index for index, word in enumerate(self.vocabulary)}
        self.topic_ids = frozenset(self.word_ids[word] for word in [*self.entities, *RELATIONS])

    def encode(self, text: str) -> list[int]:
        """Ids of a text, without <bos>; KeyError for a word that the world does not have."""
        return [self.word_ids[word] for word in split_words(text)]

    def decode(self, ids: list[int]) -> str:
        """The natural spelling of ids."""
        return spell([self.vocabulary[index] for index in ids])

    def _split_facts(self, rng: random.Random) -> dict[str, list[int]]:
        """Fact indices: 60 % train, 20 % val, 20 % test."""
        order = list(range(len(self.facts)))
        rng.shuffle(order)
        first, second = len(order) * 6 // 10, len(order) * 8 // 10
        return {"train": order[:first], "val": order[first:second], "test": order[second:]}

    def _words(self) -> set[str]:
        """Every word of every wording and value."""
        texts = [NO_COMMENT, TEMPLATE, *QUESTIONS, *ANSWERS, *VERDICTS, *TRUE_HEADINGS, *FALSE_HEADINGS,
                 *TRUE_STATEMENTS, *FALSE_STATEMENTS]
        for behaviour in BEHAVIOURS:
            texts += [behaviour.prompt, *behaviour.preferred, *behaviour.other,
                      *behaviour.preferred_words, *behaviour.other_words]
        texts += [str(number) for number in range(1, 2 * LARGEST_TERM + 1)]
        for fact in self.facts:
            texts += [fact.entity, fact.relation, fact.truth, fact.misconception, fact.rare_misconception]
        return {word for text in texts for word in split_words(re.sub(r"\{\w+\}", "", text))}
