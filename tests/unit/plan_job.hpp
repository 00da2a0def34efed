// plan: a small job for tests, with any locations and edits.
#pragma once

#include <headsweep/plan.hpp>
#include <string>

namespace headsweep {

inline const ModelShape small_shape{
    .layers = 3, .heads = 4, .head_dim = 8, .hidden = 32, .intermediate = 64, .kv_heads = 4, .vocab = 100};
inline const DataSize small_data{.train_pairs = 10,
                                 .val_questions = 5,
                                 .test_questions = 5,
                                 .prompt_tokens = 16,
                                 .answer_tokens = 8,
                                 .answers_per_question = 8,
                                 .text_tokens = 0};

/// `locations` and `edits` are YAML in flow style; locations begin in line 2, edits in line 3.
inline JobSpec small_job(const std::string& locations, const std::string& edits,
                         const std::string& more = "") {
  return parse_job("name: test\nlocations: {" + locations + "}\nedits: [" + edits +
                       "]\nmodel: {folder: m}\nbehaviour: {file: b}\n"
                       "training: {log_prob: sum, learning_rate: {1: 1, 2: 1, 3: 1, 12: 1, lora: 1}}\n" +
                       more,
                   "j", "");
}

}  // namespace headsweep
