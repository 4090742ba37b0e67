#include "space.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "files.hpp"

Space read_space(const busbar::Context &context) {
  Space space{};
  if (context.data_directory().empty()) return space;
  const std::filesystem::path folder = context.data_directory();
  make_folder(folder);
  std::filesystem::path path = folder / ("sequence_space." + std::to_string(context.partition_index())), temporary = path;
  temporary += ".tmp";
  if (std::filesystem::exists(path)) {
    const File file(path, O_RDONLY);
    if (read(file.descriptor(), space.data(), space.size()) == ssize_t(space.size())) return space;
  }
  std::random_device random;
  for (uint8_t &byte : space) byte = uint8_t(random());
  const File file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
  write_all(file, space.data(), space.size(), temporary);
  sync_file(file.descriptor(), temporary);
  rename_file(temporary, path);
  sync_folder(folder);
  return space;
}
