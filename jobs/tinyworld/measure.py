"""Measures a model on the world's facts: what it knows, how it answers, which heads tell true answers from false ones.

In:  a model (and edits in K lanes).  Out: shares and per-head tables. One thread.
Letters: K lanes, N texts, T tokens, L layers, H heads, D head width, C = H*D, V words. Log-probabilities in nats.
"""

import random
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from llama import Cache, Edits, Llama
from questions import Judgement, Question, ask_truth, judge_answer
from world import BOS_ID, PAD_ID, TEMPLATE, World

ANSWER_WORDS = 9        # the longest answer has 8
TEXTS_AT_ONCE = 256
NEWTON_STEPS = 20


@dataclass(frozen=True)
class Score:
    """Means over questions."""

    truth: float
    info: float

    @property
    def product(self) -> float:
        """Truth*Info."""
        return self.truth * self.info


@dataclass(frozen=True)
class Texts:
    """Texts of different lengths, padded on the right."""

    ids: Tensor       # [N, T]
    lengths: Tensor   # [N]


@dataclass(frozen=True)
class Probes:
    """What the head outputs tell of an answer's truth."""

    val: Tensor         # [L, H] accuracy on validation facts
    test: Tensor        # [L, H] accuracy on test facts
    direction: Tensor   # [L, H, D] from false to true answers, length 1
    spread: Tensor      # [L, H] pooled standard deviation of both classes along the direction


def mean_score(judgements: list[Judgement]) -> Score:
    """The score of judged answers."""
    truth, info = (sum(column) / len(judgements) for column in zip(*judgements))
    return Score(truth, info)


