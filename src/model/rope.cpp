// model: rotary positions. Frequencies are theta^(-2i/D), slowed down where the configuration scales them.
#include "model/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace headsweep {
namespace {

using Kind = RopeScaling::Kind;

/// One object of config.json that speaks of rotary positions.
class RopeReader {
 public:
  RopeReader(const Json& rope, std::string where) : rope_(rope), where_(std::move(where)) {
    require(rope.is_object(), where_, ": ", json_kind(rope), " found, an object is due");
    for (const char* key : {"rope_type", "type"})
      if (rope.contains(key)) kind_ = read_kind(key);
    for (const auto& [key, value] : rope.items()) {
      const std::vector<std::string> known = known_keys();
      require(std::find(known.begin(), known.end(), key) != known.end(), where_, ": '", key,
              "' is not supported; supported: ", join(known, ", "));
    }
  }
  /// NaN if it says nothing.
  [[nodiscard]] double theta() const {
    return rope_.contains("rope_theta") ? json_number(rope_, "rope_theta", where_) : std::nan("");
  }
  [[nodiscard]] RopeScaling scaling() const {
    RopeScaling scaling{.kind = kind_};
    if (kind_ == Kind::none) return scaling;
    scaling.factor = at_least("factor", 1);
    if (kind_ == Kind::linear) return scaling;
    scaling.low_frequency = at_least("low_freq_factor", 1e-6);
    scaling.high_frequency = at_least("high_freq_factor", 1e-6);
    require(scaling.high_frequency > scaling.low_frequency, where_,
            ": high_freq_factor = ", scaling.high_frequency,
            ", more than low_freq_factor = ", scaling.low_frequency, " is due");
    scaling.original =
        static_cast<int>(json_integer(rope_, "original_max_position_embeddings", where_, 1, 1 << 20));
    return scaling;
  }

 private:
  [[nodiscard]] Kind read_kind(const char* key) const {
    const std::string name = json_text(rope_, key, where_);
    if (name == "default") return Kind::none;
    if (name == "linear") return Kind::linear;
    if (name == "llama3") return Kind::llama3;
    throw BadInput(
        cat(where_, ": ", key, " '", name, "' is not supported; supported: default, linear, llama3"));
  }
  [[nodiscard]] std::vector<std::string> known_keys() const {
    std::vector<std::string> keys{"rope_theta", "rope_type", "type"};
    if (kind_ != Kind::none) keys.emplace_back("factor");
    if (kind_ == Kind::llama3)
      for (const char* key : {"low_freq_factor", "high_freq_factor", "original_max_position_embeddings"})
        keys.emplace_back(key);
    return keys;
  }
  [[nodiscard]] double at_least(const char* key, double least) const {
    const double value = json_number(rope_, key, where_);
    require(std::isfinite(value) && value >= least, where_, ": ", key, " = ", value, ", at least ", least,
            " is due");
    return value;
  }

  const Json& rope_;
  std::string where_;
  Kind kind_ = Kind::none;
};

/// Long waves take `factor` times longer, short ones stay, those between move over (LLaMA 3.1).
at::Tensor slow_long_waves(const at::Tensor& frequency, const RopeScaling& scaling) {
  const double original = scaling.original;
  const at::Tensor wave = 2 * std::numbers::pi / frequency;
  const at::Tensor share =
      (original / wave - scaling.low_frequency) / (scaling.high_frequency - scaling.low_frequency);
  const at::Tensor between = (1 - share) * frequency / scaling.factor + share * frequency;
  const at::Tensor is_long = wave > original / scaling.low_frequency,
                   is_short = wave < original / scaling.high_frequency;
  return at::where(is_long, frequency / scaling.factor, at::where(is_short, frequency, between));
}

}  // namespace

void read_rope(const Json& json, const std::string& where, ModelConfig& config) {
  double theta = std::nan("");
  const auto take = [&](double value) {
    if (std::isnan(value)) return;
    require(std::isnan(theta) || theta == value, where, ": rope_theta is ", theta, " and ", value);
    theta = value;
  };
  if (json.contains("rope_theta")) take(json_number(json, "rope_theta", where));
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) continue;
    const RopeReader rope(*found, cat(where, ": ", key));
    take(rope.theta());
    if (rope.scaling().kind != Kind::none) config.rope_scaling = rope.scaling();
  }
  if (std::isnan(theta)) return;
  require(std::isfinite(theta) && theta > 0, where, ": rope_theta = ", theta, ", a positive number is due");
  config.rope_theta = theta;
}

void make_rope(Weights& weights, at::Device device) {
  const ModelConfig& config = weights.config;
  const at::Tensor exponent = at::arange(0, config.head_dim, 2, at::kLong).to(at::kFloat) / config.head_dim;
  at::Tensor frequency = at::pow(config.rope_theta, exponent).reciprocal();
  if (config.rope_scaling.kind == Kind::linear) frequency = frequency / config.rope_scaling.factor;
  if (config.rope_scaling.kind == Kind::llama3) frequency = slow_long_waves(frequency, config.rope_scaling);
  const at::Tensor angle = at::outer(at::arange(config.max_tokens, at::kFloat), frequency);
  const at::Tensor both = at::cat({angle, angle}, 1);
  weights.rope_cos = both.cos().to(device);
  weights.rope_sin = both.sin().to(device);
}

}  // namespace headsweep
