// A question and its answer as the ids that a model reads, by lm-evaluation-harness' rule: both are
// encoded as one text, and white space at the question's end belongs to the answer. What is learnt
// and what is scored are then the same tokens.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace lathe {

struct JointIds {
  std::vector<std::int32_t> ids;
  std::size_t first = 0;  // of the answer: as many as the question alone has
};

using EncodeText = std::function<std::vector<std::int32_t>(std::string_view)>;

// first == 0 where the question is white space or has no ids. `encode` is asked twice.
JointIds encode_jointly(std::string_view question, std::string_view answer,
                        const EncodeText& encode);

}  // namespace lathe
