// zlib, piece by piece, so that a small file cannot ask for all memory.
#include "engine/data/gzip.h"

#include <zlib.h>

#include <vector>

#include "engine/data/row_file.h"

namespace lathe {
namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 30;
constexpr std::size_t kPieceBytes = std::size_t{1} << 18;
constexpr int kGzipWindow = 15 + 16;  // zlib's mark for gzip's header

struct Inflater {
  z_stream stream{};
  bool ready = inflateInit2(&stream, kGzipWindow) == Z_OK;
  Inflater() = default;
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready) {
      inflateEnd(&stream);
    }
  }
};

Error damaged(const std::string& path, const std::string& what) {
  return {ErrorKind::kData, path + " " + what, "fetch the file again"};
}

}  // namespace

Result<std::string> gunzip(std::string_view packed, const std::string& path) {
  Inflater inflater;
  if (!inflater.ready) {
    return damaged(path, "cannot be unpacked: zlib does not start");
  }
  z_stream& stream = inflater.stream;
  std::vector<Bytef> source(packed.begin(), packed.end());
  stream.next_in = source.data();
  stream.avail_in = static_cast<uInt>(source.size());
  std::string out;
  std::vector<Bytef> piece(kPieceBytes);
  for (int state = Z_OK; state != Z_STREAM_END;) {
    stream.next_out = piece.data();
    stream.avail_out = static_cast<uInt>(piece.size());
    state = inflate(&stream, Z_NO_FLUSH);
    const std::size_t made = piece.size() - stream.avail_out;
    if (state != Z_STREAM_END && (state != Z_OK || made == 0)) {
      return damaged(path, "is no whole gzip file: it is damaged or cut");
    }
    if (out.size() + made > kMostBytes) {
      return damaged(path, "unpacks to more than 1 GiB, which no image set's file does");
    }
    out.append(reinterpret_cast<const char*>(piece.data()), made);
  }
  if (stream.avail_in > 0) {
    return damaged(path, "has " + std::to_string(stream.avail_in) + " bytes behind its gzip end");
  }
  return out;
}

Result<std::string> read_unpacked(const std::string& path) {
  auto bytes = read_bytes(path);
  return bytes && path.ends_with(".gz") ? gunzip(*bytes, path) : std::move(bytes);
}

}  // namespace lathe