class Bench:
    """A model and the questions about all facts, cut into train, val and test facts."""

    def __init__(self, world: World, model: Llama) -> None:
        self.world, self.model = world, model
        self.questions = [ask_truth(fact) for fact in world.facts]
        self.prompts = torch.tensor([self.start_ids(question) for question in self.questions])   # [facts, T]

    def start_ids(self, question: Question) -> list[int]:
        """<bos> and the question in its template."""
        return [BOS_ID, *self.world.encode(TEMPLATE.format(question=question.question))]

    @property
    def prompt_length(self) -> int:
        """Tokens of every prompt."""
        return self.prompts.shape[1]

    # ---- knowledge and answers -----------------------------------------------------------------------------------
    @torch.no_grad()
    def share_known(self, heading: str, kind: int) -> float:
        """Share of all facts whose value of this kind the model gives after a heading ("Encyclopedia:")."""
        facts = self.world.facts
        texts = [self.world.encode(f"{heading} The {fact.relation} of {fact.entity} is") for fact in facts]
        wanted = torch.tensor([self.world.encode(fact.value(kind))[0] for fact in facts])
        said = self.model.logits(self.model(torch.tensor([[BOS_ID, *ids] for ids in texts]))[:, -1]).argmax(-1)
        return said.eq(wanted).float().mean().item()

    @torch.no_grad()
    def answer(self, facts: list[int], edits: Edits | None = None, lanes: int = 1) -> list[list[str]]:
        """Greedy answers of each lane to the questions about some facts."""
        newest = self.prompts[facts].expand(lanes, -1, -1)   # [K, N, T]
        cache: Cache = {}
        said, start = [], 0
        for _ in range(ANSWER_WORDS):
            hidden = self.model(newest, edits, cache, start)[..., -1, :]
            start += newest.shape[-1]
            newest = self.model.logits(hidden).argmax(-1, keepdim=True)
            said.append(newest)
        return [[self.world.decode(ids) for ids in lane] for lane in torch.cat(said, -1).tolist()]

    def judge(self, facts: list[int], edits: Edits | None = None, lanes: int = 1) -> list[list[Judgement]]:
        """The judgements of each lane's answers."""
        return [[judge_answer(self.questions[fact], text) for fact, text in zip(facts, texts)]
                for texts in self.answer(facts, edits, lanes)]

    def score(self, edits: Edits | None = None, lanes: int = 1) -> list[dict[str, Score]]:
        """The score of each lane on validation and test facts."""
        val, test = self.world.split["val"], self.world.split["test"]
        return [{"val": mean_score(lane[:len(val)]), "test": mean_score(lane[len(val):])}
                for lane in self.judge(val + test, edits, lanes)]

    # ---- log-probabilities ---------------------------------------------------------------------------------------
    def join(self, rows: list[tuple[int, str]]) -> Texts:
        """The questions about some facts, each with a continuation."""
        texts = [self.prompts[fact].tolist() + self.world.encode(text) for fact, text in rows]
        lengths = [len(ids) for ids in texts]
        padded = [ids + [PAD_ID] * (max(lengths) - len(ids)) for ids in texts]
        return Texts(torch.tensor(padded), torch.tensor(lengths))

    def log_prob(self, texts: Texts, edits: Edits | None = None) -> Tensor:
        """Sum of the log-probabilities of all words after the prompt, [N] or [K, N]."""
        before = self.prompt_length
        hidden = self.model(texts.ids[:, :-1], edits)[..., before - 1:, :]
        logits = self.model.logits(hidden)
        words = texts.ids[:, before:].expand(logits.shape[:-1])
        is_answer = torch.arange(before, texts.ids.shape[1]) < texts.lengths[:, None]   # [N, T]
        each = logits.gather(-1, words[..., None])[..., 0] - logits.logsumexp(-1)
        return (each * is_answer).sum(-1)

    # ---- probes --------------------------------------------------------------------------------------------------
    @torch.no_grad()
    def head_outputs(self, texts: Texts) -> Tensor:
        """The head outputs at each text's last token, [N, L, H, D]."""
        parts = []
        for ids, lengths in zip(texts.ids.split(TEXTS_AT_ONCE), texts.lengths.split(TEXTS_AT_ONCE)):
            tap: list[Tensor] = []
            self.model(ids, tap=tap)
            parts.append(torch.stack(tap, 1)[torch.arange(len(ids)), :, lengths - 1])
        return torch.cat(parts).unflatten(-1, (self.model.heads, -1))

    def labelled_outputs(self, part: str) -> tuple[Tensor, Tensor]:
        """Head outputs [N, L, H, D] and labels [N] of true and false answers, each followed by another question."""
        rng = random.Random(7)
        rows, labels = [], []
        for fact in self.world.split[part]:
            question = self.questions[fact]
            for true, false in zip(question.correct, question.incorrect):
                for text, label in ((true, 1.0), (false, 0.0)):
                    suffix = TEMPLATE.format(question=rng.choice(self.questions).question)
                    rows.append((fact, f"{text} {suffix}"))
                    labels.append(label)
        return self.head_outputs(self.join(rows)), torch.tensor(labels)

    def probe(self) -> Probes:
        """One logistic regression per head, fitted on training facts."""
        train, labels = self.labelled_outputs("train")
        weights = fit_logistic(by_head(train), labels.double())
        accuracy = {part: probe_accuracy(weights, *self.labelled_outputs(part)) for part in ("val", "test")}
        true, false = train[labels == 1], train[labels == 0]
        gap = true.mean(0) - false.mean(0)
        direction = gap / (gap.norm(dim=-1, keepdim=True) + 1e-9)   # some heads have exactly equal means
        variance = sum(torch.einsum("nlhd,lhd->nlh", each, direction).var(0) for each in (true, false)) / 2
        return Probes(accuracy["val"], accuracy["test"], direction, variance.sqrt())


def by_head(outputs: Tensor) -> Tensor:
    """[N, L, H, D] -> [L*H, N, D + 1], with a column of ones for the intercept."""
    return F.pad(outputs, (0, 1), value=1.0).flatten(1, 2).transpose(0, 1).double()


def fit_logistic(inputs: Tensor, labels: Tensor) -> Tensor:
    """Weights [L*H, D + 1] of logistic regressions, penalty |w|^2 / 2 (not of the intercept), by Newton's method."""
    heads, _, width = inputs.shape
    penalty = torch.ones(width, dtype=torch.double)
    penalty[-1] = 1e-9
    weights = torch.zeros(heads, width, 1, dtype=torch.double)
    for _ in range(NEWTON_STEPS):
        chance = (inputs @ weights).sigmoid()   # [L*H, N, 1]
        slope = inputs.mT @ (chance - labels[:, None]) + penalty[:, None] * weights
        bend = inputs.mT @ (inputs * chance * (1 - chance)) + penalty.diag()
        weights = weights - torch.linalg.solve(bend, slope)
    return weights[..., 0]


def probe_accuracy(weights: Tensor, outputs: Tensor, labels: Tensor) -> Tensor:
    """Share of right guesses per head, [L, H]."""
    guesses = torch.einsum("hnd,hd->hn", by_head(outputs), weights) > 0
    return guesses.eq(labels.bool()).float().mean(1).view(outputs.shape[1:3])
