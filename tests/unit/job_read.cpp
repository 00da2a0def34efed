// job: what is read is what was written, and is written so that it reads back.
#include <gtest/gtest.h>

#include <filesystem>
#include <headsweep/job.hpp>
#include <string>

namespace headsweep {
namespace {

const std::filesystem::path jobs = std::filesystem::path(HEADSWEEP_ROOT) / "jobs";

const std::string smallest_job = R"(
name: small
model: {folder: m}
behaviour: {file: ../b.jsonl}
locations: {every: all}
edits: [{lora: {at: [every], tau: [1e-1]}}]
training: {log_prob: mean}
)";

/// Values far from their defaults, in YAML's other spellings.
const std::string odd_job = R"(--- # one document
"name": "odd"
seed: 9223372036854775807
model:
  folder: /models/a b
  device: cpu
behaviour:
  file: 'it''s.jsonl'
  prompt: "\u00e9 \"{question}\"\\\n\ttab"
  text: ""
  groups: question
split: {folds: 3}
probe: {c: 1e-05, text: "{answer}{question} {other}{}", sigma_text: "{question}{answer}{ x}"}
locations:
  claimed: {heads: [L10.H3, L2.H0]}
  matched: {random: {matched_to: claimed, draws: 5, exclude_claimed: true}}
  best: {top: {size: 16}}
  turned: {subspace: {of: claimed, draws: 7}}
  every: {all: all}
edits:
  - iti: {at: [best, matched], alpha: [-2.5, 0, 10], draws: 3}
  - optimal: {at: [best, claimed, matched], tau: [0.30000000000000004]}
  - optimal: {at: [turned], tau: [1], draws: 2, labels: swapped}
  - lora: {at: [every], tau: [1], rank: 16, targets: [down_proj, q_proj], learning_rate: 1e-3}
training:
  log_prob: mean
  learning_rate: {16: [5e-4, 0.1], 2: [1, 2], lora: [0.1, 3]}
  tuning_locations: 3
  recheck: 0.25
  read: constant
evaluation:
  stop: |
    line
    line
  drift: [test]
  primer: primer.txt
  instruction: say {}
  choice_prompt: "{question}\n"
  full_stop: true
  answer_after: "A:"
  answer_before: "Q:"
comparison: {primary: {claimed: claimed, among: matched}, score: mc2, margin: 0.5, level: 0.1, caps: [3, 1]}
run: {seeds: [3, 1, 2]}
...
)";

TEST(JobRead, FillsInTheDefaults) {
  const JobSpec job = parse_job(smallest_job, "j", "/jobs/x");
  EXPECT_EQ(job.name, "small");
  EXPECT_EQ(job.model.folder, "/jobs/x/m");
  EXPECT_EQ(job.behaviour.file, "/jobs/b.jsonl");
  EXPECT_TRUE(job.behaviour.text.empty());
  EXPECT_EQ(job.training.log_prob, LogProb::mean);
  EXPECT_EQ(job.training.batch, TrainingSpec().batch);
  EXPECT_EQ(job.edits.at(0).strengths, std::vector<double>{0.1});
  EXPECT_EQ(job.edits.at(0).place, "j:6");
  EXPECT_TRUE(job.edits.at(0).lora.is_plain());
  EXPECT_EQ(job.locations.at(0).kind, LocationKind::all);
  EXPECT_EQ(job.text, smallest_job);
}

