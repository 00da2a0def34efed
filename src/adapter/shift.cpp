// adapter: arrays of directions and spreads -> the layers of an ITI shift.
#include <algorithm>
#include <cmath>
#include <headsweep/adapter.hpp>

namespace headsweep {
namespace {

using Shape = std::vector<std::int64_t>;

std::string shape_text(const Shape& shape) {
  std::vector<std::string> sizes;
  for (const std::int64_t size : shape) sizes.push_back(to_text(size));
  return cat("[", join(sizes, ", "), "]");
}

/// An array whose first axes are layers and heads, together or apart.
std::vector<double> read_by_head(const std::filesystem::path& file, const ModelConfig& config, Shape rest) {
  Shape together{std::int64_t{config.layers} * config.heads}, apart{config.layers, config.heads};
  together.insert(together.end(), rest.begin(), rest.end());
  apart.insert(apart.end(), rest.begin(), rest.end());
  const NumberArray array = read_npy(file);
  require(array.shape == together || array.shape == apart, file.string(), ": shape ", shape_text(array.shape),
          ", the model makes it ", shape_text(together), " or ", shape_text(apart));
  return array.values;
}

void check_heads(const ShiftFiles& files, const ModelConfig& config) {
  require(!files.heads.empty(), "--heads: no head found, at least one is due");
  for (const Head& head : files.heads) {
    require(head.layer < config.layers && head.index < config.heads, "--heads: ", to_text(head),
            " found, the model has layers 0 to ", config.layers - 1, " with heads 0 to ", config.heads - 1);
    require(std::count(files.heads.begin(), files.heads.end(), head) == 1, "--heads: ", to_text(head),
            " stands twice");
  }
}

}  // namespace

std::vector<EditLayer> read_shift(const ShiftFiles& files, const ModelConfig& config) {
  check_heads(files, config);
  const auto width = static_cast<std::size_t>(config.head_dim);
  const std::vector<double> directions = read_by_head(files.directions, config, {config.head_dim});
  const std::vector<double> sigma = files.sigma.empty() ? std::vector<double>(directions.size() / width, 1.0)
                                                        : read_by_head(files.sigma, config, {});
  std::map<int, EditLayer> layers;
  for (const Head& head : files.heads) {
    const auto row = static_cast<std::size_t>(head.layer * config.heads + head.index);
    double squares = 0;
    for (std::size_t i = 0; i < width; ++i)
      squares += directions[row * width + i] * directions[row * width + i];
    require(squares > 0 && std::isfinite(squares), files.directions.string(), ": ", to_text(head),
            ": a direction of length ", std::sqrt(squares), ", one above 0 is due");
    require(sigma[row] >= 0, files.sigma.string(), ": ", to_text(head), ": ", sigma[row],
            " found, a spread of at least 0 is due");
    EditLayer& layer = layers.try_emplace(head.layer).first->second;
    layer.layer = head.layer;
    layer.b.resize(static_cast<std::size_t>(config.width()));
    const double scale = files.alpha * sigma[row] / std::sqrt(squares);
    for (std::size_t i = 0; i < width; ++i) {
      float& value = layer.b[static_cast<std::size_t>(head.index) * width + i];
      value = static_cast<float>(scale * directions[row * width + i]);
      require(std::isfinite(value), to_text(head), ": alpha = ", files.alpha, " and sigma = ", sigma[row],
              " give a shift that is not finite");
    }
  }
  std::vector<EditLayer> edit;
  for (auto& [index, layer] : layers) edit.push_back(std::move(layer));
  return edit;
}

}  // namespace headsweep
