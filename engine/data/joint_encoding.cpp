// See joint_encoding.h.
#include "engine/data/joint_encoding.h"

#include <string>

#include "engine/data/plain_text.h"

namespace lathe {

JointIds encode_jointly(std::string_view question, std::string_view answer,
                        const EncodeText& encode) {
  const std::string_view asked = strip_right(question);
  JointIds joint{.ids = encode(std::string(question) + std::string(answer))};
  joint.first = asked.empty() ? 0 : encode(asked).size();
  return joint;
}

}  // namespace lathe
