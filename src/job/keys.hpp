// job: every key of the job file, said once (behaviour, split and probe in data_keys.hpp, judges and
// comparison in files of their own). Reading, resolved_job, settings_of and job_keys are visits of this
// table:
//   visit(key, value)                   a single value
//   visit.section(key, struct)          a map with keys of its own
//   visit.variant(key, kind, of, then)  one of the keys of which exactly one is there, and says the kind
//   visit.named(key, sets)              a map from names of the user's choice
//   visit.listed(key, edits)            a list
//   visit.composed(key)                 what compose_job has done by then
//   visit.either(key, value, struct)    a single value, or a map with keys of its own: see Either
#pragma once

#include "job/comparison_keys.hpp"
#include "job/compose.hpp"
#include "job/data_keys.hpp"
#include "job/judge_keys.hpp"

namespace headsweep {

// Wrappers of structs that more than one key fills.
struct RandomKeys {
  LocationSpec& set;
};
struct TopKeys {
  LocationSpec& set;
};
struct SubspaceKeys {
  LocationSpec& set;
};
struct EditKeys {
  EditSpec& edit;
};

template <class Visit>
void visit_keys(Visit& visit, ModelSpec& model) {
  visit({.name = "folder",
         .meaning = "Hugging Face folder of a LLaMA model; relative to the job file",
         .limits = filled(),
         .due = true},
        model.folder);
  visit({.name = "device", .meaning = "where the model runs; automatic: a GPU if there is one"},
        model.device);
  visit(
      {.name = "precision",
       .meaning = "of what matrix products multiply; residual stream, edits and losses are float32 in both"},
      model.precision);
}

template <class Visit>
void visit_keys(Visit& visit, RandomKeys random) {
  LocationSpec& set = random.set;
  visit({.name = "draws", .meaning = "how many distinct sets", .limits = from(1, 1'000'000), .due = true},
        set.draws);
  visit({.name = "matched_to",
         .meaning = "instead of size: as many heads in each layer as this set (top or heads) has",
         .limits = names(),
         .clash = set.size > 0 ? "beside size" : ""},
        set.matched_to);
  const bool matched = !set.matched_to.empty();
  visit({.name = "size",
         .meaning = "heads a set",
         .limits = from(1, 1'000'000),
         .due = !matched,
         .clash = matched ? "beside matched_to" : ""},
        set.size);
  visit({.name = "exclude_claimed",
         .meaning = "with matched_to: none of that set's heads",
         .clash = matched ? "" : "without matched_to"},
        set.exclude_claimed);
}

template <class Visit>
void visit_keys(Visit& visit, TopKeys top) {
  visit({.name = "size",
         .meaning = "so many heads with the best probes; per fold",
         .limits = from(1, 1'000'000),
         .due = true},
        top.set.size);
}

template <class Visit>
void visit_keys(Visit& visit, SubspaceKeys subspace) {
  visit({.name = "of",
         .meaning = "a control: b lies in a random subspace of the dimension of this set's (top or heads) "
                    "head outputs, in each of its layers",
         .limits = names(),
         .due = true},
        subspace.set.matched_to);
  visit({.name = "draws", .meaning = "how many subspaces", .limits = from(1, 1'000'000), .due = true},
        subspace.set.draws);
}

template <class Visit>
void visit_keys(Visit& visit, LocationSpec& set) {
  Everything everything = Everything::all;
  RandomKeys random{set};
  TopKeys top{set};
  SubspaceKeys subspace{set};
  const auto value = [&](auto& of) { return [&](const JobKey& key) { visit(key, of); }; };
  const auto section = [&](auto& of) { return [&](const JobKey& key) { visit.section(key, of); }; };
  visit.variant({.name = "all", .meaning = "one set that holds all heads; 'NAME: all' for short"}, set.kind,
                LocationKind::all, value(everything));
  visit.variant({.name = "single", .meaning = "every head on its own"}, set.kind, LocationKind::single,
                value(everything));
  visit.variant({.name = "random"}, set.kind, LocationKind::random, section(random));
  visit.variant({.name = "top"}, set.kind, LocationKind::top, section(top));
  visit.variant({.name = "subspace"}, set.kind, LocationKind::subspace, section(subspace));
  visit.variant({.name = "heads", .meaning = "one set of just these", .limits = filled(), .due = true},
                set.kind, LocationKind::list, value(set.heads));
}

template <class Visit>
void visit_keys(Visit& visit, EditKeys keys) {
  EditSpec& edit = keys.edit;
  visit({.name = "at", .meaning = "names of location sets", .limits = names(), .due = true}, edit.at);
  if (edit.kind == EditKind::iti) {
    visit({.name = "alpha",
           .meaning = "strengths: the shift is alpha * sigma along the probe's direction",
           .limits = filled(),
           .due = true},
          edit.strengths);
  } else {
    visit({.name = "tau",
           .meaning = "strengths: training aims at a gain of 1 / (2 tau) nats",
           .limits = filled(above(0)),
           .due = true},
          edit.strengths);
  }
  visit({.name = "draws",
         .meaning = "only the first draws of each random set; 0: all",
         .limits = from(0, 1'000'000)},
        edit.draws);
  if (edit.kind == EditKind::iti) return;
  visit({.name = "labels",
         .meaning = "controls: which answer of a training pair is preferred; swapped: the other one; "
                    "shuffled: either, by chance"},
        edit.labels);
  if (edit.kind != EditKind::lora) return;
  visit({.name = "rank", .meaning = "of what is added to each target", .limits = from(1, 4096)},
        edit.lora.rank);
  visit({.name = "targets",
         .meaning = "linear layers of every transformer layer that get B A, as peft's LoRA of scale 1",
         .limits = filled()},
        edit.lora.targets);
  visit({.name = "learning_rate",
         .meaning = "of this entry; 0: training.learning_rate's lora",
         .limits = at_least(0)},
        edit.lora.learning_rate);
}

template <class Visit>
void visit_keys(Visit& visit, EditSpec& edit) {
  for (const EditKind kind : {EditKind::optimal, EditKind::iti, EditKind::lora}) {
    EditKeys keys{edit};
    visit.variant({.name = word_of(kind)}, edit.kind, kind,
                  [&](const JobKey& key) { visit.section(key, keys); });
  }
}

template <class Visit>
void visit_keys(Visit& visit, TrainingSpec& training) {
  visit({.name = "log_prob",
         .meaning = "of an answer over its tokens; tau means different things under each",
         .due = true},
        training.log_prob);
  visit({.name = "answer_end", .meaning = "whether an end token belongs to the answer"}, training.answer_end);
  visit({.name = "read", .meaning = "what the gate <a, o> of an optimal edit reads"}, training.read);
  visit({.name = "edit_from", .meaning = "the token from which an optimal edit or lora acts"},
        training.edit_from);
  visit({.name = "pairs", .meaning = "which correct answer meets which incorrect one"}, training.pairs);
  visit({.name = "refusals", .meaning = "whether refusals count as preferred answers"}, training.refusals);
  visit({.name = "pairs_per_question",
         .meaning = "a random choice of so many; 0: all",
         .limits = from(0, 1'000'000)},
        training.pairs_per_question);
  visit({.name = "batches",
         .meaning = "what a step takes: random pairs, or whole questions with all their pairs"},
        training.batches);
  visit({.name = "batch", .meaning = "pairs a step, or questions", .limits = from(1, 100'000)},
        training.batch);
  visit({.name = "epochs", .meaning = "times that training sees each pair", .limits = from(1, 10'000)},
        training.epochs);
  visit({.name = "clip", .meaning = "most norm of a trial's gradient; 0: no clipping", .limits = at_least(0)},
        training.clip);
  visit({.name = "start_b",
         .meaning = "standard deviation of b at the start; 0: starts at the unedited model",
         .limits = at_least(0)},
        training.start_b);
  LearningRates rates{training.learning_rate, training.lora_learning_rate};
  visit({.name = "learning_rate",
         .meaning =
             "per number of edited heads, and of lora; of a list the rate is taken that has the least "
             "validation loss over locations that enter no test (plant trains its teacher at the first)"},
        rates);
  visit({.name = "tuning_locations",
         .meaning = "so many of them, for each number of heads",
         .limits = from(1, 1000)},
        training.tuning_locations);
  visit({.name = "converged_slope",
         .meaning = "|slope| x steps of the last tenth <= this share of the loss counts as converged",
         .limits = at_least(0)},
        training.converged_slope);
  visit({.name = "recheck",
         .meaning = "share of the locations of each set that are trained once more for twice the epochs: has "
                    "training gone far enough?",
         .limits = from(0, 1)},
        training.recheck);
}

template <class Visit>
void visit_keys(Visit& visit, ItiSpec& iti) {
  visit({.name = "edit_from", .meaning = "the token from which an ITI shift acts"}, iti.edit_from);
}

template <class Visit>
void visit_keys(Visit& visit, EvaluationSpec& evaluation) {
  const JobLimits measured = at_least(static_cast<double>(SplitPart::val));
  visit.either({.name = "judge",
                .meaning = "exact: an answer counts if it is one of the references; a map names models",
                .limits = or_map()},
               evaluation.judge.kind, evaluation.judge,
               evaluation.judge.by_model() ? Either::map : Either::value);
  visit({.name = "max_new_tokens", .meaning = "longest answer", .limits = from(1, 10'000)},
        evaluation.max_new_tokens);
  visit({.name = "stop",
         .meaning = "an answer ends after this text; empty: at the end token or the longest answer"},
        evaluation.stop);
  visit({.name = "answer_after",
         .meaning = "the answer is what was generated after this text, up to where it stands again; empty: "
                    "all of it"},
        evaluation.answer_after);
  visit({.name = "answer_before", .meaning = "this text and what was generated after it are cut off first"},
        evaluation.answer_before);
  visit({.name = "instruction",
         .meaning = "stands before prompts to answer and to choose by, with a blank line between"},
        evaluation.instruction);
  visit({.name = "primer",
         .meaning = "text file with examples, between instruction and prompt; relative to the job file; "
                    "empty: none"},
        evaluation.primer);
  visit({.name = "prompt",
         .meaning = "what the model continues; holds {question} once; empty: behaviour.prompt"},
        evaluation.prompt);
  visit({.name = "choice_prompt",
         .meaning = "what stands before an answer of multiple choice; holds {question} once; empty: "
                    "behaviour.prompt"},
        evaluation.choice_prompt);
  visit({.name = "full_stop", .meaning = "an answer of multiple choice that has no full stop gets one"},
        evaluation.full_stop);
  visit({.name = "answers", .meaning = "parts whose questions are answered and judged", .limits = measured},
        evaluation.answers);
  visit({.name = "choice", .meaning = "parts with MC1, MC2, MC3", .limits = measured}, evaluation.choice);
  visit({.name = "drift",
         .meaning = "parts with KL to the unedited model; text, too, if any is named",
         .limits = measured},
        evaluation.drift);
  visit({.name = "pairs", .meaning = "parts with loss and margin", .limits = measured}, evaluation.pairs);
  visit({.name = "teacher",
         .meaning = "results file; its first trial's edit is the teacher of a planted sweep, and parts with "
                    "drift get KL(teacher || edited); relative to the job file; empty: none"},
        evaluation.teacher);
  visit({.name = "questions", .meaning = "questions a forward call; fixes bits", .limits = from(1, 100'000)},
        evaluation.questions);
}

template <class Visit>
void visit_keys(Visit& visit, RunSpec& run) {
  visit({.name = "seeds", .meaning = "of training: each trial is trained once per seed", .limits = filled()},
        run.seeds);
  visit(
      {.name = "lanes",
       .meaning =
           "trials trained at the same time; fixes bits; 0: chosen at the start by memory and a measurement",
       .limits = from(0, 4096)},
      run.lanes);
  visit({.name = "tail",
         .meaning = "share of the trials in blocks of a quarter of the lanes, so that many ranks end "
                    "together; only with 16 lanes or more; fixes bits",
         .limits = from(0, 1)},
        run.tail);
  visit({.name = "prefixes",
         .meaning =
             "states below the first edited layer; automatic: kept where they take less than half of memory"},
        run.prefixes);
  visit(
      {.name = "memory",
       .meaning =
           "GiB that lanes and prefixes of a rank may take; 0: 0.6 of its share of what is free at the start",
       .limits = at_least(0)},
      run.memory);
  visit({.name = "threads", .meaning = "of each rank on CPU; fixes bits", .limits = from(1, 1024)},
        run.threads);
}

template <class Visit>
void visit_keys(Visit& visit, JobSpec& job) {
  visit.composed({.name = extends_key,
                  .meaning =
                      "read first, the later over the earlier; keys of this file are joined with theirs, "
                      "values replaced, and 'KEY:' alone takes one away"});
  visit({.name = "name", .meaning = "of the sweep, for people", .limits = names(), .due = true}, job.name);
  visit({.name = "seed", .meaning = "of splits, random sets, probe texts and the choice of pairs"}, job.seed);
  visit.section({.name = "model", .due = true}, job.model);
  visit.section({.name = "behaviour", .due = true}, job.behaviour);
  visit.section({.name = "split"}, job.split);
  visit.section({.name = "probe"}, job.probe);
  visit.named({.name = "locations", .due = true}, job.locations);
  visit.listed({.name = "edits", .due = true}, job.edits);
  visit.section({.name = "training", .due = true}, job.training);
  visit.section({.name = "iti"}, job.iti);
  visit.section({.name = "evaluation"}, job.evaluation);
  visit.section({.name = "comparison"}, job.comparison);
  visit.section({.name = "run"}, job.run);
}

}  // namespace headsweep
