// store: what is on disk: the schema, parts, results.h5, the sweep folder. Level 3. The only module that
// knows HDF5. Nothing finished is ever lost or half: parts are built in memory and written whole.
#pragma once

#include <filesystem>
#include <functional>
#include <headsweep/base.hpp>
#include <headsweep/job.hpp>
#include <headsweep/plan.hpp>
#include <headsweep/record.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace headsweep {

// ---- schema -----------------------------------------------------------------------------------------------

enum class ColumnType { u8, i32, i64, u64, f32, f64, text, bytes };
/// The file that a column first stands in; results.h5 has all of them.
enum class Origin { axis, probe, header, part, header_and_part };
/// One dataset of results.h5.
struct Column {
  std::string group, name;
  ColumnType type = ColumnType::f32;
  std::vector<std::string> dims;  ///< names of the axes: trial, item, head, location, question, step, ...
  std::string units, meaning;     ///< attributes `units` and `long_name`
  Origin origin = Origin::part;
  bool added = false;  ///< after the format's version had its number: files without it are read all the same
  [[nodiscard]] std::string path() const { return group.empty() ? name : group + "/" + name; }
};
/// The one table that results.h5, its reader's docs and `headsweep schema` are made from.
const std::vector<Column>& schema();
std::string schema_text();
inline constexpr const char* results_format = "headsweep-results";
inline constexpr const char* results_version = "1.2";

// ---- what is known before the first block -----------------------------------------------------------------

/// A localiser's table of one fold as plain numbers; index = layer * H + head.
struct HeadRows {
  std::vector<float> score, train_accuracy, auc, log_loss, sigma;  ///< [L*H]
  std::vector<float> direction;                                    ///< [L*H*D]
};
struct QuestionRow {
  std::string id, group, text;
  std::vector<SplitPart> part;  ///< per fold
  int pairs = 0;                ///< preference pairs made of it
};
/// Identity of a sweep: two sweeps with equal `settings` and hashes may be joined.
struct SweepIdentity {
  std::map<std::string, std::string> settings;  ///< settings_of(job)
  std::string model_hash, data_hash;            ///< data: questions, texts, primer, tokenizer
  std::string build;     ///< program version, git revision, libraries, kind of processor
  std::string begun_as;  ///< of an extended sweep: the sweep_hash that it was begun with
};
/// More trials for a sweep that had been begun, whose results may have been looked at by then.
struct Extension {
  std::string utc;
  int trials_before = 0, trials_after = 0;
  int trials_done = 0;  ///< in finished blocks, at that time
};
/// All of results.h5 but the trials' outcomes.
struct SweepHeader {
  SweepIdentity identity;
  std::string job_text, resolved_job, command_line, started_utc, device;
  Plan plan;
  std::vector<TuningRow> tuning;    ///< the rates that were tried, by key
  std::vector<HeadRows> localiser;  ///< `probe`, per fold
  std::vector<QuestionRow> questions;
  struct Baseline {
    Metrics validation, test;
    std::vector<Item> items;  ///< as a trial's
  };
  std::vector<Baseline> baseline;     ///< the unedited model, per fold
  std::vector<Reference> references;  ///< of all questions, in their order
  std::vector<Extension> extensions;  ///< by time
};

// ---- parts ------------------------------------------------------------------------------------------------

/// The records of one block.
struct Part {
  std::string block;
  std::string sweep_hash;  ///< hash of SweepIdentity without `build`
  std::string build;
  std::vector<TrialRecord> records;
};
/// An HDF5 file image in memory.
std::string encode_part(const Part& part);
/// Reads an image back. BadInput `name: ...` for anything that is not a whole part of this format.
Part decode_part(const std::string& image, const std::string& name);

// ---- results ----------------------------------------------------------------------------------------------

/// Gathers parts to FILE (temporary name, fsync, rename). Trials without a part have status `missing`; of
/// several attempts the newest counts. Returns the number of done, failed and missing trials.
struct Gathered {
  int done = 0, failed = 0, missing = 0;
};
Gathered write_results(const std::filesystem::path& file, const SweepHeader& header,
                       const std::vector<std::filesystem::path>& parts);

