// job: the keys of models that judge, part of the table in job/keys.hpp.
#pragma once

#include "job/key.hpp"

namespace headsweep {

/// Which of both a value with a map in its place is written as.
enum class Either { value, map };

template <class Visit>
void visit_keys(Visit& visit, JudgePrompt& asked) {
  visit({.name = "folder",
         .meaning = "Hugging Face folder of the judge; relative to the job file",
         .limits = filled(),
         .due = true},
        asked.folder);
  visit({.name = "prompt", .meaning = "what the judge reads; holds {question} and {answer}"}, asked.prompt);
  visit({.name = "yes", .meaning = "how it goes on where it agrees", .limits = filled()}, asked.yes);
  visit({.name = "no", .meaning = "how it goes on where it does not", .limits = filled()}, asked.no);
}

template <class Visit>
void visit_keys(Visit& visit, JudgeSpec& judge) {
  visit.either({.name = "truth",
                .meaning = "folder of the model that is asked whether an answer is true",
                .limits = or_map(filled()),
                .due = true},
               judge.truth.folder, judge.truth, Either::map);
  visit.either({.name = "info",
                .meaning = "the same for whether it is informative; without it, that is not judged",
                .limits = or_map(filled())},
               judge.info.folder, judge.info, judge.info.folder.empty() ? Either::value : Either::map);
  visit(
      {.name = "threshold", .meaning = "least probability of `yes` that counts as yes", .limits = from(0, 1)},
      judge.threshold);
  visit({.name = "texts", .meaning = "answers a forward call; fixes bits", .limits = from(1, 4096)},
        judge.texts);
}

}  // namespace headsweep
