// See sentencepiece_check.h. The table is a double array (Aoe 1989) as the Darts-clone library lays
// it out: a unit's jump is exclusive-or'd with the next byte, the unit there must carry that byte.
#include "engine/tokenizer/sentencepiece_check.h"

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace lathe {
namespace {

// A field of a protocol buffer; `bytes` of texts and messages alone.
struct ProtoField {
  std::uint64_t number = 0;
  std::uint64_t wire = 0;
  std::string_view bytes;
};

// Walks the fields of a message.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view message) : left_(message) {}

  // Nothing at the end, and where damaged() is true from then on.
  std::optional<ProtoField> next() {
    if (left_.empty()) {
      return std::nullopt;
    }
    const std::uint64_t tag = varint();
    ProtoField field{.number = tag >> 3U, .wire = tag & 7U, .bytes = {}};
    if (field.wire == 0) {
      varint();
    } else if (field.wire == 1 || field.wire == 5) {
      take(field.wire == 1 ? 8 : 4);
    } else if (field.wire == 2) {
      field.bytes = take(varint());
    } else {
      damaged_ = true;
    }
    return damaged_ ? std::nullopt : std::optional(field);
  }
  bool damaged() const { return damaged_; }

 private:
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::string_view one = take(1);
      if (one.empty()) {
        return 0;
      }
      const auto byte = static_cast<unsigned char>(one.front());
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) {
        return value;
      }
    }
    damaged_ = true;
    return 0;
  }
  std::string_view take(std::uint64_t count) {
    if (damaged_ || count > left_.size()) {
      damaged_ = true;
      return {};
    }
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }

  std::string_view left_;
  bool damaged_ = false;
};

constexpr std::uint32_t kLeafMark = 1U << 31U;  // a unit with a value; no byte leads to it
constexpr std::uint32_t kHasLeaf = 1U << 8U;

std::uint32_t label_of(std::uint32_t unit) {
  return unit & (kLeafMark | 0xFFU);
}

// From every unit that bytes lead to, every byte must lead into the table, and values into `texts`.
bool stays_inside(const std::vector<std::uint32_t>& units, std::size_t texts) {
  std::vector<bool> seen(units.size());
  std::vector<std::size_t> open{0};
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    if (seen[at]) {
      continue;
    }
    seen[at] = true;
    const std::uint32_t unit = units[at];
    const std::size_t jump = at ^ ((unit >> 10U) << ((unit & (1U << 9U)) >> 6U));
    if ((jump | 0xFFU) >= units.size()) {
      return false;
    }
    if ((unit & kHasLeaf) != 0 && (units[jump] & ~kLeafMark) >= texts) {
      return false;
    }
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      if (label_of(units[jump ^ byte]) == byte) {
        open.push_back(jump ^ byte);
      }
    }
  }
  return true;
}

// The size of the table, the table, then texts with a zero byte behind each.
bool is_sound_table(std::string_view blob) {
  std::uint32_t bytes = 0;
  if (blob.empty()) {
    return true;
  }
  if (blob.size() < sizeof bytes) {
    return false;
  }
  std::memcpy(&bytes, blob.data(), sizeof bytes);
  blob.remove_prefix(sizeof bytes);
  if (bytes == 0 || bytes % sizeof(std::uint32_t) != 0 || bytes >= blob.size() ||
      blob.back() != '\0') {
    return false;
  }
  std::vector<std::uint32_t> units(bytes / sizeof(std::uint32_t));
  std::memcpy(units.data(), blob.data(), bytes);
  return stays_inside(units, blob.size() - bytes);
}

// normalizer_spec: its field 2 is the table.
std::string normalizer_damage(std::string_view message) {
  ProtoReader fields(message);
  while (const auto field = fields.next()) {
    if (field->number == 2 && field->wire == 2 && !is_sound_table(field->bytes)) {
      return "the table of its normaliser leads outside itself";
    }
  }
  return fields.damaged() ? "its normaliser is cut off" : "";
}

}  // namespace

std::string sentencepiece_damage(std::string_view model) {
  ProtoReader fields(model);
  while (const auto field = fields.next()) {
    const bool normalizer = field->number == 3 || field->number == 5;  // and the way back
    const std::string damage =
        normalizer && field->wire == 2 ? normalizer_damage(field->bytes) : "";
    if (!damage.empty()) {
      return damage;
    }
  }
  return fields.damaged() ? "it is cut off, or no protocol buffer" : "";
}

}  // namespace lathe
