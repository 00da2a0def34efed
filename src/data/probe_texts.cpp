// data: labelled texts whose head outputs the probes read. In: the training and validation questions of a
// split; out: token ids with a label. Test questions are not looked at.
#include <algorithm>
#include <utility>

#include "data/checks.hpp"

namespace headsweep {
namespace {

/// A random training question other than `question`.
std::size_t draw_other(const Behaviour& behaviour, const std::vector<int>& training, std::size_t question,
                       std::uint64_t seed) {
  const auto self = std::lower_bound(training.begin(), training.end(), static_cast<int>(question));
  const bool trains = self != training.end() && *self == static_cast<int>(question);
  const std::size_t others = training.size() - (trains ? 1 : 0);
  require(others > 0, behaviour.file, ": ", training.size(),
          " training question; {other} needs another one than the question itself");
  const std::uint64_t drawn = Random(seed, "probe question", behaviour.questions[question].id).below(others);
  const bool after_self = trains && drawn >= static_cast<std::uint64_t>(self - training.begin());
  return static_cast<std::size_t>(training[drawn + (after_self ? 1 : 0)]);
}

}  // namespace

std::vector<ProbeText> make_probe_texts(const Behaviour& behaviour, const Split& split,
                                        const Tokenizer& tokenizer, const JobSpec& job,
                                        const std::string& text) {
  const std::vector<int> training = split.questions(SplitPart::train);
  const bool wants_other = text.find("{other}") != std::string::npos;
  std::vector<ProbeText> texts;
  for (std::size_t i = 0; i < behaviour.questions.size(); ++i) {
    if (split.part_of.at(i) == SplitPart::test) continue;
    const Question& question = behaviour.questions[i];
    const std::string other =
        wants_other ? behaviour.questions[draw_other(behaviour, training, i, job.seed)].text : "";
    const auto add = [&](const std::string& answer, bool label) {
      std::string filled =
          fill_slots(text, {{"question", question.text}, {"answer", answer}, {"other", other}});
      std::vector<int> ids = tokenizer.encode(filled, place_of(behaviour, i));
      texts.push_back({static_cast<int>(i), label, std::move(ids), std::move(filled)});
    };
    const std::size_t count = std::min(
        {static_cast<std::size_t>(job.probe.answers), question.correct.size(), question.incorrect.size()});
    for (std::size_t a = 0; a < count; ++a) add(question.correct[a], true);
    for (std::size_t a = 0; a < count; ++a) add(question.incorrect[a], false);
  }
  return texts;
}

}  // namespace headsweep
