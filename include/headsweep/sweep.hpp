// sweep: one rank's whole run: stages before the first block, then the loop over drawn blocks. Level 4. The
// only module that joins ranks, model, edits, evaluation and files.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <headsweep/comm.hpp>
#include <headsweep/job.hpp>
#include <headsweep/plan.hpp>
#include <headsweep/store.hpp>
#include <optional>
#include <string>
#include <vector>

namespace headsweep {

struct RunOptions {
  std::filesystem::path folder;
  std::string command_line;
  std::vector<std::string> job_changes;  ///< `key=value`, see read_job
  Shard shard;
  bool resume = false, retry_failed = false, allow_other_build = false, strict = false;
  bool share_gpus = false;  ///< more ranks than GPUs are meant
  int max_failed = -1;      ///< stop after so many failed trials; -1: never
  double max_hours = 0;     ///< stop in time for this; 0: no limit
  double deadline = 0;      ///< stop in time for this moment, seconds since 1970; 0: none
  int limit = 0;            ///< only so many blocks in this run; 0: all
};

/// The stop flag: raised by signals and limits, looked at between steps.
class Stop {
 public:
  enum class Level { none, after_block, now };
  static void install();  ///< USR1, USR2: after the block in hand; TERM, INT: now
  static Level level();
  static void raise(Level level);
};

/// Runs the sweep of a job file on this rank. Collective. Returns the code to end with; a user's mistake is
/// told by rank 0 in one line. What it throws, this rank alone has met: the others cannot be waited for.
ExitCode run_sweep(const World& world, const std::filesystem::path& job_file, const RunOptions& options);

/// Counts of a sweep folder as its state logs tell them, for `status`: from any process, while it runs or
/// after.
struct Standing {
  std::string stage{};  ///< what is done before the first block; empty after that
  int blocks = 0, blocks_done = 0, trials = 0, trials_done = 0, trials_failed = 0;
  double started = 0, last_sign = 0;  ///< seconds since 1970
  double rate = 0;                    ///< trials a second since the last start; 0: unknown
  double seconds_left = -1;           ///< until the ranks at work have drawn and done all; negative: unknown
  bool lives = false;                 ///< someone is at work in the folder
  std::vector<FolderOwner> owners{};  ///< who is, or was when it ended without a word
  std::vector<std::string> running;   ///< `rank 3 on n7: block 0123..., 8 trials, for 12 s`
  std::vector<std::string> errors;    ///< the last few
  bool gathered = false;              ///< results.h5 is there
};
Standing standing_of(const SweepFolder& folder);
/// What blocks of this plan take, by those done since the last start of a run, or, if there are none, by all.
CostModel learn_costs(const Plan& plan, const std::vector<Event>& events);
/// `17 of 40 blocks, 128 of 270 trials, 0 failed, 2.1 trials/s, 1 min 10 s left`.
std::string standing_text(const Standing& standing);
/// `1 h 02 min`, `3 min 10 s`, `12 s`.
std::string duration_text(double seconds);

/// Adds the locations, strengths and seeds of a larger job to a sweep whose science is the same; rows that
/// are there stay. Returns the numbers of trials before and after. BadInput with what may not differ.
std::pair<std::size_t, std::size_t> extend_sweep(const std::filesystem::path& folder,
                                                 const std::filesystem::path& job_file,
                                                 const std::vector<std::string>& job_changes);

/// The plan of a job before anything is run: `top` unresolved, cost and memory estimated.
struct Outline {
  Plan plan;
  TuningPlan tuning;
  DataSize data;
  double flops = 0;         ///< of all blocks
  double tuning_flops = 0;  ///< of those before them
  MemoryAccount memory;
  DiskAccount disk;
  int questions = 0, train_pairs = 0;
  int tested_questions = 0, tested_groups = 0;  ///< of all folds
  bool estimated = false;  ///< the model's folder has no tokenizer: four bytes count as a token
};
Outline outline_of(const JobSpec& job);
/// Every text of the first training question exactly as the model reads it, with its tokens.
std::string show_texts(const JobSpec& job);
/// Float32 operations a second of one thread of this machine in a matrix product; takes a fraction of a
/// second.
double measure_flops(int threads);

/// A model with its tokenizer and, optionally, one stored edit: what `ask` and `score` need.
struct EditReference {
  std::filesystem::path results;
  TrialId trial;
};
/// Reads `FILE:TRIAL`; BadUsage otherwise.
EditReference parse_edit_reference(const std::string& text);
// ---- edits that leave, enter, and are measured anew -------------------------------------------------------

/// Writes a trial's edit as a PEFT adapter to a folder that is not there yet. `model` empty: that of its job.
/// BadInput for edits that do not act on every token.
void export_edit(const EditReference& reference, const std::filesystem::path& model,
                 const std::filesystem::path& folder);

struct ImportOptions {
  std::filesystem::path source;  ///< the folder of a PEFT adapter, or ITI's directions as .npy
  std::filesystem::path model, output;
  std::string command_line;
  // Of directions alone: see ShiftFiles.
  std::vector<Head> heads;
  double alpha = 0;
  std::filesystem::path sigma;
  EditFrom edit_from = EditFrom::last_prompt;
};
/// Writes a results file of one trial with the edit and without scores.
void import_edit(const ImportOptions& options);

struct TrialsReference {
  std::filesystem::path results;
  std::string trials;  ///< `3`, `0-15`, `1,4,9-12` or `all`
};
/// Reads `FILE:TRIALS`; BadUsage otherwise.
TrialsReference parse_trials_reference(const std::string& text);
struct EvalOptions {
  TrialsReference trials;
  std::filesystem::path job, output;
  std::vector<std::string> job_changes;  ///< `key=value`, see read_job
  std::string command_line;
};
/// Measures stored edits under a job's model, behaviour and evaluation, run.lanes at a time; its locations
/// and edits are not looked at. The trials of the results file are the chosen ones in order. BadInput where
/// shapes or folds differ, and where a question that trained an edit would measure it.
Gathered evaluate_edits(const EvalOptions& options);

// ---- planted controls -------------------------------------------------------------------------------------

/// The edit of a teacher: trained by the job's own pairs towards its correct answers, or random.
enum class PlantedEdit { trained, random };
struct PlantOptions {
  std::filesystem::path job, folder;
  int plants = 20;
  int size = 4;  ///< heads of a plant
  PlantedEdit edit = PlantedEdit::trained;
  double gain = 0.4;  ///< of a random edit: relative size, at answer tokens, of what it adds at each layer
  int draws = 99;     ///< random sets that a plant is compared with
  std::string command_line;
};
/// A sweep whose truth is known: the wanted answers are those of the model with a known edit at known heads.
struct Plant {
  std::filesystem::path folder;
  std::vector<Head> heads;  ///< ascending
  int questions = 0;        ///< asked
  int changed = 0;          ///< that the teacher answers otherwise than the model; they make the behaviour
  int distinct = 0;         ///< answers among these
  double tau = 0;           ///< that asks for the teacher's own mean gain
};
/// Writes folders plant-00, plant-01, ... with teacher.h5, behaviour.jsonl and job.yaml, which `run` takes.
/// BadInput, with nothing written, for a folder that is there, sets that the model has not, and an edit that
/// changes too few answers.
std::vector<Plant> make_plants(const PlantOptions& options);

struct Asked {
  std::string unedited, edited;  ///< `edited` is empty without an edit
};
struct AskOptions {
  std::filesystem::path model;
  std::string question, prompt = "Q: {question} A:", stop;
  int max_new_tokens = 50;
  std::optional<EditReference> edit;  ///< its job says how the question is asked and its answer is cut
};
Asked ask(const AskOptions& options);
/// Scores each line of a JSONL file ({"prompt","completion"} or {"prompt_ids","completion_ids"}): the same
/// line with "tokens", "log_probs" (nats, per token) and "log_prob" (their sum) added, handed to `put`.
void score_lines(const std::filesystem::path& model, const std::filesystem::path& file,
                 const std::optional<EditReference>& edit,
                 const std::function<void(const std::string&)>& put);

/// Program version, git revision, compiler, torch: one line a word, as recorded.
std::string build_text();

}  // namespace headsweep
