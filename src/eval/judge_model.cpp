// eval: models as judges: each answer is read once, its verdict remembered.
#include <headsweep/eval.hpp>
#include <optional>
#include <set>
#include <unordered_map>

#include "eval/label_reader.hpp"

namespace headsweep {
namespace {

/// More are forgotten, all at once: a new verdict has the bits of the old one.
constexpr std::size_t most_remembered = 1'000'000;

class ModelJudge final : public Judge {
 public:
  ModelJudge(const Behaviour& behaviour, const JudgeSpec& spec, const JudgeModel& truth,
             const JudgeModel* info)
      : behaviour_(behaviour), threshold_(spec.threshold), truth_(behaviour, truth, spec.texts) {
    if (info != nullptr) info_.emplace(behaviour, *info, spec.texts);
  }

  std::vector<Verdict> judge(const std::vector<Reply>& replies, const std::function<void()>& tick) override {
    if (known_.size() > most_remembered) known_.clear();
    learn(replies, tick);
    std::vector<Verdict> verdicts;
    for (const Reply& reply : replies) verdicts.push_back(known_.at(key_of(reply)));
    return verdicts;
  }

 private:
  static std::string key_of(const Reply& reply) { return cat(reply.question, " ", reply.answer); }

  /// Judges what is new among the replies.
  void learn(const std::vector<Reply>& replies, const std::function<void()>& tick) {
    std::set<Reply> seen;
    std::vector<Reply> fresh;
    for (const Reply& reply : replies)
      if (!known_.contains(key_of(reply)) && seen.insert(reply).second) fresh.push_back(reply);
    const std::vector<LabelOdds> truth = truth_.read(fresh, tick);
    const std::vector<LabelOdds> info =
        info_ ? info_->read(fresh, tick) : std::vector<LabelOdds>(fresh.size());
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      const Question& question = behaviour_.questions.at(static_cast<std::size_t>(fresh[i].question));
      known_.emplace(key_of(fresh[i]), Verdict{.truth = decide(truth[i].yes),
                                               .info = decide(info[i].yes),
                                               .p_truth = static_cast<float>(truth[i].yes),
                                               .p_truth_no = static_cast<float>(truth[i].no),
                                               .p_info = static_cast<float>(info[i].yes),
                                               .p_info_no = static_cast<float>(info[i].no),
                                               .refused = is_refusal(question, fresh[i].answer)});
    }
  }

  [[nodiscard]] float decide(double yes) const {
    if (std::isnan(yes)) return not_measured;
    return yes >= threshold_ ? 1.0F : 0.0F;
  }

  const Behaviour& behaviour_;
  double threshold_;
  LabelReader truth_;
  std::optional<LabelReader> info_;
  std::unordered_map<std::string, Verdict> known_;
};

}  // namespace

std::shared_ptr<Judge> make_model_judge(const Behaviour& behaviour, const JudgeSpec& spec,
                                        const JudgeModel& truth, const JudgeModel* info) {
  return std::make_shared<ModelJudge>(behaviour, spec, truth, info);
}

}  // namespace headsweep