/// A results.h5 opened for reading; refuses (BadInput, with the command that rebuilds) what is not one.
class ResultsFile {
 public:
  explicit ResultsFile(const std::filesystem::path& file);
  ~ResultsFile();
  ResultsFile(const ResultsFile&) = delete;
  [[nodiscard]] int trials() const;
  [[nodiscard]] std::string job_text() const;  ///< the resolved job
  [[nodiscard]] std::string model_hash() const;
  [[nodiscard]] std::vector<QuestionRow> questions() const;
  [[nodiscard]] SweepHeader header() const;  ///< all but the trials' outcomes
  struct Row {
    std::string location, edit;
    int rank_of_edit = 1;  ///< 0 of a shift
    std::string targets;   ///< linear layers that the edit is added to: `q_proj v_proj`
    std::string control;   ///< see control_text
    std::vector<Head> heads;
    double strength = 0;
    std::uint64_t seed = 0;
    int fold = 0;
    TrialRecord record;              ///< with items and edit
    std::vector<int> item_question;  ///< row of /questions of each item
  };
  [[nodiscard]] Row trial(TrialId id) const;
  [[nodiscard]] SweepHeader::Baseline baseline(int fold) const;
  [[nodiscard]] int folds() const;
  [[nodiscard]] std::vector<int> item_questions(int fold) const;  ///< row of /questions of each item
  [[nodiscard]] std::vector<Reference> references() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// ---- other judges -----------------------------------------------------------------------------------------

/// What a judge from outside is asked: an answer to a question, once however often it was given.
struct AskedAnswer {
  std::string id;  ///< hash of question and answer, equal in every file
  std::string question, answer;
  std::optional<ReferenceKind> kind;  ///< of a reference
};
/// The references, then the answers of the unedited model and of all trials that are done.
void list_answers(const ResultsFile& results, const std::function<void(const AskedAnswer&)>& put);
std::string to_text(ReferenceKind kind);

/// Whose word on which results goes to which new file.
struct OutsideScores {
  std::filesystem::path results, scores, output;
  double threshold = 0.5;  ///< least probability that counts as yes
};
/// Writes a copy of the results in which every verdict, and every mean of verdicts, is by the scores: one
/// JSON object a line, with `id`, or `question` and `answer`; `truth` (0 or 1) or `p_truth`; and, in all
/// lines or in none, `info` or `p_info`. Returns the number of answers. BadInput `file:line: ...` for lines
/// that are malformed, of an unknown answer, or second ones; for answers without a score; for an output that
/// exists.
int apply_scores(const OutsideScores& request);

// ---- sweep folder -----------------------------------------------------------------------------------------

/// One line of a state log.
struct Event {
  /// tuning: the choice of learning rates begins, with a message, or one of its blocks is done.
  enum class Kind { start, done, given_up, run, crashed, tuning } kind = Kind::run;
  std::string block{};
  double time = 0, seconds = 0;
  std::int64_t bytes = 0;
  std::string part_hash{};  ///< xxh64 of the part file
  int shard = 1, rank = 0, trials = 0, failed_trials = 0;
  std::string message{};
  std::string host{};  ///< of a start
  std::int64_t oom_kills =
      0;  ///< of a start: processes that the host had killed for lack of memory till then
};
std::string event_line(const Event& event);
/// Lines back to events, by time; what cannot be read is skipped.
std::vector<Event> parse_events(const std::string& lines);

/// A share of a sweep's blocks, for launches without a common MPI: they may share a folder, or have one each.
struct Shard {
  int index = 1, count = 1;  ///< index from 1
  [[nodiscard]] bool whole() const { return count == 1; }
  [[nodiscard]] bool owns(std::size_t block) const {
    return static_cast<int>(block % static_cast<std::size_t>(count)) == index - 1;
  }
};

inline constexpr double lock_silence = 300.0;  ///< s; an owner silent for longer is taken for dead

/// Who works in a folder, as its lock says.
struct FolderOwner {
  int shard = 1;
  std::string host;
  std::int64_t pid = 0;
  std::string job;    ///< SLURM_JOB_ID, empty outside Slurm
  int restart = 0;    ///< SLURM_RESTART_COUNT
  double beat = 0;    ///< when it was last heard of
  bool lives = true;  ///< heard of in the last 5 minutes and, on this host, running
};

/// A block that took the program down with it, again and again.
struct Crashes {
  int count = 0;
  std::string message;  ///< of the last
};

/// The folder that `-o` names: sweep.yaml, probe.h5 and header-HASH.h5, what is known before the first block;
/// parts/, state/, tune/, lock.
class SweepFolder {
 public:
  explicit SweepFolder(std::filesystem::path folder, Shard shard = {})
      : folder_(std::move(folder)), shard_(shard) {}
  [[nodiscard]] const std::filesystem::path& path() const { return folder_; }
  [[nodiscard]] const Shard& shard() const { return shard_; }
  [[nodiscard]] std::filesystem::path results() const { return folder_ / "results.h5"; }
  [[nodiscard]] std::filesystem::path part_file(const std::string& block) const;
  [[nodiscard]] bool exists() const;  ///< a sweep has been started here

