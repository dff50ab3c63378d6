// Parts to ids; the shift by one token between inputs and targets.
#include "engine/data/sample_coder.h"

#include <algorithm>

#include "engine/data/batch_source.h"
#include "engine/data/joint_encoding.h"

namespace lathe {

bool CodedSample::has_targets() const {
  return std::any_of(targets.begin(), targets.end(),
                     [](std::int32_t target) { return target != kIgnoredTarget; });
}

namespace {

// The ids of all parts, and which of them an answer's are.
void append_parts(const RenderedSample& sample, const TextCoder& coder, bool marks,
                  CodedSample& coded) {
  std::vector<std::int32_t>& ids = coded.ids;
  for (const PromptPart& part : sample.parts) {
    if (part.text.empty()) {
      continue;  // an empty answer teaches nothing, not even to stop
    }
    const std::size_t begin = ids.size();
    coder.encode(part.text, marks, ids);
    if (part.is_answer && !marks && coder.end >= 0) {
      ids.push_back(coder.end);
    }
    coded.targets.resize(ids.size(), kIgnoredTarget);
    if (part.is_answer) {
      std::copy(ids.begin() + begin, ids.end(), coded.targets.begin() + begin);
    }
  }
}

void append_joint(const RenderedSample& sample, const TextCoder& coder, CodedSample& coded) {
  JointIds joint =
      encode_jointly(sample.parts[0].text, sample.parts[1].text, [&](std::string_view text) {
        std::vector<std::int32_t> ids;
        coder.encode(text, false, ids);
        return ids;
      });
  if (coder.end >= 0) {
    joint.ids.push_back(coder.end);
  }
  for (std::size_t i = 0; i < joint.ids.size(); ++i) {
    coded.ids.push_back(joint.ids[i]);
    coded.targets.push_back(i < joint.first ? kIgnoredTarget : joint.ids[i]);
  }
}

}  // namespace

CodedSample code_sample(const RenderedSample& sample, const TextCoder& coder) {
  const bool marks = sample.has_marks && coder.knows_marks;
  CodedSample coded;
  if (!marks && coder.begin >= 0) {
    coded.ids.push_back(coder.begin);
    coded.targets.push_back(kIgnoredTarget);
  }
  if (sample.joint) {
    append_joint(sample, coder, coded);
  } else {
    append_parts(sample, coder, marks, coded);
  }
  // So far each token has itself as its target.
  if (!coded.ids.empty()) {
    coded.ids.pop_back();
    coded.targets.erase(coded.targets.begin());
  }
  return coded;
}

bool cut_to(std::int64_t length, CodedSample& sample) {
  const auto most = static_cast<std::size_t>(length);
  if (sample.ids.size() <= most) {
    return false;
  }
  sample.ids.resize(most);
  sample.targets.resize(most);
  return true;
}

}  // namespace lathe
