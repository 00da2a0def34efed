// What the tests of data share: a temporary folder, messages of BadInput, made-up behaviours.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <headsweep/data.hpp>
#include <string>
#include <string_view>

namespace headsweep {

/// A folder that is gone at the end of its scope.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "headsweep-data-XXXXXX").string();
    expect(mkdtemp(name.data()) != nullptr, "a temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  /// Writes a file of this folder and gives its path.
  std::filesystem::path put(const std::string& name, std::string_view bytes) const {
    write_file(path_ / name, bytes);
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// The message of the BadInput that `act` throws.
inline std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const BadInput& error) {
    return error.what();
  }
  return "nothing was thrown";
}

/// `count` questions in groups of `group_size`, each with `correct` correct and `incorrect` incorrect answers
/// and a refusal.
inline Behaviour make_behaviour(int count, int group_size, int correct = 2, int incorrect = 3) {
  Behaviour behaviour{"made.jsonl", "", {}};
  for (int q = 0; q < count; ++q) {
    Question question{.id = cat("id", q), .group = cat("group", q / group_size), .text = cat("question ", q)};
    question.refusals = {"no comment"};
    question.line = q + 1;
    for (int a = 0; a < correct; ++a) question.correct.push_back(cat("right ", q, " ", a));
    for (int a = 0; a < incorrect; ++a) question.incorrect.push_back(cat("wrong ", q, " ", a));
    question.best = question.correct.front();
    behaviour.questions.push_back(question);
  }
  return behaviour;
}

/// One token a byte, after a beginning token 256; where `joins` is set, "A:" and a following " w" are one
/// token 257.
class ByteTokenizer : public Tokenizer {
 public:
  explicit ByteTokenizer(bool joins = false) : joins_(joins) {}
  [[nodiscard]] std::vector<int> encode(const std::string& text, const std::string&) const override {
    std::vector<int> ids = {256};
    for (std::size_t at = 0; at < text.size(); ++at) {
      const bool joined = joins_ && text.compare(at, 4, "A: w") == 0;
      ids.push_back(joined ? 257 : static_cast<unsigned char>(text[at]));
      if (joined) at += 3;
    }
    return ids;
  }
  [[nodiscard]] std::string decode(const std::vector<int>& ids) const override {
    std::string text;
    for (const int id : ids) {
      if (id < 256) text += static_cast<char>(id);
      if (id == 257) text += "A: w";
    }
    return text;
  }
  [[nodiscard]] int vocab_size() const override { return 258; }

 private:
  bool joins_;
};

}  // namespace headsweep
