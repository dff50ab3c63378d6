// Whether model and data fit each other: text with text, images with images.
#pragma once

#include <string>
#include <vector>

#include "engine/base/result.h"
#include "engine/train/train_spec.h"

namespace lathe {

class TokenSource;  // engine/data/token_source.h

// Of a model of images: its vocabulary is the classes, a sequence the tokens of an image. Other
// specs are left as they are.
void settle_images(TrainSpec& spec);

// What images ask of the rest of the spec: one sentence each.
void check_images(const TrainSpec& spec, std::vector<std::string>& errors);

// kUsage where the data are not what the spec says, or the model is too small for them.
Result<void> check_data(const TrainSpec& spec, const TokenSource& data);

}  // namespace lathe
