// Image sets: the readers of their files, how they are divided, and the batches made of them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>

#include "engine/data/batch_source.h"
#include "engine/data/image_reader.h"
#include "engine/data/image_set.h"
#include "tests/support/image_files.h"

namespace lathe {
namespace {

namespace fs = std::filesystem;
using test::gzipped;
using test::idx_images;
using test::idx_labels;
using test::jpeg;
using test::png;

class ImageData : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("lathe_images_" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void put(const std::string& name, const std::string& bytes) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  void put_idx(const std::string& part, std::uint32_t images, std::uint32_t labels) const {
    put(part + "-images-idx3-ubyte", idx_images(images));
    put(part + "-labels-idx1-ubyte", idx_labels(labels));
  }
  Result<ReadImages> read() const { return read_image_folder(folder_.string()); }
  std::string error() const {
    const auto result = read();
    EXPECT_FALSE(result.ok());
    return result.ok() ? "" : result.error().text();
  }
  std::shared_ptr<const TokenSource> open(DataConfig config) const {
    config.kind = DataKind::kImages;
    config.path = folder_.string();
    auto data = open_images(config, {});
    EXPECT_TRUE(data.ok()) << (data.ok() ? "" : data.error().text());
    return *data;
  }

  fs::path folder_;
};

bool tells(const std::string& text, const std::string& of) {
  return text.find(of) != std::string::npos;
}

TEST_F(ImageData, IdxFilesAreReadPackedOrNot) {
  put_idx("train", 7, 7);
  put("t10k-images-idx3-ubyte.gz", gzipped(idx_images(4)));
  put("t10k-labels-idx1-ubyte.gz", gzipped(idx_labels(4)));
  const auto set = read();
  ASSERT_TRUE(set.ok()) << set.error().text();
  EXPECT_EQ(set->train.count(), 7);
  EXPECT_EQ(set->test.count(), 4);
  EXPECT_EQ(set->classes, 3);
  EXPECT_EQ(set->train.height, 2);
  EXPECT_EQ(set->train.channels, 1);
  EXPECT_EQ(set->train.pixels[4 * 5], 5);
  EXPECT_EQ(set->test.labels, (std::vector<std::int32_t>{0, 1, 2, 0}));
}

TEST_F(ImageData, IdxFilesThatDoNotFitAreRefused) {
  put_idx("train", 7, 6);
  EXPECT_TRUE(tells(error(), "6 labels")) << error();
  put_idx("train", 7, 7);
  put("train-images-idx3-ubyte", idx_images(7).substr(0, 30));
  EXPECT_TRUE(tells(error(), "28 bytes behind its header, and has 14")) << error();
  put("train-images-idx3-ubyte", idx_images(7).substr(0, 9));
  EXPECT_TRUE(tells(error(), "ends within its header")) << error();
  put("train-images-idx3-ubyte", idx_labels(7) + std::string(20, '\0'));
  EXPECT_TRUE(tells(error(), "no IDX file of bytes in three dimensions")) << error();
  std::string huge = idx_images(7);
  huge.replace(4, 12, std::string(12, '\xff'));
  put("train-images-idx3-ubyte", huge);
  EXPECT_TRUE(tells(error(), "1 to 4096 are legal")) << error();
  put("train-images-idx3-ubyte", idx_images(7));
  fs::remove(folder_ / "train-labels-idx1-ubyte");
  EXPECT_TRUE(tells(error(), "no file of labels")) << error();
}

TEST_F(ImageData, PackedFilesThatAreCutAreRefused) {
  put("train-labels-idx1-ubyte", idx_labels(7));
  const std::string whole = gzipped(idx_images(7));
  put("train-images-idx3-ubyte.gz", whole.substr(0, whole.size() - 3));
  EXPECT_TRUE(tells(error(), "no whole gzip file")) << error();
  put("train-images-idx3-ubyte.gz", whole + "more");
  EXPECT_TRUE(tells(error(), "4 bytes behind its gzip end")) << error();
  put("train-images-idx3-ubyte.gz", "text");
  EXPECT_TRUE(tells(error(), "no whole gzip file")) << error();
}

std::string cifar_record(const std::string& labels, char value) {
  return labels + std::string(1024, value) + std::string(2048, '\0');
}

TEST_F(ImageData, CifarFilesOfBothKindsAreRead) {
  put("data_batch_1.bin", cifar_record("\x03", 'a') + cifar_record("\x09", 'b'));
  put("test_batch.bin", cifar_record("\x01", 'c'));
  const auto ten = read();
  ASSERT_TRUE(ten.ok()) << ten.error().text();
  EXPECT_EQ(ten->train.labels, (std::vector<std::int32_t>{3, 9}));
  EXPECT_EQ(ten->test.labels, (std::vector<std::int32_t>{1}));
  EXPECT_EQ(ten->train.channels, 3);
  EXPECT_EQ(ten->train.pixels[3072], 'b');
  fs::remove_all(folder_);
  put("train.bin", cifar_record("\x03\x60", 'a'));
  const auto hundred = read();
  ASSERT_TRUE(hundred.ok()) << hundred.error().text();
  EXPECT_EQ(hundred->train.labels, (std::vector<std::int32_t>{96}));
  EXPECT_EQ(hundred->classes, 97);
}

TEST_F(ImageData, CifarFilesThatDoNotFitAreRefused) {
  put("data_batch_1.bin", cifar_record("\x03", 'a').substr(1));
  EXPECT_TRUE(tells(error(), "no whole records of 3073")) << error();
  put("data_batch_1.bin", cifar_record("\x0b", 'a'));
  EXPECT_TRUE(tells(error(), "the label 11 in record 0")) << error();
}

TEST_F(ImageData, ClassFoldersArePicturesInTheOrderOfTheirNames) {
  put("train/cat/b.jpg", jpeg(8, 200));
  put("train/cat/a.png", png(8, false));
  put("train/dog/c.PNG", png(8, true));
  put("train/dog/notes.txt", "no picture");
  put("val/dog/d.jpeg", jpeg(8, 10));
  const auto set = read();
  ASSERT_TRUE(set.ok()) << set.error().text();
  EXPECT_EQ(set->train.labels, (std::vector<std::int32_t>{0, 0, 1}));
  EXPECT_EQ(set->test.labels, (std::vector<std::int32_t>{1}));
  ASSERT_EQ(set->train.channels, 3) << "one picture has colour";
  EXPECT_EQ(set->train.pixels[64 + 9], 9) << "grey is in all channels";
  EXPECT_NEAR(set->train.pixels[192 + 5], 200, 3);
  EXPECT_EQ(set->train.pixels[2 * 192 + 64 + 2], 7) << "green of the third pixel";
}

TEST_F(ImageData, ClassFoldersThatDoNotFitAreRefused) {
  put("cat/a.png", png(8, false));
  put("dog/b.png", png(9, false));
  EXPECT_TRUE(tells(error(), "9 x 9 pixels")) << error();
  put("dog/b.png", png(8, false).substr(0, 60));
  EXPECT_TRUE(tells(error(), "damaged PNG")) << error();
  put("dog/b.png", jpeg(8, 3).substr(0, 200));
  EXPECT_TRUE(tells(error(), "JPEG")) << error();
  put("dog/b.png", "GIF89a");
  EXPECT_TRUE(tells(error(), "neither a PNG nor a JPEG")) << error();
  fs::remove(folder_ / "dog/b.png");
  EXPECT_TRUE(tells(error(), "holds no picture")) << error();
  fs::remove_all(folder_);
  put("train/cat/a.png", png(8, false));
  put("test/dog/a.png", png(8, false));
  EXPECT_TRUE(tells(error(), "a class that the training part lacks")) << error();
  fs::remove_all(folder_);
  EXPECT_TRUE(tells(error(), "is no folder")) << error();
  fs::create_directories(folder_);
  EXPECT_TRUE(tells(error(), "no images to train on")) << error();
}

TEST_F(ImageData, WithoutATestPartAShareIsHeldOutBySeed) {
  put_idx("train", 100, 100);
  const auto first = open({.heldout = 0.2});
  const ImageSet& set = *first->images();
  EXPECT_EQ(set.train.count(), 80);
  EXPECT_EQ(set.heldout.count(), 20);
  std::vector<std::uint8_t> all(set.train.pixels);
  all.insert(all.end(), set.heldout.pixels.begin(), set.heldout.pixels.end());
  std::sort(all.begin(), all.end());
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i], i / 4) << "each image is in one part";
  }
  EXPECT_EQ(open({.heldout = 0.2})->info().digest, first->info().digest);
  EXPECT_NE(open({.heldout = 0.2, .split_seed = 1})->info().digest, first->info().digest);
}

