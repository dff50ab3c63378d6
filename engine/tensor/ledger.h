// The ledger: every byte the engine holds, by category, layer and lifetime. It sees logical sizes
// only (what a tensor asked for, rounded up to kGranule), so the same program gives the same ledger
// on every back end, also on `meta`, which holds no memory: that is what makes a predicted peak
// exact.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lathe {

// What a tensor is for. `kActivations` are tensors kept from forward for backward; `kWorkspace`
// lives within one layer's forward or backward.
enum class Category : std::uint8_t {
  kWeights,
  kAdapters,
  kGradients,
  kOptimizer,
  kActivations,
  kWorkspace,
  kKvCache,
  kQuantizer
};
inline constexpr int kCategoryCount = 8;
inline constexpr std::array<std::string_view, kCategoryCount> kCategoryNames{
    "weights",     "adapters",  "gradients", "optimizer",
    "activations", "workspace", "kv_cache",  "quantizer"};

// Where a tensor belongs. `layer` is the module path ("layers.3.attention.q"), "" outside any.
struct Tag {
  Category category = Category::kWorkspace;
  std::string layer;
  std::string name;  // what the tensor is within its layer: "weight", "x", "gate"
};

// Every allocation is counted in multiples of this many bytes, on every back end.
inline constexpr std::int64_t kGranule = 64;

// One allocation or release on the time line of a step.
struct LedgerEvent {
  std::int64_t bytes = 0;       // positive: taken, negative: given back
  std::int64_t live_bytes = 0;  // after the event
  std::uint64_t block = 0;      // identity of the block
  Category category = Category::kWorkspace;
  std::int32_t tag = -1;  // index into Ledger::tags()
};

using CategoryBytes = std::array<std::int64_t, kCategoryCount>;

// Whether a block is memory of ours or a part of a mapped file, whose pages the system may drop and
// read again.
enum class BlockKind : std::uint8_t { kOwned, kMapped };

// What was alive at one instant. Mapped bytes are among live_bytes and their category's.
struct LedgerSnapshot {
  std::int64_t live_bytes = 0;
  CategoryBytes by_category{};
  std::int64_t mapped_bytes = 0;
  std::int64_t owned_bytes() const { return live_bytes - mapped_bytes; }
};

// Bytes of one layer and category at the peak.
struct LayerBytes {
  std::string layer;
  Category category = Category::kWorkspace;
  std::int64_t bytes = 0;
};

// Not thread-safe: one engine thread owns the allocator and its ledger.
class Ledger {
 public:
  // Records a block of `bytes` (already a multiple of kGranule if owned); returns its identity.
  std::uint64_t take(std::int64_t bytes, const Tag& tag, BlockKind kind = BlockKind::kOwned);
  void give_back(std::uint64_t block);

  const LedgerSnapshot& live() const { return live_; }
  // What was alive when live_bytes was largest since the last reset_peak().
  const LedgerSnapshot& peak() const { return peak_; }
  // The phase that was current at the peak ("forward layers.3", "optimizer").
  const std::string& peak_phase() const { return peak_phase_; }
  void reset_peak();
  // As if since the last reset_peak() so much had been alive, in that phase: of recorded ops, which
  // ask for no memory when they are issued again.
  void set_peak(const LedgerSnapshot& peak, std::string_view phase);

  // Names what the engine is doing, for the peak and the time line.
  void set_phase(std::string_view phase) { phase_ = phase; }

  // While recording, take and give_back are kept as events; starting clears the former ones.
  void start_time_line();
  void stop_time_line() { recording_ = false; }
  const std::vector<LedgerEvent>& time_line() const { return time_line_; }
  const std::vector<Tag>& tags() const { return tags_; }

  // The live blocks at the time of the call, summed by layer and category, sorted by both.
  std::vector<LayerBytes> live_by_layer() const;
  // The same at the peak of the recorded time line (start_time_line .. stop_time_line).
  std::vector<LayerBytes> peak_by_layer() const;

 private:
  struct Block {
    std::int64_t bytes = 0;
    Category category = Category::kWorkspace;
    std::int32_t tag = -1;
    bool alive = false;
    BlockKind kind = BlockKind::kOwned;
  };
  std::int32_t intern(const Tag& tag);
  std::vector<LayerBytes> sum_by_layer(const std::vector<std::int64_t>& bytes_by_tag) const;

  LedgerSnapshot live_;
  LedgerSnapshot peak_;
  std::string phase_;
  std::string peak_phase_;
  bool recording_ = false;
  std::vector<LedgerEvent> time_line_;
  std::vector<std::int64_t> bytes_by_tag_at_start_;
  std::vector<Block> blocks_;
  std::vector<std::uint64_t> free_ids_;
  std::vector<Tag> tags_;
};

}  // namespace lathe
