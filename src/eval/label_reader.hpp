// eval: probabilities of a judge's two words after question and answer. In: texts; out: P(yes), P(no) of
// each, the same bits whatever is read beside it.
#pragma once

#include <headsweep/eval.hpp>

namespace headsweep {

/// An answer's first sentence is among the question's refusals and not among its correct answers.
bool is_refusal(const Question& question, const std::string& answer);

/// NaN where the text cannot be read.
struct LabelOdds {
  double yes = not_measured, no = not_measured;
};

/// A filled prompt with both words as tokens: one tree, or two where the words do not follow the same tokens.
struct JudgedText {
  std::vector<TokenTree> trees;
  [[nodiscard]] int tokens() const;   ///< of a forward call
  [[nodiscard]] int longest() const;  ///< of prompt and word together
};
/// BadInput `where: ...` for a text that has no tokens.
JudgedText read_judged_text(const Tokenizer& tokenizer, const JudgePrompt& asked, const Question& question,
                            const std::string& answer, const std::string& where);

/// Packs texts into calls of one form: so many texts, so many tokens, filled up with others that nobody asks
/// about. A text that does not fit the form is read alone. So its numbers hang on no other text.
class LabelReader {
 public:
  LabelReader(const Behaviour& behaviour, const JudgeModel& model, int texts);
  [[nodiscard]] std::vector<LabelOdds> read(const std::vector<Reply>& replies,
                                            const std::function<void()>& tick) const;

 private:
  /// Of every call but those of lonely texts.
  struct Form {
    std::size_t texts = 1;
    int tokens = 0;               ///< of the call
    int longest = 0;              ///< most tokens of a text
    int fillers = 0;              ///< texts that fill the call up, besides dummies in place of texts
    std::size_t yes = 1, no = 1;  ///< tokens of the words
    [[nodiscard]] int words() const { return static_cast<int>(yes + no) - 2; }  ///< those that are computed
    [[nodiscard]] int dummy() const { return 1 + words(); }
  };
  static Form form_of(const Behaviour& behaviour, const JudgeModel& model, int texts);
  [[nodiscard]] bool fits(const JudgedText& text) const;
  [[nodiscard]] JudgedText read_text(const Reply& reply) const;
  [[nodiscard]] std::vector<LabelOdds> read_alone(const JudgedText& text) const;
  [[nodiscard]] std::vector<LabelOdds> read_together(const std::vector<const JudgedText*>& texts) const;
  [[nodiscard]] std::vector<LabelOdds> run(const TokenBatch& batch) const;

  const Behaviour& behaviour_;
  const JudgeModel model_;
  const Form form_;
};

}  // namespace headsweep
