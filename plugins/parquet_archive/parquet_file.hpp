#pragma once

#include <cstdint>
#include <filesystem>

#include "busbar.hpp"
#include "journal.hpp"
#include "seen.hpp"
#include "settings.hpp"

/// Writes all records of a journal to a Parquet file at `path`, durably, and lists them in `seen`. Returns its bytes. Throws Failed, also
/// for what Arrow throws; then the file is not there.
uint64_t write_parquet(JournalReader &journal, const std::filesystem::path &path, SeenWriter &seen, const busbar::Context &context,
                       const Settings &settings);
