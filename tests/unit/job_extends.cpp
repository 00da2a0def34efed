// job: `extends` and the changes of a command line: what is joined, taken away, relative to what, and
// refused.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <headsweep/job.hpp>
#include <string>
#include <vector>

#include "unit/refusal.hpp"

namespace headsweep {
namespace {

namespace fs = std::filesystem;

const std::string base_text = R"(name: base
model: {folder: models/m, device: cpu}
behaviour: {file: b.jsonl}
locations:
  singles: {single: all}
  top: {top: {size: 2}}
edits:
  - optimal: {at: [singles], tau: [0.1]}
training: {log_prob: sum, batch: 4, learning_rate: {1: 0.1, 2: 0.2}}
)";

class JobExtends : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    for (const char* folder : {"models/m", "models/own", "bases/models/m"})
      fs::create_directories(folder_ / folder);
    for (const char* behaviour : {"b.jsonl", "bases/b.jsonl"}) write(behaviour, "");
    write("bases/base.yaml", base_text);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  JobSpec read(const std::string& text, const std::vector<std::string>& set = {}) const {
    write("job.yaml", text);
    return read_job(folder_ / "job.yaml", set);
  }
  /// The refusal without the folder's path.
  [[nodiscard]] std::string refusal(const std::string& text, const std::vector<std::string>& set = {}) const {
    return refusal_in<Error>(folder_, [&] { read(text, set); });
  }

  fs::path folder_ = fs::temp_directory_path() / ("headsweep-extends-" + std::to_string(::getpid()));
};

TEST_F(JobExtends, JoinsMapsAndReplacesTheRest) {
  const JobSpec job = read(R"(
extends: bases/base.yaml
name: own
model: {folder: models/own}
locations: {every: all, top: {top: {size: 5}}}
edits: [{iti: {at: [every], alpha: [3]}}]
training: {batch: 8, learning_rate: {2: 0.5, 64: 0.01}}
)");
  EXPECT_EQ(job.name, "own");
  EXPECT_EQ(job.model.device, Device::cpu);
  ASSERT_EQ(job.locations.size(), 3U);
  EXPECT_EQ(job.locations[0].name, "singles");
  EXPECT_EQ(job.locations[1].size, 5);
  EXPECT_EQ(job.locations[2].name, "every");
  ASSERT_EQ(job.edits.size(), 1U);
  EXPECT_EQ(job.edits[0].kind, EditKind::iti);
  EXPECT_EQ(job.training.batch, 8);
  EXPECT_EQ(job.training.log_prob, LogProb::sum);
  EXPECT_EQ(job.training.learning_rate,
            (std::map<int, std::vector<double>>{{1, {0.1}}, {2, {0.5}}, {64, {0.01}}}));
}

TEST_F(JobExtends, PathsAreRelativeToTheFileThatNamesThem) {
  const JobSpec job = read("extends: bases/base.yaml\nmodel: {folder: models/own}\n");
  EXPECT_EQ(job.model.folder, folder_ / "models/own");
  EXPECT_EQ(job.behaviour.file, folder_ / "bases/b.jsonl");
  const fs::path from_here = fs::relative(folder_ / "models/own");
  const JobSpec changed = read("extends: bases/base.yaml\n", {cat("model.folder=", from_here.string())});
  EXPECT_EQ(changed.model.folder, (fs::current_path() / from_here).lexically_normal());
}

TEST_F(JobExtends, EmptyValuesTakeAway) {
  const JobSpec job = read(R"(extends: bases/base.yaml
locations: {singles: , every: all}
training: {batch: , learning_rate: }
edits: [{iti: {at: [top], alpha: [1]}}]
)");
  ASSERT_EQ(job.locations.size(), 2U);
  EXPECT_EQ(job.locations[0].name, "top");
  EXPECT_EQ(job.training.batch, TrainingSpec().batch);
  EXPECT_TRUE(job.training.learning_rate.empty());
  EXPECT_EQ(refusal("extends: bases/base.yaml\nlocations:\n  singels: \n"),
            "job.yaml:3: locations.singels: nothing found, a map with one key, all, single, random, top, "
            "subspace or "
            "heads, is due");
}

TEST_F(JobExtends, LaterFilesWinAndChainsFollow) {
  write("bases/second.yaml", "extends: third.yaml\ntraining: {epochs: 7}\n");
  write("bases/third.yaml", "training: {epochs: 3, clip: 2}\nmodel: {device: }\n");
  const JobSpec job = read("extends: [bases/base.yaml, bases/second.yaml]\nname: own\n");
  EXPECT_EQ(job.training.epochs, 7);
  EXPECT_EQ(job.training.clip, 2);
  EXPECT_EQ(job.training.batch, 4);
  EXPECT_EQ(job.model.device, Device::automatic);
}