  /// Rank 0: checks that nothing or, with `resume`, the same sweep stands here; BadInput with what differs.
  /// Takes the lock (BadInput with host and pid of a live owner); shards of one sweep have a lock each.
  void open(const SweepIdentity& identity, bool resume, bool allow_other_build);
  void lock();     ///< takes the lock alone, of a folder that is there
  void release();  ///< gives the locks back
  /// Says that the owner lives; false if another has taken the folder meanwhile.
  [[nodiscard]] bool beat() const;
  [[nodiscard]] std::vector<FolderOwner> owners() const;  ///< of all locks
  /// Whether the header is there, or ours to make; false while another shard makes it.
  [[nodiscard]] bool may_prepare() const;
  /// Whether what follows the header is ours to make; false while another shard is at it.
  [[nodiscard]] bool try_prepare() const;
  void prepared();  ///< all is there; lets the other shards go on
  /// A file of what was measured once, before the first block, to choose settings by.
  [[nodiscard]] std::filesystem::path tune_file(const std::string& name) const {
    return folder_ / "tune" / name;
  }
  /// Written once before the first block; a resume reads it and measures nothing again.
  void write_header(const SweepHeader& header);
  [[nodiscard]] std::optional<SweepHeader> read_header() const;

  /// Blocks of the plan whose part is whole (file present, hash as logged, decodes); others are to be
  /// computed. With `retry_failed`, a block that holds failed trials does not count as finished.
  [[nodiscard]] std::vector<std::string> finished_blocks(const Plan& plan, bool retry_failed = false) const;
  /// Writes the part, then logs it.
  void put(const Part& part, double seconds, int rank);
  void log(Event event);                                       ///< to this rank's own file
  [[nodiscard]] std::filesystem::path log_of(int rank) const;  ///< that file
  [[nodiscard]] std::vector<Event> events() const;  ///< of all ranks, by time; unreadable lines are skipped
  /// Gathers all finished parts into results.h5.
  Gathered gather() const;
  /// Replaces the header, but for the localisers, by one that says more of the same sweep. The lock is held.
  void rewrite_header(const SweepHeader& header);

 private:
  [[nodiscard]] std::filesystem::path lock_file() const;
  void require_same_sweep(const SweepIdentity& identity, bool allow_other_build) const;
  std::filesystem::path folder_;
  Shard shard_;
};

/// Verdicts of a sweep's judge by a name of question and answer, so that no rank and no later run asks for
/// one again: in the folder's state/, a file a rank, to which it appends.
class VerdictLog {
 public:
  VerdictLog(const SweepFolder& folder, int rank);
  void put(const std::unordered_map<std::string, Verdict>& verdicts);
  /// What others, and this rank in earlier runs, have put since the last call.
  std::unordered_map<std::string, Verdict> news();

 private:
  std::filesystem::path own_;
  bool begun_ = false;                          ///< this run has put some
  std::map<std::string, std::uintmax_t> read_;  ///< file -> bytes that were read
};

/// Shard and rank -> the start of the block in hand, if any; of the ranks that have done something since the
/// last `run` of their shard.
using RanksAtWork = std::map<std::pair<int, int>, std::optional<Event>>;
RanksAtWork ranks_at_work(const std::vector<Event>& events);
/// Crashes of each block since its last part.
std::map<std::string, Crashes> crashes_of(const std::vector<Event>& events);
/// Processes that this host has killed for lack of memory since it was started; 0 if it does not say.
std::int64_t oom_kills();

/// BadInput with what differs, but for what may be added to a sweep: locations, edits, seeds, learning rates.
void require_extends(const std::filesystem::path& folder, const SweepIdentity& there,
                     const SweepIdentity& now);

/// Gathers the finished parts of several folders of one sweep (BadInput with what differs) into one file.
Gathered gather_folders(const std::vector<SweepFolder>& folders, const std::filesystem::path& file);

/// Hash that parts carry: of settings, model and data.
std::string sweep_hash(const SweepIdentity& identity);

}  // namespace headsweep