TEST_F(ImageData, ExamplesAreBalancedOverTheClasses) {
  put_idx("train", 100, 100);
  put_idx("t10k", 5, 5);
  const auto data = open({.examples = 31});
  std::map<std::int32_t, int> counts;
  for (const std::int32_t label : data->images()->train.labels) {
    ++counts[label];
  }
  EXPECT_EQ(counts, (std::map<std::int32_t, int>{{0, 11}, {1, 10}, {2, 10}}));
  EXPECT_EQ(data->images()->heldout.count(), 5);
  const auto other = open({.examples = 31, .split_seed = 1});
  EXPECT_NE(other->images()->train.pixels, data->images()->train.pixels);
  const auto many =
      open_images({.kind = DataKind::kImages, .path = folder_.string(), .examples = 101}, {});
  ASSERT_FALSE(many.ok());
  EXPECT_TRUE(tells(many.error().text(), "more than the 100 training images"));
}

TEST_F(ImageData, PixelsAreMeasuredOnTheTrainingPartOrAsTold) {
  put_idx("train", 3, 3);  // pixels 0, 1, 2
  put_idx("t10k", 50, 50);
  const auto measured = open({});
  EXPECT_NEAR(measured->info().pixel_mean[0], 1.0 / 255, 1e-12);
  EXPECT_NEAR(measured->info().pixel_std[0], std::sqrt(2.0 / 3) / 255, 1e-12);
  const auto told = open({.pixel_mean = 0.5, .pixel_std = 0.25});
  EXPECT_EQ(told->info().pixel_mean, (std::vector<double>{0.5}));
  const auto half =
      open_images({.kind = DataKind::kImages, .path = folder_.string(), .pixel_mean = 0.5}, {});
  ASSERT_FALSE(half.ok());
  EXPECT_EQ(half.error().kind, ErrorKind::kUsage);
}