TEST_F(JobExtends, CommandLineComesLast) {
  const JobSpec job =
      read("extends: bases/base.yaml\ntraining: {batch: 8}\n",
           {"training.batch=16", "locations.singles=", "locations.all={all: all}",
            "edits=[{optimal: {at: [all, top], tau: [0.2, 0.3]}}]", "training.learning_rate.64=0.3",
            "behaviour.prompt=\"Q: {question}\\nA:\"  # said twice", "seed=5", "seed=6"});
  EXPECT_EQ(job.training.batch, 16);
  EXPECT_EQ(job.locations.size(), 2U);
  EXPECT_EQ(job.edits.at(0).strengths, (std::vector<double>{0.2, 0.3}));
  EXPECT_EQ(job.training.learning_rate.at(64), std::vector<double>{0.3});
  EXPECT_EQ(job.behaviour.prompt, "Q: {question}\nA:");
  EXPECT_EQ(job.seed, 6U);
  EXPECT_EQ(job.text, "extends: bases/base.yaml\ntraining: {batch: 8}\n");
}

TEST_F(JobExtends, ResolvesToTheSameJob) {
  const JobSpec job = read("extends: bases/base.yaml\n", {"training.batch=16", "locations.every=all"});
  const JobSpec again = parse_job(resolved_job(job), "resolved", "/elsewhere");
  EXPECT_EQ(resolved_job(again), resolved_job(job));
  EXPECT_EQ(settings_of(again), settings_of(job));
  EXPECT_EQ(resolved_job(job).find("extends:"), std::string::npos);
}

TEST_F(JobExtends, MessagesNameTheFileThatIsWrong) {
  write("bases/wrong.yaml", "extends: base.yaml\n\ntraining:\n  batch: 0\n  clip: 1\n");
  EXPECT_EQ(refusal("extends: bases/wrong.yaml\ntraining: {clip: 2}\n"),
            "bases/wrong.yaml:4: training.batch: '0' found, a whole number from 1 to 100000 is due");
  EXPECT_EQ(refusal("extends: bases/wrong.yaml\n", {"training.batch=x"}),
            "--set training.batch=x: training.batch: 'x' found, a whole number from 1 to 100000 is due");
  EXPECT_EQ(refusal("extends: bases/base.yaml\n", {"training.bach=3"}).substr(0, 83),
            "--set training.bach=3: training.bach: unknown key (did you mean 'batch'?); allowed:");
  EXPECT_EQ(refusal("extends: bases/base.yaml\n", {"edits=[{optimal: {at: [sinlges], tau: [1]}}]"}),
            "--set edits=[{optimal: {at: [sinlges], tau: [1]}}]: edits[0].optimal.at: no set of locations is "
            "called 'sinlges' (did you mean 'singles'?); there are: singles, top");
  EXPECT_EQ(
      refusal("extends: bases/base.yaml\nsplit:\n  folds: 2\n"),
      "job.yaml:3: split.folds: 2 found, 0 or at least 3 is due (each fold trains, validates and tests on "
      "other questions)");
  write("bases/bad.yaml", "name: a\nname: b\n");
  EXPECT_EQ(refusal("extends: bases/bad.yaml\n"),
            "bases/bad.yaml:2: name: key stands twice, first in line 1");
  EXPECT_EQ(refusal("extends: bases/base.yaml\ntraining: {log_prob: }\n"),
            "job.yaml:2: training.log_prob: missing, sum or mean is due");
}

TEST_F(JobExtends, RefusesFilesThatAreNotThere) {
  EXPECT_EQ(refusal("\nextends: nowhere.yaml\n"), "job.yaml:2: extends: nowhere.yaml: no such file");
  EXPECT_EQ(refusal("extends: bases\n"), "job.yaml:1: extends: bases: no such file");
  EXPECT_EQ(refusal("extends: {a: b}\n"),
            "job.yaml:1: extends: a map found, a job file or a list of job files is due");
  EXPECT_EQ(refusal("extends: []\n"), "job.yaml:1: extends: an empty list found, a job file is due");
  EXPECT_EQ(refusal("extends: \n"),
            "job.yaml:1: extends: nothing found, a job file or a list of job files is due");
  EXPECT_EQ(refusal("extends: bases/base.yaml\n", {"extends=bases/base.yaml"}),
            "--set extends=bases/base.yaml: extends: stands in files only");
  EXPECT_EQ(refusal("extends: bases/base.yaml\nmodel: {extends: x}\n").substr(0, 40),
            "job.yaml:2: model.extends: unknown key; ");
}

