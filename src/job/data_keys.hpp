// job: the keys of behaviour, split and probe; part of the table of keys.hpp.
#pragma once

#include "job/key.hpp"

namespace headsweep {

template <class Visit>
void visit_keys(Visit& visit, BehaviourSpec& behaviour) {
  visit({.name = "file",
         .meaning = "JSONL, one question a line, or TruthfulQA's .csv; relative to the job file",
         .limits = filled(),
         .due = true},
        behaviour.file);
  visit({.name = "groups",
         .meaning = "questions that are never split: of a category (JSONL's group, CSV's Category), or each "
                    "question for itself"},
        behaviour.groups);
  visit({.name = "prompt",
         .meaning = "what the model reads before an answer that it is trained on; holds {question} once"},
        behaviour.prompt);
  visit({.name = "text", .meaning = "running text for kl_text and ce_text, one document a line; empty: none"},
        behaviour.text);
  visit({.name = "text_documents", .meaning = "at most so many documents", .limits = from(1, 1'000'000)},
        behaviour.text_documents);
  visit({.name = "text_tokens",
         .meaning = "at most so many tokens of each document",
         .limits = from(2, 100'000)},
        behaviour.text_tokens);
}

template <class Visit>
void visit_keys(Visit& visit, SplitSpec& split) {
  visit({.name = "folds",
         .meaning = "0: one split by the shares; N: each question is tested once",
         .limits = from(0, 1000)},
        split.folds);
  const std::string clash = split.folds > 0 ? "beside folds" : "";
  visit({.name = "train",
         .meaning = "share of groups to train on; the three sum to 1",
         .limits = from(0, 1),
         .clash = clash},
        split.train);
  visit({.name = "val", .meaning = "share of groups to choose on", .limits = from(0, 1), .clash = clash},
        split.val);
  visit({.name = "test", .meaning = "share of groups to report on", .limits = from(0, 1), .clash = clash},
        split.test);
}

template <class Visit>
void visit_keys(Visit& visit, ProbeSpec& probe) {
  visit({.name = "text",
         .meaning = "what probes and directions are fitted on; holds {question} and {answer} once, at will "
                    "{other}, a random other training question"},
        probe.text);
  visit({.name = "sigma_text",
         .meaning = "the same for the texts that sigma is measured on; empty: those of text"},
        probe.sigma_text);
  visit({.name = "answers",
         .meaning = "at most so many true and as many false answers a question",
         .limits = from(1, 1000)},
        probe.answers);
  visit({.name = "c", .meaning = "inverse strength of the L2 penalty", .limits = above(0)}, probe.c);
  visit({.name = "batch", .meaning = "texts a forward call; fixes bits", .limits = from(1, 100'000)},
        probe.batch);
}

}  // namespace headsweep
