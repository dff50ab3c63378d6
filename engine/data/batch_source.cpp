// Which source fits the data.
#include "engine/data/batch_source.h"

#include <utility>

#include "engine/data/token_source.h"

namespace lathe {

std::unique_ptr<BatchSource> make_batch_source(std::shared_ptr<const TokenSource> data,
                                               const BatchExtents& extents) {
  if (data->images() != nullptr) {
    return make_image_batches(std::move(data), extents);
  }
  return data->samples(Split::kTrain).begins.empty()
             ? make_window_batches(std::move(data), extents)
             : make_packed_batches(std::move(data), extents);
}

}  // namespace lathe
