// Shared by tests of what is refused: the message, without the path of the folder that the test made.
#pragma once

#include <filesystem>
#include <headsweep/base.hpp>
#include <string>

namespace headsweep {

/// What the `Refusal` says that `action` throws; `accepted` if it throws nothing.
template <class Refusal, class Action>
std::string refusal_in(const std::filesystem::path& folder, const Action& action) {
  try {
    action();
  } catch (const Refusal& error) {
    std::string message = error.what();
    const std::string here = folder.string() + "/";
    for (std::size_t at = message.find(here); at != std::string::npos; at = message.find(here))
      message.erase(at, here.size());
    return message;
  }
  return "accepted";
}

}  // namespace headsweep