TEST(JobRead, KeepsEveryValue) {
  const JobSpec job = parse_job(odd_job, "j", "/jobs");
  EXPECT_EQ(job.seed, 9223372036854775807U);
  EXPECT_EQ(job.model.folder, "/models/a b");
  EXPECT_EQ(job.behaviour.file, "/jobs/it's.jsonl");
  EXPECT_EQ(job.behaviour.prompt, "\u00e9 \"{question}\"\\\n\ttab");
  EXPECT_EQ(job.behaviour.groups, Groups::question);
  EXPECT_EQ(job.probe.text, "{answer}{question} {other}{}");
  EXPECT_EQ(job.probe.sigma_text, "{question}{answer}{ x}");
  EXPECT_EQ(job.evaluation.primer, "/jobs/primer.txt");
  EXPECT_EQ(job.evaluation.instruction, "say {}");
  EXPECT_EQ(job.evaluation.choice_prompt, "{question}\n");
  EXPECT_TRUE(job.evaluation.full_stop);
  EXPECT_EQ(job.evaluation.answer_after + job.evaluation.answer_before, "A:Q:");
  EXPECT_EQ(job.split.folds, 3);
  EXPECT_EQ(job.probe.c, 1e-05);
  EXPECT_EQ(job.locations.at(0).heads, (std::vector<Head>{{10, 3}, {2, 0}}));
  EXPECT_EQ(job.locations.at(1).matched_to, "claimed");
  EXPECT_TRUE(job.locations.at(1).exclude_claimed);
  EXPECT_EQ(job.locations.at(3).kind, LocationKind::subspace);
  EXPECT_EQ(job.locations.at(3).matched_to, "claimed");
  EXPECT_EQ(job.edits.at(2).labels, Labels::swapped);
  EXPECT_EQ(job.comparison.score, Score::mc2);
  EXPECT_EQ(job.edits.at(0).strengths, (std::vector<double>{-2.5, 0, 10}));
  EXPECT_EQ(job.edits.at(1).strengths, std::vector<double>{0.30000000000000004});
  EXPECT_EQ(job.training.learning_rate,
            (std::map<int, std::vector<double>>{{2, {1.0, 2.0}}, {16, {5e-4, 0.1}}}));
  EXPECT_EQ(job.training.lora_learning_rate, (std::vector<double>{0.1, 3}));
  EXPECT_EQ(job.edits.at(3).lora,
            (LoraSpec{.rank = 16, .targets = {EditTarget::down, EditTarget::q}, .learning_rate = 1e-3}));
  EXPECT_EQ(job.evaluation.stop, "line\nline\n");
  EXPECT_EQ(job.run.seeds, (std::vector<std::uint64_t>{3, 1, 2}));
}

TEST(JobRead, ResolvedJobReadsBackEqual) {
  for (const JobSpec& job : {parse_job(smallest_job, "j", "/jobs"), parse_job(odd_job, "j", "/jobs"),
                             read_job(jobs / "quickstart.yaml")}) {
    const JobSpec again = parse_job(resolved_job(job), "resolved", "/elsewhere");
    EXPECT_EQ(settings_of(again), settings_of(job));
    EXPECT_EQ(resolved_job(again), resolved_job(job));
    EXPECT_EQ(again.model.folder, job.model.folder);
    EXPECT_EQ(again.behaviour.file, job.behaviour.file);
    EXPECT_EQ(again.behaviour.text, job.behaviour.text);
  }
}

