// cli: `headsweep status`: how a sweep stands, read from its state logs alone.
#include <chrono>
#include <headsweep/json.hpp>
#include <headsweep/sweep.hpp>
#include <iostream>
#include <thread>

#include "cli/command.hpp"

namespace headsweep {
namespace {

Syntax syntax() {
  Syntax syntax{.usage = "headsweep status FOLDER [--json] [--watch]",
                .about =
                    "Done, failed, running, left, rate and time left of a sweep, live, dead or finished, "
                    "from any process.",
                .named = options::options_description("options"),
                .positional = {"FOLDER"}};
  syntax.named.add_options()("json", options::bool_switch(), "one JSON object")(
      "watch", options::bool_switch(), "again every 5 seconds until the sweep is complete");
  return syntax;
}

void print_json(const Standing& now) {
  Json owners = Json::array();
  for (const FolderOwner& one : now.owners)
    owners.push_back({{"host", one.host},
                      {"pid", one.pid},
                      {"slurm_job", one.job},
                      {"heard", utc_text(one.beat)},
                      {"lives", one.lives}});
  const Json object = {{"stage", now.stage},
                       {"blocks", now.blocks},
                       {"blocks_done", now.blocks_done},
                       {"trials", now.trials},
                       {"trials_done", now.trials_done},
                       {"trials_failed", now.trials_failed},
                       {"started", utc_text(now.started)},
                       {"last_sign", utc_text(now.last_sign)},
                       {"trials_per_second", now.rate},
                       {"seconds_left", now.seconds_left < 0 ? Json(nullptr) : Json(now.seconds_left)},
                       {"lives", now.lives},
                       {"owners", owners},
                       {"running", now.running},
                       {"errors", now.errors},
                       {"gathered", now.gathered}};
  std::cout << object.dump(1) << std::endl;
}

void print_text(const Standing& now) {
  std::cout << standing_text(now) << "\n";
  const bool ended = now.blocks > 0 && now.blocks_done == now.blocks && !now.lives;
  if (now.started > 0)
    std::cout << "started " << utc_text(now.started)
              << (ended ? cat(", ended ", utc_text(now.last_sign))
                        : cat(", last sign of life ", duration_text(now_seconds() - now.last_sign), " ago"))
              << "\n";
  for (const FolderOwner& one : now.owners)
    std::cout << (one.lives ? "at work: " : "ended without a word: ") << "pid " << one.pid << " on host "
              << one.host << (one.job.empty() ? "" : ", Slurm job " + one.job) << "\n";
  if (!now.lives && now.blocks_done < now.blocks)
    std::cout << "nobody is at work here; `headsweep run JOB -o FOLDER --resume` goes on\n";
  for (const std::string& one : now.running) std::cout << "  " << one << "\n";
  for (const std::string& one : now.errors) std::cout << "  error: " << one << "\n";
  std::cout << (now.gathered ? "results.h5 is there" : "not gathered yet (headsweep gather)") << std::endl;
}

}  // namespace

ExitCode run_status(const CommandLine& line) {
  options::variables_map values;
  if (!read_words(line, syntax(), values)) return ExitCode::done;
  const SweepFolder folder(values["FOLDER"].as<std::vector<std::string>>().front());
  const bool watch = values["watch"].as<bool>();
  while (true) {
    const Standing now = standing_of(folder);
    if (values["json"].as<bool>())
      print_json(now);
    else
      print_text(now);
    if (!watch || now.blocks_done == now.blocks) return ExitCode::done;
    std::this_thread::sleep_for(std::chrono::seconds(5));
  }
}

}  // namespace headsweep
