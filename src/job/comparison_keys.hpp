// job: the keys of what is compared, part of the table in job/keys.hpp.
#pragma once

#include "job/key.hpp"

namespace headsweep {

template <class Visit>
void visit_keys(Visit& visit, PrimarySpec& primary) {
  visit({.name = "edit", .meaning = "under which"}, primary.edit);
  visit({.name = "claimed", .meaning = "a set top or heads is ranked; empty: no test is named"},
        primary.claimed);
  visit({.name = "among", .meaning = "random sets"}, primary.among);
}

template <class Visit>
void visit_keys(Visit& visit, ComparisonSpec& comparison) {
  visit.section({.name = "primary"}, comparison.primary);
  visit({.name = "score", .meaning = "of a location; kl_teacher: less is better"}, comparison.score);
  visit({.name = "margin",
         .meaning = "differences up to it count as none, in units of the score",
         .limits = above(0)},
        comparison.margin);
  visit({.name = "level", .meaning = "of tests", .limits = from(0, 1)}, comparison.level);
  visit(
      {.name = "caps",
       .meaning = "nats/token of KL on the running text, under which strengths are compared at the same cost",
       .limits = filled(above(0))},
      comparison.caps);
}

}  // namespace headsweep