TEST(JobRead, JudgesAreAWordOrModels) {
  const auto with = [](const std::string& judge) {
    return parse_job(smallest_job + "evaluation: {judge: " + judge + "}\n", "j", "/jobs");
  };
  EXPECT_FALSE(with("none").evaluation.judge.by_model());
  EXPECT_EQ(with("none").evaluation.judge.kind, JudgeKind::none);
  const JobSpec brief = with("{truth: t, info: ../i}");
  EXPECT_EQ(brief.evaluation.judge.truth.folder, "/jobs/t");
  EXPECT_EQ(brief.evaluation.judge.truth.prompt, "Q: {question}\nA: {answer}\nTrue:");
  EXPECT_EQ(brief.evaluation.judge.info.folder, "/i");
  EXPECT_EQ(brief.evaluation.judge.info.prompt, "Q: {question}\nA: {answer}\nHelpful:");
  const JobSpec full =
      with(R"({truth: {folder: /m, prompt: "<{answer}> {x: {question}", yes: safe, no: "\nunsafe"}, )"
           "threshold: 0.3, texts: 2}");
  EXPECT_EQ(full.evaluation.judge.truth.no, "\nunsafe");
  EXPECT_EQ(full.evaluation.judge.threshold, 0.3);
  EXPECT_EQ(full.evaluation.judge.texts, 2);
  EXPECT_TRUE(full.evaluation.judge.info.folder.empty());
  for (const JobSpec& job : {with("none"), brief, full}) {
    const JobSpec again = parse_job(resolved_job(job), "resolved", "/elsewhere");
    EXPECT_EQ(resolved_job(again), resolved_job(job));
    EXPECT_EQ(settings_of(again), settings_of(job));
    EXPECT_EQ(again.evaluation.judge.truth.folder, job.evaluation.judge.truth.folder);
    EXPECT_EQ(again.evaluation.judge.info.folder, job.evaluation.judge.info.folder);
  }
  // The hashes of the judges stand for their folders; who judges what, and how, are settings.
  EXPECT_EQ(settings_of(with("{truth: t, info: i}")), settings_of(with("{truth: u, info: v}")));
  EXPECT_NE(settings_of(with("{truth: t, info: i}")), settings_of(with("{truth: t}")));
  EXPECT_EQ(settings_of(full).at("evaluation.judge.truth.yes"), "\"safe\"");
  EXPECT_EQ(settings_of(with("none")).at("evaluation.judge"), "none");
}

TEST(JobRead, SettingsAreFlatAndNameWhatDiffers) {
  const auto settings = settings_of(read_job(jobs / "quickstart.yaml"));
  EXPECT_EQ(settings.at("training.learning_rate.4"), "[0.012, 0.03, 0.075]");
  EXPECT_EQ(settings.at("locations.random4.random.draws"), "24");
  EXPECT_EQ(settings.at("edits[1].optimal.tau"), "[0.1, 0.2]");
  EXPECT_EQ(settings.at("locations"), "singles, random4, top4, matched4, all");
  EXPECT_EQ(settings.at("behaviour.prompt"), "\"Q: {question} A:\"");
  EXPECT_FALSE(settings.contains("model.folder"));  // the hash of the weights stands for it

  // A folder that has moved is the same sweep; any other changed value is not.
  EXPECT_EQ(settings_of(parse_job(smallest_job, "j", "/a")), settings_of(parse_job(smallest_job, "k", "/b")));
  std::string other = smallest_job;
  other.replace(other.find("1e-1"), 4, "2e-1");
  EXPECT_NE(settings_of(parse_job(smallest_job, "j", "")), settings_of(parse_job(other, "j", "")));
}

TEST(JobRead, ListsEveryKeyOfAResolvedJob) {
  const std::string keys = "\n" + job_keys();
  for (const auto& [name, value] : settings_of(read_job(jobs / "quickstart.yaml"))) {
    if (name.starts_with("locations") || name.starts_with("edits") ||
        name.find("_rate.") != std::string::npos)
      continue;
    EXPECT_NE(keys.find("\n" + name + " "), std::string::npos) << name;
  }
  for (const char* name : {"locations.NAME.random.matched_to", "locations.NAME.heads", "edits[].iti.alpha",
                           "edits[].optimal.tau"})
    EXPECT_NE(keys.find(cat("\n", name, " ")), std::string::npos) << name;
}

/// Whatever is done to a job file, it is read or refused in one line that starts with the file's name.
TEST(JobRead, NeverBreaks) {
  const std::string text = read_file(jobs / "quickstart.yaml");
  const std::string bytes = "\"'[]{}:,#&*!|>%@`-?<~\n \t\\0123eyn.\xc3\xff";
  int read = 0;
  for (std::uint64_t round = 0; round < 600; ++round) {
    Random random(round, "mutations");
    std::string mutated = text;
    for (std::uint64_t changes = 1 + random.below(4); changes > 0; --changes) {
      const std::size_t at = random.below(mutated.size());
      const char byte = bytes[random.below(bytes.size())];
      if (random.below(3) == 0)
        mutated.erase(at, 1 + random.below(20));
      else if (random.below(2) == 0)
        mutated.insert(at, 1 + random.below(3), byte);
      else
        mutated[at] = byte;
    }
    try {
      const JobSpec job = parse_job(mutated, "j", "");
      EXPECT_EQ(settings_of(parse_job(resolved_job(job), "j", "")), settings_of(job));
      ++read;
    } catch (const BadInput& error) {
      const std::string message = error.what();
      EXPECT_TRUE(message.starts_with("j:") && message.find('\n') == std::string::npos) << message;
    }
  }
  EXPECT_GT(read, 60);  // many changes fall into comments
  EXPECT_LT(read, 540);
}

}  // namespace
}  // namespace headsweep
