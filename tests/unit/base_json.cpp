// json: what is accepted, and what is refused with its exact message.
#include <gtest/gtest.h>

#include <headsweep/json.hpp>

namespace headsweep {
namespace {

template <class Action>
std::string refusal_of(Action action) {
  try {
    action();
  } catch (const BadInput& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Json, RefusesWhatIsNotStrictJson) {
  const std::vector<std::pair<std::string, std::string>> texts = {
      {R"({"a": 1, "b": {"a": [1, 2]}})", "accepted"},
      {R"({"a": 1, "a": 2})", "j: key 'a' stands twice"},
      {R"({"x": {"a": 1, "b": 2, "a": 2}})", "j: key 'a' stands twice"},
      {R"({"a": NaN})", "j: not JSON at byte 7"},
      {R"({"a": 1,})", "j: not JSON at byte 9"},
      {R"({"a": 1} x)", "j: not JSON at byte 10"},
      {"", "j: not JSON at byte 1"},
      {R"({"a": "\ud800"})", "j: not JSON at byte 14"},
      {"{\"a\": \"\xff\"}", "j: byte 7 is not UTF-8"},
      {R"({"a": 1e999})", "j: not JSON: [json.exception.out_of_range.406] number overflow parsing '1e999'"},
      {std::string(100'000, '['), "j: nested deeper than 64"},
      {std::string(64, '[') + std::string(64, ']'), "accepted"}};
  for (const auto& [text, message] : texts)
    EXPECT_EQ(refusal_of([&, &json = text] { parse_json(json, "j"); }), message);
}

TEST(Json, MembersHaveTheTypeAndRangeThatIsDue) {
  const Json object = parse_json(
      R"({"n": 5, "big": 9223372036854775808, "x": 1.5, "t": "a", "f": true, "l": ["a", 1], "z": null})",
      "j");
  EXPECT_EQ(json_integer(object, "n", "j", 1, 5), 5);
  EXPECT_EQ(json_number(object, "x", "j"), 1.5);
  EXPECT_EQ(json_text(object, "t", "j"), "a");
  EXPECT_TRUE(json_flag(object, "f", "j"));
  const auto integer = [&](const char* key) {
    return refusal_of([&] { json_integer(object, key, "j", 0, 4); });
  };
  EXPECT_EQ(integer("n"), "j: n = 5, a whole number from 0 to 4 is due");
  EXPECT_EQ(integer("big"), "j: big = 9223372036854775808, a whole number from 0 to 4 is due");
  EXPECT_EQ(integer("x"), "j: x = 1.5, a whole number from 0 to 4 is due");
  EXPECT_EQ(integer("f"), "j: f = true, a whole number from 0 to 4 is due");
  EXPECT_EQ(integer("z"), "j: z = null, a whole number from 0 to 4 is due");
  EXPECT_EQ(integer("absent"), "j: 'absent' is missing");
  EXPECT_EQ(refusal_of([&] { json_number(object, "t", "j"); }), "j: t = text 'a', a number is due");
  EXPECT_EQ(refusal_of([&] { json_text(object, "n", "j"); }), "j: n = 5, text is due");
  EXPECT_EQ(refusal_of([&] { json_flag(object, "n", "j"); }), "j: n = 5, true or false is due");
  EXPECT_EQ(refusal_of([&] { json_texts(object, "l", "j"); }), "j: l holds 1, only texts are allowed");
}

}  // namespace
}  // namespace headsweep