TEST_F(JobExtends, NamesTheKeyOfWhatIsNotThere) {
  const auto refusal_of = [&](const std::string& more) {
    return refusal("extends: bases/base.yaml\n" + more + "\n");
  };
  EXPECT_EQ(refusal_of("model: {folder: x}"), "job.yaml:2: model.folder: x: no such folder");
  EXPECT_EQ(refusal_of("model: {folder: b.jsonl}"), "job.yaml:2: model.folder: b.jsonl: no such folder");
  EXPECT_EQ(refusal_of("behaviour:\n  file: x"), "job.yaml:3: behaviour.file: x: no such file");
  EXPECT_EQ(refusal_of("behaviour: {file: models}"), "job.yaml:2: behaviour.file: models: no such file");
  EXPECT_EQ(refusal_of("behaviour: {text: x}"), "job.yaml:2: behaviour.text: x: no such file");
  EXPECT_EQ(refusal_of("evaluation: {primer: x}"), "job.yaml:2: evaluation.primer: x: no such file");
  EXPECT_EQ(refusal_of("evaluation: {teacher: x, drift: [val]}"),
            "job.yaml:2: evaluation.teacher: x: no such file");
  EXPECT_EQ(refusal_of("evaluation:\n  judge:\n    truth: models/m\n    info: {folder: x}"),
            "job.yaml:5: evaluation.judge.info.folder: x: no such folder");
  EXPECT_EQ(refusal_of("evaluation:\n  judge:\n    truth: x"),
            "job.yaml:4: evaluation.judge.truth.folder: x: no such folder");
  EXPECT_EQ(refusal_of("evaluation: {judge: exact, primer: \"\"}"), "accepted") << "an empty path is none";
  fs::remove(folder_ / "bases/b.jsonl");
  EXPECT_EQ(refusal_of(""), "bases/base.yaml:3: behaviour.file: bases/b.jsonl: no such file")
      << "the line is that of the file that names it";
  EXPECT_EQ(refusal_of("model: {folder: x}\nbehaviour: {file: b.jsonl, groups: z}").substr(0, 26),
            "job.yaml:3: behaviour.grou")
      << "what is written is refused before what it names";
}

TEST_F(JobExtends, RefusesCirclesAndLongChains) {
  write("bases/one.yaml", "extends: two.yaml\n");
  write("bases/two.yaml", "extends: [base.yaml, ../bases/one.yaml]\n");
  EXPECT_EQ(refusal("extends: bases/one.yaml\n"),
            "bases/two.yaml:1: extends: a circle found: bases/one.yaml extends bases/two.yaml extends "
            "bases/one.yaml");
  EXPECT_EQ(refusal("extends: job.yaml\n"), "job.yaml:1: extends: a circle found: job.yaml extends job.yaml");
  for (int i = 1; i < 9; ++i) {
    write(cat("c", i, ".yaml"), i < 8 ? cat("extends: c", i + 1, ".yaml\n") : base_text);
  }
  EXPECT_EQ(refusal("extends: c1.yaml\n"), "accepted");
  write("c8.yaml", "extends: bases/base.yaml\n");
  EXPECT_EQ(refusal("extends: c1.yaml\n"),
            "c8.yaml:1: extends: bases/base.yaml: more than 8 files that extend each other in a row");
  std::string many;
  for (int i = 0; i < 65; ++i) many += "bases/base.yaml, ";
  EXPECT_EQ(refusal("extends: [" + many + "]\n"), "job.yaml:1: extends: bases/base.yaml: more than 64 files");
}

TEST_F(JobExtends, RefusesWordsThatAreNoChange) {
  for (const char* word :
       {"training.batch", "=3", "training..batch=3", "a b=3", "name=x\nseed: 3", "edits[0]=3"}) {
    EXPECT_EQ(refusal(base_text, {word}),
              cat("--set ", word, ": write KEY=VALUE, for example training.batch=8"));
  }
  EXPECT_EQ(refusal(base_text, {"name=a: b"}),
            "--set name=a: b: not YAML: illegal map value; a text with ': ' needs quotes inside the word: "
            "--set \"KEY='A: B'\"");
  EXPECT_EQ(refusal(base_text, {"name=&x y"}),
            "--set name=&x y: name: anchor '&x' found, anchors and aliases are not allowed");
  EXPECT_EQ(refusal(base_text, {"name=!!str y"}),
            "--set name=!!str y: name: tag found, tags are not allowed");
  EXPECT_EQ(refusal(base_text, {"name=a\tb"}),
            "--set name=a\tb: tab found, spaces and plain line ends are due");
}

}  // namespace
}  // namespace headsweep