// An image of 4 x 4 pixels in two channels, whose pixels are their places.
std::shared_ptr<const TokenSource> counted_images(std::int64_t train) {
  ImageSet set{.size = 4, .channels = 2, .classes = 100, .mean = {0, 1}, .deviation = {1.0, 0.5}};
  for (std::int64_t image = 0; image < train; ++image) {
    set.train.labels.push_back(static_cast<std::int32_t>(image));
    for (int i = 0; i < 32; ++i) {
      set.train.pixels.push_back(static_cast<std::uint8_t>(i));
    }
  }
  set.heldout = set.train;
  return make_image_source(std::move(set), 1);
}

TEST(ImageBatches, PatchesHaveTheRowsOfAChannelAfterThoseOfTheOneBefore) {
  const auto source = make_batch_source(counted_images(1), {.batch = 1, .patch_size = 2});
  std::vector<std::int32_t> targets(1);
  std::vector<float> patches(32);
  const std::int64_t window = 0;
  source->heldout_rows({&window, 1}, {.targets = targets, .patches = patches});
  const std::vector<int> second{2, 3, 6, 7, 18, 19, 22, 23};
  for (std::size_t i = 0; i < second.size(); ++i) {
    const double pixel = second[i] / 255.0;
    EXPECT_FLOAT_EQ(patches[8 + i], static_cast<float>(i < 4 ? pixel : (pixel - 1) / 0.5));
  }
}

TEST(ImageBatches, EveryImageComesOnceInAnEpochInAnOrderOfItsOwn) {
  const auto source =
      make_batch_source(counted_images(10), {.batch = 4, .grad_accum = 2, .patch_size = 2});
  std::vector<std::int32_t> seen;
  std::vector<std::int32_t> targets(4);
  std::vector<float> patches(4 * 32);
  const BatchRows rows{.targets = targets, .patches = patches};
  for (std::int64_t micro = 0; micro < 10; ++micro) {
    source->train_rows(5, micro / 2, micro % 2, rows);
    seen.insert(seen.end(), targets.begin(), targets.end());
  }
  std::vector<std::vector<std::int32_t>> epochs;
  for (std::size_t begin = 0; begin < 40; begin += 10) {
    epochs.emplace_back(seen.begin() + begin, seen.begin() + begin + 10);
    std::vector<std::int32_t> sorted = epochs.back();
    std::sort(sorted.begin(), sorted.end());
    for (std::int32_t i = 0; i < 10; ++i) {
      ASSERT_EQ(sorted[static_cast<std::size_t>(i)], i);
    }
  }
  EXPECT_NE(epochs[0], epochs[1]);
  source->train_rows(5, 1, 0, rows);
  EXPECT_EQ(targets, (std::vector<std::int32_t>(seen.begin() + 8, seen.begin() + 12)))
      << "a function of seed, step and micro-batch";
}

}  // namespace
}  // namespace lathe
